"""Who is who through a whole clip: short pieces of tracks, joined into people. numpy and scipy, deterministic.

Pieces are linked from frame to frame (`track.py`) and end where people touch, hide one another, or a scene ends.
Then all pieces are joined at once by the assignment of least cost, each to the one in which the same person is seen
next: where they would be if they went on as they went, how they hold themselves, how tall they are, what they wear.
That is the network of Zhang, Li and Nevatia (CVPR 2008) for pieces that have one successor each, where its optimum
is an assignment. Last, people who were away for longer are known again by what they wear.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dancekit.pose.appearance import likeness
from dancekit.pose.track import Linker, box_length, overlap
from dancekit.types import Detections, Skeleton

TOUCH = 0.15
"""Overlap (intersection over union) of two boxes from which on people touch."""

AWAY = 8.0
"""Seconds that somebody may be hidden and is joined by where and when they come out; later by clothes alone."""

COSTLY = 9.0
"""Negative log-likelihood beyond which two pieces are not joined."""

FITS = 4.0
"""The same for a short piece, to the nearer one of those before and after it."""

WEAR = 0.16
"""Spread of Bhattacharyya's distance between the clothes of one person at two times."""

KNOWN_AGAIN = 0.35
"""The same distance, below which somebody who was away for long is known again."""

SAME_CLOTHES = 0.93
"""Likeness of the clothes of three frames and the next three, below which somebody else is looked at."""

_MIXED = 0.05  # how much more alike to somebody else's clothes
_SLIDE = 3
_SURE = 8  # frames of a piece whose clothes are believed
_GAP = 3  # frames missing within a piece
_BREAK = 0.35  # similarity below which a track is not continued within a piece
_ENDS = 8  # frames at the end of a piece that say how fast somebody goes
_CARRY = 1.5  # seconds that a speed is believed
_SHORT = 4  # a piece of so many frames makes nobody by itself


@dataclass(eq=False)
class _Piece:
    """A stretch of detections that are one person for sure."""

    scene: int
    frames: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    middle: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    length: float = 0.0
    wears: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def first(self) -> int:
        return self.frames[0]

    @property
    def last(self) -> int:
        return self.frames[-1]


def identify(
    detections: Sequence[Detections],
    wears: Sequence[NDArray[np.float32]],
    skeleton: Skeleton,
    *,
    rate: float,
    cuts: Sequence[int] = (),
) -> list[list[int]]:
    """Number the people of a clip.

    Args:
        detections: Everybody found, one entry a frame.
        wears: What each of them wears, as `appearance.clothes` says it: (P, C) a frame.
        skeleton: What the joints are.
        rate: Frames a second.
        cuts: Frames with which a new scene begins: places say nothing across them, clothes do.

    Returns:
        Per frame the number of each of its people: 0 is who was seen for most of the clip, largest (lengths of
        the boxes, summed), then 1, ...; -1 for glimpses that are nobody's.
    """
    pieces = list(_pieces(detections, wears, cuts))
    for piece in pieces:
        _describe(piece, detections, wears, skeleton)
    chains = _know_again(_join([piece for piece in pieces if len(piece.frames) > _SHORT], detections, rate))
    for piece in pieces:
        if len(piece.frames) <= _SHORT:
            _attach(piece, chains, detections, rate)
    chains = _without_mixtures(chains)
    presence = [sum(piece.length * len(piece.frames) for piece in chain) for chain in chains]
    order = sorted(range(len(chains)), key=lambda n: (-presence[n], chains[n][0].first))
    numbers = [[-1] * len(people) for people in detections]
    for number, place in enumerate(order):
        for piece in chains[place]:
            for frame, person in zip(piece.frames, piece.people, strict=True):
                numbers[frame][person] = number
    return numbers


def _pieces(
    detections: Sequence[Detections], wears: Sequence[NDArray[np.float32]], cuts: Sequence[int]
) -> Iterator[_Piece]:
    """Tracks, broken where somebody beside them appears or disappears."""
    bounds = [0, *cuts, len(detections)]
    for scene, (begin, end) in enumerate(itertools.pairwise(bounds)):
        linker = Linker(_GAP, _BREAK)
        tracks: dict[int, _Piece] = {}
        for frame in range(begin, end):
            for person, number in enumerate(linker.update(detections[frame])):
                piece = tracks.setdefault(number, _Piece(scene))
                piece.frames.append(frame)
                piece.people.append(person)
        ordered = list(tracks.values())
        breaks: dict[int, set[int]] = {index: set() for index in range(len(ordered))}
        for index, piece in enumerate(ordered):
            for other in ordered:
                if other is not piece:
                    breaks[index] |= _disturbed(piece, other, detections)
        for index, piece in enumerate(ordered):
            for part in _broken(piece, sorted(breaks[index])):
                yield from _broken(part, _changed_clothes(part, wears))


