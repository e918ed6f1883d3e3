"""Where a frame is measured: the person's mask, its box, the head, the hands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.faces.boxes import face_boxes
from dancekit.types import Skeleton

Mask = NDArray[np.bool_]

HEAD_WIDTHS = 1.6
"""Side of the face's region, and height of a head, in head widths (ear to ear): 230 to 145 mm."""

_FACE = ("nose", "eye", "ear", "mouth")
_HAND = ("_thumb", "_index", "_pinky")

HAND_HEADS = 0.9
"""Side of a hand's region in head heights: a stretched hand (190 mm) within it, whichever way it points."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the true person in a chunk of frames.

    Attributes:
        masks: (T, H, W) where the person is, or None if nobody knows.
        xy: (T, K, 2) pixels, NaN where missing; None if nobody looked.
        score: (T, K).
        skeleton: What the joints are.
    """

    masks: Mask | None
    xy: NDArray[np.float32] | None = None
    score: NDArray[np.float32] | None = None
    skeleton: Skeleton | None = None


def region_masks(
    wanted: Collection[str], seen: Seen, shape: tuple[int, int, int], *, smallest_head: int
) -> dict[str, Mask | None]:
    """The masks of regions.

    Args:
        wanted: Of `frame`, `mask`, `box`, `face`, `hands`.
        seen: The true person.
        shape: (T, H, W).
        smallest_head: Pixels of head height below which `face` and `hands` are empty.

    Returns:
        (T, H, W) by region, empty in frames where it is not known; None for `frame`: everywhere.
    """
    found: dict[str, Mask | None] = {}
    heads = _heads(seen, smallest_head) if {"face", "hands"} & set(wanted) else None
    for region in wanted:
        if region == "frame":
            found[region] = None
        elif region == "mask":
            found[region] = np.zeros(shape, np.bool_) if seen.masks is None else seen.masks
        elif region == "box":
            found[region] = np.zeros(shape, np.bool_) if seen.masks is None else boxes_of(seen.masks)
        elif heads is None:
            found[region] = np.zeros(shape, np.bool_)
        else:
            boxes = heads[:, None] if region == "face" else _hands(seen, heads)
            found[region] = _filled(boxes, shape)
    return found


def boxes_of(masks: Mask) -> Mask:
    """(T, H, W) the bounding box of each mask, as a mask."""
    boxes = np.zeros_like(masks)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return boxes


def _heads(seen: Seen, smallest: int) -> NDArray[np.float64] | None:
    """(T, 4) square boxes around the head, edges; NaN where it is too small or not seen."""
    if seen.xy is None or seen.score is None or seen.skeleton is None:
        return None
    boxes = face_boxes(seen.xy, seen.score, seen.skeleton, widths=HEAD_WIDTHS).astype(np.float64)
    boxes[~(boxes[:, 2] - boxes[:, 0] >= smallest)] = np.nan
    return boxes


def _hands(seen: Seen, heads: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 2, 4) square boxes around both hands: beyond the wrist, on the line from the elbow."""
    assert seen.xy is not None and seen.skeleton is not None
    half = (heads[:, 2] - heads[:, 0]) * HAND_HEADS / 2
    boxes = []
    for side in ("left", "right"):
        wrist, elbow = (_joint(seen.xy, seen.skeleton, f"{side}_{name}") for name in ("wrist", "elbow"))
        along = wrist - elbow
        with np.errstate(invalid="ignore", divide="ignore"):
            along = along / np.linalg.norm(along, axis=1, keepdims=True)
        # half a hand beyond the wrist; without an elbow the wrist itself is the centre
        centre = wrist + np.nan_to_num(along) * (0.8 * half)[:, None]
        boxes.append(np.concatenate([centre - half[:, None], centre + half[:, None]], 1))
    return np.stack(boxes, 1)


def _joint(xy: NDArray[np.float32], skeleton: Skeleton, name: str) -> NDArray[np.float64]:
    if name not in skeleton:
        return np.full((len(xy), 2), np.nan)
    return xy[:, skeleton.index(name)].astype(np.float64)


def _filled(boxes: NDArray[np.float64], shape: tuple[int, int, int]) -> Mask:
    """(T, B, 4) boxes (edges) as one mask a frame: the pixels whose centres are inside."""
    masks = np.zeros(shape, np.bool_)
    for mask, frame in zip(masks, boxes, strict=True):
        for box in frame[np.isfinite(frame).all(1)]:
            left, top, right, bottom = (int(v) for v in np.ceil(box).clip(0, max(shape)))
            mask[top:bottom, left:right] = True
    return masks


def empty_reason(region: str, seen_pose: bool, masks: bool, smallest_head: int) -> str:
    """Why nothing could be measured in a region."""
    if region in ("mask", "box") and not masks:
        return "no mask of the person is known"
    if region in ("face", "hands"):
        return f"the head is never {smallest_head} px high" if seen_pose else "nobody looked for the pose"
    return "nothing to measure in any frame"


def part_joints(skeleton: Skeleton, region: str) -> NDArray[np.bool_]:
    """(K,) which joints belong to `all`, `body`, `face` or `hands`.

    Where a skeleton has no such part (BlazePose's few points of face and hands are in its body), joints go by
    name: nose, eyes, ears and mouth are the face, thumbs, index and little fingers the hands. The feet belong
    to the body.
    """
    names = skeleton.joints
    hands = np.array(
        ["_hand_" in name or (name.endswith(_HAND) and "foot" not in name) for name in names]
    )
    face = np.array([name.startswith("face_") or any(word in name for word in _FACE) for name in names])
    if "face" in skeleton.parts:  # a face of its own: nose, eyes and ears are the body's, as in OpenPose
        face = np.array([joint in skeleton.parts["face"] for joint in range(len(names))])
    return {"all": np.ones(len(names), np.bool_), "face": face, "hands": hands, "body": ~(face | hands)}[region]
