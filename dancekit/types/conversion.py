"""Maps between skeletons: by name, plus the few joints that follow from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UnknownName

if TYPE_CHECKING:
    from dancekit.types.skeleton import Skeleton

# Where a joint is not in the source by name: the mean of these joints, all of which must be there.
# OpenPose's neck and mid-hip are annotated at these means. BlazePose's foot index is the big toe's tip.
# The corners of eyes and mouth are points of the 68-point face (36-41 is the subject's right eye), the
# knuckles are points of the 21-point hand. The reverse is left out: three knuckles are no hand.
DERIVED: dict[str, tuple[str, ...]] = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "right_eye_outer": ("face_36",),
    "right_eye_inner": ("face_39",),
    "left_eye_inner": ("face_42",),
    "left_eye_outer": ("face_45",),
    "right_mouth": ("face_48",),
    "left_mouth": ("face_54",),
}
for _side in ("left", "right"):
    DERIVED[f"{_side}_big_toe"] = (f"{_side}_foot_index",)
    DERIVED[f"{_side}_foot_index"] = (f"{_side}_big_toe",)
    DERIVED[f"{_side}_thumb"] = (f"{_side}_hand_3",)
    DERIVED[f"{_side}_index"] = (f"{_side}_hand_5",)
    DERIVED[f"{_side}_pinky"] = (f"{_side}_hand_17",)


def source_joints(target_joint: str, source: Skeleton) -> tuple[str, ...]:
    """The joints of `source` whose mean is `target_joint`; empty if it cannot be known."""
    if target_joint in source:
        return (target_joint,)
    parts = DERIVED.get(target_joint, ())
    return parts if all(part in source for part in parts) else ()


def convert_keypoints(
    xy: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]], source: Skeleton, target: Skeleton
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Keypoints of one skeleton as another's.

    Joints of the same name are copied. A neck is the mean of the shoulders, a mid-hip that of the hips
    (score: the smaller of the two), BlazePose's foot index is the big toe. What cannot be known is missing:
    score 0, xy NaN. A joint made of several is missing if one of them is.

    Args:
        xy: (..., K, 2) pixels, NaN where missing.
        score: (..., K).
        source: What the K joints are.
        target: What they shall be.

    Returns:
        (..., K', 2) float32 and (..., K') float32.

    Raises:
        UnknownName: The two skeletons have no joint in common.
    """
    if xy.shape != (*score.shape, 2) or score.shape[-1:] != (len(source),):
        raise ValueError(
            f"xy {xy.shape} and score {score.shape} are not keypoints of {source.id} ({len(source)})"
        )
    out_xy = np.full((*score.shape[:-1], len(target), 2), np.nan, np.float32)
    out_score = np.zeros((*score.shape[:-1], len(target)), np.float32)
    known = False
    for number, joint in enumerate(target.joints):
        parts = [source.index(part) for part in source_joints(joint, source)]
        if parts:
            known = True
            out_xy[..., number, :] = xy[..., parts, :].mean(-2)
            out_score[..., number] = score[..., parts].min(-1)
    if not known:
        raise UnknownName(f"no map from {source.id} to {target.id}", hint="they have no joint in common")
    missing = ~(out_score > 0) | ~np.isfinite(out_xy).all(-1)
    out_xy[missing], out_score[missing] = np.nan, 0.0
    return out_xy, out_score
