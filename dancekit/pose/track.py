"""Follows one person through the detections of a clip: numpy only, deterministic.

Detections are linked from frame to frame by the assignment with the highest total similarity (Hungarian
method, as in SORT: Bewley et al. 2016), where similarity is the mean of the boxes' overlap (IoU) and of the
keypoints' agreement (a Gaussian of their distance in units of the person's size, after the OKS of COCO), both
after moving the track by its own velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dancekit.types import Detections, PoseSequence, Skeleton

Choice = Literal["largest"]

GAP = 30
"""Frames that a person may be hidden and is still the same track when seen again near by."""

REACH = 0.15
"""Distance of a keypoint from where it was expected, over the person's size, at which agreement is e^-1/2."""

SIMILAR = 0.15
"""Below this similarity two detections are never the same person."""

DECIDE = 15
"""Frames over which `PersonTracker` makes up its mind."""

_CHAINS = 20  # how many tracks are tried as the person's main one
_CARRY = 3  # frames over which a hidden person is expected to keep their velocity
_SMOOTH = 0.5  # share of the newest displacement in the velocity
_OUTGROWN = 2.0  # how much more than the lost person somebody must have been seen to take their place
_SIZE_RATIO = 2.0  # a returning person is at most this much larger or smaller


@dataclass(eq=False)
class _Track:
    """One person seen so far: where last, moving how fast, how large in sum (lengths of the boxes)."""

    number: int
    xy: NDArray[np.float32]
    box: NDArray[np.float32]
    velocity: NDArray[np.float64]
    last: int
    presence: float
    frames: int = 1

    def update(self, xy: NDArray[np.float32], box: NDArray[np.float32], frame: int) -> None:
        moved = (_centre(box) - _centre(self.box)) / (frame - self.last)
        share = 1.0 if self.frames == 1 else _SMOOTH
        self.velocity = share * moved + (1 - share) * self.velocity
        self.xy, self.box, self.last = xy, box, frame
        self.presence += box_length(box)
        self.frames += 1


class Linker:
    """Gives every detection of every frame the number of its track.

    Args:
        gap: Frames that a person may be hidden and is still the same track.
        similar: Below this similarity two detections are never the same person.
    """

    def __init__(self, gap: int, similar: float = SIMILAR) -> None:
        self.gap, self.similar = gap, similar
        self.tracks: list[_Track] = []
        self.frame = -1
        self.made = 0

    def update(self, people: Detections) -> list[int]:
        """Track numbers of the people of the next frame; ended tracks are dropped from `tracks`."""
        self.frame += 1
        self.tracks = [track for track in self.tracks if self.frame - track.last <= self.gap]
        numbers = [-1] * len(people)
        if self.tracks and len(people):
            likeness = np.array(
                [[self._similarity(track, people, p) for p in range(len(people))] for track in self.tracks]
            )
            for row, person in zip(*linear_sum_assignment(-likeness), strict=True):
                if likeness[row, person] >= self.similar:
                    self.tracks[row].update(people.xy[person], people.box[person], self.frame)
                    numbers[person] = self.tracks[row].number
        for person, number in enumerate(numbers):
            if number < 0:
                numbers[person] = self._begin(people, person)
        return numbers

    def _begin(self, people: Detections, person: int) -> int:
        box = people.box[person]
        self.tracks.append(
            _Track(self.made, people.xy[person], box, np.zeros(2), self.frame, box_length(box))
        )
        self.made += 1
        return self.made - 1

    def _similarity(self, track: _Track, people: Detections, person: int) -> float:
        away = self.frame - track.last
        # who is hidden for long may have turned round: do not carry the velocity on for ever
        shift = track.velocity * min(away, _CARRY)
        expected = track.box + np.tile(shift, 2)
        common = overlap(expected, people.box[person])
        distance = np.linalg.norm(people.xy[person] - (track.xy + shift), axis=-1)
        distance = distance[np.isfinite(distance)]
        if not len(distance):
            return common
        size = max(np.sqrt(max(_area(track.box), _area(people.box[person]))), 1.0)
        reach = REACH * size * np.sqrt(away)
        agreement = float(np.exp(-0.5 * (distance / reach) ** 2).mean())
        return 0.5 * (common + agreement)


class PersonTracker:
    """Follows one person, one frame at a time.

    Over the first frames with anybody the largest person is taken, then followed. Somebody else who comes
    close, crosses or covers them is told apart by overlap, keypoints and velocity; while the person is hidden
    the answer is None. Lost for more than `gap` frames, they are taken up again as a newcomer of a like size.
    Somebody who was there beside them all along is followed instead only once they have been seen for twice
    as much (in summed length of the box) as the followed one ever was.

    `select_person` sees the whole clip before it decides and is to be preferred where that is possible.

    Args:
        choice: Whom to follow: `largest` by length of the box, summed over frames.
        gap: Frames that a person may be hidden and still be found again near by.
    """

    def __init__(self, *, choice: Choice = "largest", gap: int = GAP) -> None:
        if choice != "largest" or gap < 1:
            raise ValueError(f"choice must be 'largest' and gap at least 1, not {choice!r} and {gap}")
        self._linker = Linker(gap)
        self._chosen: _Track | None = None
        self._undecided = DECIDE
        self._known: set[int] = set()

    def update(self, detections: Detections) -> int | None:
        """Take the next frame.

        Args:
            detections: Everybody found in it.

        Returns:
            Index of the followed person in `detections`, None if they were not found.
        """
        numbers = self._linker.update(detections)
        tracks = self._linker.tracks
        if self._undecided and tracks:
            self._undecided -= 1
            self._chosen = _largest(tracks)
        elif self._chosen is not None and self._chosen not in tracks:
            self._chosen = self._successor(tracks, self._chosen)
        self._known.update(numbers)
        number = self._chosen.number if self._chosen is not None else -1
        return numbers.index(number) if number in numbers else None

    def _successor(self, tracks: list[_Track], lost: _Track) -> _Track:
        fresh = [
            t
            for t in tracks
            if t.number not in self._known and _alike(box_length(t.box), box_length(lost.box))
        ]
        outgrown = [track for track in tracks if track.presence > _OUTGROWN * lost.presence]
        return _largest(fresh or outgrown) if fresh or outgrown else lost


