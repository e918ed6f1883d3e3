"""What a surface is made of: ids, and the colour and gloss of each at a place."""

from __future__ import annotations

import math

from dancekit.dancefloor.jit import Floats, inlined, jit
from dancekit.dancefloor.noise import fractal_noise, smoothstep, value_noise

SKIN, EYE, MOUTH, TOP, BOTTOM, SHOE = 0, 1, 2, 3, 4, 5
HAIR = 20
"""This and above: hair shells."""

# Rows of a person's palette (linear RGB), and of its last row the columns.
C_SKIN, C_LIPS, C_HAIR, C_IRIS, C_TOP, C_TRIM, C_BOTTOM, C_STRIPE, C_SHOE, C_SOLE, C_MARK = range(11)
FACE = 12
"""Palette row of the face's strengths: eye shadow, lashes, width of the brows, beard, gloss of the hair."""

Place = tuple[float, float, float]
Attributes = tuple[float, float, float, float, float, float, float]
Surface = tuple[float, float, float, float]
"""Linear red, green, blue, and strength of the highlight."""


@inlined
def blend(a: float, b: float, t: float) -> float:
    """`a` at 0, `b` at 1."""
    return a * (1 - t) + b * t


@jit
def skin_colour(x: float, y: float, z: float, u: float, v: float, palette: Floats, ndh: float) -> Surface:
    """Skin at a rest place; (u, v) are 1024ths of the body's texture map: the face lies at u > 650."""
    a = fractal_noise(x * 45.0, y * 45.0, z * 45.0, 3) - 0.44
    b = fractal_noise(x * 11.0 + 5, y * 11.0, z * 11.0, 2) - 0.37
    k = 1 + 0.10 * a + 0.08 * b
    red = palette[C_SKIN, 0] * k
    green = palette[C_SKIN, 1] * k * (1 - 0.06 * b)
    blue = palette[C_SKIN, 2] * k * (1 - 0.10 * b)
    gloss = 0.055 * ndh**18 + 0.02 * ndh**60
    if u > 650 and 180 < v < 870:
        red, green, blue, wet = _face(red, green, blue, u, v, abs(v - 530.0), a, palette)
        gloss += wet
    return red, green, blue, gloss


@jit
def _face(
    red: float, green: float, blue: float, u: float, v: float, vv: float, grain: float, palette: Floats
) -> Surface:
    """Cheeks, sockets, lashes, brows, lips and beard, painted on the skin; `vv` is the distance from the middle."""
    # cheeks, nose and ears are a little redder
    flush = math.exp(-((u - 893) ** 2 / 400.0 + (vv - 42) ** 2 / 450.0)) * 0.5
    flush += math.exp(-((u - 893) ** 2 / 120.0 + vv**2 / 160.0)) * 0.4
    green *= 1 - 0.22 * flush
    blue *= 1 - 0.20 * flush
    ev, eu = (vv - 35) / 11.0, (u - 858.0) / 9.0
    socket = math.exp(-(ev * ev + eu * eu) * 0.9)
    k = 1 - palette[FACE, 0] * socket
    lash = smoothstep(3.4, 1.2, abs(u - 857.5) + 0.02 * (vv - 35) ** 2) * (abs(vv - 35) < 12)
    k *= 1 - palette[FACE, 1] * lash
    red *= k
    green *= k * (1 - 0.05 * socket)
    blue *= k
    brow = _brow(u, v, (vv - 37.0) / 19.0, palette[FACE, 2])
    red = blend(red, palette[C_HAIR, 0], brow)
    green = blend(green, palette[C_HAIR, 1], brow)
    blue = blend(blue, palette[C_HAIR, 2], brow)
    e = ((u - 931.5) / (9.5 if u < 931 else 11.0)) ** 2 + (vv / 20.5) ** 2
    lips = smoothstep(1.15, 0.82, e)
    if lips > 0:
        line = smoothstep(2.6, 0.4, abs(u - 930.5)) * 0.5
        k = (1 - line) * (0.93 if u < 931 else 1.05)
        red = blend(red, palette[C_LIPS, 0] * k, lips)
        green = blend(green, palette[C_LIPS, 1] * k, lips)
        blue = blend(blue, palette[C_LIPS, 2] * k, lips)
    if palette[FACE, 3] > 0:
        beard = smoothstep(890, 915, u) * smoothstep(62, 40, vv) * (1 - lips) * smoothstep(1000, 985, u)
        side = smoothstep(78, 66, vv) * smoothstep(52, 62, vv)
        beard = max(beard, side * smoothstep(872, 890, u) * smoothstep(935, 915, u))
        beard = min(max(beard * palette[FACE, 3] * (0.75 + 0.5 * grain), 0.0), 1.0)
        red = blend(red, palette[C_HAIR, 0], beard)
        green = blend(green, palette[C_HAIR, 1], beard)
        blue = blend(blue, palette[C_HAIR, 2], beard)
    return red, green, blue, 0.05 * lips


