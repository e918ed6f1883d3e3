"""Skeletons of people of any build that dance the same dance in front of any camera: planted truth, seeded.

Motion is body-free: joint angles over time, and footsteps in leg lengths. `pose` puts it on a body (two-bone legs
reach the footsteps, so a planted foot is planted), `film` projects it by a pinhole camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence, get_skeleton

Array = NDArray[np.float64]
RATE = 25


@dataclass(frozen=True)
class Body:
    """A build. Lengths are parts of the stature.

    Attributes:
        stature: Metres.
        legs: Thigh and shin are so many times an average adult's part of the stature.
        arms: The same for arms.
        width: The same for shoulders and hips.
    """

    stature: float = 1.7
    legs: float = 1.0
    arms: float = 1.0
    width: float = 1.0

    @property
    def bones(self) -> dict[str, float]:
        """Metres of each bone."""
        h = self.stature
        thigh, shin, ankle = 0.235 * self.legs, 0.23 * self.legs, 0.045
        trunk = 0.82 - ankle - thigh - shin
        return {
            "thigh": thigh * h,
            "shin": shin * h,
            "ankle": ankle * h,
            "trunk": trunk * h,
            "upper_arm": 0.165 * self.arms * h,
            "forearm": 0.145 * self.arms * h,
            "shoulders": 0.2 * self.width * h,
            "hips": 0.115 * self.width * h,
            "neck": 0.13 * h,
            "head": 0.08 * h,
            "foot": 0.13 * h,
        }


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at the middle of the dance.

    Attributes:
        height: Metres above the floor.
        distance: Metres from the middle of the dance.
        focal: Pixels; None for the focal length with which the person fills 0.6 of the frame's height.
        aim: Height above the floor of what it looks at, metres; None for the middle of the person.
        size: (W, H).
        aside: Metres by which the dance is left of the axis.
    """

    height: float = 1.3
    distance: float = 4.0
    focal: float | None = None
    aim: float | None = None
    size: tuple[int, int] = (512, 512)
    aside: float = 0.0

    def project(self, points: Array, stature: float) -> Array:
        """(..., 3) metres (x right, y away, z up) to (..., 2) pixels."""
        focal = self.focal or 0.6 * self.size[1] * self.distance / stature
        eye = np.array([0.0, -self.distance, self.height])
        aim = 0.5 * stature if self.aim is None else self.aim
        forward = np.array([0.0, self.distance, aim - self.height])
        forward /= np.linalg.norm(forward)
        right = np.array([1.0, 0.0, 0.0])
        down = np.cross(forward, right)
        local = points - np.array([self.aside, 0.0, 0.0]) - eye
        depth = np.maximum(local @ forward, 0.1)
        centre = (np.array(self.size) - 1) / 2
        return np.stack([local @ right, local @ down], -1) / depth[..., None] * focal + centre


@dataclass(frozen=True, eq=False)
class Motion:
    """A dance without a body. Angles in radians, lengths in leg lengths.

    Attributes:
        feet: (T, 2, 3) left and right sole: x, y on the floor and lift.
        planted: (T, 2).
        turn: (T,) where the body faces: 0 is the camera.
        bend: (T,) how deep the knees bend, 0 to 0.4 leg lengths.
        hop: (T,) height of the whole body above the floor.
        lean: (T, 2) of the trunk: to the left, forward.
        arms: (T, 2, 4) per side: raise, swing, bend of the elbow, its direction.
        nod: (T, 2) of the head: turn, nod.
    """

    feet: Array
    planted: NDArray[np.bool_]
    turn: Array
    bend: Array
    hop: Array
    lean: Array
    arms: Array
    nod: Array

    def __len__(self) -> int:
        return len(self.turn)


def wander(rng: np.random.Generator, frames: int, seconds: float, low: float, high: float) -> Array:
    """(T,) a smooth random path between two values with a new value every so many seconds."""
    knots = max(2, int(frames / RATE / seconds) + 2)
    values = rng.uniform(low, high, knots)
    place = np.arange(frames) / (RATE * seconds)
    number = place.astype(int)
    part = place - number
    part = part * part * (3 - 2 * part)
    return np.asarray(values[number] * (1 - part) + values[np.minimum(number + 1, knots - 1)] * part)


