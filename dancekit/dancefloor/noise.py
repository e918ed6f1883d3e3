"""Value noise: the grain of wood, cloth, skin and walls, as pure functions of the place."""

from __future__ import annotations

import math

from dancekit.dancefloor.jit import inlined, jit


@inlined
def _lattice(ix: int, iy: int, iz: int) -> float:
    """A number in [0, 1] of a lattice point: xorshift and multiply, 32 bits."""
    h = (ix * 374761393 + iy * 668265263 + iz * 2147483647) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777215.0


@jit
def value_noise(x: float, y: float, z: float) -> float:
    """Smooth noise in [0, 1], about one blob a unit."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    ix, iy, iz = int(fx), int(fy), int(fz)
    x -= fx
    y -= fy
    z -= fz
    x = x * x * (3 - 2 * x)
    y = y * y * (3 - 2 * y)
    z = z * z * (3 - 2 * z)
    a = _lattice(ix, iy, iz) * (1 - x) + _lattice(ix + 1, iy, iz) * x
    b = _lattice(ix, iy + 1, iz) * (1 - x) + _lattice(ix + 1, iy + 1, iz) * x
    c = _lattice(ix, iy, iz + 1) * (1 - x) + _lattice(ix + 1, iy, iz + 1) * x
    d = _lattice(ix, iy + 1, iz + 1) * (1 - x) + _lattice(ix + 1, iy + 1, iz + 1) * x
    return (a * (1 - y) + b * y) * (1 - z) + (c * (1 - y) + d * y) * z


@jit
def fractal_noise(x: float, y: float, z: float, octaves: int) -> float:
    """Octaves of `value_noise`, each twice as fine and half as strong; the mean is (1 - 2^-octaves) / 2."""
    total, strength = 0.0, 0.5
    for _ in range(octaves):
        total += strength * value_noise(x, y, z)
        x = x * 2.03 + 17.1
        y = y * 2.03 + 5.3
        z = z * 2.03 + 9.7
        strength *= 0.5
    return total


@inlined
def smoothstep(low: float, high: float, x: float) -> float:
    """0 below `low`, 1 above `high` (or the reverse where `low` is above), smooth between."""
    t = (x - low) / (high - low)
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)
