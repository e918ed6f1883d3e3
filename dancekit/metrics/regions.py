"""Where the face and the hands are, as masks for the image metrics; not claimed of a person too small for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dancekit.boxes import HEAD_HEIGHT, face_boxes, hand_boxes, head_widths
from dancekit.types import PoseSequence

SMALLEST_HEAD = 48.0
"""Height of a head, pixels (median over the clip), below which no number is given for face and hands."""
FACE_WIDTHS = 1.6
"""Side of the face's box in head widths: from chin to crown."""


def head_height(poses: PoseSequence) -> float:
    """Median height of the head over a clip, chin to crown, in pixels; NaN where nothing tells it."""
    heights = HEAD_HEIGHT * head_widths(poses.xy, poses.score, poses.skeleton)
    known = heights[np.isfinite(heights)]
    return float(np.median(known)) if len(known) else float("nan")


def region_boxes(
    poses: PoseSequence, *, smallest_head: float = SMALLEST_HEAD
) -> Mapping[str, NDArray[np.float32] | None]:
    """Boxes of the face and of the hands, from the poses of the whole clip.

    Args:
        poses: Of the true person, in pixels of the frames that are scored.
        smallest_head: Height of a head in pixels below which nothing is claimed.

    Returns:
        `face` (T, 1, 4) and `hands` (T, 2, 4): left, top, right, bottom, pixel centres at integers, NaN where
        not seen. None where the region is not claimed: the head is less than `smallest_head` pixels high, or
        the region is seen in no frame.
    """
    if not head_height(poses) >= smallest_head:
        return {"face": None, "hands": None}
    of = poses.xy, poses.score, poses.skeleton
    found = {"face": face_boxes(*of, widths=FACE_WIDTHS)[:, None], "hands": hand_boxes(*of)}
    return {region: boxes if np.isfinite(boxes).any() else None for region, boxes in found.items()}


def box_masks(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks of the pixels whose centres lie in any of a frame's boxes.

    Args:
        boxes: (T, N, 4) of `region_boxes`, or some frames of it; NaN boxes hold nothing.
        size: (W, H) of the frames in pixels.

    Returns:
        (T, H, W) bool.
    """
    across, down = np.arange(size[0]), np.arange(size[1])
    columns = (across >= boxes[..., 0:1]) & (across < boxes[..., 2:3])
    rows = (down >= boxes[..., 1:2]) & (down < boxes[..., 3:4])
    return np.asarray((rows[..., :, None] & columns[..., None, :]).any(1))
