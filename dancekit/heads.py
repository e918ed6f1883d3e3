"""How badly one filmed head stands for another: what their joints differ by after the best similarity, and more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.boxes import head_widths
from dancekit.similarity import Similarity, fit_similarity, joint_middle, joint_points
from dancekit.types import PoseSequence, Skeleton

JOINTS = (
    "nose",
    *(
        f"{side}_{part}"
        for side in ("left", "right")
        for part in ("eye_inner", "eye", "eye_outer", "ear", "mouth")
    ),
)
FEWEST_JOINTS = 3
"""That two heads must have in common: two points fit any two, whichever way the head is turned."""

ARMS = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "wrist", "pinky", "index", "thumb")
)

# In head widths, like what the joints differ by after the fit; chosen on rendered dancers
UPON_NECK = 0.15
"""What it costs that the middle of the shoulders is so much elsewhere."""
OTHER_SIZE = 0.3
"""What it costs to be scaled, times the logarithm of the ratio."""
HIDDEN = 0.6
"""What it costs that a hand is before the head, or beside it."""
HAND_IS_NEAR = 1.3
"""Head widths from the middle of the head's joints."""
LACKING = 0.5
"""What it costs that joints are seen in one and not in the other, times their share: another side of the head."""

_AT_ONCE = 256


def head_joints(skeleton: Skeleton) -> list[int]:
    """Indices of the joints that tell where a head is and which way it looks."""
    return [skeleton.index(name) for name in JOINTS if name in skeleton]


def fit_heads(
    there: tuple[NDArray[np.float32], NDArray[np.float32]],
    wanted: tuple[NDArray[np.float32], NDArray[np.float32]],
    skeleton: Skeleton,
) -> Similarity:
    """`fit_similarity` over the joints of heads.

    Args:
        there: (N, K, 2) pixels and (N, K) scores: the heads that are to be moved.
        wanted: (..., K, 2) and (..., K): where to.
        skeleton: What the K joints are.
    """
    return fit_similarity(there, wanted, head_joints(skeleton), fewest=FEWEST_JOINTS)


class FilmedHeads:
    """How badly each of N filmed heads stands for one that is wanted.

    Args:
        poses: N frames.
    """

    def __init__(self, poses: PoseSequence) -> None:
        skeleton = poses.skeleton
        self.poses = poses
        self._shoulders = [skeleton.index(f"{side}_shoulder") for side in ("left", "right")]
        self._neck = joint_middle(poses.xy, poses.score, self._shoulders)
        widths = head_widths(poses.xy, poses.score, skeleton, smoothing=1)
        middle = joint_middle(poses.xy, poses.score, head_joints(skeleton))
        arms = [skeleton.index(name) for name in ARMS if name in skeleton]
        points, known = joint_points(poses.xy, poses.score, arms)
        with np.errstate(invalid="ignore"):
            near = np.abs(points - middle[:, None]) < HAND_IS_NEAR * widths[:, None]
        self._hidden = HIDDEN * (near & known).any(-1)

    def costs(self, wanted: PoseSequence) -> NDArray[np.float64]:
        """Of T wanted heads.

        Returns:
            (T, N) head widths: what the joints differ by after the best similarity, and what is said above; infinite
            where one of the two shows too little of a head.
        """
        parts = [self._costs(wanted[start : start + _AT_ONCE]) for start in range(0, len(wanted), _AT_ONCE)]
        return np.concatenate([np.zeros((0, len(self.poses))), *parts])

    def _costs(self, wanted: PoseSequence) -> NDArray[np.float64]:
        skeleton = self.poses.skeleton
        fit = fit_heads((self.poses.xy, self.poses.score), (wanted.xy, wanted.score), skeleton)
        width = head_widths(wanted.xy, wanted.score, skeleton, smoothing=1)[:, None]
        goal = joint_middle(wanted.xy, wanted.score, self._shoulders)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            aside = np.nan_to_num(np.abs(self._neck * fit.turn + fit.shift - goal) / width)  # 0: no shoulders
            cost = fit.left / width + UPON_NECK * aside + OTHER_SIZE * np.abs(np.log(np.abs(fit.turn)))
        cost += LACKING * (1 - fit.common) + self._hidden
        return np.where(np.isfinite(cost), cost, np.inf)
