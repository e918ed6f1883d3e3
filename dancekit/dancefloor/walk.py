"""Walking: towards the camera, a U turn, away; across the frame; and standing about."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d

from dancekit.dancefloor.arms import FINE_RATE, OVERSAMPLING, raise_arm
from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS, JOINTS, J, X, Y, Z, between, turn
from dancekit.dancefloor.legs import follow_feet
from dancekit.dancefloor.motion import Motion
from dancekit.dancefloor.steps import STANCE, Step, track_foot

Path = Callable[[float], tuple[Floats, float]]
"""Distance walked to place (x, y) in leg lengths and heading in radians (0: towards the camera)."""


def u_turn(near: float, far: float, x: float, radius: float) -> tuple[Path, float]:
    """Towards the camera from y = `far` to `-near`, half a circle, and away again; and its length."""
    straight, bend = far - near, math.pi * radius

    def path(q: float) -> tuple[Floats, float]:
        if q < straight:
            place = np.array([x - radius, far - q])
        elif q < straight + bend:
            w = (q - straight) / radius
            place = np.array([x - radius * math.cos(w), near - radius * math.sin(w)])
        else:
            place = np.array([x + radius, near + (q - straight - bend)])
        yaw = math.pi * float(np.clip((q - straight + 0.25) / (bend + 0.5), 0, 1))
        return place, yaw - 0.25 * math.sin(2 * yaw)

    return path, 2 * straight + bend


def straight_line(start: tuple[float, float], end: tuple[float, float]) -> tuple[Path, float]:
    """From one place to another; and its length."""
    a, b = np.array(start), np.array(end)
    length = float(np.linalg.norm(b - a))
    heading = math.atan2(b[0] - a[0], -(b[1] - a[1]))

    def path(q: float) -> tuple[Floats, float]:
        return a + (b - a) * (q / length), heading

    return path, length


def walk(seconds: float, path: Path, length: float, *, step: float = 0.62) -> Motion:
    """A synthetic gait along a path, at even speed.

    Args:
        seconds: How long; the whole path is walked.
        path: Where.
        length: Of the path, leg lengths.
        step: Of a step, leg lengths.
    """
    frames = int(seconds * FINE_RATE)
    steps = length / step
    beat = np.linspace(0, steps, frames)  # one step a beat
    along = [path(q) for q in np.linspace(0, length, frames)]
    place = gaussian_filter1d(np.array([p for p, _ in along]), 0.1 * FINE_RATE, axis=0)
    yaw = gaussian_filter1d(np.array([y for _, y in along]), 0.1 * FINE_RATE)
    plan: dict[str, list[Step]] = {"L": [], "R": []}
    for k in range(-2, int(steps) + 3):
        side, sign = "LR"[k % 2], 1 - 2 * (k % 2)
        centre, heading = path(min(max((k + 0.42) * step, -1.0), length + 1.0))
        foot = centre + sign * 0.10 * np.array([math.cos(heading), math.sin(heading)])
        plan[side].append(Step(float(k), (float(foot[0]), float(foot[1])), heading + sign * 0.10, 0.075))
    feet = {side: track_foot(plan[side], beat, swing=0.82) for side in "LR"}
    phase = np.pi * beat
    rotations = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
    facing, still = turn(Z, yaw), np.zeros(frames)
    hips = turn(Z, -0.09 * np.cos(phase)) @ turn(Y, 0.05 * np.sin(phase)) @ turn(X, still + 0.05)
    rotations[:, J["pelvis"]] = facing @ hips
    rotations[:, J["chest"]] = facing @ turn(Z, 0.11 * np.cos(phase)) @ turn(X, still + 0.04)
    rotations[:, J["head"]] = facing @ turn(X, 0.03 + 0.015 * np.cos(2 * phase))
    rotations[:, J["neck"]] = between(rotations[:, J["chest"]], rotations[:, J["head"]])
    for side, sign in (("L", 1), ("R", -1)):
        swing = sign * np.cos(phase)
        angles = np.stack([4 - 24 * swing, still + 9.0, still, 22 - 12 * swing], 1)
        raise_arm(rotations, side, rotations[:, J["chest"]], angles, still)
    sway = 0.03 * np.sin(phase)
    height = 1.045 - 0.022 * np.cos(2 * phase)
    root = np.stack([place[:, 0] + np.cos(yaw) * sway, place[:, 1] + np.sin(yaw) * sway, height], 1)
    follow_feet(rotations, root, feet)
    contact = np.stack([feet["L"].contact, feet["R"].contact], 1)
    return Motion.of_body(rotations[::OVERSAMPLING], root[::OVERSAMPLING], contact[::OVERSAMPLING])


def walk_u_turn(
    seconds: float, *, near: float = -0.95, far: float = 0.75, x: float = 0.0, radius: float = 0.22
) -> Motion:
    """`walk` along `u_turn`."""
    path, length = u_turn(near, far, x, radius)
    return walk(seconds, path, length)


def rest(seconds: float, *, seed: int = 0) -> Motion:
    """Standing about: feet planted, weight and head drifting, arms hanging."""
    frames = int(seconds * FPS)
    rng = np.random.default_rng(seed)
    time, phases = np.arange(frames) / FPS, rng.uniform(0, 6.28, 8)

    def drift(k: int, rate: float) -> Floats:
        return np.asarray(np.sin(2 * np.pi * rate * time + phases[k]))

    still = np.zeros(frames)
    rotations = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
    chest = turn(Z, 0.05 * drift(0, 0.11)) @ turn(Y, 0.03 * drift(1, 0.16)) @ turn(X, 0.04 + still)
    rotations[:, J["pelvis"]] = turn(Z, 0.03 * drift(0, 0.11)) @ turn(Y, 0.03 * drift(2, 0.16))
    rotations[:, J["chest"]] = chest
    head = turn(Z, 0.22 * drift(3, 0.09)) @ turn(X, 0.05 * drift(4, 0.13))
    rotations[:, J["head"]] = head
    rotations[:, J["neck"]] = between(chest, head)
    for side, k in (("L", 5), ("R", 6)):
        angles = np.stack([6 + 3 * drift(k, 0.13), 11 + still, still, 18 + 4 * drift(k, 0.17)], 1)
        raise_arm(rotations, side, chest, angles, 0.5 * drift(7, 0.2))
    root = np.stack([0.03 * drift(2, 0.16), still, 1.062 - 0.003 * (1 + drift(1, 0.25))], 1)
    steps = {s: [Step(0.0, (g * STANCE / 2, 0.0), g * 0.14, 0)] for s, g in (("L", 1), ("R", -1))}
    follow_feet(rotations, root, {side: track_foot(steps[side], time) for side in "LR"})
    return Motion.of_body(rotations, root, np.ones((frames, 2), bool))
