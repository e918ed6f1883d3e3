"""Pinhole cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.jit import Floats


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera. World: metres, x right, y away from the camera, z up, the floor is z = 0.

    Attributes:
        eye: (3,) where it is.
        rotation: (3, 3) rows: right, down, forward.
        focal: Focal length in pixels.
        size: (W, H) of the frame.
    """

    eye: Floats
    rotation: Floats
    focal: float
    size: tuple[int, int]

    @classmethod
    def looking(
        cls, eye: Sequence[float], target: Sequence[float], fov: float, size: tuple[int, int] = (512, 512)
    ) -> Camera:
        """A level camera at `eye` that looks at `target`.

        Args:
            eye: (3,) metres.
            target: (3,) metres.
            fov: Degrees that the frame's longer side sees.
            size: (W, H).
        """
        where = np.asarray(eye, float)
        forward = np.asarray(target, float) - where
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        return cls(where, rotation, max(size) / (2 * math.tan(math.radians(fov) / 2)), size)

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Points (N, 3) in metres to pixels (N, 2), centres at integers, and distances (N,) along the axis."""
        seen = (points - self.eye) @ self.rotation.T
        z = seen[:, 2]
        middle = np.array([self.size[0] / 2 - 0.5, self.size[1] / 2 - 0.5])
        return self.focal * seen[:, :2] / z[:, None] + middle, z
