"""Rooms: floor, walls and boxes, ray cast once for a camera that does not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.camera import Camera
from dancekit.dancefloor.jit import Floats, jit
from dancekit.dancefloor.lights import LightRig, LightSpec, light_rig
from dancekit.dancefloor.noise import fractal_noise, smoothstep
from dancekit.dancefloor.pictures import posters
from dancekit.dancefloor.walls import room_colour

Box = tuple[float, float, float, float, float, float, float, float, float, float, int]
"""x0 y0 z0 x1 y1 z1 in metres, linear red green blue, strength of the grain, number of a poster or -1."""


@dataclass(frozen=True)
class RoomSpec:
    """A room. The dancer stands at the origin, the camera looks along +y.

    Attributes:
        kind: `walls.FLAT` or `walls.STUDIO`.
        wall: y of the back wall, metres.
        left: x of the left wall.
        right: x of the right one.
        light: What lights it.
        pool: Place (x, y, z) and radius of a pool of light, and how bright it is outside of it.
        exposure: Of the camera.
        noise: Of the camera's sensor, grey levels.
        gloss: How much the floor mirrors.
        boxes: Furniture and pictures.
        tint: Factor on the colours of floor and walls.
    """

    kind: int
    wall: float
    left: float
    right: float
    light: LightSpec
    pool: tuple[float, float, float, float, float]
    exposure: float = 0.6
    noise: float = 1.3
    gloss: float = 0.0
    boxes: tuple[Box, ...] = ()
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Room:
    """A room as a camera sees it.

    Attributes:
        spec: What it is.
        camera: From where.
        rig: Its lights.
        radiance: (H, W, 3) linear light of each pixel.
        places: (H, W, 3) the surface seen, metres.
        normals: (H, W, 3).
    """

    def __init__(
        self, spec: RoomSpec, camera: Camera, *, samples: int = 4, lights: tuple[int, int, int] = (10, 22, 6)
    ) -> None:
        self.spec, self.camera = spec, camera
        self.rig: LightRig = light_rig(spec.light, n_key=lights[0], n_sky=lights[1], n_bounce=lights[2])
        width, height = camera.size
        self.radiance = np.zeros((height, width, 3))
        self.places, self.normals = np.zeros((height, width, 3)), np.zeros((height, width, 3))
        boxes = np.array([box[:6] for box in spec.boxes], float).reshape(-1, 6)
        paint = np.array([box[6:] for box in spec.boxes], float).reshape(-1, 5)
        walls = np.array([spec.wall, spec.left, spec.right])
        _cast_room(
            spec.kind,
            camera.eye,
            camera.rotation,
            camera.focal,
            samples,
            walls,
            np.array(spec.tint),
            boxes,
            paint,
            posters(),
            self.rig.basis,
            self.rig.rgb,
            np.array(spec.pool),
            self.radiance,
            self.places,
            self.normals,
        )


@jit
def _hit_box(origin: Floats, ray: Floats, boxes: Floats, far: float) -> tuple[float, int, int]:
    """Distance, number and axis of the nearest box's face before `far`; number -1 if there is none."""
    nearest, which, axis = far, -1, 0
    for i in range(boxes.shape[0]):
        enter, leave, at = 1e-4, nearest, -1
        for k in range(3):
            if abs(ray[k]) < 1e-9:
                if origin[k] < boxes[i, k] or origin[k] > boxes[i, k + 3]:
                    leave = -1.0
                continue
            u = (boxes[i, k] - origin[k]) / ray[k]
            v = (boxes[i, k + 3] - origin[k]) / ray[k]
            if min(u, v) > enter:
                enter, at = min(u, v), k
            leave = min(leave, max(u, v))
        if enter <= leave and at >= 0 and enter < nearest:
            nearest, which, axis = enter, i, at
    return nearest, which, axis


@jit
def _hit_walls(origin: Floats, ray: Floats, walls: Floats) -> tuple[float, int]:
    """Distance and surface: 0 floor, 1 back, 2 left, 3 right."""
    t, surface = 1e9, -1
    if ray[2] < 0:
        t, surface = -origin[2] / ray[2], 0
    if ray[1] > 0 and (walls[0] - origin[1]) / ray[1] < t:
        t, surface = (walls[0] - origin[1]) / ray[1], 1
    if ray[0] < 0 and (walls[1] - origin[0]) / ray[0] < t:
        t, surface = (walls[1] - origin[0]) / ray[0], 2
    if ray[0] > 0 and (walls[2] - origin[0]) / ray[0] < t:
        t, surface = (walls[2] - origin[0]) / ray[0], 3
    return t, surface


