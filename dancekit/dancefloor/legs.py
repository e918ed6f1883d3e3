"""Legs that reach planned feet: two-bone inverse kinematics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.joints import J

HALF_HIPS = 0.105
"""From the middle of the hips to a hip, in leg lengths."""

ANKLE_HEIGHT = 0.085
"""Of the ankle above the sole, in leg lengths."""


@dataclass(frozen=True, eq=False)
class FootTrack:
    """One foot over time, of a body with legs of length 1.

    Attributes:
        place: (T, 3) of the sole.
        heading: (T, 3, 3) rotation about the vertical axis.
        pitch: (T, 3, 3) of the foot; positive angles lift the heel.
        toes: (T, 3, 3) pitch of the toes.
        contact: (T,) whether it is planted.
    """

    place: Floats
    heading: Floats
    pitch: Floats
    toes: Floats
    contact: Bools


def reach(
    hip: Floats, ankle: Floats, thigh: float, shin: float, knee_towards: Floats
) -> tuple[Floats, Floats]:
    """Rotations (3, 3), from the T-pose, of thigh and shin that bring the ankle to a place.

    Args:
        hip: (3,).
        ankle: (3,) where it should be; a place too far away is approached as far as the leg goes.
        thigh: Its length.
        shin: Its length.
        knee_towards: (3,) the direction in which the knee bends.
    """
    direction = ankle - hip
    distance = float(np.linalg.norm(direction))
    reached = min(distance, (thigh + shin) * 0.9995)
    direction = direction / max(distance, 1e-9)
    hinge = np.cross(knee_towards, direction)
    hinge /= max(float(np.linalg.norm(hinge)), 1e-9)
    forward = np.cross(direction, hinge)
    cosine = min(max((thigh * thigh + reached * reached - shin * shin) / (2 * thigh * reached), -1.0), 1.0)
    upper = direction * cosine + forward * math.sqrt(1 - cosine * cosine)
    lower = hip + direction * reached - (hip + thigh * upper)
    lower /= np.linalg.norm(lower)
    return _hinged(hinge, upper), _hinged(hinge, lower)


def _hinged(hinge: Floats, down: Floats) -> Floats:
    return np.stack([hinge, np.cross(-down, hinge), -down], 1)


def follow_feet(rotations: Floats, root: Floats, feet: Mapping[str, FootTrack]) -> None:
    """Fill in thighs, shins, feet and toes (in place) so that the ankles follow the feet (legs of length 1)."""
    for i in range(len(rotations)):
        pelvis = rotations[i, J["pelvis"]]
        for side, foot in feet.items():
            sign = 1 if side == "L" else -1
            hip = root[i] + pelvis @ np.array([sign * HALF_HIPS, 0, 0])
            out = np.array([sign * 0.18, -1.0, 0])
            knee = foot.heading[i] @ out + pelvis @ out
            knee[2] = 0.0
            ankle = foot.place[i] + [0, 0, ANKLE_HEIGHT]
            thigh, shin = reach(hip, ankle, 0.5, 0.5, knee / np.linalg.norm(knee))
            rotations[i, J["thigh." + side]], rotations[i, J["shin." + side]] = thigh, shin
            rotations[i, J["foot." + side]] = foot.heading[i] @ foot.pitch[i]
            rotations[i, J["toe." + side]] = foot.heading[i] @ foot.toes[i]
