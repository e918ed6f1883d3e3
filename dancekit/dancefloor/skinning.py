"""Vertices from bones: linear blend skinning, normals, wrinkles."""

from __future__ import annotations

import math

from dancekit.dancefloor.jit import Bools, Floats, Ints, jit
from dancekit.dancefloor.noise import value_noise


@jit
def skin(
    vertices: Floats,
    bones: Ints,
    weights: Floats,
    heads: Floats,
    rotations: Floats,
    positions: Floats,
    out: Floats,
) -> None:
    """Linear blend skinning: out = sum over bones of w (R (v - head) + p).

    Args:
        vertices: (V, 3) rest positions, metres.
        bones: (V, n) the bones each vertex hangs on.
        weights: (V, n) how much, summing to 1.
        heads: (J, 3) rest positions of the bones.
        rotations: (J, 3, 3) posed rotations from rest.
        positions: (J, 3) posed positions.
        out: (V, 3) posed vertices, overwritten.
    """
    for i in range(vertices.shape[0]):
        x = y = z = 0.0
        for k in range(bones.shape[1]):
            a = weights[i, k]
            if a == 0.0:
                continue
            b = bones[i, k]
            dx = vertices[i, 0] - heads[b, 0]
            dy = vertices[i, 1] - heads[b, 1]
            dz = vertices[i, 2] - heads[b, 2]
            r = rotations[b]
            x += a * (r[0, 0] * dx + r[0, 1] * dy + r[0, 2] * dz + positions[b, 0])
            y += a * (r[1, 0] * dx + r[1, 1] * dy + r[1, 2] * dz + positions[b, 1])
            z += a * (r[2, 0] * dx + r[2, 1] * dy + r[2, 2] * dz + positions[b, 2])
        out[i, 0] = x
        out[i, 1] = y
        out[i, 2] = z


@jit
def vertex_normals(vertices: Floats, faces: Ints, weld: Ints, out: Floats) -> None:
    """Area-weighted unit normals.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        weld: (V,) the vertex that stands for each one: copies along a texture's seam share their normal.
        out: (V, 3), overwritten.
    """
    out[:] = 0.0
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        wx = vertices[c, 0] - vertices[a, 0]
        wy = vertices[c, 1] - vertices[a, 1]
        wz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for k in (weld[a], weld[b], weld[c]):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for i in range(vertices.shape[0]):
        if weld[i] == i:
            length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-20
            out[i, 0] /= length
            out[i, 1] /= length
            out[i, 2] /= length
    for i in range(vertices.shape[0]):
        if weld[i] != i:
            for k in range(3):
                out[i, k] = out[weld[i], k]


@jit
def wrinkle(
    posed: Floats,
    normals: Floats,
    rest: Floats,
    cloth: Bools,
    edges: Ints,
    lengths: Floats,
    standing: float,
    pressed: float,
    squeeze: Floats,
    degree: Floats,
) -> None:
    """Move cloth along its normals: folds that are always there, and more where it is compressed.

    Args:
        posed: (V, 3) posed vertices, changed in place.
        normals: (V, 3).
        rest: (V, 3) rest positions: the folds' pattern sticks to the cloth.
        cloth: (V,) which vertices are cloth.
        edges: (E, 2) edges of the cloth.
        lengths: (E,) their rest lengths.
        standing: Height of the standing folds, metres.
        pressed: Height of the folds at full compression, metres.
        squeeze: (V,) room to work.
        degree: (V,) edges a vertex has, at least 1.
    """
    squeeze[:] = 0
    for e in range(edges.shape[0]):
        a, b = edges[e, 0], edges[e, 1]
        dx = posed[a, 0] - posed[b, 0]
        dy = posed[a, 1] - posed[b, 1]
        dz = posed[a, 2] - posed[b, 2]
        shrunk = 1 - math.sqrt(dx * dx + dy * dy + dz * dz) / lengths[e]
        if shrunk > 0:
            squeeze[a] += shrunk
            squeeze[b] += shrunk
    for i in range(posed.shape[0]):
        if not cloth[i]:
            continue
        q = min(1.0, 3.0 * squeeze[i] / degree[i])
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        n1 = 1 - abs(2 * value_noise(x * 9.0 + 3.0 * z, y * 9.0, z * 26.0 + 4.0 * x) - 1)
        n2 = 1 - abs(2 * value_noise(x * 14.0 + 7.0 * z + 9.0, y * 14.0, z * 15.0 - 9.0 * abs(x)) - 1)
        n3 = value_noise(x * 6.0 + 11.0, y * 6.0, z * 9.0)
        folds = 0.55 * (n1 - 0.5) + 0.45 * (n2 - 0.5) + 0.5 * (n3 - 0.5)
        w = standing * folds + pressed * q * (n1 * n1 - 0.25)
        posed[i, 0] += normals[i, 0] * w
        posed[i, 1] += normals[i, 1] * w
        posed[i, 2] += normals[i, 2] * w
