"""What the normalizers measure of a clip: where the feet are, and how tall the person stands there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from dancekit.errors import PoseError
from dancekit.types import PoseSequence

Array = NDArray[np.float64]

OUTLIER_SECONDS = 0.6
"""Length of the running median that wrong detections are compared with."""

OUTLIER_HEIGHTS = 0.1
"""How far, in median heights, a frame may be from that running median."""

DWELL = 10.0
"""Seconds in which people come to another place: so often a clip says where its dance has its middle."""


@dataclass(frozen=True, eq=False)
class FrameStatistics:
    """Per frame, in pixels of the frame; NaN where it was not seen.

    Attributes:
        ankle_y: (T,) mean row of the two ankles.
        lower_ankle_y: (T,) row of the lower ankle (the larger y).
        height: (T,) distance from the head (nose, else the middle of the ears) to the middle of the ankles.
        x: (T,) column of the person: the mean of the ankles.
        usable: (T,) frames with head and both ankles that are no outliers.
    """

    ankle_y: Array
    lower_ankle_y: Array
    height: Array
    x: Array
    usable: NDArray[np.bool_]


def joint_track(poses: PoseSequence, name: str) -> Array:
    """(T, 2) one joint by name; all NaN if the skeleton has none of that name."""
    if name not in poses.skeleton:
        return np.full((len(poses), 2), np.nan)
    return poses.xy[:, poses.skeleton.index(name)].astype(np.float64)


def head_track(poses: PoseSequence) -> Array:
    """(T, 2) the nose; where it is not seen, the middle of both ears."""
    nose = joint_track(poses, "nose")
    ears = (joint_track(poses, "left_ear") + joint_track(poses, "right_ear")) / 2
    return np.where(np.isnan(nose), ears, nose)


def ankle_tracks(poses: PoseSequence) -> tuple[Array, Array]:
    """(T, 2) left and right ankle."""
    return joint_track(poses, "left_ankle"), joint_track(poses, "right_ankle")


def ankle_rows(poses: PoseSequence, *, lower: bool) -> Array:
    """(T,) rows of the ankles (their mean, or the lower one).

    Where one ankle is missing, the difference between the other and the row is interpolated over time; where
    both are, the row is. Before the first and after the last sight of them the values stay.

    Raises:
        PoseError: No ankle is seen in any frame.
    """
    left, right = (track[:, 1] for track in ankle_tracks(poses))
    rows = np.maximum(left, right) if lower else (left + right) / 2
    time = poses.pts.astype(np.float64)
    both = np.isfinite(rows)
    for one in (left, right):
        alone = np.isfinite(one) & ~both
        if alone.any():
            offset = np.interp(time, time[both], (rows - one)[both]) if both.any() else np.zeros(len(rows))
            rows = np.where(alone, one + offset, rows)
    seen = np.isfinite(rows)
    if not seen.any():
        raise PoseError(
            f"no ankle is seen in any of {len(poses)} frames: nothing to place the body by",
            hint="film the whole body, feet included, or take normalizer=identity",
        )
    return np.asarray(np.interp(time, time[seen], rows[seen]))


def measure(poses: PoseSequence, who: str) -> FrameStatistics:
    """Statistics of every frame.

    A few wrong detections must not decide a maximum: frames whose ankles or height are further than
    `OUTLIER_HEIGHTS` median heights from their running median over `OUTLIER_SECONDS` are not usable (kicks
    and jumps are among them, which are no places to stand anyway). Where that is more than half of the
    frames, the motion is too erratic to tell and all are kept.

    Args:
        poses: A clip.
        who: "source" or "target", for messages.

    Raises:
        PoseError: Head and both ankles are seen together in fewer than 5 frames; says what was missing.
    """
    left, right = ankle_tracks(poses)
    middle = (left + right) / 2
    head = head_track(poses)
    height = np.hypot(*(head - middle).T)
    usable = np.isfinite(height) & (height > 0)
    _require(usable, left, right, head, who)
    index = np.flatnonzero(usable)
    limit = OUTLIER_HEIGHTS * np.median(height[index])
    window = max(5, 2 * round(OUTLIER_SECONDS * poses.rate / 2) + 1)
    steady = np.ones(len(index), bool)
    for values in (middle[index, 1], height[index]):
        steady &= np.abs(values - median_filter(values, size=window, mode="nearest")) <= limit
    if 2 * steady.sum() >= len(index):
        usable[index[~steady]] = False
    return FrameStatistics(middle[:, 1], np.maximum(left[:, 1], right[:, 1]), height, middle[:, 0], usable)


def _require(
    usable: NDArray[np.bool_], left: Array, right: Array, head: Array, who: str, least: int = 5
) -> None:
    if int(usable.sum()) >= least:
        return
    seen = {
        "left ankle": int(np.isfinite(left[:, 0]).sum()),
        "right ankle": int(np.isfinite(right[:, 0]).sum()),
        "head (nose or both ears)": int(np.isfinite(head[:, 0]).sum()),
    }
    counts = ", ".join(f"{name} in {count}" for name, count in seen.items())
    raise PoseError(
        f"the {who} cannot be measured: head and both ankles are seen together in {int(usable.sum())} of "
        f"{len(usable)} frames, {least} are needed; seen: {counts}",
        hint="film the whole body, feet included, or take normalizer=identity",
    )


def top(values: Array, ignore: float = 0.01) -> float:
    """The largest value when the top `ignore` (a fraction) is left out; the maximum of few values."""
    return float(np.sort(values)[len(values) - 1 - int(ignore * len(values))])


def settled(offsets: Array, poses: PoseSequence) -> float:
    """How far from 0 a dance has its middle: the median, drawn to 0 as far as the clip leaves it open.

    Somebody who walks through the picture for some seconds says little of where they belong; somebody who
    dances on one spot aside of the middle for long says it clearly. Empirical Bayes (James and Stein): the
    variance of the median is that of the places over their number, one in `DWELL` seconds (a shorter clip has
    seen less than one).

    Args:
        offsets: Columns less the middle, in any unit.
        poses: The clip they are from.
    """
    if not len(offsets):
        return 0.0
    low, middle, high = np.quantile(offsets, [0.05, 0.5, 0.95])
    seconds = float(poses.seconds[-1] - poses.seconds[0])
    doubt = (high - low) ** 2 / 4 * DWELL / max(seconds, 1e-3)
    return float(middle**3 / (middle**2 + doubt)) if middle else 0.0