@jit
def _brow(u: float, v: float, s: float, width: float) -> float:
    """Strength of the brow at `s` brow half-lengths from its middle."""
    if abs(s) >= 1.05:
        return 0.0
    curve = 841.5 - 4.0 * (1 - (s - 0.25) ** 2) + 2.0 * s * s
    wide = width * (1.15 - 0.65 * max(0.0, s)) * smoothstep(1.05, 0.75, abs(s))
    if wide <= 0.2:
        return 0.0
    hairs = 0.72 + 0.28 * value_noise(v * 1.1, u * 0.35, 2.0)
    return smoothstep(wide + 1.2, wide - 1.2, abs(u - curve)) * hairs * 0.9


@jit
def eye_colour(x: float, y: float, z: float, eyes: Floats, palette: Floats, ndh: float) -> Surface:
    """White, iris and pupil by the angle from the eyeball's forward axis, at rest."""
    k = 0 if x > 0 else 1
    dx, dy, dz = x - eyes[k, 0], y - eyes[k, 1], z - eyes[k, 2]
    angle = math.acos(min(1.0, max(-1.0, -dy / (math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9))))
    iris = smoothstep(0.50, 0.44, angle)
    coloured = iris * (1 - smoothstep(0.22, 0.18, angle))
    return (
        0.62 * (1 - iris) + palette[C_IRIS, 0] * coloured,
        0.58 * (1 - iris) + palette[C_IRIS, 1] * coloured,
        0.55 * (1 - iris) + palette[C_IRIS, 2] * coloured,
        0.6 * ndh**80,
    )


@jit
def bottom_colour(
    x: float, y: float, z: float, a: Attributes, pattern: int, palette: Floats, ndh: float
) -> Surface:
    """Trousers: 0 denim with faded thighs and seams, 1 sportswear with stripes at the sides, 2 plain cloth."""
    cut, s, theta, front = a[0], a[2], a[3], a[4]
    red, green, blue = palette[C_BOTTOM, 0], palette[C_BOTTOM, 1], palette[C_BOTTOM, 2]
    mix, k = 0.0, 1.0
    if pattern == 0:
        mix = 0.45 * math.exp(-(((s - 0.45) / 0.35) ** 2)) * smoothstep(0.1, -0.6, front)
        mix += 0.25 * math.exp(-(((s - 1.0) / 0.18) ** 2)) * smoothstep(0.0, -0.5, front)
        k = 1 + 0.38 * (fractal_noise(x * 70.0, y * 70.0, z * 22.0, 3) - 0.44)
        k += 0.35 * (fractal_noise(x * 13.0, y * 13.0, z * 6.0, 3) - 0.44)
        if abs(theta) < 0.07 and s > 0.05:
            k *= 0.75 if abs(theta) < 0.025 else 1.12
        if 0.02 < cut < 0.024 or cut < 0.008:
            k *= 0.7
    else:
        stripe = s > -0.9 and abs(theta) < 0.34 and not 0.10 < abs(theta) < 0.16
        if cut < 0.014 or (pattern == 1 and stripe):
            mix = 1.0
        k = 1 + 0.12 * (fractal_noise(x * 130.0, y * 130.0, z * 130.0, 2) - 0.37)
    return (
        blend(red, palette[C_STRIPE, 0], mix) * k,
        blend(green, palette[C_STRIPE, 1], mix) * k,
        blend(blue, palette[C_STRIPE, 2], mix) * k,
        0.015 * ndh**8,
    )


@jit
def shoe_colour(x: float, y: float, z: float, a: Attributes, palette: Floats, ndh: float) -> Surface:
    """A sneaker: sole, upper, laces, a mark at the side."""
    along, across = a[3], a[4]
    row, k = C_SHOE, 1.0
    if z < 0.012:
        row = C_SOLE
    else:
        if abs(along - 0.52 - 2.2 * (z - 0.04)) < 0.045 and abs(across) > 0.026:
            row = C_MARK
        if 0.22 < along < 0.50 and abs(across) < 0.017 and z > 0.045:
            row = C_SOLE
            phase = along / 0.055
            k = 1.0 if phase - math.floor(phase) < 0.55 else 0.55
        if along < 0.17:
            k *= 0.82
    k *= 0.92 + 0.2 * fractal_noise(x * 90.0, y * 90.0, z * 90.0, 2)
    return palette[row, 0] * k, palette[row, 1] * k, palette[row, 2] * k, 0.05 * ndh**14


@jit
def hair_colour(a: Attributes, palette: Floats, ndh: float) -> Surface:
    """Strands along the head; the inner layers are darker."""
    azimuth, elevation, layer = a[1], a[2], a[3]
    u = azimuth * 1.2 + 0.3 * elevation
    strand = value_noise(u * 90.0, elevation * 6.0, 4.4) * 0.6
    strand += 0.4 * value_noise(u * 31.0, elevation * 4.0, 1.2)
    k = (0.50 + 0.62 * strand) * (0.55 + 0.5 * layer) * 1.25
    sheen = max(0.0, 1 - (ndh - 0.90) ** 2 * 60)
    gloss = (0.02 + 0.10 * sheen * strand) * palette[FACE, 4]
    return palette[C_HAIR, 0] * k, palette[C_HAIR, 1] * k, palette[C_HAIR, 2] * k, gloss
