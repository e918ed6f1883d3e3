"""How far the poses of a dance are from what was filmed of the target, and which poses to film as well.

A generator paints what it has seen. A pose far from all those of the training clip is painted badly, so it is
said before training (`dancekit check`), frame by frame at a transfer, and in an evaluation. All of them use
this one measure: how far the joints are from those of the nearest filmed pose, wherever in the picture that was.
Where in the picture the dance is, and nobody was, is a second measure of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import IncompatibleParts
from dancekit.types import PoseSequence

QUANTILE = 0.99
"""Of the distances of filmed poses to the nearest one at another time: beyond it a pose is out of range."""

NEIGHBOURHOOD = 1.0
"""Seconds within which two poses of the filmed clip are one and the same moment."""

FEWEST_JOINTS = 3
"""That two poses must have in common: fewer agree by being shifted."""

LEAST_POSE, LEAST_PLACE = 0.01, 0.05
"""Of the person's height: within these a pose is in range (detectors tremble by that much), and in place."""

MOST_FILMED, MOST_COMPARED, MOST_CHOSEN_FROM = 4000, 1000, 500
"""Poses that are looked at: of the filmed clip, of it for the limit, and of those outside for the choice."""

AT_ONCE = 256
"""Poses of a dance that are compared at once: memory does not grow with the dance."""

_CHUNK = 2**22  # numbers held at once, about 32 MB


@dataclass(frozen=True, eq=False)
class Coverage:
    """What of a dance is within what was filmed.

    Attributes:
        distance: (T,) px, mean over the joints, to the nearest filmed pose after moving it to the same place; NaN
            where it is not known (nobody is there, or the poses have too few joints in common).
        limit: px; NaN if too little was filmed to tell.
        height: px, of the filmed person standing: what to divide by to compare clips.
        place: (T,) px to the nearest place in the picture where the person was filmed; NaN as `distance`.
        place_limit: px; NaN as `limit`.
    """

    distance: NDArray[np.float64]
    limit: float
    height: float
    place: NDArray[np.float64]
    place_limit: float

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(T,) in which frames the pose is out of range."""
        return np.asarray(self.distance > self.limit)  # NaN is not

    @property
    def out_of_place(self) -> NDArray[np.bool_]:
        """(T,) in which frames the person is where they were never filmed."""
        return np.asarray(self.place > self.place_limit)

    @property
    def share(self) -> float:
        """Share of the frames that can be judged which are outside, in [0, 1]; NaN if there is none."""
        return _share(self.outside, self.distance, self.limit)

    @property
    def share_out_of_place(self) -> float:
        """As `share`, of the frames out of place."""
        return _share(self.out_of_place, self.place, self.place_limit)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; distances in px to a tenth, None where not known."""
        return {
            "limit_px": _rounded(self.limit),
            "height_px": _rounded(self.height),
            "outside": None if np.isnan(self.share) else round(self.share, 4),
            "outside_frames": np.flatnonzero(self.outside).tolist(),
            "distance_px": [_rounded(value) for value in self.distance],
            "place_limit_px": _rounded(self.place_limit),
            "out_of_place": None if np.isnan(self.share_out_of_place) else round(self.share_out_of_place, 4),
            "out_of_place_frames": np.flatnonzero(self.out_of_place).tolist(),
            "place_px": [_rounded(value) for value in self.place],
        }


