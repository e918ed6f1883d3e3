"""Face boxes as Everybody Dance Now cuts them: 128 pixels of the label around the nose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Skeleton
from dancekit.types.canvas import CANVAS, LABEL, to_canvas

SIDE = 128
"""Of a box, in pixels of a 1024x512 label; 240x270 px of the canvas."""

BUFFER = 70
"""Canvas pixels around the centre from which a box starts."""

HEAD = ("nose", "right_ear", "left_ear")


def face_centre(
    xy: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]], skeleton: Skeleton
) -> NDArray[np.float64]:
    """The nose; else the middle of the ears; else the ear that is seen.

    Args:
        xy: (T, K, 2) pixels; a missing joint that is NaN is taken to be at (0, 0).
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.

    Returns:
        (T, 2); the left ear, wherever it is, in frames that show none of the three.
    """
    points = np.nan_to_num(xy.astype(np.float64), nan=0.0)
    nose, right, left = (points[:, skeleton.index(joint)] for joint in HEAD)
    seen_nose, seen_right, seen_left = (score[:, skeleton.index(joint)] > 0 for joint in HEAD)
    ears = np.where(
        (seen_right & seen_left)[:, None],
        (right + left) / 2,
        np.where(seen_right[:, None], right, left),
    )
    return np.asarray(np.where(seen_nose[:, None], nose, ears))


def grow_box(low: int, high: int, limit: int, side: int = SIDE) -> tuple[int, int]:
    """An interval grown or shrunk to `side` about its middle, and moved into 0..limit."""
    high += (side - (high - low)) // 2
    high = min(high, limit)
    low = max(high - side, 0)
    return low, low + side


def edn_face_boxes(
    xy: NDArray[np.floating[Any]],
    score: NDArray[np.floating[Any]],
    skeleton: Skeleton,
    *,
    size: tuple[int, int] = LABEL,
) -> NDArray[np.intp]:
    """The published boxes, for every frame.

    A frame that shows neither nose nor ears gets a box about (0, 0): the original's slip. `head_seen` says
    which frames those are.

    Args:
        xy: (T, K, 2) pixels of the 1920x1080 canvas.
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        size: (W, H) of the label; the side is 128 for a height of 512.

    Returns:
        (T, 4) left, top, right, bottom in pixels of the label: first, and one past the last. The files of
        `train_facetexts128` have them as top, bottom, left, right.
    """
    side = round(SIDE * size[1] / LABEL[1])
    boxes = np.empty((len(xy), 4), np.intp)
    for frame, centre in enumerate(face_centre(xy, score, skeleton)):
        for axis in (0, 1):
            ratio = size[axis] / CANVAS[axis]
            low = int(max(centre[axis] - BUFFER, 0) * ratio)
            high = int(min(centre[axis] + BUFFER, CANVAS[axis]) * ratio)
            boxes[frame, [axis, axis + 2]] = grow_box(low, high, size[axis], side)
    return boxes


def head_seen(score: NDArray[np.floating[Any]], skeleton: Skeleton) -> NDArray[np.bool_]:
    """(T, K) scores to (T,): nose or an ear is seen."""
    return np.asarray((score[:, [skeleton.index(joint) for joint in HEAD]] > 0).any(1))


def refiner_boxes(
    xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton, *, size: tuple[int, int]
) -> NDArray[np.float32]:
    """The published boxes as a face refiner wants them.

    Args:
        xy: (T, K, 2) pixels of a window that shows the whole canvas.
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        size: (W, H) of the window.

    Returns:
        (T, 4) edges left, top, right, bottom, pixel centres at integers; NaN where no head is seen.
    """
    boxes = edn_face_boxes(to_canvas(xy, size), score, skeleton, size=size).astype(np.float32) - 0.5
    boxes[~head_seen(score, skeleton)] = np.nan
    return boxes
