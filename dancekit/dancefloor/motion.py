"""Motion without a body: how joints are turned, where the hips are, and what the face does.

Rotations from a T-pose transfer between bodies as they are; `retarget.py` then puts the feet on the floor. The
face track, gaze and fingers belong to the motion, so that two people who perform one motion also agree in
expression and look.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.joints import FPS, JOINTS, J, between, turn

UNKNOWN = -1
"""In `contact`: whether the foot is planted is found when the motion is fitted to a body."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion of T frames at `FPS` frames a second.

    Attributes:
        rotations: (T, 20, 3, 3) of `JOINTS`, global, from a T-pose that faces -y (the camera) with z up.
        root: (T, 3) the middle of the hips in leg lengths.
        contact: (T, 2) whether the left and the right foot is planted: 1, 0 or `UNKNOWN`.
        grounded: (T,) where the height is not to be trusted: the lowest foot is put on the floor.
        face: (T, A) strengths of the facial actions (`expression.ACTIONS`), or (T, 0).
        gaze: (T, 2) yaw (to the dancer's left) and pitch (down) of the eyes in the head, radians.
        fingers: (T, 2) curl of the left and the right hand.
    """

    rotations: Floats
    root: Floats
    contact: NDArray[np.int8]
    grounded: Bools
    face: Floats
    gaze: Floats
    fingers: Floats

    @classmethod
    def of_body(
        cls,
        rotations: Floats,
        root: Floats,
        contact: NDArray[np.generic] | None = None,
        grounded: Bools | None = None,
    ) -> Motion:
        """A motion with a still face; planted feet are unknown if they are not given."""
        frames = len(rotations)
        return cls(
            rotations=rotations,
            root=root,
            contact=np.full((frames, 2), UNKNOWN, np.int8) if contact is None else contact.astype(np.int8),
            grounded=np.zeros(frames, bool) if grounded is None else grounded,
            face=np.zeros((frames, 0)),
            gaze=np.zeros((frames, 2)),
            fingers=np.full((frames, 2), 0.25),
        )

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, frames: slice) -> Motion:
        return Motion(*(getattr(self, field.name)[frames] for field in dataclasses.fields(self)))

    def replace(self, **changes: Any) -> Motion:
        """A copy with some tracks replaced."""
        return dataclasses.replace(self, **changes)

    def turned(self, yaw: float, *, to: Sequence[float] = (0.0, 0.0)) -> Motion:
        """Turned about the vertical axis, and moved by `to` (leg lengths)."""
        rotation = turn((0, 0, 1), yaw)
        root = self.root @ rotation.T
        root[:, :2] += np.asarray(to, float)
        return self.replace(rotations=rotation @ self.rotations, root=root)

    def mirrored(self) -> Motion:
        """Left for right."""
        mirror = np.diag([-1.0, 1, 1])
        swapped = [J[_other_side(name)] for name in JOINTS]
        return self.replace(
            rotations=(mirror @ self.rotations @ mirror)[:, swapped],
            root=self.root @ mirror,
            contact=self.contact[:, ::-1],
            gaze=self.gaze * [-1, 1],
            fingers=self.fingers[:, ::-1],
        )


def _other_side(name: str) -> str:
    return name[:-1] + ("R" if name.endswith("L") else "L") if name[-2:] in (".L", ".R") else name


def resample(rotations: Floats, root: Floats, rate: float) -> tuple[Floats, Floats]:
    """Frames at `rate` a second to frames at `FPS`."""
    time = np.arange(len(rotations)) / rate
    wanted = np.arange(0, time[-1], 1 / FPS)
    turned = [
        Slerp(time, Rotation.from_matrix(rotations[:, joint]))(wanted).as_matrix()
        for joint in range(rotations.shape[1])
    ]
    moved = [np.interp(wanted, time, root[:, axis]) for axis in range(3)]
    return np.stack(turned, 1), np.stack(moved, 1)


def face_camera(motion: Motion, yaw: float = 0.0) -> Motion:
    """Turn the mean facing to the camera (plus `yaw`), and centre the path."""
    front = motion.rotations[:, J["pelvis"]] @ np.array([0, -1.0, 0])
    now = math.atan2(front[:, 0].mean(), -front[:, 1].mean())
    motion = motion.turned(yaw - now)
    middle = 0.5 * (np.percentile(motion.root, 4, axis=0) + np.percentile(motion.root, 96, axis=0))
    return motion.replace(root=motion.root - middle * [1, 1, 0])


def join(motions: Sequence[Motion], blend: int = 10) -> Motion:
    """One after the other, with `blend` frames between them that lead from one to the next; paths stay in place."""
    parts = [motions[0]]
    for following in motions[1:]:
        parts += [_bridge(parts[-1], following, blend), following]
    fields = [field.name for field in dataclasses.fields(Motion)]
    return Motion(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _bridge(before: Motion, after: Motion, frames: int) -> Motion:
    s = np.arange(1, frames + 1) / (frames + 1)
    s = s * s * (3 - 2 * s)

    def mixed(a: Floats, b: Floats) -> Floats:
        return np.asarray(a + (b - a) * s[:, None])

    return Motion(
        rotations=np.stack([between(before.rotations[-1], after.rotations[0], weight) for weight in s]),
        root=mixed(before.root[-1], after.root[0]),
        contact=np.full((frames, 2), UNKNOWN, np.int8),
        grounded=np.ones(frames, bool),
        face=mixed(before.face[-1], after.face[0]),
        gaze=mixed(before.gaze[-1], after.gaze[0]),
        fingers=mixed(before.fingers[-1], after.fingers[0]),
    )
