"""What floors and walls look like: a colour for each place."""

from __future__ import annotations

import math

from dancekit.dancefloor.jit import jit
from dancekit.dancefloor.noise import fractal_noise, smoothstep, value_noise

FLAT, STUDIO = 0, 1
"""Kinds of rooms: oak floor and panelled plaster; polished concrete and brick."""

FLOOR, BACK, SIDE = 0, 1, 2

Colour = tuple[float, float, float]


@jit
def room_colour(kind: int, surface: int, x: float, y: float, z: float) -> Colour:
    """Linear RGB of a place on floor, back wall or side wall."""
    u = x if surface == BACK else y
    if kind == FLAT:
        return _planks(x, y) if surface == FLOOR else _plaster(x, y, z, u)
    return _concrete(x, y) if surface == FLOOR else _brick(u, z)


@jit
def _planks(x: float, y: float) -> Colour:
    """Oak planks along x."""
    width, length = 0.14, 1.25
    row = math.floor(y / width)
    offset = value_noise(row * 7.3, 1.5, 0.5) * 3.0
    column = math.floor((x + offset) / length)
    tone = value_noise(row * 3.7 + 0.5, column * 5.1 + 0.5, 2.5)
    grain = fractal_noise(x * 3.0 + column * 9.1, y * 55.0 + row * 3.0, 1.7 + row, 4)
    fine = fractal_noise(x * 14.0, y * 160.0, 7.7, 2)
    k = 0.70 + 0.32 * tone + 0.38 * (grain - 0.5) + 0.16 * (fine - 0.4)
    fy, fx = y / width - row, (x + offset) / length - column
    edge = min(min(fy, 1 - fy) * width, min(fx, 1 - fx) * length)
    k *= 0.45 + 0.55 * smoothstep(0.0, 0.004, edge)
    return 0.46 * k, 0.275 * k, 0.135 * k


@jit
def _plaster(x: float, y: float, z: float, u: float) -> Colour:
    """Painted plaster, wainscot panels below."""
    n = fractal_noise(x * 2.5 + 3, y * 2.5, z * 2.5, 4) - 0.47
    m = fractal_noise(x * 60.0, y * 60.0, z * 60.0, 2) - 0.37
    if z > 0.98:
        k = 1 + 0.10 * n + 0.07 * m
        return 0.43 * k, 0.52 * k, 0.50 * k
    k = 1 + 0.05 * n + 0.03 * m
    panel = u / 0.62
    aside = abs(panel - math.floor(panel) - 0.5) * 0.62
    inside = min(0.31 - aside, min(z - 0.16, 0.90 - z)) if z > 0.12 else -1.0
    if 0.045 < inside < 0.062:
        k *= 0.72
    elif 0.062 <= inside < 0.075:
        k *= 1.10
    if z < 0.12:
        k *= 0.93 * 0.7 if z > 0.112 else 0.93
    if z > 0.955:
        k *= 1.05 * 0.62 if z < 0.963 else 1.05
    return 0.74 * k, 0.72 * k, 0.67 * k


@jit
def _concrete(x: float, y: float) -> Colour:
    """Polished concrete in slabs, with a painted circle."""
    n = fractal_noise(x * 1.3, y * 1.3, 0.3, 5)
    m = fractal_noise(x * 22.0, y * 22.0, 4.0, 3)
    k = 0.75 + 0.42 * (n - 0.48) + 0.22 * (m - 0.44)
    cx = x / 1.8 - math.floor(x / 1.8)
    cy = (y + 0.4) / 1.8 - math.floor((y + 0.4) / 1.8)
    if min(min(cx, 1 - cx), min(cy, 1 - cy)) * 1.8 < 0.006:
        k *= 0.6
    paint = 0.0
    if 1.36 < math.sqrt(x * x + (y + 0.1) * (y + 0.1)) < 1.42:
        paint = 0.75 + 0.25 * smoothstep(0.35, 0.5, m)
    bare = 1 - paint
    return 0.40 * k * bare + 0.72 * paint, 0.41 * k * bare + 0.48 * paint, 0.43 * k * bare + 0.08 * paint


@jit
def _brick(u: float, z: float) -> Colour:
    """A brick wall, its lower part painted."""
    height, width = 0.078, 0.235
    row = math.floor(z / height)
    along = u / width + 0.5 * (row % 2)
    column = math.floor(along)
    fx, fz = (along - column) * width, z - row * height
    jitter = 0.0025 * (value_noise(u * 40.0, z * 40.0, 3.0) - 0.5)
    edge = min(min(fx, width - fx), min(fz, height - fz)) + jitter
    n = fractal_noise(u * 30.0, z * 30.0, column * 0.7, 3) - 0.44
    if z < 0.95:
        k = 1.0 - 0.15 * (edge < 0.006) + 0.25 * n
        if z > 0.93:
            k *= 1.5
        return 0.16 * k, 0.20 * k, 0.27 * k
    if edge < 0.006:
        k = 0.85 + 0.3 * n
        return 0.42 * k, 0.39 * k, 0.36 * k
    tone = value_noise(column * 3.7 + 0.5, row * 5.9 + 0.5, 1.5)
    hue = value_noise(column * 9.1 + 0.5, row * 2.3 + 0.5, 6.5)
    k = (0.72 + 0.5 * tone + 0.5 * n) * (0.8 + 0.2 * smoothstep(0.006, 0.011, edge))
    return (0.40 + 0.08 * hue) * k, (0.185 + 0.05 * hue) * k, (0.125 + 0.03 * hue) * k
