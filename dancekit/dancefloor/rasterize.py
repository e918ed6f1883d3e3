"""The z-buffer: which triangle is seen at each sample, with perspective-correct weights.

Every hot loop is compiled (numba), single-threaded and without randomness: the same input gives the same bytes.
OpenGL would be faster where there is a GPU, and where there is none its software drivers differ from machine to
machine; here the ground truth (depth, which surface point a pixel shows) must be exact and ours to read.
"""

from __future__ import annotations

import math

import numpy as np

from dancekit.dancefloor.jit import Floats, Ints, inlined, jit
from dancekit.dancefloor.materials import HAIR
from dancekit.dancefloor.noise import value_noise


@inlined
def _bald(u: float, v: float, layer: float) -> bool:
    """Whether a hair shell has a gap here: the outer layers are thinner."""
    if layer <= 0.02:
        return False
    strand = value_noise(u * 70.0, v * 9.0, 3.3) * 0.65 + 0.35 * value_noise(u * 23.0, v * 5.0, 8.1)
    return strand < 0.2 + 0.55 * layer


@jit
def rasterize(
    x: Floats,
    y: Floats,
    inverse_z: Floats,
    faces: Ints,
    materials: Ints,
    cut: Floats,
    hair: Floats,
    first: int,
    depth: Floats,
    face_ids: Ints,
    weight1: Floats,
    weight2: Floats,
) -> None:
    """Draw triangles into the z-buffer.

    Args:
        x: (V,) sample coordinates; sample i covers [i, i + 1).
        y: (V,).
        inverse_z: (V,) 1 / distance, at most 0 behind the camera (such triangles are left out).
        faces: (F, 3).
        materials: (F,) from HAIR on, hair with gaps.
        cut: (V,) surface is left out where this is below 0: hems, sleeves, the hairline.
        hair: (V, 3) texture coordinates and layer of hair.
        first: Number of the first face in `face_ids`: people share one buffer.
        depth: (H, W) inverse distance, 0 where nothing is; updated.
        face_ids: (H, W) `first` plus the face, updated.
        weight1: (H, W) weight of the face's second corner, updated.
        weight2: (H, W) of the third.
    """
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        if inverse_z[a] <= 0 or inverse_z[b] <= 0 or inverse_z[c] <= 0:
            continue
        x0, y0, x1, y1, x2, y2 = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left = int(max(0, math.ceil(min(x0, x1, x2) - 0.5)))
        right = int(min(depth.shape[1] - 1, math.floor(max(x0, x1, x2) - 0.5)))
        top = int(max(0, math.ceil(min(y0, y1, y2) - 0.5)))
        bottom = int(min(depth.shape[0] - 1, math.floor(max(y0, y1, y2) - 0.5)))
        test = cut[a] < 0 or cut[b] < 0 or cut[c] < 0
        for row in range(top, bottom + 1):
            fy = row + 0.5
            for column in range(left, right + 1):
                fx = column + 0.5
                w1 = ((fx - x0) * (y2 - y0) - (x2 - x0) * (fy - y0)) / area
                w2 = ((x1 - x0) * (fy - y0) - (fx - x0) * (y1 - y0)) / area
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                q1, q2 = w1 * inverse_z[b], w2 * inverse_z[c]
                q = w0 * inverse_z[a] + q1 + q2
                if q <= depth[row, column]:
                    continue
                p1, p2 = q1 / q, q2 / q
                p0 = 1 - p1 - p2
                if test and p0 * cut[a] + p1 * cut[b] + p2 * cut[c] < 0:
                    continue
                if materials[t] >= HAIR and _bald(
                    p0 * hair[a, 0] + p1 * hair[b, 0] + p2 * hair[c, 0],
                    p0 * hair[a, 1] + p1 * hair[b, 1] + p2 * hair[c, 1],
                    p0 * hair[a, 2] + p1 * hair[b, 2] + p2 * hair[c, 2],
                ):
                    continue
                depth[row, column] = q
                face_ids[row, column] = first + t
                weight1[row, column] = p1
                weight2[row, column] = p2


@jit
def downsample(colour: Floats, alpha: Floats, samples: int, out: Floats, out_alpha: Floats) -> None:
    """Box filter over samples x samples: premultiplied colour and coverage.

    Args:
        colour: (h samples, w samples, 3).
        alpha: (h samples, w samples) 1 where something is.
        samples: Samples a side of a pixel.
        out: (h, w, 3), overwritten.
        out_alpha: (h, w), overwritten.
    """
    h, w = out_alpha.shape
    k = 1.0 / (samples * samples)
    for y in range(h):
        for x in range(w):
            r = g = b = a = 0.0
            for j in range(samples):
                for i in range(samples):
                    e = alpha[y * samples + j, x * samples + i]
                    if e > 0:
                        c = colour[y * samples + j, x * samples + i]
                        r += c[0] * e
                        g += c[1] * e
                        b += c[2] * e
                        a += e
            out[y, x, 0] = r * k
            out[y, x, 1] = g * k
            out[y, x, 2] = b * k
            out_alpha[y, x] = a * k


@jit
def coverage(face_ids: Ints, first: int, count: int, samples: int) -> Floats:
    """(h, w) how much of each pixel the faces `first` to `first + count` cover, in [0, 1]."""
    h, w = face_ids.shape[0] // samples, face_ids.shape[1] // samples
    out = np.zeros((h, w))
    k = 1.0 / (samples * samples)
    for y in range(h * samples):
        for x in range(w * samples):
            if first <= face_ids[y, x] < first + count:
                out[y // samples, x // samples] += k
    return out