@dataclass(frozen=True)
class Dance:
    """What is danced.

    Attributes:
        frames: T at 25 a second.
        seed: Of all its randomness.
        reach: How far the steps go to the sides and in depth, leg lengths.
        turn: How far the body turns to either side, radians.
        facing: Where it faces on average: pi / 2 is side on.
        jumps: Whether it hops now and then.
        walk: Leg lengths between the farthest and the nearest point of a walk to the camera and back, 0 for none.
    """

    frames: int = 300
    seed: int = 0
    reach: tuple[float, float] = (0.5, 0.4)
    turn: float = 0.8
    facing: float = 0.0
    jumps: bool = False
    walk: float = 0.0

    def motion(self) -> Motion:
        """The dance, frame by frame."""
        rng = np.random.default_rng(self.seed)
        frames = self.frames
        centre = np.stack(
            [
                wander(rng, frames, 1.2, -self.reach[0], self.reach[0]),
                wander(rng, frames, 1.6, -self.reach[1], self.reach[1]),
            ],
            -1,
        )
        if self.walk:
            phase = np.linspace(0, 2 * math.pi, frames)
            centre[:, 1] += self.walk / 2 * np.cos(phase)
        turn = self.facing + wander(rng, frames, 1.5, -self.turn, self.turn)
        feet, planted = _steps(rng, centre, turn)
        hop = np.zeros(frames)
        if self.jumps:
            for start in range(20, frames - 20, 60):
                hop[start : start + 12] = 0.35 * np.sin(np.linspace(0, math.pi, 12))
            planted[hop > 0] = False
        arms = np.stack(
            [
                np.stack(
                    [
                        wander(rng, frames, 0.6, 0.1, 2.6),
                        wander(rng, frames, 0.7, -0.9, 0.9),
                        wander(rng, frames, 0.5, 0.1, 2.0),
                        wander(rng, frames, 0.8, -1.0, 1.5),
                    ],
                    -1,
                )
                for _ in range(2)
            ],
            1,
        )
        return Motion(
            feet=feet,
            planted=planted,
            turn=turn,
            bend=wander(rng, frames, 0.5, 0.01, 0.15),
            hop=hop,
            lean=np.stack([wander(rng, frames, 0.8, -0.25, 0.25), wander(rng, frames, 0.9, -0.05, 0.3)], -1),
            arms=arms,
            nod=np.stack([wander(rng, frames, 0.7, -0.4, 0.4), wander(rng, frames, 0.7, -0.2, 0.2)], -1),
        )


