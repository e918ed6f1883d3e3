"""Global pose normalization of Everybody Dance Now: scale and place a body by where its feet stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dancekit.errors import UsageError
from dancekit.normalizers.statistics import Array, FrameStatistics, ankle_tracks, measure, top
from dancekit.types import PoseSequence

BAND = 0.05
"""Half-width of the bands around close and far in which heights are taken, as a part of close - far."""

LEAST_DEPTH = 0.02
"""A clip whose close and far are nearer to each other than this part of its median height has no depth."""

SCALE_LIMITS = (0.1, 10.0)
"""A scale beyond these is clamped and warned of: something was measured wrongly."""


@dataclass(frozen=True)
class Ground:
    """Where a person stands over a clip, pixels: rows of the ankles and heights there."""

    close: float
    far: float
    median: float
    height_close: float
    height_far: float
    height_median: float
    x: float


class GlobalLinear:
    """Fits the source's size and place to the target's, linearly in the row of the source's ankles.

    A person who comes closer to a standing camera gets taller and stands lower in the frame. Both clips are
    measured at their closest and farthest ankle position (all frames; deterministic), and for each source
    frame with ankles at row y, p = (y - s_far) / (s_close - s_far):

        row of the ankles   y* = t_far + p (t_close - t_far)
        scale               c = c_far + p (c_close - c_far),  c_close = t_height_close / s_height_close, ...

    Every joint then moves by x' = c (x - X_source) + X_target and y' = c (y - y_ankles) + y*: anchored on the
    ankles of the *same* frame, so feet land on y* exactly (the paper's rule; the published code anchors on
    the first frame's and slides).

    The paper says nothing of x. With `center="track"`, X is the median column of each person's ankles: a
    source filmed left of the middle still dances where the target was filmed, which is where the generator
    has seen the floor. `center="frame"` keeps places relative to the middle of the frames.

    Frames in which an ankle is missing take y from the frames around them. Heights are largest heights near
    close and far, so crouching and raised legs do not shrink anybody. A known limit, the paper's own: a jump
    looks like a step away from the camera.

    Args:
        mode: `paper`: rows are the mean of both ankles. `edn`: rows are the lower ankle, as the published
            code takes them, with its rule against amplified depth and its rule for heights.
        median_fraction: How far beyond the median, as a part of (close - median), the far position may be.
            0.7 is the paper's, 0.5 the code's.
        center: What stays in place horizontally.

    Source: Chan et al., Everybody Dance Now (ICCV 2019), appendix 8.5.
    """

    version: int = 1

    def __init__(
        self,
        *,
        mode: Literal["paper", "edn"] = "paper",
        median_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7,
        center: Literal["track", "frame"] = "track",
    ) -> None:
        if not 0 < median_fraction <= 1:
            raise UsageError(f"global_linear: median_fraction is {median_fraction}, must be in (0, 1]")
        self.mode = mode
        self.median_fraction = median_fraction
        self.center = center

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips.

        Returns:
            `mode`; `source` and `target` (the numbers of `Ground`, pixels); `s_close`, `s_far`, `t_close`,
            `t_far` (rows after the guards), `c_close`, `c_far`; `x_source`, `x_target`; `target_size`;
            `warnings`, sentences for the user.

        Raises:
            PoseError: Head and both ankles are seen together in fewer than 5 frames of a clip.
        """
        warnings: list[str] = []
        s = self._ground(measure(source, "source"))
        t = self._ground(measure(target, "target"))
        fitted = {
            "mode": self.mode,
            "center": self.center,
            "source": asdict(s),
            "target": asdict(t),
            "source_size": list(source.size),
            "target_size": list(target.size),
            **self._rows_and_scales(s, t, warnings),
            "x_source": s.x if self.center == "track" else (source.size[0] - 1) / 2,
            "x_target": t.x if self.center == "track" else (target.size[0] - 1) / 2,
            "warnings": warnings,
        }
        return fitted

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Move source poses into the target's frame.

        Raises:
            PoseError: No ankle is seen in any frame.
        """
        y = ankle_rows(poses, fitted["mode"])
        moved = (y - fitted["s_far"]) / (fitted["s_close"] - fitted["s_far"])
        landing = fitted["t_far"] + moved * (fitted["t_close"] - fitted["t_far"])
        scale = fitted["c_far"] + moved * (fitted["c_close"] - fitted["c_far"])
        low, high = sorted((fitted["c_far"], fitted["c_close"]))
        scale = np.clip(scale, max(0.5 * low, SCALE_LIMITS[0]), min(2 * high, SCALE_LIMITS[1]))
        xy = np.empty_like(poses.xy, dtype=np.float64)
        xy[..., 0] = scale[:, None] * (poses.xy[..., 0] - fitted["x_source"]) + fitted["x_target"]
        xy[..., 1] = scale[:, None] * (poses.xy[..., 1] - y[:, None]) + landing[:, None]
        width, height = fitted["target_size"]
        return poses.replace(xy=xy.astype(np.float32), size=(int(width), int(height)))

    def _ground(self, frames: FrameStatistics) -> Ground:
        rows = (frames.lower_ankle_y if self.mode == "edn" else frames.ankle_y)[frames.usable]
        heights = frames.height[frames.usable]
        ignore = 0.0 if self.mode == "edn" else 0.01
        close, median = top(rows, ignore), float(np.median(rows))
        beyond = median - rows
        beyond = beyond[(beyond > 0) & (beyond < self.median_fraction * (close - median))]
        far = median - float(beyond.max()) if len(beyond) else median
        overall = top(heights, ignore)
        height = {}
        for name, row in (("close", close), ("far", far)):
            near = heights[np.abs(rows - row) <= BAND * (close - far)]
            height[name] = top(near, ignore) if len(near) else overall
        if self.mode == "edn" and overall - height["close"] > 0.1 * overall:
            height["close"] = overall
        return Ground(
            close,
            far,
            median,
            height["close"],
            height["far"],
            float(np.median(heights)),
            float(np.median(frames.x[frames.usable])),
        )

    def _rows_and_scales(self, s: Ground, t: Ground, warnings: list[str]) -> dict[str, float]:
        t_close, t_far = t.close, t.far
        if self.mode == "edn" and s.close - s.far < t_close - t_far:
            middle, half = (t_close + t_far) / 2, (s.close - s.far) / 2
            t_close, t_far = middle + half, middle - half
        return {
            "s_close": s.close,
            "s_far": s.far,
            "t_close": t_close,
            "t_far": t_far,
            "c_close": t.height_close / s.height_close,
            "c_far": t.height_far / s.height_far,
        }


def ankle_rows(poses: PoseSequence, mode: str) -> Array:
    """(T,) rows of the ankles, interpolated over time where they are not seen."""
    left, right = (track[:, 1] for track in ankle_tracks(poses))
    rows = np.maximum(left, right) if mode == "edn" else (left + right) / 2
    seen = np.flatnonzero(np.isfinite(rows))
    return np.interp(np.arange(len(rows)), seen, rows[seen])
