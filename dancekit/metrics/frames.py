"""What all metrics of frames share: checks of what comes in, and one pass over a frame for all regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UsageError

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

EVERYWHERE = "frame"
"""Name of the region that `__call__` scores."""


def check_frames(fake: Frames, real: Frames, masks: Mapping[str, Mask | None]) -> None:
    """Refuse what cannot be compared.

    Args:
        fake: (T, H, W, 3) uint8.
        real: (T, H, W, 3) uint8.
        masks: Per region (T, H, W) bool, or None for the whole frame.

    Raises:
        UsageError: Shapes or dtypes do not agree.
    """
    if fake.shape != real.shape or fake.ndim != 4 or fake.shape[-1] != 3:
        raise UsageError(
            f"painted frames {fake.shape} and true frames {real.shape} cannot be compared",
            hint="both (T, H, W, 3), with the same numbers",
        )
    for name, frames in (("painted", fake), ("true", real)):
        if frames.dtype != np.uint8:
            raise UsageError(f"{name} frames are {frames.dtype}", hint="uint8 RGB, 0 to 255")
    for region, mask in masks.items():
        if mask is not None and (mask.shape != fake.shape[:3] or mask.dtype != np.bool_):
            of = f" of region {region}" if region != EVERYWHERE else ""
            raise UsageError(f"mask{of} is {mask.dtype} {mask.shape}", hint=f"bool {fake.shape[:3]}, or None")


def check_size(fake: Frames, smallest: int, metric: str) -> None:
    """Refuse frames with a side of less than `smallest` pixels.

    Raises:
        UsageError: With the size that is needed.
    """
    if fake.ndim == 4 and min(fake.shape[1:3]) < smallest:
        raise UsageError(
            f"frames of {fake.shape[2]}x{fake.shape[1]} are too small for {metric}",
            hint=f"at least {smallest}x{smallest} pixels",
        )


def score_regions(
    measure: Callable[[Frames, Frames], Map],
    summarize: Callable[[Map, NDArray[np.uint8] | None], float],
    fake: Frames,
    real: Frames,
    masks: Mapping[str, Mask | None],
    *,
    reach: int,
) -> dict[str, NDArray[np.float64]]:
    """Measure each frame once, around all that is masked, and summarize it over each region.

    Args:
        measure: (H, W, 3) painted and true to a map (H, W) or (H, W, N) float32.
        summarize: The map and a mask that is not empty (None for everywhere) to the score.
        fake: (T, H, W, 3) uint8.
        real: (T, H, W, 3) uint8.
        masks: Per region (T, H, W) bool, or None for the whole frame.
        reach: How many pixels around a pixel its value in the map depends on.

    Returns:
        Per region (T,), NaN where the region is empty.

    Raises:
        UsageError: Shapes or dtypes do not agree.
    """
    check_frames(fake, real, masks)
    result = {region: np.full(len(fake), np.nan) for region in masks}
    for frame in range(len(fake)):
        here = {
            region: None if mask is None else mask[frame]
            for region, mask in masks.items()
            if mask is None or mask[frame].any()
        }
        if here:
            part = around(here.values(), fake.shape[1:3], reach)
            values = measure(fake[frame][part], real[frame][part])
            for region, where in here.items():
                inside = None if where is None else np.ascontiguousarray(where[part]).view(np.uint8)
                result[region][frame] = summarize(values, inside)
    return result


def mean(values: Map, where: NDArray[np.uint8] | None) -> float:
    """Mean of a map (H, W) over a mask; sums are double."""
    return float(cv2.mean(values, mask=where)[0])


def around(masks: Iterable[Mask | None], size: tuple[int, int], reach: int) -> tuple[slice, slice]:
    """Rows and columns that hold all masked pixels, of (H, W) masks none of which is empty, and `reach` more."""
    everything = slice(0, size[0]), slice(0, size[1])
    spans: list[list[int]] = [[], []]
    for mask in masks:
        if mask is None:
            return everything
        for axis, span in zip((1, 0), spans, strict=True):
            hit = np.flatnonzero(mask.any(axis))
            span += [int(hit[0]) - reach, int(hit[-1]) + 1 + reach]
    return slice(max(0, min(spans[0])), max(spans[0])), slice(max(0, min(spans[1])), max(spans[1]))
