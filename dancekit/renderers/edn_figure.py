"""Draws Everybody Dance Now's stick figure with OpenCV, pixel for pixel as the published labels.

A limb is blended over what is beneath it. Outside of its polygon a blend changes nothing for any of the 256
values, so only the polygon's bounding box is blended: 60 times less work than over the whole canvas, which is
what the original does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dancekit.renderers.edn_tables import (
    BODY_COLOURS,
    BODY_DOT,
    BODY_HALF_WIDTH,
    DENSE_FACE_DOT,
    FACE_CONFIDENCE,
    FACE_DOT,
    FACE_DOTS,
    HAND_COLOURS,
    HAND_CONFIDENCE,
    HAND_DOT,
    HAND_HALF_WIDTH,
    HAND_LIMBS,
    OPACITY,
    Colour,
)
from dancekit.types import get_skeleton

Picture = NDArray[np.uint8]
Points = NDArray[np.floating[Any]]

WHITE = 255
LANCZOS_REACH = 4
"""Pixels of the result beyond which a pixel of the canvas has no influence, when shrinking; one to spare."""
BLACK: Colour = (0.0, 0.0, 0.0)


Box = tuple[int, int, int, int]
"""Left, top, right, bottom: first and one past the last pixel."""

EDGE = max(BODY_DOT, FACE_DOT, HAND_DOT, BODY_HALF_WIDTH) + 2
"""Nothing is drawn further than this from the joints' bounding box, pixels."""


def blank_canvas(size: tuple[int, int]) -> Picture:
    """(H, W, 3) uint8 white, for (W, H)."""
    return np.full((size[1], size[0], 3), WHITE, np.uint8)


def figure_box(xy: Points, score: Points, size: tuple[int, int]) -> Box:
    """Where a figure can leave marks on a canvas of (W, H); of no extent if nobody is there."""
    points = xy[(score > 0) & np.isfinite(xy).all(-1)]
    if not len(points):
        return 0, 0, 0, 0
    low = np.clip(np.floor(points.min(0)) - EDGE, 0, size)
    high = np.clip(np.ceil(points.max(0)) + EDGE, 0, size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def draw_body(canvas: Picture, xy: Points, score: Points, layout: str) -> None:
    """Joints, then limbs, of a body; in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        xy: (K, 2) canvas pixels.
        score: (K,); a joint is drawn where it is above 0.
        layout: `body_18`, `body_23` or `body_25`.
    """
    colours = BODY_COLOURS[layout]
    points, seen = _as_lists(xy, score > 0)
    _dots(canvas, points, seen, colours, BODY_DOT)
    for first, second in get_skeleton(layout).edges:
        if seen[first] and seen[second]:
            _limb(canvas, points[first], points[second], colours[first], BODY_HALF_WIDTH)


def draw_face(canvas: Picture, xy: Points, score: Points, dots: int = 8) -> None:
    """Black dots of a face whose mean confidence suffices; in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        xy: (70, 2) canvas pixels.
        score: (70,).
        dots: How many points: 0, 8, 9, 22 or 70.
    """
    if score.mean() < FACE_CONFIDENCE:
        return
    chosen = list(FACE_DOTS[dots])
    points, seen = _as_lists(xy[chosen], score[chosen] > 0)
    _dots(canvas, points, seen, [BLACK] * len(chosen), DENSE_FACE_DOT if dots == 70 else FACE_DOT)


def draw_hand(canvas: Picture, xy: Points, score: Points) -> None:
    """Joints, then fingers, of a hand; in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        xy: (21, 2) canvas pixels.
        score: (21,).
    """
    points, seen = _as_lists(xy, score > HAND_CONFIDENCE)
    _dots(canvas, points, seen, HAND_COLOURS, HAND_DOT)
    for first, second in HAND_LIMBS:
        if seen[first] and seen[second]:
            _limb(canvas, points[first], points[second], HAND_COLOURS[second], HAND_HALF_WIDTH)


def _as_lists(xy: Points, seen: NDArray[np.bool_]) -> tuple[list[tuple[float, float]], list[bool]]:
    """Plain numbers: four times faster to loop over than arrays."""
    points = [(float(x), float(y)) for x, y in xy.tolist()]
    return points, [
        there and math.isfinite(x) and math.isfinite(y)
        for there, (x, y) in zip(seen.tolist(), points, strict=True)
    ]


def _dots(
    canvas: Picture,
    points: Sequence[tuple[float, float]],
    seen: Sequence[bool],
    colours: Sequence[Colour],
    radius: int,
) -> None:
    for (x, y), there, colour in zip(points, seen, colours, strict=True):
        if there:
            cv2.circle(canvas, (int(x), int(y)), radius, colour, thickness=-1)


def _limb(
    canvas: Picture, first: tuple[float, float], second: tuple[float, float], colour: Colour, half_width: int
) -> None:
    """An ellipse from joint to joint, blended over the canvas within its bounding box."""
    polygon = limb_polygon(first, second, half_width)
    height, width = canvas.shape[:2]
    x, y, columns, rows = cv2.boundingRect(polygon)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + columns, width), min(y + rows, height)
    if left >= right or top >= bottom:
        return
    beneath = canvas[top:bottom, left:right]
    drawn = beneath.copy()
    cv2.fillConvexPoly(drawn, polygon - (left, top), colour)
    cv2.addWeighted(beneath, 1 - OPACITY, drawn, OPACITY, 0, dst=beneath)


def limb_polygon(
    first: tuple[float, float], second: tuple[float, float], half_width: int
) -> NDArray[np.int32]:
    """(N, 2) corners of the ellipse that a limb is; every number is truncated as in the original."""
    (x1, y1), (x2, y2) = first, second
    length = math.sqrt((x1 - x2) ** 2 + (y1 - y2) ** 2)
    angle = math.degrees(math.atan2(y1 - y2, x1 - x2))
    centre = int((x1 + x2) / 2), int((y1 + y2) / 2)
    return np.asarray(
        cv2.ellipse2Poly(centre, (int(length / 2), half_width), int(angle), 0, 360, 1), np.int32
    )


def shrink(canvas: Picture, size: tuple[int, int], box: Box | None = None) -> Picture:
    """Resample with Pillow's Lanczos filter, as the published labels were made.

    Args:
        canvas: (H, W, 3) uint8.
        size: (w, h) of the result.
        box: Where anything but white is; None for everywhere. Only this part is resampled.

    Returns:
        (h, w, 3) uint8.
    """
    height, width = canvas.shape[:2]
    if size == (width, height):
        return canvas.copy()
    picture = Image.fromarray(canvas)
    if box is None:
        return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
    result = blank_canvas(size)
    scale = width / size[0], height / size[1]
    low = [max(0, int(box[axis] / scale[axis]) - LANCZOS_REACH) for axis in (0, 1)]
    high = [min(size[axis], math.ceil(box[axis + 2] / scale[axis]) + LANCZOS_REACH) for axis in (0, 1)]
    if box[0] < box[2] and box[1] < box[3]:
        source = (low[0] * scale[0], low[1] * scale[1], high[0] * scale[0], high[1] * scale[1])
        part = (high[0] - low[0], high[1] - low[1])
        smaller = picture.resize(part, Image.Resampling.LANCZOS, box=source)
        result[low[1] : high[1], low[0] : high[0]] = np.asarray(smaller)
    return result
