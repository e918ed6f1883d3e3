"""Hair: shells over the scalp with gaps between strands, and blobs for buns and tails."""

from __future__ import annotations

import numpy as np

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.clothes import Part
from dancekit.dancefloor.jit import Bools, Floats, Ints
from dancekit.dancefloor.joints import X, turn
from dancekit.dancefloor.looks import Blob, HairSpec
from dancekit.dancefloor.materials import HAIR
from dancekit.dancefloor.mesh import normals_of, smoothed, submesh
from dancekit.dancefloor.regions import Regions
from dancekit.dancefloor.rig import Rig

_LINE_AT = (0.0, 0.12, 0.22, 0.36, 0.46, 0.56, 0.70, 1.0)
"""Where `HairSpec.hairline` is given, from the face (0) to the back of the head (1)."""

_EARS = ((866, 385), (866, 675))
"""Middles of the ears on the skin's map."""


class HeadBox:
    """Extent of the head at rest.

    Attributes:
        chin: Height of the lowest point, metres.
        top: Of the highest.
        front: y of the foremost point.
        back: Of the hindmost.
        side: x of the outermost.
    """

    def __init__(self, vertices: Floats, regions: Regions) -> None:
        u, v = regions.map.T
        self.on_face: Bools = (regions.head > 0.5) & (u > 650) & (v > 180) & (v < 870)
        head = vertices[self.on_face]
        self.chin, self.top = float(head[:, 2].min()), float(head[:, 2].max())
        self.front, self.back = float(head[:, 1].min()), float(head[:, 1].max())
        self.side = float(head[:, 0].max())


def make_hair(
    model: BodyModel,
    rig: Rig,
    vertices: Floats,
    normals: Floats,
    regions: Regions,
    box: HeadBox,
    spec: HairSpec,
) -> list[Part]:
    """All parts of somebody's hair."""
    cut, up = _inside_hairline(vertices, regions, box, spec)
    faces, used = _scalp(model, regions, cut)
    scalp, out = vertices[used], normals[used]
    base = smoothed(scalp + out * 0.004, faces, 10)
    base += out * np.maximum(0.003 - ((base - scalp) * out).sum(1), 0)[:, None]
    base = smoothed(base, faces, 1)
    out = normals_of(base, faces)
    weights = np.zeros((len(used), len(rig.names)))
    weights[:, rig.index("head")] = 1
    middle = np.array([0, 0.5 * (box.front + box.back), box.chin + 0.62 * (box.top - box.chin)])
    r = base - middle
    azimuth = np.arctan2(r[:, 0], r[:, 1]) / np.pi
    elevation = np.arctan2(r[:, 2], np.hypot(r[:, 0], r[:, 1])) / np.pi
    edge = np.clip(cut[used] / 0.03, 0, 1)
    parts = []
    for k in range(spec.layers):
        t = k / max(1, spec.layers - 1)
        thick = (
            (spec.volume + spec.length * t) * (0.35 + 0.65 * edge) * (0.75 + 0.35 * np.clip(up[used], 0, 1))
        )
        hang = np.array([0, 0.15, -0.25]) * (spec.length * t * spec.droop)
        layer = np.full(len(used), t)
        attributes = np.stack([cut[used] - 0.004 * t, azimuth, elevation, layer, *r.T], 1)
        strands = np.stack([azimuth * 1.2 + 0.3 * elevation, elevation * 1.5, layer], 1)
        shell = base + out * thick[:, None] + hang
        parts.append(Part.plain(shell, faces, weights, HAIR + min(k, 1), attributes, hair=strands))
    return parts + [_blob(blob, middle, box.top - box.chin, weights[0]) for blob in spec.blobs]


def _inside_hairline(
    vertices: Floats, regions: Regions, box: HeadBox, spec: HairSpec
) -> tuple[Floats, Floats]:
    """(V,) metres above the hairline, and (V,) height in the head, 0 at the chin, 1 at the top."""
    up = (vertices[:, 2] - box.chin) / (box.top - box.chin)
    back = (vertices[:, 1] - box.front) / (box.back - box.front)
    aside = np.abs(vertices[:, 0]) / box.side
    line = np.interp(back, _LINE_AT, spec.hairline)
    line += 0.05 * np.clip(1 - aside * 2.2, 0, 1) * (back < 0.35)
    cut = (up - line) * (box.top - box.chin)
    cut[~box.on_face & (regions.neck < 0.3)] = -1
    cut[_ears(regions)] = -0.02
    return cut, up


def _ears(regions: Regions) -> Bools:
    u, v = regions.map.T
    near = [np.hypot(u - eu, v - ev) < 30 for eu, ev in _EARS]
    return np.asarray(near[0] | near[1])


def _scalp(model: BodyModel, regions: Regions, cut: Floats) -> tuple[Ints, Ints]:
    faces, ears = model.faces, _ears(regions)
    keep = (cut[faces] > -0.02).any(1) & (regions.head[faces] > 0.3).all(1) & (cut[faces] > -0.5).all(1)
    on_ear = ears[faces].any(1) & (cut[faces] < -0.015).all(1)
    return submesh(faces[keep & ~on_ear], len(cut))


def _blob(blob: Blob, middle: Floats, head: float, weights: Floats) -> Part:
    """An ellipsoid fixed to the head."""
    around, up = 28, 16
    a, b = np.meshgrid(
        np.linspace(-np.pi, np.pi, around), np.linspace(-np.pi / 2, np.pi / 2, up), indexing="ij"
    )
    directions = np.stack([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)], -1).reshape(-1, 3)
    tilted = (directions * np.array(blob.radius) * head) @ turn(X, blob.tilt).T
    vertices = np.array(blob.place) * head + middle + tilted
    i = np.arange((around - 1) * (up - 1))
    q = (i // (up - 1)) * up + i % (up - 1)
    faces = np.concatenate([np.stack([q, q + up, q + up + 1], 1), np.stack([q, q + up + 1, q + 1], 1)])
    ones = np.ones(len(vertices))
    attributes = np.stack([ones, a.ravel() / 3, b.ravel() / 3, 0.6 * ones, *(vertices - middle).T], 1)
    return Part.plain(vertices, faces, np.tile(weights, (len(vertices), 1)), HAIR, attributes)
