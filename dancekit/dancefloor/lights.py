"""The rig of directional lights: a key light, a sky dome, a floor's bounce."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.jit import Floats

GOLDEN_ANGLE = 2.399963
"""Radians: directions at multiples of it spread evenly (Vogel 1979)."""


@dataclass(frozen=True)
class LightSpec:
    """What lights a room. Colours are linear RGB; directions point towards the light.

    Attributes:
        key_dir: Direction of the key light.
        key_rgb: Its colour.
        key_spread: Its radius at distance 1: how soft its shadows are.
        sky_rgb: Colour of the upper hemisphere.
        bounce_rgb: Colour of the lower one.
        fill_dir: Direction in which the sky is brighter.
        fill_rgb: By how much.
    """

    key_dir: tuple[float, float, float]
    key_rgb: tuple[float, float, float]
    key_spread: float
    sky_rgb: tuple[float, float, float]
    bounce_rgb: tuple[float, float, float]
    fill_dir: tuple[float, float, float] = (0.0, 0.0, 1.0)
    fill_rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class LightRig:
    """L directional lights.

    Attributes:
        basis: (L, 3, 3) rows: two axes across, and the direction towards the light.
        rgb: (L, 3) colours.
        is_key: (L,) 1 for the directions of the key light.
        key_dir: (3,) its middle.
        key_rgb: (3,) its whole colour.
    """

    basis: Floats
    rgb: Floats
    is_key: NDArray[np.uint8]
    key_dir: Floats
    key_rgb: Floats


def light_rig(spec: LightSpec, *, n_key: int = 10, n_sky: int = 22, n_bounce: int = 6) -> LightRig:
    """Spread the lights over directions; more give smoother shadows and cost time in proportion."""
    middle = np.asarray(spec.key_dir, float)
    middle /= np.linalg.norm(middle)
    key = _disc(middle, spec.key_spread, n_key)
    sky = _hemisphere(n_sky, 1.0, 0.7)
    bounce = _hemisphere(n_bounce, -1.0, 0.0)
    towards_fill = np.maximum(0, sky @ np.asarray(spec.fill_dir, float)) ** 2
    sky_rgb = (np.asarray(spec.sky_rgb) + np.asarray(spec.fill_rgb) * towards_fill[:, None]) * 2 / n_sky
    rgb = [np.tile(np.asarray(spec.key_rgb, float) / n_key, (n_key, 1)), sky_rgb]
    rgb.append(np.tile(np.asarray(spec.bounce_rgb, float) / n_bounce * 2, (n_bounce, 1)))
    directions = np.concatenate([key, sky, bounce])
    return LightRig(
        basis=np.stack([_frame(direction) for direction in directions]),
        rgb=np.concatenate(rgb),
        is_key=(np.arange(len(directions)) < n_key).astype(np.uint8),
        key_dir=middle,
        key_rgb=np.asarray(spec.key_rgb, float),
    )


def _disc(middle: Floats, radius: float, count: int) -> Floats:
    across = np.cross(middle, [0, 0, 1.0])
    across /= np.linalg.norm(across)
    up = np.cross(middle, across)
    out = []
    for i in range(count):
        r, angle = radius * math.sqrt((i + 0.5) / count), GOLDEN_ANGLE * i
        d = middle + r * (math.cos(angle) * across + math.sin(angle) * up)
        out.append(d / np.linalg.norm(d))
    return np.array(out)


def _hemisphere(count: int, sign: float, turn: float) -> Floats:
    out = []
    for i in range(count):
        z = sign * (i + 0.5) / count
        r, angle = math.sqrt(1 - z * z), GOLDEN_ANGLE * i + turn
        out.append([r * math.cos(angle), r * math.sin(angle), z])
    return np.array(out)


def _frame(direction: Sequence[float] | Floats) -> Floats:
    up = np.array([0, 0, 1.0]) if abs(direction[2]) < 0.9 else np.array([1.0, 0, 0])
    x = np.cross(up, direction)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(direction, x), np.asarray(direction, float)])