def _largest(tracks: list[_Track]) -> _Track:
    # ties go to the first: the same detections always give the same person
    return max(tracks, key=lambda track: (track.presence, -track.number))


def select_person(
    detections: Sequence[Detections], *, choice: Choice = "largest", gap: int = GAP
) -> list[int | None]:
    """Choose one person over a whole clip, looking at all of it.

    Everybody is tracked. Tracks of a like size that do not overlap in time (the person left and came back)
    are joined, and the chain with the largest summed length of the box is the person: the length and not the
    area, so that a passer-by near the camera does not outweigh a dancer.

    Args:
        detections: One entry a frame.
        choice: Whom to follow: `largest`.
        gap: Frames that a person may be hidden within one track.

    Returns:
        Per frame the index of the person, None where they were not found.
    """
    if choice != "largest":
        raise ValueError(f"choice must be 'largest', not {choice!r}")
    linker = Linker(gap)
    frames = [linker.update(people) for people in detections]
    spans, lengths = _measure(detections, frames)
    order = sorted(spans, key=lambda number: (-sum(lengths[number]), number))
    chains = [_chain(number, order, spans, lengths) for number in order[:_CHAINS]]
    mine = max(chains, key=lambda chain: sum(sum(lengths[number]) for number in chain), default=set())
    return [next((p for p, number in enumerate(numbers) if number in mine), None) for numbers in frames]


def assemble(
    detections: Sequence[Detections],
    pts: Sequence[int] | NDArray[np.int64],
    time_base: Fraction,
    size: tuple[int, int],
    skeleton: Skeleton,
    *,
    chosen: Sequence[int | None] | None = None,
) -> tuple[PoseSequence, list[NDArray[np.uint8] | None]]:
    """One person's poses and masks from everybody's.

    Args:
        detections: One entry a frame.
        pts: (T,) presentation times.
        time_base: Seconds per unit of `pts`.
        size: (W, H) of the frames.
        skeleton: What the joints are.
        chosen: Index of the person per frame; `select_person(detections)` if None.

    Returns:
        The poses (missing where the person was not found), and per frame the (H, W) uint8 mask or None.

    Raises:
        ValueError: The lengths differ.
    """
    indices = select_person(detections) if chosen is None else list(chosen)
    if not len(detections) == len(pts) == len(indices):
        raise ValueError(
            f"{len(detections)} detections, {len(pts)} pts and {len(indices)} choices do not fit"
        )
    xy = np.full((len(indices), len(skeleton), 2), np.nan, np.float32)
    score = np.zeros((len(indices), len(skeleton)), np.float32)
    masks: list[NDArray[np.uint8] | None] = []
    for frame, (people, index) in enumerate(zip(detections, indices, strict=True)):
        if index is not None:
            xy[frame], score[frame] = people.xy[index], people.score[index]
        masks.append(None if index is None or people.mask is None else people.mask[index])
    poses = PoseSequence(
        xy=xy, score=score, pts=np.asarray(pts, np.int64), time_base=time_base, size=size, skeleton=skeleton
    )
    return poses, masks


def _measure(
    detections: Sequence[Detections], frames: list[list[int]]
) -> tuple[dict[int, tuple[int, int]], dict[int, list[float]]]:
    """Of every track: first and last frame, and the lengths of its boxes."""
    spans: dict[int, tuple[int, int]] = {}
    lengths: dict[int, list[float]] = {}
    for frame, numbers in enumerate(frames):
        for person, number in enumerate(numbers):
            spans[number] = (spans.get(number, (frame, frame))[0], frame)
            lengths.setdefault(number, []).append(box_length(detections[frame].box[person]))
    return spans, lengths


def _chain(
    first: int, order: list[int], spans: dict[int, tuple[int, int]], lengths: dict[int, list[float]]
) -> set[int]:
    """A track and, largest first, all others of a like size that lie apart from those taken before."""
    chain = {first}
    size = _median(lengths[first])
    for number in order:
        begin, end = spans[number]
        apart = all(end < spans[other][0] or begin > spans[other][1] for other in chain)
        if apart and _alike(_median(lengths[number]), size):
            chain.add(number)
    return chain


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _centre(box: NDArray[Any]) -> NDArray[np.float64]:
    return np.array([box[0] + box[2], box[1] + box[3]], np.float64) / 2


def _area(box: NDArray[Any]) -> float:
    return float(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0))


def box_length(box: NDArray[Any]) -> float:
    """The longer side of a box, pixels."""
    return float(max(box[2] - box[0], box[3] - box[1]))


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= _SIZE_RATIO * min(one, other)


def overlap(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = float(np.prod(np.maximum(high - low, 0.0)))
    union = _area(one) + _area(other) - common
    return common / union if union > 0 else 0.0
