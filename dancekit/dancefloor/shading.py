"""Colour of every covered sample: material, key light with wrap, ambient light, highlight, rim."""

from __future__ import annotations

import math

import numpy as np

from dancekit.dancefloor.jit import Floats, Ints, inlined, jit
from dancekit.dancefloor.materials import (
    BOTTOM,
    C_TOP,
    C_TRIM,
    EYE,
    HAIR,
    MOUTH,
    SHOE,
    SKIN,
    TOP,
    Attributes,
    Surface,
    blend,
    bottom_colour,
    eye_colour,
    hair_colour,
    shoe_colour,
    skin_colour,
)
from dancekit.dancefloor.noise import fractal_noise, smoothstep


@jit
def _read_print(picture: Floats, u: float, v: float, out: Floats) -> float:
    """Bilinear colour of a chest print into `out` (3,); returns how opaque it is."""
    h, w = picture.shape[:2]
    x, y = u * w - 0.5, v * h - 0.5
    if x < 0 or y < 0 or x >= w - 1 or y >= h - 1:
        return 0.0
    ix, iy = int(x), int(y)
    fx, fy = x - ix, y - iy
    opaque = 0.0
    for k in range(4):
        upper = picture[iy, ix, k] * (1 - fx) + picture[iy, ix + 1, k] * fx
        lower = picture[iy + 1, ix, k] * (1 - fx) + picture[iy + 1, ix + 1, k] * fx
        c = upper * (1 - fy) + lower * fy
        if k < 3:
            out[k] = c
        else:
            opaque = c
    return opaque


@jit
def _top_colour(
    x: float,
    y: float,
    z: float,
    a: Attributes,
    pattern: int,
    palette: Floats,
    layout: Floats,
    front: Floats,
    back: Floats,
    ndh: float,
) -> Surface:
    """A shirt: 0 plain with trims, 1 stripes, 2 raglan sleeves, 3 two blocks of colour; a print on chest and back."""
    cut, s, facing, ox, oz = a[0], a[1], a[4], a[5], a[6]
    k = 1 + 0.10 * (fractal_noise(x * 160.0, y * 160.0, z * 160.0, 2) - 0.37)
    k += 0.10 * (fractal_noise(x * 9.0, y * 9.0, z * 9.0, 2) - 0.37)
    row, mix = C_TOP, 0.0
    if pattern == 1:
        phase = (oz if s < 0.12 else layout[4] + (s - 0.12) * 0.28) / layout[5]
        phase -= math.floor(phase)
        mix = smoothstep(0.0, 0.05, phase) * smoothstep(0.47, 0.42, phase)
    elif (pattern == 2 and s > 0.10) or (pattern == 3 and oz < layout[4]) or 0.0 <= cut < 0.022:
        row = C_TRIM
    red = blend(palette[row, 0], palette[C_TRIM, 0], mix)
    green = blend(palette[row, 1], palette[C_TRIM, 1], mix)
    blue = blend(palette[row, 2], palette[C_TRIM, 2], mix)
    if s < 0.25 and abs(facing) > 0.1:
        ink = np.zeros(3)
        u = (ox - layout[0]) / (layout[1] - layout[0])
        v = (layout[3] - oz) / (layout[3] - layout[2])
        opaque = _read_print(front, u, v, ink) if facing < 0 else _read_print(back, 1 - u, v, ink)
        if opaque > 0:
            red, green, blue = (
                blend(red, ink[0], opaque),
                blend(green, ink[1], opaque),
                blend(blue, ink[2], opaque),
            )
    if 0.016 < cut < 0.0185:
        k *= 0.8
    return red * k, green * k, blue * k, 0.012 * ndh**6


@inlined
def _mix(values: Floats, a: int, b: int, c: int, k: int, q0: float, q1: float, q2: float) -> float:
    mixed: float = q0 * values[a, k] + q1 * values[b, k] + q2 * values[c, k]
    return mixed


@inlined
def _unit(x: float, y: float, z: float) -> tuple[float, float, float]:
    k = 1.0 / math.sqrt(x * x + y * y + z * z + 1e-12)
    return x * k, y * k, z * k


@inlined
def _wrap(material: int) -> tuple[float, float, float]:
    """How far light reaches around (red, then green and blue), and strength of the rim."""
    if material == SKIN:
        return 0.22, 0.08, 0.10
    if material >= HAIR:
        return 0.25, 0.25, 0.05
    if material == TOP:
        return 0.0, 0.0, 0.10
    if material == BOTTOM:
        return 0.0, 0.0, 0.07
    return 0.0, 0.0, 0.0


@jit
def _surface(
    material: int,
    x: float,
    y: float,
    z: float,
    at: Attributes,
    patterns: Ints,
    palette: Floats,
    layout: Floats,
    front: Floats,
    back: Floats,
    eyes: Floats,
    ndh: float,
) -> Surface:
    """Colour and highlight of a material at a rest place with its attributes."""
    if material == SKIN:
        return skin_colour(x, y, z, at[4] * 1024, 1024 - at[5] * 1024, palette, ndh)
    if material == EYE:
        return eye_colour(x, y, z, eyes, palette, ndh)
    if material == MOUTH:
        return 0.10, 0.03, 0.03, 0.0
    if material == TOP:
        return _top_colour(x, y, z, at, patterns[0], palette, layout, front, back, ndh)
    if material == BOTTOM:
        return bottom_colour(x, y, z, at, patterns[1], palette, ndh)
    if material == SHOE:
        return shoe_colour(x, y, z, at, palette, ndh)
    return hair_colour(at, palette, ndh)


