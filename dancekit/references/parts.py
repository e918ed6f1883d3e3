"""Parts of the person that come from frames of their own: `head`, `left_arm` and `right_arm`, taken off and put on."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dancekit.arms import forearm_joints

if TYPE_CHECKING:
    from torch import Tensor

    from dancekit.types import Skeleton

Pose = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(K, 2) pixels, NaN where missing, and (K,) scores."""

ARMS = ("left_arm", "right_arm")


def without_part(part: str, picture: Tensor, pose: Pose, skeleton: Skeleton) -> Tensor:
    """(4, H, W) with nothing where it was; the same if it is not found."""
    from dancekit.references.arms import without_arm
    from dancekit.references.heads import without_head

    if part == "head":
        return without_head(picture, pose, skeleton)
    return without_arm(picture, pose, skeleton, part.removesuffix("_arm"))


def put_part(part: str, body: Tensor, picture: Tensor, pose: Pose, wanted: Pose, skeleton: Skeleton) -> Pose:
    """`put_head` or `put_arm`."""
    from dancekit.references.arms import put_arm
    from dancekit.references.heads import put_head

    if part == "head":
        return put_head(body, picture, pose, wanted, skeleton)
    return put_arm(body, picture, pose, wanted, skeleton, part.removesuffix("_arm"))


def bent_with_body(
    score: NDArray[np.float32], parts: Collection[str], skeleton: Skeleton
) -> NDArray[np.float32]:
    """(K,) scores of a body without these parts: forearms and hands that are not there bend nothing."""
    gone = [
        joint
        for part in parts
        if part in ARMS
        for joint in forearm_joints(skeleton, part.removesuffix("_arm"))
        if joint != skeleton.index(part.replace("arm", "elbow"))
    ]
    if not gone:
        return score
    rest = score.copy()
    rest[gone] = 0
    return rest