def _disturbed(piece: _Piece, other: _Piece, detections: Sequence[Detections]) -> set[int]:
    """The frames of a track from which on it may be somebody else: another begins, ends or misses frames upon it."""
    found = set()
    boxes = dict(zip(piece.frames, piece.people, strict=True))
    for event, person, after in _events(other):
        near = [frame for frame in range(event - _GAP, event + _GAP + 1) if frame in boxes]
        box = detections[event].box[person]
        if any(overlap(box, detections[frame].box[boxes[frame]]) > TOUCH / 2 for frame in near):
            found.add(event + after)
    return found


def _changed_clothes(piece: _Piece, wears: Sequence[NDArray[np.float32]]) -> list[int]:
    """Frames at which a piece's person changes what they wear most: the network has slid on to somebody else."""
    seen = [wears[frame][person] for frame, person in zip(piece.frames, piece.people, strict=True)]
    alike = np.ones(len(seen) + 1)
    for at in range(1, len(seen)):
        before, after = seen[max(at - _SLIDE, 0) : at], seen[at : at + _SLIDE]
        alike[at] = likeness(np.mean(before, axis=0), np.mean(after, axis=0))
    alike = np.nan_to_num(alike, nan=1.0)
    return [
        piece.frames[at]
        for at in range(1, len(seen))
        if alike[at] < SAME_CLOTHES and alike[at] <= min(alike[at - 1], alike[at + 1])
    ]


def _events(piece: _Piece) -> Iterator[tuple[int, int, int]]:
    """Frame, detection, and 0 for a begin or 1 for an end, of every run of frames without a hole."""
    for at, (frame, person) in enumerate(zip(piece.frames, piece.people, strict=True)):
        if at == 0 or piece.frames[at - 1] < frame - 1:
            yield frame, person, 0
        if at == len(piece.frames) - 1 or piece.frames[at + 1] > frame + 1:
            yield frame, person, 1


def _broken(piece: _Piece, at: list[int]) -> Iterator[_Piece]:
    part = _Piece(piece.scene)
    for frame, person in zip(piece.frames, piece.people, strict=True):
        if part.frames and any(part.last < stop <= frame for stop in at):
            yield part
            part = _Piece(piece.scene)
        part.frames.append(frame)
        part.people.append(person)
    yield part


def _describe(
    piece: _Piece,
    detections: Sequence[Detections],
    wears: Sequence[NDArray[np.float32]],
    skeleton: Skeleton,
) -> None:
    """Where, how tall, and what they wear: from frames in which nobody touches them, if there are any."""
    trunk = [
        skeleton.index(name)
        for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
        if name in skeleton
    ]
    middles, lengths, free, all_of_it = [], [], [], []
    for frame, person in zip(piece.frames, piece.people, strict=True):
        people = detections[frame]
        joints = people.xy[person, trunk] if trunk else people.xy[person]
        box = people.box[person]
        seen = np.isfinite(joints).all()
        middles.append(joints.mean(0) if seen and len(joints) else (box[:2] + box[2:]) / 2)
        lengths.append(box_length(box))
        all_of_it.append(wears[frame][person])
        others = [other for other in range(len(people)) if other != person]
        if not any(overlap(box, people.box[other]) > TOUCH for other in others):
            free.append(wears[frame][person])
    piece.middle = np.array(middles, np.float64)
    piece.length = float(np.median(lengths))
    piece.wears = np.mean(free or all_of_it, axis=0).astype(np.float64)


def _join(pieces: list[_Piece], detections: Sequence[Detections], rate: float) -> list[list[_Piece]]:
    """Chains of pieces: everybody's successor at the least cost of all together."""
    count = len(pieces)
    if not count:
        return []
    cost = np.full((count, 2 * count), 1e6)
    cost[:, count:] = COSTLY  # nobody comes after
    for row, one in enumerate(pieces):
        for column, other in enumerate(pieces):
            if one.last < other.first and one.scene == other.scene:
                cost[row, column] = min(_cost(one, other, detections, rate), 1e6)
    after = dict(zip(*linear_sum_assignment(cost), strict=True))
    followers = {column for column in after.values() if column < count}
    chains = []
    for start in range(count):
        if start in followers:
            continue
        chain, at = [], start
        while at < count:
            chain.append(pieces[at])
            at = int(after[at])
        chains.append(chain)
    return chains


def _attach(piece: _Piece, chains: list[list[_Piece]], detections: Sequence[Detections], rate: float) -> None:
    """Add a short piece to whom it fits; to nobody if it fits badly: in a crossing most are mixtures of two people."""
    best, least = None, FITS
    for chain in chains:
        if any(piece.first <= other.last and other.first <= piece.last for other in chain):
            continue
        before = [other for other in chain if other.last < piece.first and other.scene == piece.scene]
        after = [other for other in chain if other.first > piece.last and other.scene == piece.scene]
        costs = [_cost(before[-1], piece, detections, rate)] if before else []
        costs += [_cost(piece, after[0], detections, rate)] if after else []
        if costs and min(costs) < least:
            best, least = chain, min(costs)
    if best is not None:
        best.append(piece)
        best.sort(key=lambda each: each.first)