@jit
def _box_colour(
    p: Floats, box: int, axis: int, boxes: Floats, paint: Floats, pictures: Floats
) -> tuple[float, float, float]:
    """Of a place on a box: its paint with grain, or its poster on the side that faces the camera."""
    number = int(paint[box, 4])
    if number >= 0 and axis == 1:
        side = pictures.shape[1]
        u = (p[0] - boxes[box, 0]) / (boxes[box, 3] - boxes[box, 0])
        v = 1 - (p[2] - boxes[box, 2]) / (boxes[box, 5] - boxes[box, 2])
        row, column = min(side - 1, max(0, int(v * side))), min(side - 1, max(0, int(u * side)))
        colour = pictures[number, row, column]
        return colour[0], colour[1], colour[2]
    m = fractal_noise(p[0] * 9.0 + box, p[1] * 9.0, p[2] * 9.0, 3) - 0.44
    q = fractal_noise(p[0] * 90.0, p[1] * 90.0, p[2] * 90.0, 2) - 0.37
    k = 1 + paint[box, 3] * (m + 0.6 * q)
    return paint[box, 0] * k, paint[box, 1] * k, paint[box, 2] * k


@jit
def _dimming(p: Floats, surface: int, walls: Floats, pool: Floats) -> float:
    """Darker corners, and a soft pool of light; `surface` is -1 for a box."""
    k = 1.0
    if surface != 0:
        k *= 0.70 + 0.30 * smoothstep(0.0, 0.45, p[2])
    if surface != 1:
        k *= 0.72 + 0.28 * smoothstep(0.0, 0.55, walls[0] - p[1])
    if surface < 2:
        k *= 0.75 + 0.25 * smoothstep(0.0, 0.6, min(p[0] - walls[1], walls[2] - p[0]))
    r2 = ((p[0] - pool[0]) ** 2 + (p[1] - pool[1]) ** 2 + (p[2] - pool[2]) ** 2) / (pool[3] ** 2)
    bright: float = pool[4] + (1 - pool[4]) * 1.25 / (1 + r2)
    return k * bright


@jit
def _see(
    kind: int,
    origin: Floats,
    ray: Floats,
    walls: Floats,
    boxes: Floats,
    paint: Floats,
    pictures: Floats,
    tint: Floats,
    p: Floats,
    n: Floats,
    colour: Floats,
) -> int:
    """What a ray meets: place, normal and colour (all (3,), overwritten); returns the surface, -1 for a box."""
    t, surface = _hit_walls(origin, ray, walls)
    t, box, axis = _hit_box(origin, ray, boxes, t)
    n[:] = 0
    for k in range(3):
        p[k] = origin[k] + t * ray[k]
    if box >= 0:
        n[axis] = -1.0 if ray[axis] > 0 else 1.0
        colour[0], colour[1], colour[2] = _box_colour(p, box, axis, boxes, paint, pictures)
        return -1
    if surface == 0:
        n[2] = 1
    elif surface == 1:
        n[1] = -1
    else:
        n[0] = 1.0 if surface == 2 else -1.0
    r, g, b = room_colour(kind, min(surface, 2), p[0], p[1], p[2])
    colour[0], colour[1], colour[2] = r * tint[0], g * tint[1], b * tint[2]
    return surface


@jit
def _cast_room(
    kind: int,
    eye: Floats,
    rotation: Floats,
    focal: float,
    samples: int,
    walls: Floats,
    tint: Floats,
    boxes: Floats,
    paint: Floats,
    pictures: Floats,
    basis: Floats,
    rgb: Floats,
    pool: Floats,
    radiance: Floats,
    places: Floats,
    normals: Floats,
) -> None:
    """Ray cast the room: linear radiance, and place and normal of each pixel's last sample, for shadows."""
    height, width = radiance.shape[:2]
    colour, ray, p, n = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    for y in range(height):
        for x in range(width):
            for sample in range(samples * samples):
                cx = (x + (sample % samples + 0.5) / samples - width / 2) / focal
                cy = (y + (sample // samples + 0.5) / samples - height / 2) / focal
                for k in range(3):
                    ray[k] = cx * rotation[0, k] + cy * rotation[1, k] + rotation[2, k]
                surface = _see(kind, eye, ray, walls, boxes, paint, pictures, tint, p, n, colour)
                for k in range(3):
                    p[k] += n[k] * 2e-3
                dim = _dimming(p, surface, walls, pool) / (samples * samples)
                for light in range(basis.shape[0]):
                    facing = n[0] * basis[light, 2, 0] + n[1] * basis[light, 2, 1] + n[2] * basis[light, 2, 2]
                    if facing <= 0:
                        continue
                    _, blocked, _ = _hit_box(p, basis[light, 2], boxes, 3.0)
                    if blocked >= 0:
                        facing *= 0.05
                    for k in range(3):
                        radiance[y, x, k] += colour[k] * rgb[light, k] * facing * dim
            for k in range(3):
                places[y, x, k] = p[k]
                normals[y, x, k] = n[k]