class PoseRange:
    """The range of poses in a training clip.

    The distance of two poses is the mean over the joints that both have, after the shift that brings the means
    of those joints together: a pose that was filmed elsewhere in the picture is the same pose. (On the shipped
    dancer it ranks held-out frames by their painting error better than the distance in place does:
    `benchmarks/pose_coverage.py`.) The length of that shift is how far the places are apart. Both limits are the 99th
    percentile of the distances of filmed poses to the nearest one at least a second away in time, and at least
    `LEAST_POSE` and `LEAST_PLACE` of the person's height.

    Args:
        filmed: Poses of the training clip.
    """

    def __init__(self, filmed: PoseSequence) -> None:
        self.filmed = _thinned(filmed[filmed.found], MOST_FILMED)

    @property
    def limit(self) -> float:
        """Pixels; NaN if the clip is too short to tell."""
        return max(self._limits[0], LEAST_POSE * self.height)

    @property
    def place_limit(self) -> float:
        """Pixels; NaN if the clip is too short to tell."""
        return max(self._limits[1], LEAST_PLACE * self.height)

    @cached_property
    def _limits(self) -> tuple[float, float]:
        asked = _thinned(self.filmed, MOST_COMPARED)
        if not len(asked):
            return float("nan"), float("nan")
        near = np.abs(asked.seconds[:, None] - self.filmed.seconds[None]) <= NEIGHBOURHOOD
        found = []
        for distance in distances(self.filmed, asked):
            distance[near] = np.inf
            nearest = distance.min(1)
            known = nearest[np.isfinite(nearest)]
            found.append(float(np.quantile(known, QUANTILE)) if len(known) else float("nan"))
        return found[0], found[1]

    @cached_property
    def height(self) -> float:
        """Pixels of the person standing: a high percentile over the frames of the joints' extent from top to foot."""
        rows = self.filmed.xy[..., 1]
        if not len(rows):
            return float("nan")
        return float(np.quantile(np.nanmax(rows, 1) - np.nanmin(rows, 1), 0.95))

    def coverage(self, poses: PoseSequence) -> Coverage:
        """Compare a dance with what was filmed.

        Args:
            poses: T poses in pixels of the training clip (after the normalizer), in its skeleton.

        Raises:
            IncompatibleParts: Another skeleton.
        """
        if not len(self.filmed):
            unknown = np.full(len(poses), np.nan)
            return Coverage(unknown, self.limit, self.height, unknown, self.place_limit)
        pose, place = np.empty(len(poses)), np.empty(len(poses))
        for first in range(0, len(poses), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            for nearest, apart in zip((pose, place), distances(self.filmed, poses[part]), strict=True):
                nearest[part] = apart.min(1)
        for nearest in (pose, place):
            nearest[~np.isfinite(nearest)] = np.nan
        return Coverage(pose, self.limit, self.height, place, self.place_limit)


def distances(filmed: PoseSequence, poses: PoseSequence) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far poses are from each other, as shapes and as places, for every pair of frames.

    Args:
        filmed: N poses.
        poses: T poses in the same pixels.

    Returns:
        (T, N) float32 pixels each: the mean distance of the joints that both have after the shift between the
        means of those, and the length of that shift. Infinite where fewer than half of the joints of `poses`, or
        than `FEWEST_JOINTS`, are in both.

    Raises:
        IncompatibleParts: Two different skeletons.
    """
    if filmed.skeleton != poses.skeleton:
        raise IncompatibleParts(
            f"poses of {poses.skeleton.id} cannot be compared with poses of {filmed.skeleton.id}",
            hint="convert one with PoseSequence.to",
        )
    known, there = filmed.valid.astype(np.float32), np.nan_to_num(filmed.xy)
    shape, place = (np.full((len(poses), len(filmed)), np.inf, np.float32) for _ in range(2))
    step = max(1, _CHUNK // max(1, 2 * filmed.score.size))
    for start in range(0, len(poses), step):
        part, rows = poses[start : start + step], slice(start, start + step)
        both = part.valid.astype(np.float32)[:, None] * known[None]
        count = both.sum(-1)
        squares, shift = np.zeros_like(both), np.zeros_like(count)
        for axis in range(2):  # in place: these arrays are what takes the time
            apart = np.nan_to_num(part.xy[..., axis])[:, None] - there[None, ..., axis]
            apart *= both
            mean = apart.sum(-1) / np.maximum(count, 1)
            apart -= mean[..., None]
            squares += np.square(apart, out=apart)
            shift += mean**2
        total = (np.sqrt(squares, out=squares) * both).sum(-1)
        enough = (count >= FEWEST_JOINTS) & (2 * count >= part.valid.sum(1, keepdims=True))
        np.divide(total, count, out=shape[rows], where=enough)
        place[rows][enough] = np.sqrt(shift)[enough]
    return shape, place


def poses_to_film(poses: PoseSequence, coverage: Coverage, count: int = 6) -> list[int]:
    """Frames whose poses stand best for all those that are out of range: their k-medoids.

    Args:
        poses: T poses in pixels of the training clip.
        coverage: Of these poses.
        count: How many at most.

    Returns:
        Frame numbers in order; as few as bring every pose that is outside within the limit of one of them.
    """
    outside = np.flatnonzero(coverage.outside)
    if len(outside) > MOST_CHOSEN_FROM:
        outside = outside[np.linspace(0, len(outside) - 1, MOST_CHOSEN_FROM).round().astype(int)]
    if not len(outside):
        return []
    part = poses[outside]
    distance = distances(part, part)[0].astype(np.float64)
    distance = np.maximum(distance, distance.T)  # infinite one way only, where one has joints the other lacks
    finite = distance[np.isfinite(distance)]
    distance[~np.isfinite(distance)] = 2 * finite.max(initial=1.0)
    return sorted(int(frame) for frame in outside[medoids(distance, count, coverage.limit)])


def medoids(distance: NDArray[np.float64], count: int, near: float) -> NDArray[np.intp]:
    """k-medoids, deterministic: built greedily, then improved by alternating (Park and Jun 2009).

    Args:
        distance: (N, N) symmetric.
        count: Of medoids, at most; none is added when all are within `near` of one.
        near: As `distance`.
    """
    chosen = [int(distance.sum(1).argmin())]
    while len(chosen) < min(count, len(distance)) and distance[chosen].min(0).max() > near:
        left = np.minimum(distance, distance[chosen].min(0)).sum(1)
        left[chosen] = np.inf
        chosen.append(int(left.argmin()))
    medoids = np.array(chosen, np.intp)
    for _ in range(100):
        member = distance[medoids].argmin(0)
        new = medoids.copy()
        for number in range(len(medoids)):
            group = np.flatnonzero(member == number)
            if len(group):
                new[number] = group[distance[np.ix_(group, group)].sum(1).argmin()]
        if (new == medoids).all():
            break
        medoids = new
    return medoids


def _thinned(poses: PoseSequence, most: int) -> PoseSequence:
    """At most so many poses, spread evenly."""
    return poses if len(poses) <= most else poses[thinned(np.arange(len(poses)), most)]


def thinned(numbers: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of some numbers, spread evenly over their order."""
    if len(numbers) <= most:
        return numbers
    chosen: NDArray[np.intp] = numbers[np.linspace(0, len(numbers) - 1, most).round().astype(int)]
    return chosen


def _share(flags: NDArray[np.bool_], values: NDArray[np.float64], limit: float) -> float:
    known = np.isfinite(values) & np.isfinite(limit)
    return float(flags[known].mean()) if known.any() else float("nan")


def _rounded(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None
