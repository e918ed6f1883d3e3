"""The skeleton inside a body: from the canonical joints of a motion to every bone's place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.joints import J, X, Z, align, between, turn

SOLE_THICKNESS = 0.022
"""Of a shoe, metres."""

_SPINE = (("spine05", 0.12), ("spine04", 0.38), ("spine03", 0.68), ("spine02", 0.92), ("spine01", 1.0))
"""How far each bone of the spine turns from the pelvis to the chest."""


class Rig:
    """Bones of one body, at rest and in a pose.

    Attributes:
        names: J names of bones.
        rest: (J, 3) their heads at rest, metres.
        parents: (J,).
        hips: (3,) the middle of the hips at rest.
        leg_bones: Lengths of thigh and shin.
        from_t_pose: Rotation (3, 3), by canonical joint, from the rest pose (an A) to the T-pose.
        sole: Heel, ball and tip of each bare sole at rest, by side.
        toe_joint: (3,) where the toes bend, by side.
        sole_thickness: Of the shoes, metres.
    """

    def __init__(self, model: BodyModel, vertices: Floats, heads: Floats) -> None:
        self.names, self.parents, self.rest = model.bones, model.parents, heads
        self._index = {name: number for number, name in enumerate(model.bones)}
        self._weights, self._vertices = model.weights, vertices
        self.sole_thickness = SOLE_THICKNESS
        self.hips = 0.5 * (self.head("upperleg01.L") + self.head("upperleg01.R"))
        self.leg_bones = (
            self._length("upperleg01.L", "lowerleg01.L"),
            self._length("lowerleg01.L", "foot.L"),
        )
        self.from_t_pose = self._t_pose()
        self.sole, self.toe_joint = {}, {}
        for side in "LR":
            self.sole[side] = self._bare_sole(side)
            self.toe_joint[side] = self.head(f"toe3-1.{side}").copy()
        self._on_side = {
            side: {
                "toes": self._numbers(side, "toe"),
                "hand": self._numbers(side, "wrist", "metacarpal", "finger"),
            }
            for side in "LR"
        }

    def index(self, name: str) -> int:
        """Number of a bone."""
        return self._index[name]

    def head(self, name: str) -> Floats:
        """(3,) rest position of a bone's head."""
        return np.asarray(self.rest[self._index[name]])

    def group(self, *prefixes: str) -> Floats:
        """(V,) how much each vertex hangs on the bones whose names begin like that."""
        chosen = [number for number, name in enumerate(self.names) if name.startswith(prefixes)]
        return np.asarray(self._weights[:, chosen].sum(1))

    @property
    def leg(self) -> float:
        """Length of a leg, metres."""
        return sum(self.leg_bones)

    def _length(self, begin: str, end: str) -> float:
        return float(np.linalg.norm(self.head(end) - self.head(begin)))

    def _numbers(self, side: str, *prefixes: str) -> list[int]:
        return [
            n for n, name in enumerate(self.names) if name.endswith("." + side) and name.startswith(prefixes)
        ]

    def _t_pose(self) -> dict[str, Floats]:
        out = {}
        down = np.array([0, 0, -1.0])
        for side, sign in (("L", 1.0), ("R", -1.0)):
            sideways = np.array([sign, 0, 0])
            for joint, begin, end, towards in (
                ("uarm", "upperarm01", "lowerarm01", sideways),
                ("farm", "lowerarm01", "wrist", sideways),
                ("hand", "lowerarm01", "wrist", sideways),
                ("thigh", "upperleg01", "lowerleg01", down),
                ("shin", "lowerleg01", "foot", down),
            ):
                bone = self.head(f"{end}.{side}") - self.head(f"{begin}.{side}")
                out[f"{joint}.{side}"] = align(bone, towards)
        return out

    def _bare_sole(self, side: str) -> tuple[Floats, Floats, Floats]:
        toes = toe_bones(side)
        low: Bools = self._vertices[:, 2] < 0.03
        sole = self._vertices[(self.group(f"foot.{side}", *toes) > 0.5) & low]
        tip = self._vertices[(self.group(*toes) > 0.5) & low]
        ball = self.head(f"toe1-1.{side}") * [1, 1, 0]
        return sole[np.argmax(sole[:, 1])] * [1, 1, 0], ball, tip[np.argmin(tip[:, 1])] * [1, 1, 0]

    def pose(
        self,
        rotations: Floats,
        root: Floats,
        *,
        gaze: Sequence[float] | Floats,
        fingers: Sequence[float] | Floats,
    ) -> tuple[Floats, Floats]:
        """Every bone's rotation (J, 3, 3) from rest and position (J, 3).

        Args:
            rotations: (20, 3, 3) of the canonical joints.
            root: (3,) the middle of the hips, metres.
            gaze: Yaw and pitch of the eyes in the head, radians.
            fingers: Curl of the left and the right hand.
        """
        turned = np.tile(np.eye(3), (len(self.names), 1, 1))
        self._pose_trunk(turned, rotations, gaze)
        for side, sign, bend in (("L", 1.0, fingers[0]), ("R", -1.0, fingers[1])):
            self._pose_leg(turned, rotations, side)
            self._pose_arm(turned, rotations, side)
            self._curl(
                turned, rotations[J["hand." + side]] @ self.from_t_pose["hand." + side], side, sign, bend
            )
        places = np.zeros((len(self.names), 3))
        places[0] = root + rotations[J["pelvis"]] @ (self.rest[0] - self.hips)
        offsets = self.rest - self.rest[self.parents]
        for bone in range(1, len(self.names)):
            parent = self.parents[bone]
            places[bone] = places[parent] + turned[parent] @ offsets[bone]
        return turned, places

    def _pose_trunk(self, turned: Floats, rotations: Floats, gaze: Sequence[float] | Floats) -> None:
        pelvis, chest, head = rotations[J["pelvis"]], rotations[J["chest"]], rotations[J["head"]]
        turned[self.index("root")] = pelvis
        for name, share in _SPINE:
            turned[self.index(name)] = between(pelvis, chest, share)
        neck = between(chest, head)
        turned[self.index("neck01")] = between(chest, neck)
        turned[self.index("neck02")] = neck
        turned[self.index("neck03")] = between(neck, head)
        turned[self.index("head")] = head
        eyes = head @ turn(Z, float(gaze[0])) @ turn(X, float(gaze[1]))
        turned[self.index("eye.L")] = turned[self.index("eye.R")] = eyes

    def _pose_leg(self, turned: Floats, rotations: Floats, side: str) -> None:
        pelvis = rotations[J["pelvis"]]
        thigh = rotations[J["thigh." + side]] @ self.from_t_pose["thigh." + side]
        shin = rotations[J["shin." + side]] @ self.from_t_pose["shin." + side]
        turned[self.index("pelvis." + side)] = pelvis
        bone = self.head("lowerleg01." + side) - self.head("upperleg01." + side)
        turned[self.index("upperleg01." + side)] = _half_twisted(pelvis, thigh, bone, 0.4)
        turned[self.index("upperleg02." + side)] = thigh
        turned[self.index("lowerleg01." + side)] = turned[self.index("lowerleg02." + side)] = shin
        turned[self.index("foot." + side)] = rotations[J["foot." + side]]
        turned[self._on_side[side]["toes"]] = rotations[J["toe." + side]]

    def _pose_arm(self, turned: Floats, rotations: Floats, side: str) -> None:
        clavicle = rotations[J["clav." + side]]
        upper, fore, hand = (
            rotations[J[f"{part}.{side}"]] @ self.from_t_pose[f"{part}.{side}"]
            for part in ("uarm", "farm", "hand")
        )
        turned[self.index("clavicle." + side)] = between(rotations[J["chest"]], clavicle, 0.85)
        turned[self.index("shoulder01." + side)] = clavicle
        bone = self.head("lowerarm01." + side) - self.head("upperarm01." + side)
        turned[self.index("upperarm01." + side)] = _half_twisted(clavicle, upper, bone, 0.5)
        turned[self.index("upperarm02." + side)] = upper
        turned[self.index("lowerarm01." + side)] = fore
        turned[self.index("lowerarm02." + side)] = between(fore, hand, 0.35)
        turned[self._on_side[side]["hand"]] = hand

    def _curl(self, turned: Floats, hand: Floats, side: str, sign: float, bend: float) -> None:
        """Relaxed fingers: each phalanx a little more, about the knuckles' axis."""
        along = self.head("finger3-1." + side) - self.head("wrist." + side)
        across = self.head("finger2-1." + side) - self.head("finger5-1." + side)
        axis = np.cross(np.cross(along, across), along)
        axis /= np.linalg.norm(axis)
        for finger in range(2, 6):
            for k in range(1, 4):
                angle = bend * (0.55 + 0.25 * k + 0.1 * (finger - 2)) * (1 if k == 1 else k * 0.9)
                turned[self.index(f"finger{finger}-{k}.{side}")] = hand @ turn(axis, sign * angle)


def _half_twisted(parent: Floats, rotation: Floats, bone: Floats, share: float) -> Floats:
    """`rotation` with only a share of its twist about the bone, compared to the smallest swing from the parent."""
    along = bone / np.linalg.norm(bone)
    swing = align(parent @ along, rotation @ along) @ parent
    twist = Rotation.from_matrix(swing.T @ rotation).as_rotvec()
    return np.asarray(swing @ Rotation.from_rotvec(twist * share).as_matrix())


def toe_bones(side: str) -> list[str]:
    """Names of a foot's toe bones."""
    return [f"toe{i}-{k}.{side}" for i in range(1, 6) for k in range(1, 4)]


def finger_bones(side: str) -> list[str]:
    """Names of a hand's finger bones."""
    return [f"finger{i}-{k}.{side}" for i in range(1, 6) for k in range(1, 4)]