def _steps(rng: np.random.Generator, centre: Array, turn: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Feet that step after the body: one at a time, every third of a second."""
    frames, step = len(centre), RATE // 3
    feet, planted = np.zeros((frames, 2, 3)), np.ones((frames, 2), bool)
    place = np.stack([centre[0] + _beside(turn[0], side, 0.15) for side in (1, -1)])
    foot = 0
    for start in range(0, frames, step):
        end = min(start + step, frames)
        goal = centre[min(end + step // 2, frames - 1)] + _beside(
            turn[min(end, frames - 1)], (1, -1)[foot], rng.uniform(0.12, 0.3)
        )
        part = np.linspace(0, 1, end - start)
        smooth = part * part * (3 - 2 * part)
        feet[start:end, 1 - foot, :2] = place[1 - foot]
        feet[start:end, foot, :2] = place[foot] + smooth[:, None] * (goal - place[foot])
        feet[start:end, foot, 2] = 0.12 * np.sin(math.pi * part)
        planted[start:end, foot] = False
        place[foot] = goal
        foot = 1 - foot
    return feet, planted


def _beside(turn: float, side: int, far: float) -> Array:
    """A place on the subject's left (side 1) or right; facing the camera, left is +x."""
    return side * far * np.array([math.cos(turn), math.sin(turn)])


def pose(motion: Motion, body: Body) -> dict[str, Array]:
    """Joints in metres: name to (T, 3), x right, y away from the camera, z up."""
    bone = body.bones
    leg = bone["thigh"] + bone["shin"]
    left = np.stack([np.cos(motion.turn), np.sin(motion.turn), 0 * motion.turn], -1)
    ahead = np.stack([np.sin(motion.turn), -np.cos(motion.turn), 0 * motion.turn], -1)
    up = np.array([0.0, 0.0, 1.0])
    soles = motion.feet * leg
    ankles = soles + up * (bone["ankle"] + motion.hop[:, None, None] * leg)
    hips = ankles[..., :2].mean(1)
    # as high as both legs reach, less the bend
    side = np.array([1.0, -1.0])[None, :, None] * left[:, None] * bone["hips"] / 2
    span = np.linalg.norm(ankles[..., :2] - hips[:, None] - side[..., :2], axis=-1)
    lowest = (ankles[..., 2] + np.sqrt(np.maximum(0.995 * leg**2 - span**2, 0.1 * leg**2))).min(1)
    root = np.concatenate([hips, (lowest - motion.bend * leg)[:, None]], 1)
    out: dict[str, Array] = {"mid_hip": root}
    trunk = up + motion.lean[:, :1] * left + motion.lean[:, 1:] * ahead
    trunk /= np.linalg.norm(trunk, axis=-1, keepdims=True)
    neck = root + bone["trunk"] * trunk
    out["neck"] = neck
    look = np.cos(motion.nod[:, :1]) * ahead + np.sin(motion.nod[:, :1]) * left
    head = neck + bone["neck"] * (0.85 * trunk + (0.5 + motion.nod[:, 1:]) * look * 0.5)
    aside = np.cross(trunk, look) * -1
    out["nose"] = head
    out["head_top"] = head + 1.2 * bone["head"] * trunk
    for number, name in enumerate(("left", "right")):
        way = (1.0, -1.0)[number]
        hip = root + way * left * bone["hips"] / 2
        out[f"{name}_hip"], out[f"{name}_ankle"] = hip, ankles[:, number]
        out[f"{name}_knee"] = _bent(hip, ankles[:, number], bone["thigh"], bone["shin"], ahead)
        toe = ankles[:, number] + ahead * bone["foot"] - up * bone["ankle"]
        out[f"{name}_big_toe"] = out[f"{name}_foot_index"] = toe
        out[f"{name}_small_toe"] = toe + way * left * 0.3 * bone["foot"] - 0.1 * bone["foot"] * ahead
        out[f"{name}_heel"] = ankles[:, number] - ahead * 0.3 * bone["foot"] - up * bone["ankle"]
        shoulder = neck + way * left * bone["shoulders"] / 2
        raised, swing, elbow, twist = motion.arms[:, number].T[..., None]
        along = -np.cos(raised) * up + np.sin(raised) * (np.cos(swing) * way * left + np.sin(swing) * ahead)
        across = np.sin(raised) * up + np.cos(raised) * (np.cos(swing) * way * left + np.sin(swing) * ahead)
        other = np.cross(along, across)
        fold = np.cos(twist) * across + np.sin(twist) * other
        out[f"{name}_shoulder"] = shoulder
        out[f"{name}_elbow"] = shoulder + bone["upper_arm"] * along
        out[f"{name}_wrist"] = out[f"{name}_elbow"] + bone["forearm"] * (
            np.cos(elbow) * along + np.sin(elbow) * fold
        )
        out[f"{name}_eye"] = head + bone["head"] * (0.4 * trunk + way * 0.2 * aside - 0.1 * look)
        out[f"{name}_ear"] = head + bone["head"] * (0.2 * trunk + way * 0.5 * aside - 0.6 * look)
        hand = np.cos(elbow) * along + np.sin(elbow) * fold
        for finger, part in (("index", 0.4), ("pinky", -0.4), ("thumb", 0.7)):
            out[f"{name}_{finger}"] = out[f"{name}_wrist"] + 0.05 * body.stature * (hand + part * other)
    return out


def _bent(hip: Array, ankle: Array, thigh: float, shin: float, ahead: Array) -> Array:
    """The knee of a two-bone leg, bent forward."""
    leg = ankle - hip
    length = np.clip(np.linalg.norm(leg, axis=-1, keepdims=True), 1e-6, thigh + shin)
    along = leg / length
    part = (length**2 + thigh**2 - shin**2) / (2 * length)
    out = np.sqrt(np.maximum(thigh**2 - part**2, 0))
    front = ahead - (ahead * along).sum(-1, keepdims=True) * along
    front /= np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-9)
    return hip + part * along + out * front


def film(
    motion: Motion,
    body: Body,
    camera: Camera,
    *,
    skeleton: str = "halpe_26",
    noise: float = 0.0,
    seed: int = 0,
) -> PoseSequence:
    """Poses as a perfect detector (or one with so many pixels of noise) would find them."""
    joints, chosen = pose(motion, body), get_skeleton(skeleton)
    rng = np.random.default_rng(seed)
    xy = np.full((len(motion), len(chosen), 2), np.nan)
    for number, name in enumerate(chosen.joints):
        if name in joints:
            xy[:, number] = camera.project(joints[name], body.stature)
    xy += rng.normal(0, noise, xy.shape) if noise else 0
    return PoseSequence(
        xy=xy,
        score=np.isfinite(xy).all(-1).astype(np.float64),
        pts=np.arange(len(motion)),
        time_base=Fraction(1, RATE),
        size=camera.size,
        skeleton=chosen,
    )


def standing_pixels(motion: Motion, body: Body, camera: Camera) -> Array:
    """(T,) the person's stature in pixels at their place."""
    hips = pose(motion, body)["mid_hip"]
    foot, head = hips * [1, 1, 0], hips * [1, 1, 0] + [0, 0, body.stature]
    return np.asarray(
        np.linalg.norm(camera.project(head, body.stature) - camera.project(foot, body.stature), axis=-1)
    )
