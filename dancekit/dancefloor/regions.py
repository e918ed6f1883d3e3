"""Where on a body a vertex lies: along arms and legs, around a leg, and on the map of the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.jit import Bools, Floats, Ints
from dancekit.dancefloor.materials import EYE, MOUTH, SKIN
from dancekit.dancefloor.rig import Rig, finger_bones, toe_bones

NOWHERE = -1.0
"""Position along a limb of vertices that are not on one."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Of each vertex.

    Attributes:
        arm: (V,) 0 at the shoulder, 1 at the elbow, 2 at the wrist; NOWHERE off the arms.
        leg: (V,) 0 at the hip, 1 at the knee, 2 at the ankle; NOWHERE off the legs.
        around: (V,) angle around the leg, 0 at the outer seam, radians.
        head: (V,) share of the head.
        neck: (V,) share of the neck.
        map: (V, 2) place on the skin's map of 1024 x 1024.
    """

    arm: Floats
    leg: Floats
    around: Floats
    head: Floats
    neck: Floats
    map: Floats


def find_regions(model: BodyModel, rig: Rig, vertices: Floats) -> Regions:
    """Measure a body at rest."""
    arm, leg = np.full(len(vertices), NOWHERE), np.full(len(vertices), NOWHERE)
    around = np.full(len(vertices), 1.5)
    for side in "LR":
        names = [f"{part}.{side}" for part in _ARM] + finger_bones(side)
        names += [f"metacarpal{i}.{side}" for i in range(1, 5)]
        chosen = rig.group(*names) > 0.25
        joints = [rig.head(f"{name}.{side}") for name in ("upperarm01", "lowerarm01", "wrist")]
        arm = np.maximum(arm, _along(vertices, joints, chosen))
        chosen = rig.group(*[f"{part}.{side}" for part in _LEG], *toe_bones(side)) > 0.25
        joints = [rig.head(f"{name}.{side}") for name in ("upperleg01", "lowerleg01", "foot")]
        leg = np.maximum(leg, _along(vertices, joints, chosen))
        hip, knee, ankle = joints
        heights, xs = [ankle[2], knee[2], hip[2]], [ankle[0], knee[0], hip[0]]
        middle = np.interp(vertices[chosen, 2], heights, xs)
        out = (1 if side == "L" else -1) * (vertices[chosen, 0] - middle)
        around[chosen] = np.abs(np.arctan2(vertices[chosen, 1] - knee[1], out))
    place = np.zeros((len(vertices), 2))
    place[model.faces.ravel()] = on_map(model.uv[model.uv_faces.ravel()])
    return Regions(arm, leg, around, rig.group("head", "eye."), rig.group("neck0"), place)


_ARM = ("shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
_LEG = ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")


def _along(vertices: Floats, joints: list[Floats], chosen: Bools) -> Floats:
    """(V,) place along a chain of joints, one unit a bone; it reaches 0.6 bones beyond its ends."""
    place, nearest = np.full(len(vertices), NOWHERE), np.full(len(vertices), 1e9)
    last = len(joints) - 2
    for k in range(len(joints) - 1):
        begin, bone = joints[k], joints[k + 1] - joints[k]
        t = (vertices - begin) @ bone / np.linalg.norm(bone) ** 2
        t = np.clip(t, -0.6 if k == 0 else 0.0, 1.6 if k == last else 1.0)
        distance = np.linalg.norm(vertices - begin - t[:, None] * bone, axis=1)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        place[closer] = k + t[closer]
    place[~chosen] = NOWHERE
    return place


def on_map(uv: Floats) -> Floats:
    """Texture coordinates (..., 2) as pixels of the skin's map of 1024 x 1024, y down."""
    return np.stack([uv[..., 0] * 1024, 1024 - uv[..., 1] * 1024], -1)


def skin_materials(model: BodyModel) -> Ints:
    """(F,) material of each face of the bare body, by the island of the map it lies on."""
    u, v = np.moveaxis(on_map(model.uv[model.uv_faces].mean(1)), -1, 0)
    materials = np.full(len(model.faces), SKIN, np.int32)
    materials[(v < 80) & (u > 760) & (u < 850)] = EYE
    tongue = (v < 90) & (u > 620) & (u < 680)
    teeth = (u > 770) & (u < 950) & (v > 880)
    cavity = (u < 160) & (v > 370) & (v < 470)
    materials[tongue | teeth | cavity] = MOUTH
    return materials
