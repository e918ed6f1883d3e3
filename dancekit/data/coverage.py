"""How far the poses of a dance are from what was filmed of the target, and which poses to film as well.

A generator paints what it has seen. A pose far from all those of the training clip is painted badly, so it is
said before training (`dancekit check`), frame by frame at a transfer, and in an evaluation. All of them use
this one measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.baselines import pose_distances
from dancekit.types import PoseSequence

QUANTILE = 0.99
"""Of the distances of filmed poses to the nearest one at another time: beyond it a pose is out of range."""

NEIGHBOURHOOD = 1.0
"""Seconds within which two poses of the filmed clip are one and the same moment."""

MOST_FILMED, MOST_COMPARED, MOST_CHOSEN_FROM = 4000, 1000, 500
"""Poses that are looked at: of the filmed clip, of it for the limit, and of those outside for the choice."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What of a dance is within what was filmed.

    Attributes:
        distance: (T,) px, mean over the joints, to the nearest filmed pose; NaN where it is not known (nobody
            is there, or the poses have too few joints in common).
        limit: px; NaN if too little was filmed to tell.
        height: px, of the filmed person standing: what to divide by to compare clips.
    """

    distance: NDArray[np.float64]
    limit: float
    height: float

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(T,) in which frames the pose is out of range."""
        return np.asarray(self.distance > self.limit)  # NaN is not

    @property
    def share(self) -> float:
        """Share of the frames that can be judged which are outside, in [0, 1]; NaN if there is none."""
        known = np.isfinite(self.distance) & np.isfinite(self.limit)
        return float(self.outside[known].mean()) if known.any() else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; distances in px to a tenth, None where not known."""
        return {
            "limit_px": _rounded(self.limit),
            "height_px": _rounded(self.height),
            "outside": None if np.isnan(self.share) else round(self.share, 4),
            "outside_frames": np.flatnonzero(self.outside).tolist(),
            "distance_px": [_rounded(value) for value in self.distance],
        }


class PoseRange:
    """The range of poses in a training clip.

    The distance is that of the paper's nearest-neighbour baseline (`metrics.baselines.pose_distances`), in the
    place where the person stands: a pose that was filmed elsewhere in the picture is another one. The limit is
    the 99th percentile of the distances of filmed poses to the nearest one at least a second away in time.

    Args:
        filmed: Poses of the training clip.
    """

    def __init__(self, filmed: PoseSequence) -> None:
        self.filmed = _thinned(filmed[filmed.found], MOST_FILMED)

    @cached_property
    def limit(self) -> float:
        """Pixels; NaN if the clip is too short to tell."""
        asked = _thinned(self.filmed, MOST_COMPARED)
        if not len(asked):
            return float("nan")
        distance = pose_distances(self.filmed, asked)
        near = np.abs(asked.seconds[:, None] - self.filmed.seconds[None]) <= NEIGHBOURHOOD
        distance[near] = np.inf
        nearest = distance.min(1)
        known = nearest[np.isfinite(nearest)]
        return float(np.quantile(known, QUANTILE)) if len(known) else float("nan")

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
            return Coverage(np.full(len(poses), np.nan), self.limit, self.height)
        nearest = pose_distances(self.filmed, poses).min(1).astype(np.float64)
        nearest[~np.isfinite(nearest)] = np.nan
        return Coverage(nearest, self.limit, self.height)


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
    distance = pose_distances(part, part).astype(np.float64)
    distance = np.maximum(distance, distance.T)  # infinite one way only, where one has joints the other lacks
    finite = distance[np.isfinite(distance)]
    distance[~np.isfinite(distance)] = 2 * finite.max(initial=1.0)
    return sorted(int(frame) for frame in outside[_medoids(distance, count, coverage.limit)])


def _medoids(distance: NDArray[np.float64], count: int, near: float) -> NDArray[np.intp]:
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
    if len(poses) <= most:
        return poses
    return poses[np.linspace(0, len(poses) - 1, most).round().astype(int)]


def _rounded(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None