def _cost(one: _Piece, other: _Piece, detections: Sequence[Detections], rate: float) -> float:
    """Minus the log-likelihood, up to a constant, that one piece's person is the next seen in another."""
    frames = other.first - one.last
    seconds = frames / rate
    if seconds > AWAY:
        return 1e6
    size = max(min(one.length, other.length), 1.0)
    there, here = one.middle[-1], other.middle[0]
    carried = min(seconds, _CARRY)
    ahead = _speed(one.middle[-_ENDS:], one.frames[-_ENDS:]) * carried * rate
    ago = _speed(other.middle[:_ENDS], other.frames[:_ENDS]) * carried * rate
    on, back = np.linalg.norm(there + ahead - here), np.linalg.norm(here - ago - there)
    wide = 1 + seconds / 0.15  # how much less is known of where they are than in the next frame
    spread = 0.06 * size * wide
    went_on = 0.5 * ((on + back) / 2 / spread) ** 2
    turned = 0.5 * (np.linalg.norm(there - here) / spread) ** 2 + 1.0  # they stopped, or came back
    if frames <= _GAP + 1:
        went_on += 4 * (1 - _held_alike(one, other, (ahead + ago) / 2, detections, size))
        turned += 4 * (1 - _held_alike(one, other, np.zeros(2), detections, size))
    taller = 0.5 * (np.log(one.length / other.length) / 0.25) ** 2 if min(one.length, other.length) > 0 else 0
    total = min(went_on, turned) + 2 * np.log(wide) + taller + _clothes_cost(one, other)
    return float(total)


def _clothes_cost(one: _Piece, other: _Piece) -> float:
    alike = likeness(one.wears, other.wears)
    if np.isnan(alike):
        return 0.5
    sure = min(1.0, min(len(one.frames), len(other.frames)) / _SURE)  # while people touch, clothes are mixed
    return sure * float(min(0.5 * (1 - alike) / WEAR**2, 8.0))


def _held_alike(
    one: _Piece, other: _Piece, moved: NDArray[np.float64], detections: Sequence[Detections], size: float
) -> float:
    """How far the joints agree at the seam, 0 to 1, if all that was unseen is that somebody moved by (2,) pixels."""
    before = detections[one.last].xy[one.people[-1]] + moved
    after = detections[other.first].xy[other.people[0]]
    distance = np.linalg.norm(before - after, axis=-1)
    distance = distance[np.isfinite(distance)]
    return float(np.exp(-0.5 * (distance / (0.08 * size)) ** 2).mean()) if len(distance) else 0.5


def _speed(middle: NDArray[np.float64], frames: list[int]) -> NDArray[np.float64]:
    """Pixels a frame: the slope through the last (or first) frames."""
    if len(frames) < 3:
        return np.zeros(2)
    time = np.array(frames, np.float64) - np.mean(frames)
    return np.asarray((time[:, None] * (middle - middle.mean(0))).sum(0) / (time**2).sum())


def _know_again(chains: list[list[_Piece]]) -> list[list[_Piece]]:
    """Join people who are never there at once, as long as two wear the same; the most alike first."""
    chains = [list(chain) for chain in chains]
    while True:
        best: tuple[float, int, int] | None = None
        for one in range(len(chains)):
            for other in range(one + 1, len(chains)):
                away = _unlike(chains[one], chains[other])
                if away < KNOWN_AGAIN and (best is None or away < best[0]):
                    best = (away, one, other)
        if best is None:
            return chains
        chains[best[1]] = sorted([*chains[best[1]], *chains.pop(best[2])], key=lambda piece: piece.first)


def _without_mixtures(chains: list[list[_Piece]]) -> list[list[_Piece]]:
    """Without short pieces that wear what somebody else of the clip wears: a gap is better than another's pose."""
    wears = [_mean_of(chain, lambda piece: piece.wears) for chain in chains]
    kept = []
    for own, chain in enumerate(chains):
        rest = []
        for piece in chain:
            alike = np.nan_to_num([likeness(piece.wears, each) for each in wears], nan=0.0)
            others = np.delete(alike, own)
            if len(piece.frames) > _SURE or not len(others) or others.max() < alike[own] + _MIXED:
                rest.append(piece)
        kept.append(rest)
    return [chain for chain in kept if chain]


def _unlike(one: list[_Piece], other: list[_Piece]) -> float:
    """Bhattacharyya's distance of what two wear; infinite if they are there at once, or not of one size."""
    if any(a.first <= b.last and b.first <= a.last for a in one for b in other):
        return np.inf
    lengths = [_mean_of(chain, lambda piece: piece.length) for chain in (one, other)]
    same_scene = {piece.scene for piece in one} & {piece.scene for piece in other}
    if max(lengths) > (1.7 if same_scene else 3.0) * min(lengths):
        return np.inf
    alike = likeness(*(_mean_of(chain, lambda piece: piece.wears) for chain in (one, other)))
    return np.inf if np.isnan(alike) else float(np.sqrt(max(1 - alike, 0)))


def _mean_of(chain: list[_Piece], value: Any) -> Any:
    """The mean over a chain's pieces, each weighted by its frames."""
    total = sum(len(piece.frames) for piece in chain)
    return sum(value(piece) * len(piece.frames) for piece in chain) / total
