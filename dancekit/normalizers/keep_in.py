"""A dance that stays in the picture: where the fitted body leaves it, the body is moved back, smoothly.

A source who walks across a room wider than the target's walks out of the target's picture, and a generator paints
nobody there. Sizes and poses are left alone, the whole body is shifted: somebody at the edge walks on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d

from dancekit.types import PoseSequence

Array = NDArray[np.float64]

KeepIn = Literal["off", "frame", "filmed"]
"""What the body stays in: nothing, the target's picture, or the part of it that the target was filmed in."""

REACH = 1.0
"""Seconds before and after a moment outside in which the shift comes and goes."""

OUTLINE = 0.04
"""Of the target's height: a body reaches so much further than its joints."""

BESIDE = 0.08
"""Of the longer side of what a target's joints covered: so far beside it the filmed part reaches. The window that is
painted has 0.12, and the body needs its outline.
"""

NOTICED = {"frame": 0.02, "filmed": 0.1}
"""Of the target's height: what leaves by less is not warned of. A dancer paints a little beside what was filmed."""

RELEASE = 1.0
"""Seconds (time constant) in which a live shift goes, once it is not needed any more."""

ARMS = ("elbow", "wrist", "pinky", "index", "thumb", "hand")
"""Raised over the picture's upper edge they push nobody through the floor."""

ANKLES = ("left_ankle", "right_ankle")

WORDS = {"frame": "the target's picture", "filmed": "the part of the picture that the target was filmed in"}


Bounds = list[float | None]
"""left, top, right, bottom, pixels; None is no bound."""


def bounds_of(target: PoseSequence, within: KeepIn) -> tuple[Bounds, float]:
    """What the joints stay in.

    Args:
        target: The target's poses.
        within: `frame` or `filmed`.

    Returns:
        left, top, right, bottom in pixels of the target (no bottom for a target whose feet were not filmed), and the
        target's height, pixels.
    """
    there = target.xy[target.found].astype(np.float64)
    if not len(there):
        return [None] * 4, 0.0
    (left, top), (right, bottom) = np.nanmin(there, axis=(0, 1)), np.nanmax(there, axis=(0, 1))
    rows = there[..., 1]
    tall = float(np.quantile(np.nanmax(rows, 1) - np.nanmin(rows, 1), 0.9))
    width, height = target.size
    edge = min(OUTLINE * tall, min(width, height) / 4)
    bounds = [edge, edge, width - 1 - edge, height - 1 - edge]
    if within == "filmed":
        slack = BESIDE * max(right - left, bottom - top)
        filmed = (left - slack, top - slack, right + slack, bottom + slack)
        bounds = [*map(max, bounds[:2], filmed[:2]), *map(min, bounds[2:], filmed[2:])]
    # a target who was filmed at the edge of the picture is painted there
    most = (left, top), (right, bottom)
    bounds = [*map(min, bounds[:2], most[0]), *map(max, bounds[2:], most[1])]
    left, top, right, bottom = (float(each) for each in bounds)
    return [left, top, right, bottom if _feet_seen(target) else None], tall


def _feet_seen(target: PoseSequence) -> bool:
    ankles = [target.skeleton.index(name) for name in ANKLES if name in target.skeleton]
    return bool(target.valid[target.found][:, ankles].any(1).mean() >= 0.5)


def with_bounds(
    fitted: dict[str, Any],
    within: KeepIn,
    move: Callable[[Mapping[str, Any], PoseSequence], PoseSequence],
    source: PoseSequence,
    target: PoseSequence,
) -> dict[str, Any]:
    """What a normalizer has fitted, with what the body stays in; else a warning where it would leave the picture.

    Args:
        fitted: The normalizer's numbers, with `warnings`.
        within: Its parameter `keep_in`.
        move: Its `apply`.
        source: The clip that was fitted.
        target: What it was fitted to.

    Returns:
        The same numbers; with `keep_in` (what, `bounds_px`, and `moved_px`: by how much the source's body is
        moved at most, x and y) unless it is `off`.
    """
    moved = move(fitted, source)
    if within == "off":
        said = _leaving(moved, target)
    else:
        bounds, tall = bounds_of(target, within)
        most = _most(shifts(moved, bounds))
        fitted = fitted | {"keep_in": {"within": within, "bounds_px": bounds, "moved_px": most}}
        noticed = max(most) > NOTICED["frame"] * tall
        said = (
            [f"the dance is moved by up to {max(most):.0f} pixels to stay in {WORDS[within]}"]
            if noticed
            else []
        )
    return fitted | {"warnings": [*fitted["warnings"], *said]} if said else fitted


