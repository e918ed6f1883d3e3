"""The canonical joints that motion is written in, and rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from dancekit.dancefloor.jit import Floats

JOINTS = (
    *("pelvis", "chest", "neck", "head"),
    *("clav.L", "uarm.L", "farm.L", "hand.L", "clav.R", "uarm.R", "farm.R", "hand.R"),
    *("thigh.L", "shin.L", "foot.L", "toe.L", "thigh.R", "shin.R", "foot.R", "toe.R"),
)
"""Clavicle, upper arm, forearm, hand; thigh, shin, foot, toes; of the left and of the right."""

J = {name: number for number, name in enumerate(JOINTS)}
X, Y, Z = np.eye(3)
FPS = 25
"""Frames a second of every motion."""


def turn(axis: Floats | Sequence[float], angle: float | Floats) -> Floats:
    """Rotation matrices (..., 3, 3) about a unit axis by angles (...) in radians."""
    vector = np.asarray(axis, float) * np.asarray(angle, float)[..., None]
    return np.asarray(Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix()).reshape(*vector.shape, 3)


def align(a: Floats, b: Floats) -> Floats:
    """The smallest rotation (3, 3) that takes direction `a` to direction `b`."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    across = np.cross(a, b)
    sine = float(np.linalg.norm(across))
    if sine < 1e-9:
        return np.eye(3)
    return np.asarray(Rotation.from_rotvec(across / sine * math.atan2(sine, float(a @ b))).as_matrix())


def between(a: Floats, b: Floats, weight: float = 0.5) -> Floats:
    """Rotations (..., 3, 3) on the way from `a` (weight 0) to `b` (weight 1), the shorter way round."""
    return a @ power(np.swapaxes(a, -1, -2) @ b, weight)


def power(rotation: Floats, weight: float) -> Floats:
    """Rotations (..., 3, 3) about the same axes by `weight` times the angle."""
    vector = Rotation.from_matrix(rotation).as_rotvec()
    return np.asarray(Rotation.from_rotvec(vector * weight).as_matrix())


def unit(vectors: Floats) -> Floats:
    """Vectors (..., 3) of length 1."""
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-12))
