"""Meshes: smoothing, normals, subdivision, spheres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from dancekit.dancefloor.jit import Floats, Ints
from dancekit.dancefloor.skinning import vertex_normals


def edges_of(faces: Ints) -> Ints:
    """(E, 2) each edge once, the smaller index first."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, 1), axis=0)


def smoothed(values: Floats, faces: Ints, rounds: int) -> Floats:
    """Uniform Laplacian smoothing of values (V, ...) at vertices: half-way to the neighbours' mean, each round."""
    count, edges = len(values), edges_of(faces)
    ends = (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])
    neighbours = sp.coo_matrix((np.ones(2 * len(edges)), ends), (count, count)).tocsr()
    degree = np.maximum(np.asarray(neighbours.sum(1)).ravel(), 1)[:, None]
    for _ in range(rounds):
        values = values + 0.5 * (neighbours @ values / degree - values)
    return values


def normals_of(vertices: Floats, faces: Ints) -> Floats:
    """(V, 3) area-weighted unit normals."""
    out = np.zeros_like(vertices)
    vertex_normals(vertices, faces, np.arange(len(vertices), dtype=np.int32), out)
    return out


def subdivided(faces: Ints, values: Sequence[Floats]) -> tuple[Ints, list[Floats]]:
    """Each triangle becomes four; values at vertices are interpolated linearly.

    Args:
        faces: (F, 3).
        values: Arrays (V, ...), positions among them.

    Returns:
        Faces (4 F, 3), and the arrays with a row more for each edge.
    """
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, which = np.unique(np.sort(pairs, 1), axis=0, return_inverse=True)
    count = len(faces)
    middle = len(values[0]) + which.ravel()
    a, b, c = middle[:count], middle[count : 2 * count], middle[2 * count :]
    corners = ((faces[:, 0], a, c), (a, faces[:, 1], b), (c, b, faces[:, 2]), (a, b, c))
    finer = np.concatenate([np.stack(corner, 1) for corner in corners]).astype(np.int32)
    return finer, [np.concatenate([each, 0.5 * (each[edges[:, 0]] + each[edges[:, 1]])]) for each in values]


def icosphere(level: int) -> tuple[Floats, Ints]:
    """Unit directions (V, 3) and faces (F, 3) of an icosahedron subdivided `level` times."""
    g = (1 + 5**0.5) / 2
    v = np.array(
        [
            *([-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g]),
            *([0, -1, -g], [0, 1, -g], [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]),
        ],
        float,
    )
    f = np.array(
        [
            *([0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2]),
            *([10, 7, 6], [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5]),
            *([2, 4, 11], [6, 2, 10], [8, 6, 7], [9, 8, 1]),
        ],
        np.int32,
    )
    for _ in range(level):
        f, (v,) = subdivided(f, [v / np.linalg.norm(v, axis=1, keepdims=True)])
    return v / np.linalg.norm(v, axis=1, keepdims=True), f


def submesh(faces: Ints, count: int) -> tuple[Ints, Ints]:
    """Faces renumbered to the vertices they use, and those vertices' old numbers."""
    used = np.unique(faces)
    renumbered = np.full(count, -1)
    renumbered[used] = np.arange(len(used))
    return renumbered[faces].astype(np.int32), used
