"""Seeded procedural dances: beats, planted steps, a groove in hips and chest, arm poses a phrase."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from dancekit.dancefloor.arms import FINE_RATE, OVERSAMPLING, draw_arm_keys, raise_arm, spline
from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import JOINTS, J, X, Y, Z, between, turn
from dancekit.dancefloor.legs import FootTrack, follow_feet
from dancekit.dancefloor.motion import Motion
from dancekit.dancefloor.steps import STEPS, BodyKey, StepPlan, track_foot

STANDING = 1.068
"""Height of the hips above the floor, leg lengths: legs almost straight over the ankles."""


def dance(
    seconds: float,
    *,
    bpm: float = 112,
    seed: int = 0,
    range_x: float = 0.75,
    range_y: float = 0.35,
    energy: float = 1.0,
    steps: tuple[str, ...] = STEPS,
    full_turns: bool = True,
    depth: float = 0.16,
) -> Motion:
    """A dance.

    Args:
        seconds: How long.
        bpm: Beats a minute.
        seed: The same seed gives the same dance.
        range_x: How far to each side it goes, leg lengths.
        range_y: How far forth and back.
        energy: Strength of the groove.
        steps: Kinds of steps (`steps.STEPS`).
        full_turns: Whether turns may go all the way round.
        depth: How far a phrase moves in depth, leg lengths.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * FINE_RATE)) / FINE_RATE
    beat = time * bpm / 60
    beats = int(beat[-1]) + 3
    plan = StepPlan(rng, range_x, range_y, depth, full_turns)
    plan.draw(beats - 4, steps)
    feet = {side: track_foot(plan.feet[side], beat) for side in "LR"}
    heading, drop = _body_tracks(plan.body, beat)
    phases = rng.uniform(0, 6.28, 16)
    per_beat = rng.uniform(0.4, 1.25, beats)
    strength = np.repeat(per_beat, int(FINE_RATE * 60 / bpm) + 1)[: len(time)]
    strength = gaussian_filter1d(strength, 0.4 * FINE_RATE)
    groove = _Groove(time, 2 * np.pi * beat, phases, strength, energy, drop, turn(Z, heading))
    root = groove.root(_weight_over(feet), heading)
    rotations = np.tile(np.eye(3), (len(time), len(JOINTS), 1, 1))
    chest = groove.torso(rotations)
    keys = draw_arm_keys(rng, beats + 4)
    for side, sign in (("L", 1), ("R", -1)):
        angles = spline(keys[side], beat, FINE_RATE)
        groove.swing_arm(angles, sign)
        raise_arm(rotations, side, chest, angles, groove.slow(0.6, phases[14] * sign))
    follow_feet(rotations, root, feet)
    contact = np.stack([feet["L"].contact, feet["R"].contact], 1)
    return Motion.of_body(rotations[::OVERSAMPLING], root[::OVERSAMPLING], contact[::OVERSAMPLING])


def _body_tracks(keys: list[BodyKey], beat: Floats) -> tuple[Floats, Floats]:
    """Smooth heading (radians) and drop (leg lengths) at each time."""
    times = np.array([key.beat for key in keys])
    order = np.argsort(times, kind="stable")
    times = times[order] + np.arange(len(times)) * 1e-6
    tracks = []
    for values, blur in (([key.heading for key in keys], 0.14), ([key.drop for key in keys], 0.08)):
        track = np.interp(beat, times, np.array(values)[order])
        tracks.append(np.asarray(gaussian_filter1d(track, blur * FINE_RATE)))
    return tracks[0], tracks[1]


def _weight_over(feet: dict[str, FootTrack]) -> Floats:
    """(T, 2) where the weight is: it shifts over the planted foot."""
    left, right = feet["L"].place, feet["R"].place
    share = 0.5 + 0.30 * np.tanh((right[:, 2] - left[:, 2]) * 14)
    over = left[:, :2] * share[:, None] + right[:, :2] * (1 - share)[:, None]
    return np.asarray(gaussian_filter1d(over, 0.16 * FINE_RATE, axis=0))


class _Groove:
    """Oscillations of hips, chest, head and arms on the beat (`phase` is 2 pi a beat)."""

    def __init__(
        self,
        time: Floats,
        phase: Floats,
        phases: Floats,
        strength: Floats,
        energy: float,
        drop: Floats,
        heading: Floats,
    ) -> None:
        self.time, self.phase, self.r, self.strength = time, phase, phases, strength
        self.energy, self.drop, self.heading = energy, drop, heading

    def slow(self, rate: float, phase: float) -> Floats:
        """A drift of about `rate` Hz that never repeats."""
        t = 2 * np.pi * rate * self.time
        return np.asarray(np.sin(t + phase) * (0.6 + 0.4 * np.sin(0.31 * t + 2 * phase)))

    def _beats(self, per_beat: float, offset: float) -> Floats:
        return np.asarray(np.sin(self.phase * per_beat + offset))

    def root(self, weight: Floats, heading: Floats) -> Floats:
        """(T, 3) the hips: over the weight, swaying and bouncing."""
        sway = 0.045 * self._beats(0.5, self.r[0]) * self.energy
        bounce = (0.028 * (1 - np.cos(self.phase)) / 2 + 0.012) * self.energy
        height = STANDING - bounce - self.drop - 0.015 * self.energy
        return np.stack(
            [weight[:, 0] + np.cos(heading) * sway, weight[:, 1] + np.sin(heading) * sway, height], 1
        )

    def torso(self, rotations: Floats) -> Floats:
        """Fill in pelvis, chest, neck and head (in place); returns the chest (T, 3, 3)."""
        r, much = self.r, self.strength * self.energy
        roll = 0.10 * self._beats(0.5, r[0]) * much
        yaw = 0.16 * self._beats(0.5, r[1]) * much + 0.05 * self.slow(0.2, r[2])
        pitch = 0.06 + 0.05 * self._beats(1, r[3]) * self.strength + 0.8 * self.drop
        rotations[:, J["pelvis"]] = self.heading @ turn(Z, yaw) @ turn(Y, roll) @ turn(X, pitch)
        yaw = -0.28 * self._beats(0.5, r[1] + 0.4) * much + 0.10 * self.slow(0.17, r[4])
        roll = -0.13 * self._beats(0.5, r[0] + 0.5) * much + 0.07 * self.slow(0.23, r[5])
        pitch = 0.05 + 0.09 * self._beats(1, r[6]) * self.strength + 0.05 * self.slow(0.19, r[7])
        chest = self.heading @ turn(Z, yaw) @ turn(Y, roll) @ turn(X, pitch + 0.5 * self.drop)
        head = self.heading @ turn(Z, 0.35 * yaw + 0.16 * self.slow(0.27, r[8]))
        head = head @ turn(Y, 0.10 * self._beats(0.5, r[9]) * self.strength)
        head = head @ turn(X, -0.02 + 0.07 * self._beats(1, r[10]) * self.strength)
        rotations[:, J["chest"]], rotations[:, J["head"]] = chest, head
        rotations[:, J["neck"]] = between(chest, head)
        return np.asarray(chest)

    def swing_arm(self, angles: Floats, sign: int) -> None:
        """Add the groove to an arm's angles (T, 4), in place."""
        r = self.r
        angles[:, 1] += 5 * self._beats(0.5, r[11] + sign) * self.strength
        angles[:, 0] += 7 * self._beats(0.5, r[12] * sign) * self.strength
        bend = angles[:, 3] + 8 * self._beats(1, r[13] * sign) * self.strength
        angles[:, 3] = np.clip(bend, 4, 135)
