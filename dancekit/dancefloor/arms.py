"""The arms of a dance: poses hit on the beat, in a spline."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS, J, X, Y, Z, turn

ARM_POSES = {
    "down": (8, 12, 0, 20),
    "hip": (-28, 34, 40, 95),
    "side": (0, 88, 0, 8),
    "up": (10, 168, 0, 12),
    "front": (85, 10, 0, 15),
    "bend": (35, 40, 0, 115),
    "wave1": (10, 90, -80, 80),
    "cross": (60, -12, 10, 70),
    "muscle": (5, 88, -90, 95),
    "pray": (45, 15, 40, 120),
    "high": (40, 140, 0, 35),
    "back": (-35, 22, 0, 10),
    "point": (30, 125, 0, 5),
    "head": (20, 140, -20, 125),
    "low": (25, 30, 0, 45),
    "roll": (55, 22, 30, 100),
}
"""Flexion, abduction and twist of the upper arm, bend of the elbow; degrees."""

Keys = list[tuple[float, Floats]]


def draw_arm_keys(rng: np.random.Generator, beats: int) -> dict[str, Keys]:
    """Poses of both arms at beats: mirrored, independent or alternating, repeated now and then."""
    names = list(ARM_POSES)
    keys: dict[str, Keys] = {"L": [], "R": []}
    beat = 0.0
    pair = ("low", "low")
    while beat < beats:
        mode = rng.random()
        if mode < 0.45:
            name = names[int(rng.integers(len(names)))]
            pair = (name, name)
        elif mode < 0.8:
            pair = (names[int(rng.integers(len(names)))], names[int(rng.integers(len(names)))])
        else:
            pair = (pair[1], pair[0])
        for k in range(int(rng.choice([1, 2, 2, 4]))):
            left, right = pair if (k % 2 == 0 or rng.random() < 0.5) else (pair[1], pair[0])
            jitter = rng.normal(0, 6, (2, 4))
            keys["L"].append((beat, np.array(ARM_POSES[left]) + jitter[0]))
            keys["R"].append((beat, np.array(ARM_POSES[right]) + jitter[1]))
            beat += float(rng.choice([1.0, 1.0, 2.0]))
    return keys


def spline(keys: Keys, beat: Floats, rate: float) -> Floats:
    """(T, 4) angles in degrees, eased from key to key with a short hold, then smoothed over 0.05 s."""
    times = np.array([key[0] for key in keys])
    values = np.array([key[1] for key in keys], float)
    i = np.clip(np.searchsorted(times, beat) - 1, 0, len(times) - 2)
    hold = 0.22
    s = np.clip((beat - times[i]) / (times[i + 1] - times[i]) / (1 - hold), 0, 1)
    eased = s * s * s * (s * (6 * s - 15) + 10)
    out = values[i] + (values[i + 1] - values[i]) * eased[:, None]
    return np.asarray(gaussian_filter1d(out, 0.05 * rate, axis=0))


def raise_arm(rotations: Floats, side: str, chest: Floats, angles: Floats, wobble: Floats) -> None:
    """Fill in clavicle, upper arm, forearm and hand of a side, in place.

    Args:
        rotations: (T, 20, 3, 3).
        side: "L" or "R".
        chest: (T, 3, 3).
        angles: (T, 4) degrees, as in `ARM_POSES`.
        wobble: (T,) of the hand.
    """
    sign = 1.0 if side == "L" else -1.0
    flexion, abduction, twist, elbow = np.radians(angles.T)
    # from the T-pose: lower the arm to hang, then abduct and flex
    upper = turn(X, -flexion) @ turn(Y, sign * (np.pi / 2 - abduction)) @ turn(X, twist * 0.9)
    fore = upper @ turn(Z, -sign * elbow)
    shrug = np.clip(abduction - 1.2, 0, 1.6) * 0.28
    rotations[:, J["clav." + side]] = chest @ turn(Y, -sign * shrug)
    rotations[:, J["uarm." + side]] = chest @ upper
    rotations[:, J["farm." + side]] = chest @ fore
    hand = turn(Y, sign * 0.18 * wobble) @ turn(Z, -sign * (0.10 + 0.12 * wobble))
    rotations[:, J["hand." + side]] = chest @ fore @ hand


OVERSAMPLING = 4
"""Motion is made at so many times `FPS`, so that steps begin between frames."""

FINE_RATE = FPS * OVERSAMPLING
