"""Shoes: inflated convex hulls of the feet, with a flat sole."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.clothes import Part
from dancekit.dancefloor.jit import Bools, Floats, Ints
from dancekit.dancefloor.materials import SHOE
from dancekit.dancefloor.mesh import icosphere, smoothed
from dancekit.dancefloor.rig import Rig, toe_bones


def make_shoe(model: BodyModel, rig: Rig, vertices: Floats, normals: Floats, side: str) -> Part:
    """The shoe of a foot."""
    scale = vertices[:, 2].max() / 1.75
    ankle = rig.head("foot." + side)
    foot = rig.group(f"foot.{side}", *toe_bones(side), f"lowerleg02.{side}") > 0.5
    low = foot & (vertices[:, 2] < ankle[2] * 0.72)
    high = foot & (vertices[:, 2] < ankle[2] * 1.25) & (vertices[:, 1] > ankle[1] - 0.055 * scale)
    body, body_faces = _inflated(vertices[low], normals[low], 0.008, level=4)
    collar, collar_faces = _inflated(vertices[high], normals[high], 0.007, level=3)
    surface = np.concatenate([body, collar])
    faces = np.concatenate([body_faces, collar_faces + len(body)])
    surface[surface[:, 2] < 0.02, 2] = -rig.sole_thickness
    along = (surface[:, 1] - surface[:, 1].min()) / np.ptp(surface[:, 1])
    across = surface[:, 0] - surface[:, 0].mean()
    ones = np.ones(len(surface))
    attributes = np.stack([ones, -ones, 2 * ones, along, across, surface[:, 1], surface[:, 2]], 1)
    weights = _weights(model, rig, vertices, foot, surface, faces, side)
    return Part.plain(surface, faces, weights, SHOE, attributes)


def _inflated(points: Floats, normals: Floats, grow: float, level: int) -> tuple[Floats, Ints]:
    """A sphere pressed onto the convex hull of the points moved outwards by `grow` metres."""
    middle = points.mean(0)
    points = points + normals * grow
    # a little wider, so that it also covers where the sole bulges
    points = np.concatenate([points, (points - middle) * [1.05, 1.03, 1.0] + middle])
    hull = ConvexHull(points)
    centre = 0.5 * (points.min(0) + points.max(0))
    directions, faces = icosphere(level)
    directions = directions * np.ptp(points, axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    planes, offsets = hull.equations[:, :3], hull.equations[:, 3]
    towards = directions @ planes.T
    distance = -(offsets + planes @ centre)[None] / np.maximum(towards, 1e-6)
    distance = np.where(towards > 1e-6, distance, np.inf).min(1)
    return smoothed(centre + directions * distance[:, None], faces, 4), faces


def _weights(
    model: BodyModel, rig: Rig, vertices: Floats, foot: Bools, surface: Floats, faces: Ints, side: str
) -> Floats:
    """Of the nearest skin; below the ankle the shoe does not follow the shin."""
    nearest = cKDTree(vertices[foot]).query(surface)[1]
    weights = model.weights[foot][nearest]
    shins = [n for n, name in enumerate(rig.names) if name.startswith("lowerleg") and name.endswith(side)]
    below = surface[:, 2] < rig.head("foot." + side)[2]
    weights[np.ix_(below, shins)] = 0
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-6)
    weights[weights.sum(1) < 0.5, rig.index("foot." + side)] = 1
    return np.asarray(0.5 * weights + 0.5 * smoothed(weights, faces, 6))
