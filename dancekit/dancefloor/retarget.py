"""A motion fitted to a body: path in metres, planted feet locked to the floor, legs by inverse kinematics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from dancekit.dancefloor.jit import Bools, Floats
from dancekit.dancefloor.joints import FPS, J, align, power
from dancekit.dancefloor.legs import reach
from dancekit.dancefloor.motion import Motion
from dancekit.dancefloor.noise import smoothstep
from dancekit.dancefloor.rig import Rig

_STILL = 0.45
"""Metres a second below which a foot near the floor counts as planted."""

_NEAR = 0.045
"""Metres above the lower foot up to which a foot can be planted."""

_LONGEST_LOCK = 0.10
"""Metres that a planted foot is moved at most to where it stands."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A motion as one body performs it.

    Attributes:
        motion: With corrected legs; `root` in metres, `contact` without unknowns.
        contact: (T, 2) whether the left and the right foot is planted.
        soles: (2, T, 3, 3) heel, ball and tip of the left and the right sole, metres.
    """

    motion: Motion
    contact: Bools
    soles: Floats

    def __len__(self) -> int:
        return len(self.motion)


class _Feet:
    """Ankles and soles of all frames, recomputed after each correction."""

    def __init__(self, rig: Rig, rotations: Floats, root: Floats) -> None:
        self.rig, self.rotations, self.root = rig, rotations, root
        self.ankle = np.zeros((2, len(root), 3))
        self.sole = np.zeros((2, len(root), 3, 3))
        self.update()

    def hip(self, side: str) -> Floats:
        """(T, 3)."""
        offset = self.rig.head(f"upperleg01.{side}") - self.rig.hips
        return np.asarray(self.root + self.rotations[:, J["pelvis"]] @ offset)

    def update(self) -> None:
        """From rotations and root."""
        head = self.rig.head
        for k, side in enumerate("LR"):
            thigh, shin, foot, toe = (
                self.rotations[:, J[f"{part}.{side}"]] for part in ("thigh", "shin", "foot", "toe")
            )
            upper = self.rig.from_t_pose["thigh." + side] @ (
                head(f"lowerleg01.{side}") - head(f"upperleg01.{side}")
            )
            lower = self.rig.from_t_pose["shin." + side] @ (head(f"foot.{side}") - head(f"lowerleg01.{side}"))
            ankle = self.hip(side) + thigh @ upper + shin @ lower
            heel, ball, tip = self.rig.sole[side]
            joint, at = self.rig.toe_joint[side], head(f"foot.{side}")
            self.ankle[k] = ankle
            self.sole[k, :, 0] = ankle + foot @ (heel - at)
            self.sole[k, :, 1] = ankle + foot @ (ball - at)
            self.sole[k, :, 2] = ankle + foot @ (joint - at) + toe @ (tip - joint)

    @property
    def lowest(self) -> Floats:
        """(2, T) height of the lowest point of each shoe's sole."""
        return np.asarray(self.sole[..., 2].min(2) - self.rig.sole_thickness)


def retarget(motion: Motion, rig: Rig, *, at: Sequence[float] = (0.0, 0.0)) -> Performance:
    """Fit a motion to a body.

    Args:
        motion: Root in leg lengths.
        rig: The body.
        at: Where the motion's origin stands, metres.
    """
    rotations, root = motion.rotations.copy(), motion.root * rig.leg
    root[:, :2] += np.asarray(at, float)
    feet = _Feet(rig, rotations, root)
    low = _set_on_floor(motion, feet)
    planted = _planted(motion, feet, low)
    _ground_contacts(feet, low, planted)
    _flatten(feet, planted)
    feet.update()
    ankles = _lock(feet, planted)
    _lower_hips(feet, ankles)
    for k, side in enumerate("LR"):
        hips, thighs = feet.hip(side), rotations[:, J["thigh." + side]].copy()
        for i in range(len(motion)):
            knee = thighs[i] @ np.array([0, -1.0, 0])
            thigh, shin = reach(hips[i], ankles[k, i], *rig.leg_bones, knee)
            rotations[i, J["thigh." + side]], rotations[i, J["shin." + side]] = thigh, shin
    feet.update()
    fitted = motion.replace(rotations=rotations, root=root, contact=planted.T.astype(np.int8))
    return Performance(fitted, planted.T, feet.sole)


def _set_on_floor(motion: Motion, feet: _Feet) -> Floats:
    """Put the floor where the lower foot mostly is; returns the feet's heights (2, T) above it."""
    low = feet.lowest
    lower = low.min(0)
    free = lower[~motion.grounded] if not motion.grounded.all() else lower
    share = gaussian_filter1d(motion.grounded.astype(float), 3.0)
    floor = np.percentile(free, 12) * (1 - share) + gaussian_filter1d(lower, 1.0) * share
    feet.root[:, 2] -= floor
    return np.asarray(low - floor)


