"""What the poses alone tell of a clip: who is missing, what is hidden or cut off, how much the joints tremble."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence

LEAST_FOUND, LEAST_FEET, LEAST_HANDS = 0.9, 0.8, 0.7
"""Shares of frames below which a missing person, missing feet, or missing hands are worth a warning."""

MOST_CUT = 0.1
"""Share of frames in which somebody may reach beyond the same side of the picture."""

MOST_JITTER = 1.5
"""Percent of the person's height that joints may tremble by."""

_SIDES = ("left", "top", "right", "bottom")


def body_measures(poses: PoseSequence, what: str) -> tuple[dict[str, float], list[str]]:
    """Measure and judge.

    Args:
        poses: As found, unfiltered.
        what: `source` or `target`, for the sentences.

    Returns:
        `found`, `feet` and `hands` (shares of frames; with both ankles, both wrists), `cut_left` to
        `cut_bottom` (shares in which a joint is at or beyond that side of the picture), `jitter` (percent of
        the height); and sentences.
    """
    found = float(poses.found.mean())
    measures, warnings = {"found": found}, []
    if found < LEAST_FOUND:
        warnings.append(f"nobody is found in {1 - found:.0%} of the {what}'s frames")
    if not poses.found.any():
        return measures, warnings
    seen = poses[poses.found]
    for name, joint, least, why in (
        ("feet", "ankle", LEAST_FEET, "size and place are guessed from the others"),
        ("hands", "wrist", LEAST_HANDS, "arms are guessed or left out there"),
    ):
        names = [f"{side}_{joint}" for side in ("left", "right")]
        if not all(each in seen.skeleton for each in names):
            continue
        joints = [seen.skeleton.index(each) for each in names]
        both: NDArray[np.bool_] = np.all(seen.valid[:, joints], axis=1)
        measures[name] = share = float(both.mean())
        if share < least:
            warnings.append(
                f"the {what}'s {name} are hidden or out of the picture in {1 - share:.0%} of the frames: {why}"
            )
    for side, share in zip(_SIDES, _cut(seen), strict=True):
        measures[f"cut_{side}"] = share
        if share > MOST_CUT:
            warnings.append(
                f"the {what} reaches beyond the {side} of the picture in {share:.0%} of the frames: "
                "leave room around the whole body, arms stretched out"
            )
    measures["jitter"] = jitter(poses)
    if measures["jitter"] > MOST_JITTER:
        warnings.append(
            f"the {what}'s joints tremble by {measures['jitter']:.1f} % of the height: film in more light, sharper, "
            "from nearer, in clothes that differ from the background"
        )
    return measures, warnings


def jitter(poses: PoseSequence) -> float:
    """How much joints tremble from frame to frame, in percent of the person's height.

    The root mean square of the part of a joint's path that a parabola through seven frames about it does not
    follow (Savitzky and Golay, window 7, order 2, as DWPose's authors recommend for smoothing), its median over
    the joints; of a parabola's own path that is nothing. NaN where no joint is seen seven frames on end.
    """
    if len(poses) < 7:
        return float("nan")
    # the middle sample's residual: one minus the smoothing weights -2 3 6 7 6 3 -2 over 21
    weights = np.array([2, -3, -6, 14, -6, -3, 2]) / 21
    windows = np.lib.stride_tricks.sliding_window_view(poses.xy.astype(np.float64), 7, axis=0)
    left = (windows @ weights)[..., :]
    # of white noise the residual keeps 14/21 of the variance
    square = (left**2).sum(-1) / 2 / (14 / 21)
    joints = np.isfinite(square).any(0)
    if not joints.any():
        return float("nan")
    tremble = np.sqrt(np.nanmean(square[:, joints], axis=0))
    rows = poses.xy[poses.found][..., 1]
    height = float(np.quantile(np.nanmax(rows, 1) - np.nanmin(rows, 1), 0.95))
    return float(np.median(tremble) / max(height, 1.0) * 100)


def _cut(poses: PoseSequence) -> list[float]:
    """Shares of the frames in which a joint is at or beyond the left, top, right, bottom of the picture."""
    width, height = poses.size
    x, y = poses.xy[..., 0], poses.xy[..., 1]
    beyond = (x < 1, y < 1, x > width - 2, y > height - 2)
    return [float(side.any(1).mean()) for side in beyond]
