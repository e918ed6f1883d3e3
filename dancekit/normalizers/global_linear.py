"""Global pose normalization of Everybody Dance Now: scale and place a body by where its feet stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dancekit.errors import UsageError
from dancekit.normalizers import edn_compat
from dancekit.normalizers.keep_in import KeepIn, kept_in, with_bounds
from dancekit.normalizers.statistics import Array, FrameStatistics, ankle_rows, measure, settled, top
from dancekit.types import PoseSequence

BAND = 0.05
"""Half-width of the bands around close and far in which heights are taken, as a part of close - far."""

LEAST_DEPTH = 0.02
"""A clip whose close and far are nearer to each other than this part of its median height has no depth."""

NEAR_MEDIAN = 0.01
"""How far from the median row, in median heights, the standing height is looked for."""

IGNORED_ROWS = 0.01
"""The top part of all rows that `close` leaves out: a few wrong ankles must not decide it."""

IGNORED_HEIGHTS = 0.1
"""The top part of the heights in a band that is left out, for the same reason."""

MEDIAN_FRACTION = {"paper": 0.7, "edn_compat": 0.5}
"""The paper's choice, and the default of the published code."""

SCALE_LIMITS = (0.1, 10.0)
"""A scale beyond these is clamped and warned of: something was measured wrongly."""

EXTRAPOLATION = 0.5
"""How far beyond close and far, as a part of their distance, the scale still changes."""


