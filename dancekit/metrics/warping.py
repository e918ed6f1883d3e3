"""Warping error: does the painted texture move as the truth moves?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.frames import EVERYWHERE, Frames, Map, Mask, check_frames, check_size, mean

_SMALLEST = 32
_STRIP = 64
_MEAN = np.full((1, 3), 1 / 3, np.float32)
# Forward-backward check: Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large
# displacement optical flow", 2010, equation 5.
_CHECK_SHARE, _CHECK_FLOOR = 0.01, 0.5


class WarpingError:
    """How much worse a painted frame agrees with the one before, moved along, than the true frame does.

    The frame before is warped by the optical flow of the **true** frames, and compared where nothing was
    occluded (Lai et al., "Learning blind video temporal consistency", 2018, section 4.2, there with another
    flow): the mean absolute difference over the masked pixels that are seen in both frames, painted minus
    true. What the flow gets wrong is in both, so an exact copy scores 0. Below 0 the video is calmer than the
    truth: blur does that, so read it beside the sharpness.

    The flow is DIS (Kroeger, Timofte, Dai and Van Gool, "Fast optical flow using dense inverse search", 2016),
    part of OpenCV's main modules; it needs no download. `excess` takes an exact flow.

    Args:
        flow: `fast` is DIS with few iterations, down to half the resolution: 0.07 pixels off where a textured
            square passes a textured room. `accurate` is OpenCV's preset `medium`: 0.05 pixels, three times as
            slow, and it finds twice as many of the occluded pixels.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "grey levels"
    context: int = 1

    def __init__(self, *, flow: Literal["fast", "accurate"] = "fast") -> None:
        if flow == "accurate":
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        else:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
            self._dis.setFinestScale(1)

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
        """Score every frame against the one before.

        Args:
            fake: (T, H, W, 3) uint8, at least 32x32 pixels.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) grey levels of 255; NaN for the first frame, and where no masked pixel is seen in both frames.

        Raises:
            UsageError: Shapes or dtypes do not agree, or the frames are too small.
        """
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        check_frames(fake, real, masks)
        check_size(fake, _SMALLEST, "an optical flow")
        return _score(fake, real, (self.flow(real[t - 1], real[t]) for t in range(1, len(real))), masks)

    def flow(self, before: Frames, now: Frames) -> tuple[Map, Mask]:
        """Where each pixel of a frame was in the frame before.

        Args:
            before: (H, W, 3) uint8.
            now: (H, W, 3) uint8.

        Returns:
            Backward flow (H, W, 2) pixels, x and y: `now[p]` was at `before[p + flow[p]]`; and (H, W) where
            that is so: it lies within the frame, and the flow there leads back.
        """
        first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now))
        back = np.asarray(self._dis.calc(second, first, None), np.float32)
        there = self._dis.calc(first, second, None)
        return back, _leads_back(back, there)


def excess(
    fake: Frames, real: Frames, flow: Map, visible: Mask, masks: Mapping[str, Mask | None]
) -> dict[str, NDArray[np.float64]]:
    """`WarpingError` with a flow that is known, from the renderer that made the truth.

    Args:
        fake: (T, H, W, 3) uint8.
        real: (T, H, W, 3) uint8.
        flow: (T, H, W, 2) backward flow in pixels: what is at p in frame t was at `p + flow[t, p]` in frame
            t - 1. That of frame 0 is not read.
        visible: (T, H, W) bool, what was visible in the frame before, too.
        masks: Per region (T, H, W) bool, or None for everywhere.

    Returns:
        Per region (T,) grey levels.

    Raises:
        UsageError: Shapes or dtypes do not agree.
    """
    check_frames(fake, real, {**masks, "visible": visible})
    known = (flow[t].astype(np.float32, copy=False) for t in range(1, len(real)))
    pairs = (
        (each, visible[t] & _within(_grid(each.shape[:2]) + each, each.shape[:2]))
        for t, each in enumerate(known, 1)
    )
    return _score(fake, real, pairs, masks)


def _score(
    fake: Frames, real: Frames, flows: Iterable[tuple[Map, Mask]], masks: Mapping[str, Mask | None]
) -> dict[str, NDArray[np.float64]]:
    result = {region: np.full(len(fake), np.nan) for region in masks}
    for t, (flow, visible) in enumerate(flows, 1):
        difference = _excess(fake[t - 1 : t + 1], real[t - 1 : t + 1], flow)
        for region, mask in masks.items():
            where = visible if mask is None else visible & mask[t]
            if where.any():
                result[region][t] = mean(difference, where.view(np.uint8))
    return result


def _excess(fake: Frames, real: Frames, flow: Map) -> Map:
    """(2, H, W, 3) painted and true, and the true flow, to (H, W): the painted error minus the true one."""
    painted, true = fake[0].astype(np.float32), real[0].astype(np.float32)
    result = np.empty(flow.shape[:2], np.float32)
    for rows in _strips(len(flow)):
        at = _grid(flow.shape[:2])[rows] + flow[rows]
        result[rows] = _error(painted, fake[1][rows], at) - _error(true, real[1][rows], at)
    return result


def _error(before: Map, now: Frames, at: Map) -> Map:
    """Mean absolute difference of the channels between some rows of a frame and what was before `at` them."""
    moved = cv2.remap(before, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.transform(cv2.absdiff(moved, now.astype(np.float32)), _MEAN))


def _leads_back(back: Map, there: Map) -> Mask:
    """(H, W) whether the forward flow leads from where the backward flow points to where that began."""
    result = np.empty(back.shape[:2], np.bool_)
    for rows in _strips(len(back)):
        at = _grid(back.shape[:2])[rows] + back[rows]
        forth = cv2.remap(there, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        size = _square(back[rows]) + _square(forth)
        near = _square(back[rows] + forth) <= _CHECK_SHARE * size + _CHECK_FLOOR
        result[rows] = near & _within(at, back.shape[:2])
    return result


def _strips(height: int) -> list[slice]:
    """Some rows at a time: what is computed on the way then stays in the processor's cache."""
    return [slice(top, top + _STRIP) for top in range(0, height, _STRIP)]


@lru_cache(maxsize=2)
def _grid(size: tuple[int, int]) -> Map:
    """(H, W, 2) x and y of every pixel of a frame (H, W)."""
    rows, columns = np.indices(size, np.float32)
    grid = np.stack([columns, rows], -1)
    grid.flags.writeable = False
    return grid


def _within(at: Map, size: tuple[int, int]) -> Mask:
    height, width = size
    return np.asarray(cv2.inRange(at, (0, 0), (width - 1, height - 1)) > 0)


def _square(flow: Map) -> Map:
    x, y = cv2.split(flow)
    return np.asarray(x * x + y * y)
