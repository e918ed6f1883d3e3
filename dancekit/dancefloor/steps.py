"""The feet of a dance: steps planned on the beat, and the arcs by which feet swing between them.

Feet move only in swing arcs between planted places, so nothing skates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import X, Z, turn
from dancekit.dancefloor.legs import FootTrack

STANCE = 0.20
"""Between the feet, in leg lengths."""


@dataclass(frozen=True)
class Step:
    """A foot arrives somewhere.

    Attributes:
        beat: When.
        place: x and y, leg lengths.
        yaw: Where it points, radians.
        lift: Height of the swing; below 0, the foot hangs in the air that high (a kick).
    """

    beat: float
    place: tuple[float, float]
    yaw: float
    lift: float


@dataclass(frozen=True)
class BodyKey:
    """At a beat the body faces `heading` (radians) and is `drop` (leg lengths) lower."""

    beat: float
    heading: float
    drop: float


@dataclass
class StepPlan:
    """Draws steps for a number of beats, kind by kind, within a box.

    Attributes:
        rng: Of all draws.
        range_x: Half of the box across, leg lengths.
        range_y: Half of the box in depth.
        depth: How far a phrase moves in depth.
        full_turns: Whether a turn may go all the way round.
        feet: The steps of the left and the right foot.
        body: Headings and drops.
    """

    rng: np.random.Generator
    range_x: float
    range_y: float
    depth: float
    full_turns: bool
    feet: dict[str, list[Step]] = field(default_factory=dict)
    body: list[BodyKey] = field(default_factory=lambda: [BodyKey(0.0, 0.0, 0.0)])
    _beat: float = 1.0
    _heading: float = 0.0
    _centre: Floats = field(default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        self.feet = {
            side: [Step(0.0, (sign * STANCE / 2, 0.0), sign * 0.12, 0)]
            for side, sign in (("L", 1), ("R", -1))
        }

    def draw(self, beats: int, kinds: tuple[str, ...]) -> None:
        """Fill the plan up to a beat; the first phrase is always a groove on the spot."""
        first = True
        while self._beat < beats:
            kind = "groove" if first else kinds[int(self.rng.integers(len(kinds)))]
            first = False
            x = self._centre[0]
            left = x < -0.25 * self.range_x or (x < 0.35 * self.range_x and self.rng.random() < 0.5)
            direction = 1 if left else -1
            forth = float(
                np.clip(
                    self.rng.normal(-0.6 * self._centre[1], self.depth),
                    -1.875 * self.depth,
                    1.875 * self.depth,
                )
            )
            size = self.rng.uniform(0.75, 1.15)
            _KINDS[kind](self, direction, forth, size)

    def _at(self, foot: str, dx: float, dy: float) -> tuple[float, float]:
        """A place beside the foot's own one."""
        c, s = math.cos(self._heading), math.sin(self._heading)
        ox, oy = (1 if foot == "L" else -1) * STANCE / 2 + dx, dy
        return float(self._centre[0] + c * ox - s * oy), float(self._centre[1] + s * ox + c * oy)

    def _step(
        self, foot: str, beats: float, dx: float, dy: float, lift: float, *, turned: float = 0.0
    ) -> None:
        yaw = self._heading + (0.14 if foot == "L" else -0.14) + turned
        self.feet[foot].append(Step(self._beat + beats, self._at(foot, dx, dy), yaw, lift))

    def _key(self, beats: float, drop: float, turned: float = 0.0) -> None:
        self.body.append(BodyKey(self._beat + beats, self._heading + turned, drop))

    def _move(self, dx: float, dy: float) -> None:
        box = np.array([self.range_x, self.range_y])
        self._centre = np.clip(self._centre + np.array([dx, dy]), -box, box)

    def _groove(self, direction: int, forth: float, size: float) -> None:
        for k in range(4):
            if self.rng.random() < 0.5:
                self._step("LR"[k % 2], k, 0, 0, 0.05)
            self._key(k, 0.02)
        self._beat += 4

    def _sideways(self, kind: str, direction: int, forth: float, size: float) -> None:
        lead, trail = _lead(direction)
        width = 0.26 * size
        for k in range(1 if kind == "grapevine" else 2):
            if kind == "boxstep":
                self._centre = self._centre + np.array([0, forth if k == 0 else -forth * 0.6])
            self._move(direction * width, 0)
            self._step(lead, 0, direction * 0.05, 0, 0.08)
            if kind == "cross":
                self._step(trail, 1, direction * 0.26, 0.16, 0.08)
                self._step(trail, 1.75, 0, 0, 0.07)
            elif kind == "grapevine":
                self._step(trail, 1, direction * 0.34, 0.17, 0.08)
                self._move(direction * width, 0)
                self._step(lead, 2, direction * 0.04, 0, 0.08)
                self._step(trail, 3, 0, 0, 0.07)
                self._beat += 2
            else:
                self._step(trail, 1, 0, 0, 0.09)
            self._beat += 2
            if kind != "boxstep" and self.rng.random() < 0.4:
                direction = -direction
                lead, trail = trail, lead

    def _march(self, direction: int, forth: float, size: float) -> None:
        self._move(0, forth)
        for k in range(4):
            self._step("LR"[k % 2], k, 0, 0, 0.22 * size)
        self._beat += 4

    def _squat(self, direction: int, forth: float, size: float) -> None:
        lead, _ = _lead(direction)
        self._step(lead, 0, direction * 0.16, 0, 0.06, turned=direction * 0.25)
        for beats, drop in ((0.6, 0.0), (1.4, 0.26 * size), (2.2, 0.03)):
            self._key(beats, drop)
        self._step(lead, 3, 0, 0, 0.06)
        self._beat += 4

    def _lunge(self, direction: int, forth: float, size: float) -> None:
        lead, _ = _lead(direction)
        self._step(lead, 0, direction * 0.34 * size, -0.05, 0.08, turned=direction * 0.3)
        self._key(0.9, 0.12, direction * 0.25)
        self._step(lead, 2, 0, 0, 0.08)
        self._key(2, 0.02)
        self._beat += 3

    def _kick(self, direction: int, forth: float, size: float) -> None:
        for k, foot in enumerate(_lead(direction)):
            self._step(foot, 2 * k + 0.55, 0, -0.42 * size, -0.34 * size)
            self._step(foot, 2 * k + 1.2, 0, 0, 0.08)
        self._beat += 4

    def _turn(self, direction: int, forth: float, size: float) -> None:
        lead, trail = _lead(direction)
        partly = self.rng.random() < 0.55 if self.full_turns else True
        total = float(self.rng.choice([0.7, 1.0, -0.8])) if partly else 2 * math.pi * direction
        steps = 4 if abs(total) > 3 else 2
        for k in range(steps):
            self._heading += total / steps
            self._step((lead, trail)[k % 2], k, 0, 0, 0.09)
            self._key(k, 0.03)
        if abs(total) >= 3:
            self._beat += steps
            self._key(0, 0.02)
            return
        self._beat += 3
        self._heading -= total
        for k, foot in enumerate((trail, lead)):
            self._step(foot, k, 0, 0, 0.09)
        self._key(0.5, 0.02)
        self._beat += 2

    def _boxstep(self, direction: int, forth: float, size: float) -> None:
        self._sideways("boxstep", direction, forth, size)

    def _cross(self, direction: int, forth: float, size: float) -> None:
        self._sideways("cross", direction, forth, size)

    def _grapevine(self, direction: int, forth: float, size: float) -> None:
        self._sideways("grapevine", direction, forth, size)

    def _sidestep(self, direction: int, forth: float, size: float) -> None:
        self._sideways("sidestep", direction, forth, size)


