"""Seeded rooms and cameras."""

from __future__ import annotations

import math

import numpy as np

from dancekit.dancefloor.camera import Camera
from dancekit.dancefloor.lights import LightSpec
from dancekit.dancefloor.rooms import Box, RoomSpec
from dancekit.dancefloor.walls import FLAT, STUDIO

HEADROOM = 1.30
"""Height of what the camera must see, statures: raised arms, a jump, and some floor before the feet."""


def draw_room(rng: np.random.Generator, *, half_width: float) -> RoomSpec:
    """A room.

    Args:
        rng: The same state gives the same room.
        half_width: Metres to each side that must be free.
    """
    wall = float(rng.uniform(1.5, 2.6))
    left, right = -half_width - float(rng.uniform(0.6, 1.8)), half_width + float(rng.uniform(0.6, 1.8))
    tint = np.clip(1 + rng.normal(0, 0.16, 3), 0.6, 1.45) * rng.uniform(0.75, 1.15)
    return RoomSpec(
        kind=FLAT if rng.random() < 0.5 else STUDIO,
        wall=wall,
        left=left,
        right=right,
        light=_draw_light(rng),
        pool=(
            *(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.8, 0.2)), float(rng.uniform(1.0, 1.8))),
            *(float(rng.uniform(3.0, 4.6)), float(rng.uniform(0.3, 0.6))),
        ),
        exposure=float(rng.uniform(0.54, 0.68)),
        noise=float(rng.uniform(0.8, 2.0)),
        gloss=float(rng.uniform(0.0, 0.18)),
        boxes=_draw_boxes(rng, wall, left, right),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


def _draw_light(rng: np.random.Generator) -> LightSpec:
    """A key light from one side, before the dancer; a sky of the other warmth; sometimes a coloured fill."""
    side = 1 if rng.random() < 0.5 else -1
    warm = rng.uniform(-0.12, 0.12)
    key = np.array([1 + warm, 1.0, 1 - warm]) * rng.uniform(1.8, 2.3)
    sky = np.array([1 - warm, 1.0, 1 + warm]) * rng.uniform(0.5, 0.72)
    fill = rng.uniform(0, 0.5, 3) if rng.random() < 0.4 else np.zeros(3)
    bounce = np.array([1.2, 1.0, 0.8]) * rng.uniform(0.12, 0.19)
    return LightSpec(
        key_dir=(
            side * float(rng.uniform(0.35, 0.9)),
            -float(rng.uniform(0.6, 1.0)),
            float(rng.uniform(0.7, 1.2)),
        ),
        key_rgb=(float(key[0]), float(key[1]), float(key[2])),
        key_spread=float(rng.uniform(0.15, 0.4)),
        sky_rgb=(float(sky[0]), float(sky[1]), float(sky[2])),
        bounce_rgb=(float(bounce[0]), float(bounce[1]), float(bounce[2])),
        fill_dir=(-side * 0.8, -0.4, 0.45),
        fill_rgb=(float(fill[0]), float(fill[1]), float(fill[2])),
    )


def _draw_boxes(rng: np.random.Generator, wall: float, left: float, right: float) -> tuple[Box, ...]:
    """Pictures on the back wall, furniture along it."""
    boxes: list[Box] = []
    x = left + 0.3
    while x < right - 0.9:
        width = float(rng.uniform(0.45, 0.9))
        kind = rng.random()
        if kind < 0.45:
            boxes += _picture(rng, x, width, wall)
        elif kind < 0.75:
            boxes += _furniture(rng, x, width, wall)
        x += width + float(rng.uniform(0.2, 0.9))
    return tuple(boxes)


def _picture(rng: np.random.Generator, x: float, width: float, wall: float) -> list[Box]:
    low, high = 1.15 + float(rng.uniform(0, 0.2)), 1.75 + float(rng.uniform(0, 0.25))
    frame = float(rng.uniform(0.04, 0.7))
    inner = (x + 0.04, wall - 0.045, low + 0.04, x + width - 0.04, wall - 0.039, high - 0.04)
    return [
        (x, wall - 0.04, low, x + width, wall, high, frame, frame, frame, 0.2, -1),
        (*inner, 1, 1, 1, 0, int(rng.integers(4))),
    ]


def _furniture(rng: np.random.Generator, x: float, width: float, wall: float) -> list[Box]:
    height, depth = float(rng.uniform(0.3, 0.95)), float(rng.uniform(0.25, 0.45))
    r, g, b = rng.uniform(0.04, 0.35) * rng.uniform(0.6, 1.4, 3)
    body: Box = (x, wall - depth, 0.0, x + width, wall - 0.02, height, float(r), float(g), float(b), 0.4, -1)
    boxes = [body]
    at = x + 0.05
    while at < x + width - 0.15 and rng.random() < 0.7:  # things on it
        wide, tall = float(rng.uniform(0.06, 0.18)), float(rng.uniform(0.12, 0.32))
        r, g, b = rng.uniform(0.05, 0.6, 3)
        back = wall - depth / 2
        boxes.append(
            (
                at,
                back - 0.1,
                height,
                at + wide,
                back + 0.1,
                height + tall,
                float(r),
                float(g),
                float(b),
                0.2,
                -1,
            )
        )
        at += wide + float(rng.uniform(0.02, 0.1))
    return boxes


def draw_camera(
    rng: np.random.Generator, size: tuple[int, int], *, stature: float, half_width: float, half_depth: float
) -> Camera:
    """A camera that sees the dance.

    Args:
        rng: The same state gives the same camera.
        size: (W, H) of the frame.
        stature: Of the tallest dancer, metres.
        half_width: Metres to each side that must be seen.
        half_depth: Metres that the dance comes nearer.
    """
    eye_height, distance = float(rng.uniform(0.7, 1.75)), float(rng.uniform(3.4, 6.0))
    aside = float(rng.normal(0, 0.12))
    nearest = distance - half_depth
    tall, wide = HEADROOM * stature, 2 * half_width
    longer = max(size)
    span = max(tall * longer / size[1], wide * longer / size[0]) * float(rng.uniform(1.0, 1.12))
    fov = 2 * math.degrees(math.atan(span / 2 / nearest))
    target = (0.3 * aside, 0.0, 0.52 * stature)
    return Camera.looking((aside, -distance, eye_height), target, fov, size)