@jit
def shade(
    face_ids: Ints,
    weight1: Floats,
    weight2: Floats,
    first: int,
    faces: Ints,
    materials: Ints,
    rest: Floats,
    attributes: Floats,
    posed: Floats,
    normals: Floats,
    ambient: Floats,
    key: Floats,
    eye: Floats,
    key_dir: Floats,
    key_rgb: Floats,
    palette: Floats,
    patterns: Ints,
    front: Floats,
    back: Floats,
    layout: Floats,
    eyes: Floats,
    colour: Floats,
    alpha: Floats,
) -> None:
    """Colour one person's samples; those of others stay as they are.

    Args:
        face_ids: (h, w) from `rasterize`; -1 where nobody is.
        weight1: (h, w), as there.
        weight2: (h, w).
        first: Number of the person's first face.
        faces: (F, 3).
        materials: (F,).
        rest: (V, 3) rest positions, which patterns stick to.
        attributes: (V, 7) coverage, arm, leg, angle and what the material needs (`person.py`).
        posed: (V, 3) posed positions.
        normals: (V, 3).
        ambient: (V, 3) and
        key: (V,) from `light_vertices`.
        eye: (3,) the camera.
        key_dir: (3,) and
        key_rgb: (3,) of the light rig.
        palette: (13, 6) colours (`materials.py`).
        patterns: (2,) of top and bottom.
        front: (n, n, 4) print on the chest.
        back: (n, n, 4) on the back.
        layout: (6,) left, right, bottom, top of the print, height of the split, width of a stripe; metres.
        eyes: (2, 3) rest positions of the eyeballs.
        colour: (h, w, 3) linear, written where the person is.
        alpha: (h, w), 1 written there.
    """
    for row in range(face_ids.shape[0]):
        for column in range(face_ids.shape[1]):
            t = face_ids[row, column] - first
            if t < 0 or t >= faces.shape[0]:
                continue
            alpha[row, column] = 1
            a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
            q1, q2 = weight1[row, column], weight2[row, column]
            q0 = 1 - q1 - q2
            x, y, z = (
                _mix(rest, a, b, c, 0, q0, q1, q2),
                _mix(rest, a, b, c, 1, q0, q1, q2),
                _mix(rest, a, b, c, 2, q0, q1, q2),
            )
            nx, ny, nz = _unit(
                _mix(normals, a, b, c, 0, q0, q1, q2),
                _mix(normals, a, b, c, 1, q0, q1, q2),
                _mix(normals, a, b, c, 2, q0, q1, q2),
            )
            vx, vy, vz = _unit(
                eye[0] - _mix(posed, a, b, c, 0, q0, q1, q2),
                eye[1] - _mix(posed, a, b, c, 1, q0, q1, q2),
                eye[2] - _mix(posed, a, b, c, 2, q0, q1, q2),
            )
            m = materials[t]
            facing = nx * vx + ny * vy + nz * vz
            inside = 1.0
            if facing < 0 and (m in (TOP, BOTTOM) or m >= HAIR):
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
                inside = 0.35
            hx, hy, hz = _unit(vx + key_dir[0], vy + key_dir[1], vz + key_dir[2])
            ndh = max(0.0, nx * hx + ny * hy + nz * hz)
            at = (
                _mix(attributes, a, b, c, 0, q0, q1, q2),
                _mix(attributes, a, b, c, 1, q0, q1, q2),
                _mix(attributes, a, b, c, 2, q0, q1, q2),
                _mix(attributes, a, b, c, 3, q0, q1, q2),
                _mix(attributes, a, b, c, 4, q0, q1, q2),
                _mix(attributes, a, b, c, 5, q0, q1, q2),
                _mix(attributes, a, b, c, 6, q0, q1, q2),
            )
            surface = _surface(m, x, y, z, at, patterns, palette, layout, front, back, eyes, ndh)
            if m in (TOP, BOTTOM):
                surface = (surface[0] * inside, surface[1] * inside, surface[2] * inside, surface[3])
            wrap_red, wrap_blue, rim = _wrap(m)
            seen = q0 * key[a] + q1 * key[b] + q2 * key[c]
            ndl = nx * key_dir[0] + ny * key_dir[1] + nz * key_dir[2]
            rim *= (1 - max(0.0, facing)) ** 4
            for k in range(3):
                wrap = wrap_red if k == 0 else wrap_blue
                direct = max(0.0, (ndl + wrap) / (1 + wrap)) * seen
                sky = _mix(ambient, a, b, c, k, q0, q1, q2)
                colour[row, column, k] = (
                    surface[k] * (sky + key_rgb[k] * direct)
                    + key_rgb[k] * surface[3] * seen
                    + rim * sky * (0.3 + surface[k])
                )
