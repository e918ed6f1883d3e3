"""How badly one filmed arm stands for another, and what of an arm lies before the body.

Arms move more than anything else: the frame whose body is nearest often has them elsewhere, and bending limbs cannot
turn a hand or stretch an arm that points at the camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.boxes import head_widths
from dancekit.heads import head_joints
from dancekit.similarity import fit_similarity, joint_middle
from dancekit.types import PoseSequence, Skeleton

SIDES = ("left", "right")
HAND = ("pinky", "index", "thumb")

# In head widths, like what the joints differ by after the fit; chosen on rendered dancers
OTHER_SIZE = 0.3
"""What it costs that forearm and hand are scaled, times the logarithm of the ratio."""
OTHER_LENGTH = 0.2
"""The same for the upper arm, which counts less the shorter it is."""
TURNED = 0.15
"""What it costs that each of the two is turned upside down: light comes from above."""
BEFORE_BODY = 0.8
"""What it costs that all of an arm is before the body or the head, in the frame that it would be taken from."""
LACKING = 0.3
"""What it costs that joints are seen in one and not in the other, times their share."""

NO_ARM = 1.0
"""Head widths that it costs a body, if all of an arm is before it: that arm cannot be taken off."""
WIDER = 1.15
"""Of the body between shoulders and thighs: it is wider than its joints."""
THIGHS = 0.6
"""How far down the thighs a hand before the body would be cut out with what is behind it."""

_AT_ONCE = 256


def forearm_joints(skeleton: Skeleton, side: str) -> list[int]:
    """Elbow, wrist and what there is of the hand."""
    names = (f"{side}_{joint}" for joint in ("elbow", "wrist", *HAND))
    return [skeleton.index(name) for name in names if name in skeleton]


def upper_arm_joints(skeleton: Skeleton, side: str) -> list[int]:
    """Shoulder and elbow."""
    return [skeleton.index(f"{side}_{joint}") for joint in ("shoulder", "elbow")]


def without_arms(poses: PoseSequence) -> PoseSequence:
    """The same without elbows, wrists and hands."""
    score = poses.score.copy()
    for side in SIDES:
        score[:, forearm_joints(poses.skeleton, side)] = 0
    return poses.replace(score=score)


class FilmedArms:
    """How badly each of N filmed arms stands for one that is wanted.

    Args:
        poses: N frames.
    """

    def __init__(self, poses: PoseSequence) -> None:
        self.poses = poses
        self.bodies = without_arms(poses)
        self._before = {side: _before_body(poses, side) for side in SIDES}
        widths = head_widths(poses.xy, poses.score, poses.skeleton, smoothing=1)
        self._sized = np.isfinite(widths)  # without a size nothing can be cut out
        self._width = float(np.median(widths[self._sized])) if self._sized.any() else 0.0

    def bodies_cost(self) -> NDArray[np.float64]:
        """(N,) pixels: what speaks against each frame's body because arms are before it."""
        return NO_ARM * self._width * sum(self._before.values(), np.zeros(len(self.poses)))

    def costs(self, wanted: PoseSequence, side: str) -> NDArray[np.float64]:
        """Of T wanted arms.

        Returns:
            (T, N) head widths: what forearm and hand differ by after the best similarity, and what is said above;
            infinite where shoulder, elbow, wrist or the head's size is missing in one of the two.
        """
        parts = [
            self._costs(wanted[start : start + _AT_ONCE], side) for start in range(0, len(wanted), _AT_ONCE)
        ]
        return np.concatenate([np.zeros((0, len(self.poses))), *parts])

    def _costs(self, wanted: PoseSequence, side: str) -> NDArray[np.float64]:
        skeleton = self.poses.skeleton
        ours, theirs = (self.poses.xy, self.poses.score), (wanted.xy, wanted.score)
        lower = fit_similarity(ours, theirs, forearm_joints(skeleton, side), fewest=2)
        bone = upper_arm_joints(skeleton, side)
        upper = fit_similarity(ours, theirs, bone, fewest=2)
        width = head_widths(wanted.xy, wanted.score, skeleton, smoothing=1)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            length = np.linalg.norm(wanted.xy[:, bone[0]] - wanted.xy[:, bone[1]], axis=-1)[:, None]
            cost = lower.left / width + OTHER_SIZE * np.abs(np.log(np.abs(lower.turn)))
            cost += OTHER_LENGTH * np.abs(np.log(np.abs(upper.turn))) * np.minimum(1, length / width)
            for fit in (lower, upper):
                cost += TURNED * np.abs(np.angle(fit.turn)) / np.pi
        cost += LACKING * (1 - lower.common) + BEFORE_BODY * self._before[side]
        wrist = skeleton.index(f"{side}_wrist")
        there = self._sized & (self.poses.score[:, wrist] > 0) & (wanted.score[:, wrist, None] > 0)
        return np.where(np.isfinite(cost) & there, cost, np.inf)


def trunk(xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton) -> NDArray[np.float32]:
    """(..., 4, 2) corners: shoulders, and down the thighs, or the hips without knees; NaN where one is missing."""

    def joints(part: str) -> NDArray[np.floating]:
        found = [skeleton.index(f"{side}_{part}") for side in SIDES]
        return np.where(score[..., found, None] > 0, xy[..., found, :], np.nan)

    hips = joints("hip")
    down = np.nan_to_num(THIGHS * (joints("knee") - hips))
    return np.concatenate([joints("shoulder"), (hips + down)[..., ::-1, :]], -2).astype(np.float32)


def _before_body(poses: PoseSequence, side: str) -> NDArray[np.float64]:
    """(N,) of five places between the middle of the upper arm and the hand, the share within body or head."""
    xy, score, skeleton = poses.xy, poses.score, poses.skeleton
    shoulder, elbow = (xy[:, joint] for joint in upper_arm_joints(skeleton, side))
    wrist = xy[:, skeleton.index(f"{side}_wrist")]
    hand = [skeleton.index(f"{side}_{each}") for each in HAND if f"{side}_{each}" in skeleton]
    tip = joint_middle(xy, score, hand) if hand else np.full(len(xy), np.nan)
    tips = np.stack([tip.real, tip.imag], -1)
    places = np.stack([0.4 * shoulder + 0.6 * elbow, elbow, (elbow + wrist) / 2, wrist, tips], 1)
    corners = trunk(xy, score, skeleton)
    middle = corners.mean(1, keepdims=True)
    corners = middle + WIDER * (corners - middle)
    edges = np.roll(corners, -1, 1) - corners
    away = places[:, :, None] - corners[:, None]
    with np.errstate(invalid="ignore"):
        sides = edges[:, None, :, 0] * away[..., 1] - edges[:, None, :, 1] * away[..., 0]
        inside = (sides > 0).all(-1) | (sides < 0).all(-1)
        head = joint_middle(xy, score, head_joints(skeleton))[:, None]
        width = head_widths(xy, score, skeleton, smoothing=1)[:, None]
        inside |= np.hypot(places[..., 0] - head.real, places[..., 1] - head.imag) < width
    return np.asarray(inside.mean(1))