def _leaving(moved: PoseSequence, target: PoseSequence) -> list[str]:
    """A sentence on a body that leaves the picture, or else what was filmed of the target, by far."""
    for within in ("frame", "filmed"):
        bounds, tall = bounds_of(target, within)
        most = max(_most(shifts(moved, bounds)))
        if most > NOTICED[within] * tall:
            keeps = f"normalizer.keep_in={within} keeps it there"
            return [f"the dance leaves {WORDS[within]} by up to {most:.0f} pixels: {keeps}"]
    return []


def _most(shift: Array) -> list[float]:
    """The largest shift, x and y, pixels."""
    largest: list[float] = np.abs(shift).max(0, initial=0.0).tolist()
    return largest


def kept_in(fitted: Mapping[str, Any], moved: PoseSequence) -> PoseSequence:
    """Fitted poses, shifted where they would leave what the fitted numbers say that they stay in.

    Frames that need no shift, and have none nearby, are the same numbers.
    """
    if "keep_in" not in fitted:
        return moved
    return shifted(moved, shifts(moved, fitted["keep_in"]["bounds_px"]))


def shifted(moved: PoseSequence, shift: Array) -> PoseSequence:
    """Poses moved by (T, 2) pixels."""
    some = np.asarray(shift.any(1))
    if not some.any():
        return moved
    xy = np.where(some[:, None, None], moved.xy + shift[:, None], moved.xy)
    return moved.replace(xy=xy.astype(np.float32))


def needs(moved: PoseSequence, bounds: Bounds) -> tuple[Array, Array]:
    """The smallest and the largest shift with which a body is inside.

    Columns look at all joints, rows at all but those of the arms: a raised hand may leave the picture.

    Returns:
        (T, 2) each, pixels; both are the same where the body is larger than what it is to stay in (it is put into the
        middle), and NaN where nobody is.
    """
    arms = np.array([any(part in name for part in ARMS) for name in moved.skeleton.joints])
    low, high = np.full((len(moved), 2), np.nan), np.full((len(moved), 2), np.nan)
    for axis, joints in ((0, slice(None)), (1, ~arms)):
        places = moved.xy[:, joints, axis].astype(np.float64)
        there = np.isfinite(places).any(1)
        least, most = bounds[axis], bounds[2 + axis]
        low[there, axis] = -np.inf if least is None else least - np.nanmin(places[there], 1)
        high[there, axis] = np.inf if most is None else most - np.nanmax(places[there], 1)
    small = low > high
    middle = (low[small] + high[small]) / 2
    low[small] = high[small] = middle
    return low, high


def shifts(moved: PoseSequence, bounds: Bounds) -> Array:
    """(T, 2) the shift of every frame, pixels: smooth within a scene, 0 further than `REACH` from any need.

    To either side the largest need within the reach is averaged with a raised cosine of the same reach: that is never
    less than the need itself.
    """
    low, high = needs(moved, bounds)
    need = np.clip(0.0, low, high)
    result = np.zeros_like(need)
    time, scene = moved.seconds, moved.scene
    for number in np.unique(scene):
        part = np.flatnonzero(scene == number)
        for axis in (0, 1):
            known = part[np.isfinite(need[part, axis])]
            if not len(known) or not need[known, axis].any():
                continue
            path = np.interp(time[part], time[known], need[known, axis])
            smooth = _envelope(path, moved.rate) - _envelope(-path, moved.rate)
            result[part, axis] = smooth
    # one side's shift comes while the other's goes: inside comes first
    return np.asarray(np.where(np.isnan(low), result, np.clip(result, low, high)))


def _envelope(path: Array, rate: float) -> Array:
    """A smooth curve that is nowhere below a path's positive part, and 0 where that is 0 for long."""
    reach = max(1, round(REACH * rate))
    kernel = np.hanning(2 * reach + 3)[1:-1]
    largest = maximum_filter1d(np.maximum(path, 0.0), 2 * reach + 1, mode="nearest")
    return np.asarray(convolve1d(largest, kernel / kernel.sum(), mode="nearest"))


class Follower:
    """Keeps a dance inside while it is danced: no frame that is still to come is looked at.

    A shift comes with the need, and goes by itself once it is not needed, slowly. It never jumps where the body does
    not.

    Args:
        bounds: left, top, right, bottom.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._shift, self._then = np.zeros(2), 0.0

    def __call__(self, moved: PoseSequence) -> PoseSequence:
        """The next frame, one pose."""
        low, high = needs(moved, self._bounds)
        now = float(moved.seconds[0])
        fading = self._shift * np.exp(-max(now - self._then, 0.0) / RELEASE)
        fading[np.abs(fading) < 0.01] = 0.0  # done: the same numbers again
        self._shift, self._then = np.where(np.isnan(low[0]), fading, np.clip(fading, low[0], high[0])), now
        return shifted(moved, self._shift[None])
