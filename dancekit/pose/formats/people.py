"""What the formats share: numbers that come back exactly, everybody in a file, and the one person of interest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.pose.track import assemble
from dancekit.types import Detections, PoseSequence, Skeleton


@dataclass(frozen=True)
class Source:
    """A file that is read, with what the user says of it.

    Attributes:
        path: For messages.
        data: The parsed JSON.
        size: (W, H) of the frames in pixels, None if not said.
        rate: Frames per second, None if not said.
    """

    path: Path
    data: Any
    size: tuple[int, int] | None
    rate: Fraction | None

    def frame_size(self, found: tuple[int, int] | None) -> tuple[int, int]:
        """What the file says, or else what the user says.

        Raises:
            PoseError: Neither.
        """
        size = found or self.size
        if size is None or min(size) < 1:
            raise PoseError(
                f"{self.path} does not say how large the frames are", hint="add --size WIDTHxHEIGHT"
            )
        return int(size[0]), int(size[1])

    def times(self, pts: Sequence[Any], time_base: str | None, frames: int) -> tuple[list[int], Fraction]:
        """Presentation times: those of the file if it has any, or else from the rate that the user says.

        Raises:
            PoseError: Neither.
        """
        if time_base is not None and len(pts) == frames and all(isinstance(each, int) for each in pts):
            return list(pts), Fraction(time_base)
        if self.rate is None:
            raise PoseError(f"{self.path} does not say when its frames are shown", hint="add --rate FPS")
        return list(range(frames)), 1 / self.rate


def people(points: Sequence[Any], joints: int) -> Detections:
    """Everybody in a frame.

    Args:
        points: Of each person (K, 3) numbers x, y, score; score 0 is a missing joint.
        joints: K.

    Raises:
        ValueError: Not so many numbers, or no numbers.
    """
    if not len(points):
        return Detections.nobody(joints)
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    if flat.shape[1] != 3 * joints:
        raise ValueError(f"{flat.shape[1]} numbers for {joints} joints, expected {3 * joints}")
    found = flat.reshape(len(points), joints, 3)
    there = (found[..., 2] > 0) & (np.abs(found) < np.finfo(np.float32).max).all(-1)
    found, there = found[there.any(1)], there[there.any(1)]
    xy = np.where(there[..., None], found[..., :2], np.nan).astype(np.float32)
    score = np.where(there, found[..., 2], 0.0).astype(np.float32)
    if not len(xy):
        return Detections.nobody(joints)
    return Detections(xy, score, np.concatenate([np.nanmin(xy, 1), np.nanmax(xy, 1)], 1))


def one_person(
    frames: Sequence[Detections], times: tuple[list[int], Fraction], size: tuple[int, int], skeleton: Skeleton
) -> PoseSequence:
    """The one person of a file; of several, the largest is followed over the clip."""
    alone = max((len(everybody) for everybody in frames), default=0) <= 1
    chosen = [0 if len(everybody) else None for everybody in frames] if alone else None
    return assemble(frames, times[0], times[1], size, skeleton, chosen=chosen)[0]


def numbers(values: NDArray[np.float32]) -> list[float]:
    """The shortest decimals that give the same float32 again; NaN as 0."""
    return [0.0 if value != value else float(str(value)) for value in values.ravel()]


def triples(poses: PoseSequence, frame: int, joints: Sequence[int] | None = None) -> list[float]:
    """x, y, score of each joint of a frame; 0, 0, 0 where it is missing."""
    rows = list(range(len(poses.skeleton))) if joints is None else list(joints)
    return numbers(np.concatenate([poses.xy[frame, rows], poses.score[frame, rows, None]], 1))


def dump(data: Any) -> str:
    """JSON without NaN, one line."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")) + "\n"
