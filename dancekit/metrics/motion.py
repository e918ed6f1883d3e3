"""How the painted body moves against the truth: feet that slide, accents that are lost."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import signal

from dancekit.metrics.pose import check_poses, torso_length
from dancekit.types import PoseSequence

_FEET = tuple(
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("ankle", "heel", "big_toe", "small_toe", "foot_index")
)
_WRISTS = ("left_wrist", "right_wrist")


class FootSkating:
    """How fast a planted foot slides in the painted frames, in torso lengths a second.

    Planted is a joint of the foot (ankle, heel, toes) that moves slower than `still` in the truth, over the
    frame before and the frame after; its movement is then measured on the pose found in the painted frames
    themselves. What a detector trembles is part of it: compare with the truth's own pose, or with a baseline.

    Args:
        still: Torso lengths a second below which a true foot stands.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "torso/s"

    def __init__(self, *, still: Annotated[float, Field(gt=0.0, le=10.0)] = 0.15) -> None:
        self.still = still

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: T poses found in the painted frames.
            real: T poses of the true frames (or the retargeted ones), in the same pixels.

        Returns:
            (T,) torso lengths a second from the frame before, the mean over the planted joints; NaN where no
            foot is planted or seen.

        Raises:
            IncompatibleParts: Two different skeletons.
            UsageError: Different numbers or sizes of frames.
        """
        check_poses(fake, real)
        truth, painted = (_speeds(poses, _FEET, torso_length(real)) for poses in (real, fake))
        stands = (
            truth <= self.still
        )  # (T, K): from the frame before; a foot that lands or leaves is not planted
        after = np.vstack([stands[1:], stands[-1:]])
        counted = stands & after & np.isfinite(painted)
        count = counted.sum(1)
        total = np.where(counted, painted, 0.0).sum(1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


class Accents:
    """Accents kept: the share of the truth's peaks of wrist speed that the painted wrist has, too.

    A peak stands out of its surroundings by `prominence` torso lengths a second (as `scipy.signal.find_peaks`
    defines it); it is kept if the same wrist of the painted pose has a peak of at least half that prominence
    at most `within` frames away. Smoothing poses over time loses accents; this says how many.

    Args:
        prominence: Torso lengths a second.
        within: Frames.
    """

    version: int = 1
    higher_is_better: bool = True
    unit: str = "%"

    def __init__(
        self,
        *,
        prominence: Annotated[float, Field(gt=0.0)] = 1.0,
        within: Annotated[int, Field(ge=0, le=10)] = 1,
    ) -> None:
        self.prominence = prominence
        self.within = within

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) percent at the frames with an accent in the truth, NaN at all others.

        Arguments and errors as of `FootSkating`. A frame in which both wrists have an accent and one is kept
        scores 50.
        """
        check_poses(fake, real)
        torso = torso_length(real)
        kept, there = np.zeros(len(real)), np.zeros(len(real))
        for truth, painted in zip(
            _central_speeds(real, torso).T, _central_speeds(fake, torso).T, strict=True
        ):
            found = _peaks(painted, self.prominence / 2)
            for accent in _peaks(truth, self.prominence):
                there[accent] += 1
                kept[accent] += bool(len(found)) and np.abs(found - accent).min() <= self.within
        return np.where(there > 0, 100.0 * kept / np.maximum(there, 1), np.nan)


def _speeds(poses: PoseSequence, names: tuple[str, ...], torso: float) -> NDArray[np.float64]:
    """(T, K') torso lengths a second from the frame before; NaN in the first and where not seen in both."""
    joints = [poses.skeleton.index(name) for name in names if name in poses.skeleton]
    speeds = np.full((len(poses), len(joints)), np.nan)
    steps = np.linalg.norm(np.diff(poses.xy[:, joints].astype(np.float64), axis=0), axis=-1)
    speeds[1:] = steps / np.diff(poses.seconds)[:, None] / torso
    return speeds


def _central_speeds(poses: PoseSequence, torso: float) -> NDArray[np.float64]:
    """(T, 2) of the wrists, from the frame before to the one after; NaN at the ends and beside a gap."""
    joints = [poses.skeleton.index(name) for name in _WRISTS if name in poses.skeleton]
    xy, seconds = poses.xy[:, joints].astype(np.float64), poses.seconds
    speeds = np.full(xy.shape[:2], np.nan)
    if len(poses) > 2:
        duration = (seconds[2:] - seconds[:-2])[:, None]
        speeds[1:-1] = np.linalg.norm(xy[2:] - xy[:-2], axis=-1) / duration / torso
        speeds[~np.isfinite(xy).all(-1)] = np.nan
    return speeds


def _peaks(speed: NDArray[np.float64], prominence: float) -> NDArray[np.intp]:
    """Frames of the peaks, each stretch without a gap for itself: a gap neither makes nor raises a peak."""
    known = np.isfinite(speed).astype(np.int8)
    edges = np.flatnonzero(np.diff(known, prepend=0, append=0))
    found = [
        start + signal.find_peaks(speed[start:end], prominence=prominence)[0]
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return np.concatenate(found) if found else np.empty(0, np.intp)
