"""Where a frame is measured: everywhere, in the person's mask, its box, at the head and the hands."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.regions import box_masks, region_boxes
from dancekit.types import PoseSequence

Mask = NDArray[np.bool_]


def region_masks(
    wanted: Collection[str],
    masks: Mask | None,
    boxes: Mapping[str, NDArray[np.float32] | None],
    shape: tuple[int, int, int],
) -> dict[str, Mask | None]:
    """The masks of regions in a chunk of frames.

    Args:
        wanted: Of `frame`, `mask`, `box`, `face`, `hands`.
        masks: (T, H, W) where the person is, or None if nobody knows.
        boxes: `face` and `hands`, (T, N, 4) each, or None where not claimed.
        shape: (T, H, W).

    Returns:
        (T, H, W) by region, empty in frames where it is not known; None for `frame`: everywhere.
    """
    found: dict[str, Mask | None] = {}
    for region in wanted:
        if region == "frame":
            found[region] = None
        elif region in ("mask", "box"):
            empty = np.zeros(shape, np.bool_) if masks is None else masks
            found[region] = empty if region == "mask" else boxes_of(empty)
        else:
            of = boxes.get(region)
            found[region] = np.zeros(shape, np.bool_) if of is None else box_masks(of, (shape[2], shape[1]))
    return found


def boxes_of(masks: Mask) -> Mask:
    """(T, H, W) the bounding box of each mask, as a mask."""
    boxes = np.zeros_like(masks)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return boxes


def boxes_to_look_at(poses: PoseSequence | None) -> dict[str, tuple[tuple[float, ...] | None, ...]]:
    """Where the report cuts out close-ups: small heads too, as pictures claim no number.

    Args:
        poses: Of the true person, in pixels of the frames compared; None where they are not known.

    Returns:
        By region `face`, and `left hand`, `right hand`: (x, y, w, h) a frame, None where not seen.
    """
    if poses is None:
        return {}
    found = region_boxes(poses, smallest_head=0.0)
    named = {"face": found["face"]}
    if (hands := found["hands"]) is not None:
        named |= {"left hand": hands[:, :1], "right hand": hands[:, 1:]}
    result: dict[str, tuple[tuple[float, ...] | None, ...]] = {}
    for name, boxes in named.items():
        if boxes is not None and np.isfinite(boxes).any():
            result[name] = tuple(
                (float(x), float(y), float(right - x), float(bottom - y)) if np.isfinite(x) else None
                for x, y, right, bottom in boxes[:, 0]
            )
    return result
