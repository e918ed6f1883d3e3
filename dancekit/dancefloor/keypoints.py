"""The exact keypoints of a person: body, feet, hands, and a few points of the face."""

from __future__ import annotations

import numpy as np

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.expression import ACTIONS
from dancekit.dancefloor.hair import HeadBox
from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.regions import Regions
from dancekit.dancefloor.rig import Rig
from dancekit.dancefloor.skinning import skin

COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
FEET = (
    *("left_big_toe", "left_small_toe", "left_heel"),
    *("right_big_toe", "right_small_toe", "right_heel"),
)
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def _hand_names() -> tuple[str, ...]:
    names = []
    for side in ("left", "right"):
        names.append(f"{side}_hand_wrist")
        names += [f"{side}_{finger}_{joint}" for finger in _FINGERS for joint in ("1", "2", "3", "tip")]
    return tuple(names)


FACE = (
    *("left_eye_inner", "left_eye_outer", "left_mouth", "right_eye_inner", "right_eye_outer", "right_mouth"),
    *("chin", "nose_tip"),
)
NAMES = (*COCO, *FEET, *_hand_names(), *FACE)
"""The 73 keypoints; the first 17 in COCO's order."""


class KeypointModel:
    """Keypoints of one body; only the vertices they need are skinned."""

    def __init__(self, model: BodyModel, rig: Rig, vertices: Floats, regions: Regions, box: HeadBox) -> None:
        self._rig = rig
        rows = [model.joint_names.index(name) for name in (*COCO, *FEET)]
        weights = model.joints[rows]
        face = _face_vertices(model, vertices, regions, box)
        used = np.unique(np.concatenate([np.flatnonzero(np.abs(weights).sum(0) > 1e-7), face]))
        self._weights = weights[:, used]
        self._face = np.searchsorted(used, face)
        self._rest, self._actions = vertices[used], model.actions[:, used]
        bones = np.argsort(-model.weights[used], 1)[:, :6]
        self._bones = bones.astype(np.int32)
        share = np.take_along_axis(model.weights[used], bones, 1)
        self._shares = share / share.sum(1, keepdims=True)
        self._hands = [_hand_bones(side) for side in "LR"]

    def places(self, rotations: Floats, positions: Floats, face: Floats) -> Floats:
        """(73, 3) metres, of `NAMES`.

        Args:
            rotations: (J, 3, 3) and
            positions: (J, 3) of the bones, from `Rig.pose`.
            face: (A,) strengths of the facial actions.
        """
        rest = self._rest + np.tensordot(face, self._actions, 1)
        posed = np.empty_like(rest)
        skin(rest, self._bones, self._shares, self._rig.rest, rotations, positions, posed)
        points = list(self._weights @ posed)
        for bone, before in (pair for hand in self._hands for pair in hand):
            number = self._rig.index(bone)
            place = positions[number]
            if before:  # a tip: beyond the last joint, as far as the bone before is long
                last = self._rig.rest[number] - self._rig.head(before)
                place = place + rotations[number] @ last * 0.85
            points.append(place)
        return np.array([*points, *posed[self._face]])


def _hand_bones(side: str) -> list[tuple[str, str]]:
    """Of each hand keypoint the bone at whose head it lies and, for tips, the bone before."""
    bones = [(f"wrist.{side}", "")]
    for finger in range(1, 6):
        bones += [(f"finger{finger}-{k}.{side}", "") for k in range(1, 4)]
        bones.append((f"finger{finger}-3.{side}", f"finger{finger}-2.{side}"))
    return bones


def _face_vertices(model: BodyModel, vertices: Floats, regions: Regions, box: HeadBox) -> list[int]:
    """Vertices of `FACE`: found by where they lie and by what the facial actions move."""
    moved = dict(zip(ACTIONS, np.linalg.norm(model.actions, axis=2), strict=True))
    on_head = regions.head > 0.5

    def most(chosen: Bools, score: Floats) -> int:
        candidates = np.flatnonzero(chosen & on_head)
        return int(candidates[np.argmax(score[candidates])])

    out = []
    for side, sign in (("Left", 1), ("Right", -1)):
        lids = moved["eyeBlink" + side] > 0.25 * moved["eyeBlink" + side].max()
        smile = moved["mouthSmile" + side] > 0.9 * moved["mouthSmile" + side].max()
        x = sign * vertices[:, 0]
        out += [most(lids, -x), most(lids, x), most(smile, -vertices[:, 1])]
    front = vertices[:, 1] < box.front + 0.35 * (box.back - box.front)
    out.append(most((np.abs(vertices[:, 0]) < 0.008) & front, -vertices[:, 2]))
    out.append(most(on_head, -vertices[:, 1]))
    return out