@dataclass(frozen=True)
class Ground:
    """Where a person stands over a clip, and how tall the person is there; pixels.

    Attributes:
        close: Row of the ankles nearest to the camera.
        far: Row of the ankles farthest from it.
        median: Median row of the ankles.
        height: Standing height near the median row.
        x: Median column of the ankles.
    """

    close: float
    far: float
    median: float
    height: float
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
    has seen the floor. `center="frame"` keeps places relative to the middle of the frames. `center="auto"` draws
    the median column to the middle of the frame where a short or restless clip leaves it open: the median of a
    walk is not where the person belongs, and `track` then errs by more than doing nothing does.

    Frames in which an ankle is missing take y from the frames around them. Heights are largest heights near
    close and far, so crouching and raised legs do not shrink anybody. Against wrong detections: frames that
    leap away from their neighbours are not measured, and `close` and the heights leave out the topmost 1 %
    and 10 % of their frames (nothing of fewer than 100 and 10). A known limit, the paper's own: a jump looks
    like a step away from the camera.

    Args:
        mode: `paper`: the paper's method. `edn_compat`: number for number what the published code does
            (`edn_compat.py`); all other parameters but `median_fraction` are then its own.
        ankle: What a frame's row is: the `mean` of both ankles (the paper's), or the `lower` one, so that a
            lifted foot does not look like a step away from the camera.
        median_fraction: How far beyond the median, as a part of (close - median), the far position may be.
            None for the paper's 0.7, or the code's 0.5 with `edn_compat`.
        center: What stays in place horizontally.
        amplify: At most so many times the source's own movement in depth (in body heights) is made of it. A
            source that dances on the spot has no depth but its steps, and they must not become leaps over all
            of the target's floor. The target's rows are then shrunk about their middle.
        keep_in: Where the moved body would leave the target's `frame`, or the part of it that the target was `filmed`
            in, it is shifted back, smoothly (`keep_in.py`); `off`: a warning says by how much it leaves.

    Source: Chan et al., Everybody Dance Now (ICCV 2019), appendix 8.5.
    """

    version: int = 1

    def __init__(
        self,
        *,
        mode: Literal["paper", "edn_compat"] = "paper",
        ankle: Literal["mean", "lower"] = "mean",
        median_fraction: Annotated[float, Field(gt=0, le=1)] | None = None,
        center: Literal["auto", "track", "frame"] = "auto",
        amplify: Annotated[float, Field(ge=1)] = 1.5,
        keep_in: KeepIn = "off",
    ) -> None:
        if median_fraction is None:
            median_fraction = MEDIAN_FRACTION[mode]
        if not 0 < median_fraction <= 1:
            raise UsageError(f"global_linear: median_fraction is {median_fraction}, must be in (0, 1]")
        if not amplify >= 1:
            raise UsageError(f"global_linear: amplify is {amplify}, must be at least 1")
        self.mode = mode
        self.ankle = ankle
        self.median_fraction = median_fraction
        self.center = center
        self.amplify = amplify
        self.keep_in: KeepIn = keep_in

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips.

        Returns:
            `s_close`, `s_far`, `t_close`, `t_far`: rows, after the guards; `s_height_close`, ...: heights
            there; `c_close`, `c_far`; `slope`, `c_slope`: change of y* and of c per row of the source's
            ankles; `c_min`, `c_max`: limits of c; `x_source`, `x_target`; `source`, `target`: the plain
            numbers of `Ground`; `mode`, `ankle`, `center`, `source_size`, `target_size`; `warnings`: sentences for
            the user; `keep_in` unless it is off.

        Raises:
            PoseError: Head and both ankles are seen together in fewer than 5 frames of a clip.
        """
        if self.mode == "edn_compat":
            fraction = self.median_fraction
            exact = edn_compat.fit(source, target, source_fraction=fraction, target_fraction=fraction)
            return with_bounds(dict(exact), self.keep_in, self.apply, source, target)
        warnings: list[str] = []
        frames = {"source": measure(source, "source"), "target": measure(target, "target")}
        for who, seen in frames.items():
            if seen.usable.mean() < 0.5:
                warnings.append(
                    f"head and both ankles are seen in only {seen.usable.mean():.0%} of the {who}'s frames"
                )
        s, t = self._ground(frames["source"]), self._ground(frames["target"])
        measured = {
            "mode": self.mode,
            "ankle": self.ankle,
            "center": self.center,
            "source": asdict(s),
            "target": asdict(t),
            "source_size": list(source.size),
            "target_size": list(target.size),
            **self._line(frames, s, t, warnings),
            "x_source": self._column(source, frames["source"], s.x),
            "x_target": self._column(target, frames["target"], t.x),
            "warnings": warnings,
        }
        return with_bounds(measured, self.keep_in, self.apply, source, target)

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Move source poses into the target's frame.

        Raises:
            PoseError: No ankle is seen in any frame.
        """
        if fitted["mode"] == "edn_compat":
            return kept_in(fitted, edn_compat.apply(fitted, poses))
        y = ankle_rows(poses, lower=fitted["ankle"] == "lower")
        beyond = y - fitted["s_far"]
        landing = fitted["t_far"] + fitted["slope"] * beyond
        scale = fitted["c_far"] + fitted["c_slope"] * beyond
        scale = np.clip(scale, fitted["c_min"], fitted["c_max"])[:, None]
        xy = np.empty(poses.xy.shape, np.float64)
        xy[..., 0] = scale * (poses.xy[..., 0] - fitted["x_source"]) + fitted["x_target"]
        xy[..., 1] = scale * (poses.xy[..., 1] - y[:, None]) + landing[:, None]
        width, height = fitted["target_size"]
        return kept_in(fitted, poses.replace(xy=xy.astype(np.float32), size=(int(width), int(height))))

    def _column(self, poses: PoseSequence, frames: FrameStatistics, median: float) -> float:
        """The column that stays in place."""
        middle = (poses.size[0] - 1) / 2
        if self.center == "auto":
            return middle + settled(frames.x[frames.usable] - middle, poses)
        return median if self.center == "track" else middle

    def _ground(self, frames: FrameStatistics) -> Ground:
        rows = self._rows(frames)
        close, median = top(rows, IGNORED_ROWS), float(np.median(rows))
        beyond = median - rows
        beyond = beyond[(beyond > 0) & (beyond < self.median_fraction * (close - median))]
        far = median - float(beyond.max()) if len(beyond) else median
        # not the median height: that says how much somebody crouches in this dance, not how tall they are
        heights = frames.height[frames.usable]
        near = np.abs(rows - median) <= NEAR_MEDIAN * float(np.median(heights))
        height = top(heights[near], IGNORED_HEIGHTS)
        return Ground(close, far, median, height, float(np.median(frames.x[frames.usable])))

    def _rows(self, frames: FrameStatistics) -> Array:
        return (frames.lower_ankle_y if self.ankle == "lower" else frames.ankle_y)[frames.usable]

    def _line(
        self, frames: Mapping[str, FrameStatistics], s: Ground, t: Ground, warnings: list[str]
    ) -> dict[str, float]:
        """Rows and scales at far and close, and the straight lines through them."""
        depth = s.close - s.far, t.close - t.far
        for who, ground, span in zip(frames, (s, t), depth, strict=True):
            if span < LEAST_DEPTH * ground.height:
                warnings.append(f"the {who} hardly moves in depth ({span:.1f} px): one scale for all frames")
        if depth[0] < LEAST_DEPTH * s.height or depth[1] < LEAST_DEPTH * t.height:
            return _similarity(s, t, warnings)
        limit = self.amplify * depth[0] * t.height / s.height
        t_close, t_far = t.close, t.far
        if depth[1] > limit:
            warnings.append(
                f"the target moves more in depth than the source ({depth[1]:.0f} px, {limit:.0f} px are used)"
            )
            t_far = (t.close + t.far - limit) / 2
            t_close = t_far + limit
        s_heights = self._heights(frames["source"], s.close, s.far)
        t_heights = self._heights(frames["target"], t_close, t_far)
        c_close, c_far = (
            _clamped(theirs / ours, warnings) for theirs, ours in zip(t_heights, s_heights, strict=True)
        )
        c_slope = (c_close - c_far) / depth[0]
        reach = EXTRAPOLATION * abs(c_close - c_far)
        return {
            "s_close": s.close,
            "s_far": s.far,
            "t_close": t_close,
            "t_far": t_far,
            "s_height_close": s_heights[0],
            "s_height_far": s_heights[1],
            "t_height_close": t_heights[0],
            "t_height_far": t_heights[1],
            "c_close": c_close,
            "c_far": c_far,
            "slope": (t_close - t_far) / depth[0],
            "c_slope": c_slope,
            "c_min": max(min(c_close, c_far) - reach, SCALE_LIMITS[0]),
            "c_max": min(max(c_close, c_far) + reach, SCALE_LIMITS[1]),
        }

    def _heights(self, frames: FrameStatistics, close: float, far: float) -> tuple[float, float]:
        """Largest heights near close and near far; of the 5 nearest frames where nobody stands there."""
        rows, heights = self._rows(frames), frames.height[frames.usable]
        found = []
        for row in (close, far):
            distance = np.abs(rows - row)
            near = distance <= BAND * (close - far)
            if not near.any():
                near = distance <= np.sort(distance)[4]
            found.append(top(heights[near], IGNORED_HEIGHTS))
        # nobody is taller than at their closest: else they crouched there (the published code's rule)
        overall = top(heights, IGNORED_ROWS)
        if overall - found[0] > 0.1 * overall:
            found[0] = overall
        return found[0], found[1]


def _similarity(s: Ground, t: Ground, warnings: list[str]) -> dict[str, float]:
    """One scale, from standing heights, about the median rows: for clips without depth."""
    scale = _clamped(t.height / s.height, warnings)
    return {
        "s_close": s.median,
        "s_far": s.median,
        "t_close": t.median,
        "t_far": t.median,
        "s_height_close": s.height,
        "s_height_far": s.height,
        "t_height_close": t.height,
        "t_height_far": t.height,
        "c_close": scale,
        "c_far": scale,
        "slope": scale,
        "c_slope": 0.0,
        "c_min": scale,
        "c_max": scale,
    }


def _clamped(scale: float, warnings: list[str]) -> float:
    low, high = SCALE_LIMITS
    if not low <= scale <= high:
        warnings.append(f"a scale of {scale:.3g} cannot be right; it is kept within {low:g} and {high:g}")
    return min(max(scale, low), high)
