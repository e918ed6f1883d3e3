"""Many-light shadows: an orthographic depth map a light, read at vertices and at the room's pixels.

An area light, a sky and a floor's bounce are each a handful of directions (`lights.py`). One depth map per
direction gives soft self-shadow, ambient occlusion and contact shadows by one mechanism (Williams 1978, with
percentage-closer bilinear lookup, Reeves et al. 1987).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.jit import Floats, Ints, Singles, inlined, jit


@jit
def depth_map(
    vertices: Floats, faces: Ints, basis: Floats, centre: Floats, half: float, out: Singles
) -> None:
    """Depth of the nearest surface along a light's direction (smaller is nearer the light).

    Args:
        vertices: (V, 3) of all that casts shadows.
        faces: (F, 3).
        basis: (3, 3) rows: the map's x, y, and the direction towards the light.
        centre: (3,) middle of the map.
        half: Half of the map's side, metres.
        out: (n, n), overwritten; 1e9 where nothing is.
    """
    n = out.shape[0]
    out[:] = 1e9
    s = n / (2 * half)
    m = vertices.shape[0]
    px, py, pz = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    for i in range(m):
        dx = vertices[i, 0] - centre[0]
        dy = vertices[i, 1] - centre[1]
        dz = vertices[i, 2] - centre[2]
        px[i] = (dx * basis[0, 0] + dy * basis[0, 1] + dz * basis[0, 2] + half) * s
        py[i] = (dx * basis[1, 0] + dy * basis[1, 1] + dz * basis[1, 2] + half) * s
        pz[i] = -(dx * basis[2, 0] + dy * basis[2, 1] + dz * basis[2, 2])
    for t in range(faces.shape[0]):
        _depth_triangle(px, py, pz, faces[t, 0], faces[t, 1], faces[t, 2], out)


@inlined
def _depth_triangle(px: Singles, py: Singles, pz: Singles, a: int, b: int, d: int, out: Singles) -> None:
    n = out.shape[0]
    x0, y0, x1, y1, x2, y2 = px[a], py[a], px[b], py[b], px[d], py[d]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if abs(area) < 1e-6:
        return
    inverse = 1.0 / area
    first = int(max(0, math.ceil(min(x0, x1, x2) - 0.5)))
    last = int(min(n - 1, math.floor(max(x0, x1, x2) - 0.5)))
    for y in range(
        int(max(0, math.ceil(min(y0, y1, y2) - 0.5))), int(min(n - 1, math.floor(max(y0, y1, y2) - 0.5))) + 1
    ):
        fy = y + 0.5
        for x in range(first, last + 1):
            fx = x + 0.5
            w1 = ((fx - x0) * (y2 - y0) - (x2 - x0) * (fy - y0)) * inverse
            w2 = ((x1 - x0) * (fy - y0) - (fx - x0) * (y1 - y0)) * inverse
            w0 = 1 - w1 - w2
            if w0 < -1e-4 or w1 < -1e-4 or w2 < -1e-4:
                continue
            z = w0 * pz[a] + w1 * pz[b] + w2 * pz[d]
            if z < out[y, x]:
                out[y, x] = z


@inlined
def _lit(depth: Singles, u: float, v: float, d: float) -> float:
    """How much of a light reaches depth `d` at map coordinates (u, v): 0 to 1, bilinear over four comparisons."""
    iu, iv = int(u), int(v)
    fu, fv = u - iu, v - iv
    lit = 0.0
    if depth[iv, iu] >= d:
        lit += (1 - fu) * (1 - fv)
    if depth[iv, iu + 1] >= d:
        lit += fu * (1 - fv)
    if depth[iv + 1, iu] >= d:
        lit += (1 - fu) * fv
    if depth[iv + 1, iu + 1] >= d:
        lit += fu * fv
    return lit


@jit
def light_vertices(
    vertices: Floats,
    normals: Floats,
    maps: Singles,
    basis: Floats,
    rgb: Floats,
    is_key: NDArray[np.uint8],
    centre: Floats,
    half: float,
    bias: float,
    ambient: Floats,
    key: Floats,
) -> None:
    """Irradiance of all lights but the key at each vertex, and how much of the key light it sees.

    Args:
        vertices: (V, 3).
        normals: (V, 3).
        maps: (L, n, n) from `depth_map`.
        basis: (L, 3, 3), as there.
        rgb: (L, 3) colours.
        is_key: (L,) 1 for the directions of the key light.
        centre: (3,), as there.
        half: As there.
        bias: Metres that a surface may lie behind the map's depth and still be lit.
        ambient: (V, 3), overwritten.
        key: (V,) in [0, 1], overwritten.
    """
    size = maps.shape[1]
    s = size / (2 * half)
    keys = max(1, is_key.sum())
    ambient[:] = 0
    key[:] = 0
    offset = half * s - 0.5
    for light in range(maps.shape[0]):
        b, depth = basis[light], maps[light]
        ax0, ax1, ax2 = b[0, 0] * s, b[0, 1] * s, b[0, 2] * s
        ay0, ay1, ay2 = b[1, 0] * s, b[1, 1] * s, b[1, 2] * s
        az0, az1, az2 = b[2, 0], b[2, 1], b[2, 2]
        limit = -0.35 if is_key[light] else 0.0
        for i in range(vertices.shape[0]):
            facing = normals[i, 0] * az0 + normals[i, 1] * az1 + normals[i, 2] * az2
            if facing <= limit:
                continue
            dx = vertices[i, 0] + 0.012 * normals[i, 0] - centre[0]
            dy = vertices[i, 1] + 0.012 * normals[i, 1] - centre[1]
            dz = vertices[i, 2] + 0.012 * normals[i, 2] - centre[2]
            u = dx * ax0 + dy * ax1 + dz * ax2 + offset
            v = dx * ay0 + dy * ay1 + dz * ay2 + offset
            k = 1.0
            if u >= 0 and v >= 0 and u < size - 1 and v < size - 1:
                k = _lit(depth, u, v, -(dx * az0 + dy * az1 + dz * az2) - bias)
            if is_key[light]:
                key[i] += k / keys
            else:
                k = facing * (0.06 + 0.94 * k)
                for c in range(3):
                    ambient[i, c] += rgb[light, c] * k


@jit
def shade_room(
    places: Floats,
    normals: Floats,
    maps: Singles,
    basis: Floats,
    rgb: Floats,
    centre: Floats,
    half: float,
    reach: float,
    out: Singles,
) -> None:
    """How much light the people leave to the room: irradiance with them over irradiance without.

    Args:
        places: (h, w, 3) the room's surface at each pixel, metres.
        normals: (h, w, 3).
        maps: (L, n, n) from `depth_map`.
        basis: (L, 3, 3), as there.
        rgb: (L, 3) colours.
        centre: (3,), as there.
        half: As there.
        reach: Metres from the centre beyond which no shadow falls.
        out: (h, w, 3), overwritten.
    """
    h, w = out.shape[:2]
    n = maps.shape[1]
    s = n / (2 * half)
    total = np.full((h, w, 3), 1e-6, np.float32)
    out[:] = 1e-6
    for light in range(maps.shape[0]):
        b, depth = basis[light], maps[light]
        for y in range(h):
            for x in range(w):
                facing = normals[y, x, 0] * b[2, 0] + normals[y, x, 1] * b[2, 1] + normals[y, x, 2] * b[2, 2]
                if facing <= 0:
                    continue
                dx = places[y, x, 0] - centre[0]
                dy = places[y, x, 1] - centre[1]
                dz = places[y, x, 2] - centre[2]
                k = 1.0
                if dx * dx + dy * dy + dz * dz * 0.6 < reach * reach:
                    u = (dx * b[0, 0] + dy * b[0, 1] + dz * b[0, 2] + half) * s - 0.5
                    v = (dx * b[1, 0] + dy * b[1, 1] + dz * b[1, 2] + half) * s - 0.5
                    if u >= 0 and v >= 0 and u < n - 1 and v < n - 1:
                        k = _lit(depth, u, v, -(dx * b[2, 0] + dy * b[2, 1] + dz * b[2, 2]) - 0.004)
                for c in range(3):
                    e = rgb[light, c] * facing
                    total[y, x, c] += e
                    out[y, x, c] += e * k
    for y in range(h):
        for x in range(w):
            for c in range(3):
                out[y, x, c] /= total[y, x, c]