def _planted(motion: Motion, feet: _Feet, low: Floats) -> Bools:
    """(2, T) which feet stand: as the motion says, or slow and near the floor."""
    known = motion.contact.T >= 0
    if known.all():
        return np.asarray(motion.contact.T > 0)
    found = np.zeros(known.shape, bool)
    for k in range(2):
        speeds = []
        for point in (1, 0):  # ball, heel
            track = gaussian_filter1d(feet.sole[k, :, point, :2], 1.0, axis=0)
            speeds.append(np.linalg.norm(np.gradient(track, axis=0), axis=1))
        slow = np.minimum(*speeds) * FPS < _STILL
        now = slow & (low[k] < np.minimum(low.min(0), 0.03) + _NEAR)
        for i in range(1, len(now) - 1):  # fill holes of one frame
            now[i] |= now[i - 1] and now[i + 1]
        for i in range(1, len(now) - 1):  # drop blips of one frame
            now[i] &= now[i - 1] or now[i + 1]
        found[k] = now
    return np.where(known, motion.contact.T > 0, found)


def _ground_contacts(feet: _Feet, low: Floats, planted: Bools) -> None:
    """Raise or lower the body so that the lower planted foot touches; interpolate through flight."""
    height = np.where(planted, low, np.inf).min(0)
    standing = np.isfinite(height)
    if standing.any():
        frames = np.arange(len(height))
        shift = np.interp(frames, frames[standing], -height[standing])
        feet.root[:, 2] += gaussian_filter1d(shift, 2.0)


def _flatten(feet: _Feet, planted: Bools) -> None:
    """Lay planted feet flat that are nearly so."""
    rotations = feet.rotations
    for k, side in enumerate("LR"):
        foot_index, toe_index = J["foot." + side], J["toe." + side]
        weight = gaussian_filter1d(planted[k].astype(float), 1.2)
        for i in range(len(rotations)):
            foot = rotations[i, foot_index]
            up = foot[:, 2]
            tilt = math.acos(min(max(float(up[2]), -1.0), 1.0))
            flat = weight[i] * (1 - smoothstep(0.22, 0.55, tilt))
            if flat > 0.01:
                foot = power(align(up, np.array([0, 0, 1.0])), flat) @ foot
                bend = foot.T @ rotations[i, toe_index]
                rotations[i, foot_index] = foot
                rotations[i, toe_index] = foot @ power(bend, 1 - 0.9 * flat)


def _lock(feet: _Feet, planted: Bools) -> Floats:
    """(2, T, 3) where the ankles belong for planted feet to stay where they are."""
    wanted = feet.ankle.copy()
    frames = np.arange(planted.shape[1])
    low = feet.lowest
    for k in range(2):
        delta = np.full((len(frames), 2), np.nan)
        for first, last in _runs(planted[k]):
            ball, heel = feet.sole[k, first:last, 1, :2], feet.sole[k, first:last, 0, :2]
            steadier = np.ptp(ball, axis=0).sum() <= np.ptp(heel, axis=0).sum() * 1.3 + 1e-3
            point = ball if steadier else heel
            shift = np.median(point, axis=0) - point
            delta[first:last] = np.clip(shift, -_LONGEST_LOCK, _LONGEST_LOCK)
        good = ~np.isnan(delta[:, 0])
        if good.any():
            for axis in range(2):
                delta[:, axis] = np.interp(frames, frames[good], delta[good, axis])
            soft = gaussian_filter1d(delta, 1.0, axis=0)
            edge = np.convolve((~good).astype(float), np.ones(5) / 5)[2:-2, None]
            wanted[k, :, :2] += delta * (1 - edge) + soft * edge
        weight = gaussian_filter1d(planted[k].astype(float), 1.0)
        weight = np.where(planted[k], np.maximum(weight, 0.9), weight)
        wanted[k, :, 2] -= low[k] * weight
        wanted[k, :, 2] += np.maximum(0, -(low[k] * (1 - weight)))
    return wanted


def _runs(flags: Bools) -> list[tuple[int, int]]:
    """First and one-past-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _lower_hips(feet: _Feet, ankles: Floats) -> None:
    """Lower the hips where a leg would be too short."""
    longest = 0.992 * sum(feet.rig.leg_bones)
    need = np.zeros(ankles.shape[1])
    for k, side in enumerate("LR"):
        way = feet.hip(side) - ankles[k]
        highest = np.sqrt(np.maximum(longest**2 - way[:, 0] ** 2 - way[:, 1] ** 2, 0.01))
        need = np.maximum(need, np.minimum(way[:, 2] - highest, 0.25))
    feet.root[:, 2] -= gaussian_filter1d(maximum_filter1d(need, 5), 1.5)
