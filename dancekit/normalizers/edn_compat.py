"""Global pose normalization as the published code does it, its slips included: `global_linear`, `mode: edn_compat`.

Everything is kept that changes a number: the lower ankle, the left ear where the left ankle was meant, ankles
that are not seen counting as (0, 0), an anchor that is the first frame's ankle. Mended is what kept it from
giving a number: any skeleton with nose, ears and ankles works and not only BODY_23, the frames measured are
taken in order instead of drawn at random without a seed, a clip with no usable frame is an error instead of
an endless loop, and a band without a frame takes the nearest ones instead of a division by zero or a scale
of 0. What is known of the original is in `../shared/reference/edn.md` 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.normalizers.statistics import Array
from dancekit.types import PoseSequence, Skeleton

BAND = 0.05
"""Half-width of the bands around close and far, as a part of close - far."""

NEAREST = 5
"""Frames that are measured where a band has none."""

RESET = 0.1
"""A close height lower than the overall one by more than this part of it is replaced by it."""

JOINTS = ("nose", "left_ear", "right_ear", "left_ankle", "right_ankle")


@dataclass(frozen=True, eq=False)
class PoseStatistics:
    """What is measured of each frame.

    Attributes:
        height: (T,) head to the mean of the ankles, pixels.
        higher: (T,) row of the higher ankle (the smaller y).
        lower: (T,) row of the lower ankle.
        valid: (T,) whether the frame counts.
    """

    height: Array
    higher: Array
    lower: Array
    valid: NDArray[np.bool_]

    def drawn(self, frames: NDArray[np.intp]) -> PoseStatistics:
        """Those of some frames, repeated as often as they are named."""
        return PoseStatistics(
            self.height[frames], self.higher[frames], self.lower[frames], self.valid[frames]
        )


def pose_statistics(xy: Array, score: NDArray[np.floating[Any]], skeleton: Skeleton) -> PoseStatistics:
    """Measure every frame.

    A frame counts if the nose or both ears, the right ankle and the *left ear* are seen: the original tests
    the ear where it means the left ankle, so an ankle that is not seen is measured at (0, 0).

    Args:
        xy: (T, K, 2) pixels, (0, 0) where missing.
        score: (T, K), 0 where missing.
        skeleton: What the joints are.

    Raises:
        UnknownName: The skeleton has no nose, ear or ankle.
    """
    at = {name: xy[:, skeleton.index(name)].astype(np.float64) for name in JOINTS}
    seen = {name: score[:, skeleton.index(name)] > 0 for name in JOINTS}
    ears = seen["left_ear"] & seen["right_ear"]
    middle = (at["left_ear"] + at["right_ear"]) / 2
    head = np.where(seen["nose"][:, None], at["nose"], middle)
    feet = (at["left_ankle"] + at["right_ankle"]) / 2
    rows = np.stack([at["left_ankle"][:, 1], at["right_ankle"][:, 1]])
    return PoseStatistics(
        height=np.hypot(*(head - feet).T),
        higher=rows.min(0),
        lower=rows.max(0),
        valid=(seen["nose"] | ears) & seen["right_ankle"] & seen["left_ear"],
    )


def lower_point(points: Array, first: int, second: int) -> Array:
    """(K, 2) pixels to the (2,) of the two joints that is lower in the picture; the first if level."""
    return np.asarray(points[first] if points[first, 1] >= points[second, 1] else points[second])


def each_frame_once(usable: NDArray[np.intp], frames: int) -> NDArray[np.intp]:
    """Which frames are measured: the usable ones in order, from the start again until there are T of them.

    The original draws T frames at random, with replacement, and again where one is not usable.

    Args:
        usable: Indices of the frames that count, at least one.
        frames: T.
    """
    return np.resize(usable, frames)


@dataclass(frozen=True)
class Line:
    """Rows of a clip's ankles, pixels.

    Attributes:
        close: Nearest to the camera.
        far: Farthest from it (the original's "horizon").
    """

    close: float
    far: float

    @property
    def depth(self) -> float:
        """Pixels from far to close."""
        return self.close - self.far


def ground_line(toes: Array, fraction: float) -> Line:
    """Close and far rows from the rows of the lower ankle.

    Args:
        toes: (N,).
        fraction: How far above the median, as a part of (close - median), far may be.

    Returns:
        Far is the median where no frame lies in that range (the original stops with an error).
    """
    close, median = float(toes.max()), float(np.median(toes))
    above = median - toes
    above = above[(above > 0) & (above < fraction * (close - median))]
    return Line(close, median - float(above.max()) if len(above) else median)


def guard_range(source: Line, target: Line) -> Line:
    """The target's line, no longer than the source's: motion in depth is never amplified."""
    if source.depth >= target.depth:
        return target
    middle = (target.close + target.far) / 2
    return Line(middle + source.depth / 2, middle - source.depth / 2)


def band_heights(
    toes: Array, heights: Array, line: Line, warnings: list[str], who: str
) -> tuple[float, float]:
    """Largest heights near close and near far.

    Args:
        toes: (N,) rows of the lower ankle.
        heights: (N,).
        line: Of this clip, after the guard.
        warnings: Sentences are added where nobody stands near a row.
        who: `source` or `target`, for those.
    """
    found = []
    for row in (line.close, line.far):
        distance = np.abs(toes - row)
        near = distance <= BAND * line.depth
        if not near.any():
            near = distance <= np.sort(distance)[min(NEAREST, len(distance)) - 1]
            warnings.append(f"the {who} is nowhere near row {row:.0f}: measured where it comes nearest")
        found.append(float(heights[near].max()))
    # the original looks for the largest list of heights, and takes that list's first entry
    _, first = np.unique(toes, return_index=True)
    overall = float(heights[first].max())
    if overall - found[0] > RESET * overall:
        found[0] = overall
    return found[0], found[1]


def fit(
    source: PoseSequence, target: PoseSequence, *, source_fraction: float, target_fraction: float
) -> dict[str, Any]:
    """Measure both clips as the published code would.

    Args:
        source: Who moves.
        target: Who is painted.
        source_fraction: The original's `--source_median_frac`.
        target_fraction: Its `--target_median_frac`.

    Returns:
        `s_close`, `s_far`, `t_close`, `t_far`: rows, after the guard; heights there; `c_close`, `c_far`;
        `slope`, `c_slope`: change of the row and of the scale per row of the source's ankles; `anchor`: what
        is scaled about; `mode`, sizes, `warnings`.

    Raises:
        PoseError: A clip has no frame that can be measured; names the clip.
    """
    clips = {"source": source, "target": target}
    measured = {}
    for who, poses in clips.items():
        seen, usable = _measure(poses, who)
        measured[who] = seen.drawn(each_frame_once(usable, len(poses)))
    warnings: list[str] = []
    lines = {
        "source": ground_line(measured["source"].lower, source_fraction),
        "target": ground_line(measured["target"].lower, target_fraction),
    }
    s, t = lines["source"], guard_range(lines["source"], lines["target"])
    if t is not lines["target"]:
        warnings.append(
            f"the target moves more in depth than the source ({lines['target'].depth:.0f} px, "
            f"{s.depth:.0f} px are used)"
        )
    s_heights = band_heights(measured["source"].lower, measured["source"].height, s, warnings, "source")
    t_heights = band_heights(measured["target"].lower, measured["target"].height, t, warnings, "target")
    if min(*s_heights, *t_heights) <= 0:
        raise PoseError("head and ankles are in one place: nothing to scale by", hint="look at the poses")
    scales = [theirs / ours for theirs, ours in zip(t_heights, s_heights, strict=True)]
    if s.depth <= 0:
        warnings.append("the source does not move in depth: one scale for all frames")
    return {
        **_lines(s, t, scales),
        "s_height_close": s_heights[0],
        "s_height_far": s_heights[1],
        "t_height_close": t_heights[0],
        "t_height_far": t_heights[1],
        "anchor": anchor(source, target.size[0]),
        "source_size": list(source.size),
        "target_size": list(target.size),
        "warnings": warnings,
    }


def from_norm_params(text: str, source: PoseSequence, target_size: tuple[int, int]) -> dict[str, Any]:
    """What `fit` gives, from the original's `norm_params.txt`.

    Args:
        text: Its two lines: both scales; rows of the target, then of the source, close before far.
        source: Who moves; only the first usable frame is looked at.
        target_size: (W, H) of the target's frames.

    Raises:
        PoseError: The text is something else, or no frame is usable.
    """
    try:
        (c_close, c_far), (t_close, t_far, s_close, s_far) = (
            [float(word) for word in line.split()] for line in text.strip().splitlines()
        )
    except ValueError:
        raise PoseError(
            "these are no normalization parameters of Everybody Dance Now",
            hint="norm_params.txt has a line of 2 numbers and one of 4",
        ) from None
    return {
        **_lines(Line(s_close, s_far), Line(t_close, t_far), [c_close, c_far]),
        "anchor": anchor(source, target_size[0]),
        "source_size": list(source.size),
        "target_size": list(target_size),
        "warnings": [],
    }


def _lines(s: Line, t: Line, scales: list[float]) -> dict[str, Any]:
    flat = s.depth <= 0
    return {
        "mode": "edn_compat",
        "s_close": s.close,
        "s_far": s.far,
        "t_close": t.close,
        "t_far": t.far,
        "c_close": scales[0],
        "c_far": scales[0] if flat else scales[1],
        "slope": scales[0] if flat else t.depth / s.depth,
        "c_slope": 0.0 if flat else (scales[0] - scales[1]) / s.depth,
    }


def anchor(source: PoseSequence, target_width: int) -> list[float]:
    """What is scaled about in every frame: the target's middle column, the ankle row of the first usable frame.

    Raises:
        PoseError: No frame of the source is usable.
    """
    _, usable = _measure(source, "source")
    points = np.nan_to_num(source.xy[usable[0]]).astype(np.float64)
    feet = source.skeleton.index("right_ankle"), source.skeleton.index("left_ankle")
    return [float(target_width // 2), float(lower_point(points, *feet)[1])]


def shift_and_scale(fitted: Mapping[str, Any], row: Array) -> tuple[Array, Array]:
    """How far down a frame moves and how much it is scaled, by the row of its lower ankle; not clamped."""
    beyond = row - fitted["s_far"]
    landing = fitted["t_far"] + fitted["slope"] * beyond
    return landing - row, fitted["c_far"] + fitted["c_slope"] * beyond


def transform(xy: Array, where: tuple[float, float], shift: Array, scale: Array) -> Array:
    """(T, K, 2) scaled about a point, then moved down."""
    middle = np.array(where)
    moved = scale[:, None, None] * xy + (1 - scale)[:, None, None] * middle
    moved[..., 1] += shift[:, None]
    return np.asarray(moved)


def apply(fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
    """Move a clip; frames that cannot be measured go with the last one that could, those before the first are lost.

    Raises:
        PoseError: No frame can be measured.
    """
    found, _ = _measure(poses, "source")
    last = np.maximum.accumulate(np.where(found.valid, np.arange(len(poses)), -1))
    shift, scale = shift_and_scale(fitted, found.lower[np.maximum(last, 0)])
    xy = transform(np.nan_to_num(poses.xy).astype(np.float64), tuple(fitted["anchor"]), shift, scale)
    score = np.where((last >= 0)[:, None], poses.score, 0.0)
    width, height = fitted["target_size"]
    return poses.replace(xy=xy, score=score, size=(int(width), int(height)))


def _measure(poses: PoseSequence, who: str) -> tuple[PoseStatistics, NDArray[np.intp]]:
    """All frames, and which of them count."""
    found = pose_statistics(np.nan_to_num(poses.xy).astype(np.float64), poses.score, poses.skeleton)
    usable = np.flatnonzero(found.valid)
    if not len(usable):
        raise PoseError(
            f"the {who} cannot be measured: none of {len(poses)} frames shows the left ear, the right ankle "
            "and the nose or the other ear",
            hint="film the whole body, feet included, or take normalizer=identity or mode=paper",
        )
    return found, usable
