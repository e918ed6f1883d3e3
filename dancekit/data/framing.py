"""Cutting the window out of frames, putting it back without a seam, and the clean plate behind the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types import Window

Image = NDArray[np.uint8]


def crop(frame: Image, window: Window) -> Image:
    """The window of a frame: (H, W, 3) uint8 to (h, w, 3) uint8, antialiased; beyond the frame its edge is repeated."""
    if window.scales == (1.0, 1.0) and window.size == window.frame_size:
        return frame
    if max(window.scales) > 1:  # what the coarser grid cannot hold has to go first
        across, down = (0.45 * float(np.sqrt(max(scale**2 - 1, 1e-6))) for scale in window.scales)
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), across, sigmaY=down), np.uint8)
    flags = cv2.INTER_CUBIC if window.scale < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(frame, window.matrix, window.size, flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def letterbox(painted: Image, window: Window) -> Image:
    """The window with black where it lies beyond the frame (a square window of a portrait clip): what is shown."""
    columns, rows = (
        (np.arange(pixels) + 0.5) * scale + start
        for pixels, start, scale in zip(window.size, (window.left, window.top), window.scales, strict=True)
    )
    width, height = window.frame_size
    inside = ((rows > 0) & (rows < height))[:, None] & ((columns > 0) & (columns < width))[None]
    return painted if inside.all() else painted * inside[..., None].astype(np.uint8)


def paste(plate: Image, painted: Image, window: Window, *, feather: float = 0.06) -> Image:
    """The painted window on the plate, blended over a soft border.

    Args:
        plate: (H, W, 3) uint8, the clean plate at the clip's resolution.
        painted: (h, w, 3) uint8, the window.
        window: Where it goes.
        feather: Width of the soft border as a fraction of the window's shorter side; edges of the window that
            lie on the frame's edge stay hard, there is nothing to blend with.

    Returns:
        (H, W, 3) uint8.
    """
    inverse = cv2.invertAffineTransform(window.matrix)
    size = window.frame_size
    flags = cv2.INTER_CUBIC if window.scale > 1 else cv2.INTER_AREA
    large = cv2.warpAffine(painted, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    alpha = _alpha(window, feather)[..., None]
    blended = plate + (large.astype(np.float32) - plate) * alpha
    return np.asarray(np.clip(np.rint(blended), 0, 255), np.uint8)


def _alpha(window: Window, feather: float) -> NDArray[np.float32]:
    """(H, W) weight of the window: 1 inside, 0 outside, a smooth step between."""
    width = max(1.0, feather * min(window.size) * window.scale)
    ramps = []
    for start, pixels, limit, scale in (
        (window.left, window.size[0], window.frame_size[0], window.scales[0]),
        (window.top, window.size[1], window.frame_size[1], window.scales[1]),
    ):
        end = start + pixels * scale
        centre = np.arange(limit) + 0.5
        low = np.inf if start <= 0.5 else (centre - start) / width
        high = np.inf if end >= limit - 0.5 else (end - centre) / width
        ramp = np.clip(np.minimum(low, high) * np.ones(limit), 0, 1)
        ramps.append(ramp * ramp * (3 - 2 * ramp))
    return np.asarray(ramps[1][:, None] * ramps[0][None, :], np.float32)


def clean_plate(frames: Sequence[Image], masks: Sequence[Image]) -> Image:
    """The background without the person: the median over the frames in which a pixel is not covered.

    Pixels that are covered in every frame are filled from their surroundings.

    Args:
        frames: N x (H, W, 3) uint8, spread over the clip.
        masks: N x (H, W) uint8, 255 = person.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = frames[0].shape[:2]
    grow = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(2, height // 60) + 1,) * 2)
    covered = np.stack([cv2.dilate(mask, grow) > 64 for mask in masks])
    plate = np.zeros((height, width, 3), np.uint8)
    rows = max(1, 40_000_000 // (len(frames) * width * 3 * 4))
    for top in range(0, height, rows):
        part: NDArray[Any] = np.stack([frame[top : top + rows] for frame in frames]).astype(np.float32)
        part[covered[:, top : top + rows]] = np.nan
        plate[top : top + rows] = _median_of_seen(part)
    never_seen = covered.all(0).astype(np.uint8)
    if never_seen.any() and not never_seen.all():
        plate = np.asarray(cv2.inpaint(plate, never_seen, 5, cv2.INPAINT_TELEA), np.uint8)
    return plate


def _median_of_seen(part: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Median over the first axis without NaN; 0 where there is nothing else."""
    ordered = np.sort(part, axis=0)  # NaN sorts to the end
    count = np.isfinite(part).sum(0)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], 0)[0]
    high = np.take_along_axis(ordered, np.maximum(count // 2, 0)[None].clip(max=len(part) - 1), 0)[0]
    middle = np.where(count > 0, (low + high) / 2, 0.0)
    return np.asarray(np.rint(np.nan_to_num(middle)), np.uint8)