_KINDS = {
    "groove": StepPlan._groove,
    "sidestep": StepPlan._sidestep,
    "march": StepPlan._march,
    "grapevine": StepPlan._grapevine,
    "squat": StepPlan._squat,
    "turn": StepPlan._turn,
    "kick": StepPlan._kick,
    "boxstep": StepPlan._boxstep,
    "cross": StepPlan._cross,
    "lunge": StepPlan._lunge,
}

STEPS = tuple(_KINDS)
"""The kinds of steps."""


def _lead(direction: int) -> tuple[str, str]:
    """The leading and the trailing foot."""
    return ("L", "R") if direction > 0 else ("R", "L")


def track_foot(steps: list[Step], beat: Floats, swing: float = 0.62) -> FootTrack:
    """Where a foot is at each time.

    Args:
        steps: What it does.
        beat: (T,) the beat at each time.
        swing: Beats that a swing takes, if there is time.
    """
    steps = sorted(steps, key=lambda step: step.beat)
    place, yaw, pitch = np.zeros((len(beat), 3)), np.full(len(beat), steps[0].yaw), np.zeros(len(beat))
    contact = np.ones(len(beat), bool)
    place[:, :2] = steps[0].place
    arrived, last, last_yaw, hanging = -9.0, np.array([*steps[0].place, 0.0]), steps[0].yaw, False
    for step in steps[1:]:
        height = max(-step.lift, 0.0)
        start = arrived if hanging else max(step.beat - swing, arrived + 0.05)
        moving = (beat >= start) & (beat < step.beat)
        s = (beat[moving] - start) / max(step.beat - start, 1e-3)
        eased = s * s * s * (s * (6 * s - 15) + 10)
        there = np.array([*step.place, height])
        place[moving] = last + (there - last) * eased[:, None]
        place[moving, 2] += max(step.lift, 0.0) * np.sin(np.pi * s) ** 1.3
        yaw[moving] = last_yaw + (step.yaw - last_yaw) * eased
        if not hanging:  # the heel leaves first
            pitch[moving] += (0.55 if step.lift > 0.06 else 0.3) * np.sin(np.pi * np.clip(s * 1.5, 0, 1))
        pitch[moving] -= 0.22 * np.sin(np.pi * np.clip((s - 0.55) / 0.45, 0, 1))  # and arrives first
        contact[moving] = False
        after = beat >= step.beat
        place[after], yaw[after], contact[after] = there, step.yaw, height == 0
        arrived, last, last_yaw, hanging = step.beat, there, step.yaw, height > 0
    place[:, 2] += 0.10 * np.maximum(0, np.sin(pitch))
    toes = turn(X, np.where(pitch > 0, 0.35 * pitch, pitch))
    return FootTrack(place, turn(Z, yaw), turn(X, pitch), toes, contact)
