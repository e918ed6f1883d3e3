"""People in a room before a camera, frame by frame: the picture and what is known about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.actor import Actor, Bones, Buffers
from dancekit.dancefloor.develop import develop, mirror_on_floor, soften
from dancekit.dancefloor.jit import Floats, Ints
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.rasterize import coverage, downsample
from dancekit.dancefloor.rooms import Room
from dancekit.dancefloor.shadows import depth_map, shade_room


@dataclass(frozen=True)
class Quality:
    """What a frame costs and how good it is.

    Attributes:
        samples: Samples a side of a pixel.
        shutter: Share of the frame's time that the shutter is open: motion blur; 0 for none.
        blur_poses: Most poses in the shutter besides the middle one.
        shadow: Side of a depth map, samples.
        lights: Directions of the key light, the sky and the bounce.
        room_samples: Samples a side of a pixel of the room.
    """

    samples: int
    shutter: float
    blur_poses: int
    shadow: int
    lights: tuple[int, int, int]
    room_samples: int


QUALITIES = {
    "fine": Quality(3, 0.4, 6, 224, (10, 22, 6), 4),
    "fast": Quality(2, 0.0, 0, 144, (6, 12, 4), 2),
}
"""`fine` is the benchmark's; `fast` is for training material by the dozen."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A rendered frame with P people.

    Attributes:
        image: (H, W, 3) sRGB.
        covered: (P, H, W) how much of each pixel shows each person, 0 to 255.
    """

    image: NDArray[np.uint8]
    covered: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stance:
    """How somebody is at a moment.

    Attributes:
        bones: Of the middle of the shutter.
        face: (A,) strengths of facial actions.
        blur: Bones at other moments within the shutter, as many for everybody.
    """

    bones: Bones
    face: Floats
    blur: tuple[Bones, ...] = ()


class Scene:
    """Renders people in a room.

    Attributes:
        room: Where.
        actors: Who.
        buffers: The z-buffer of the last frame's middle pose.
    """

    def __init__(self, people: Sequence[Person], room: Room, quality: Quality, *, seed: int = 0) -> None:
        self.room, self.quality = room, quality
        firsts = np.cumsum([0, *(len(person.faces) for person in people)])
        self.actors = [Actor(person, int(first)) for person, first in zip(people, firsts, strict=False)]
        self.buffers = Buffers(room.camera.size, quality.samples)
        self._rng = np.random.default_rng(seed)
        self._faces: Ints = firsts
        self._reach = 0.70 * max(person.height for person in people)
        self._on_wall = np.repeat((room.normals[::2, ::2, 2:] < 0.5).astype(np.float32), 3, 2)
        self._places = np.ascontiguousarray(room.places[::2, ::2])
        self._normals = np.ascontiguousarray(room.normals[::2, ::2])

    def frame(self, stances: Sequence[Stance]) -> Frame:
        """Render a moment."""
        width, height = self.room.camera.size
        light, alpha = np.zeros((height, width, 3)), np.zeros((height, width))
        covered = np.zeros((len(self.actors), height, width))
        self._pose([stance.bones for stance in stances], stances)
        maps, centre, half = self._light(stances)
        moments = 1 + len(stances[0].blur)
        for moment in range(moments - 1):
            self._pose([stance.blur[moment] for stance in stances], stances)
            self._draw(light, alpha, covered)
        if moments > 1:
            self._pose([stance.bones for stance in stances], stances)
        self._draw(light, alpha, covered)
        light /= moments
        alpha /= moments
        covered /= moments
        shadow = np.empty((*self._places.shape[:2], 3), np.float32)
        rig = self.room.rig
        shade_room(self._places, self._normals, maps, rig.basis, rig.rgb, centre, half, 2.2 * half, shadow)
        behind = self.room.radiance * soften(shadow, self._on_wall, (width, height))
        for number, actor in enumerate(self.actors):
            share = covered[number] / np.maximum(alpha, 1e-9)
            middle = actor.posed[:, :2].mean(0)
            mirror_on_floor(behind, self.room, middle, light * share[..., None], covered[number])
        picture = develop(behind * (1 - alpha[..., None]) + light, self.room, self._rng)
        return Frame(picture, (covered * 255).astype(np.uint8))  # rounded down: half is not "more than half"

    def _pose(self, bones: Sequence[Bones], stances: Sequence[Stance]) -> None:
        for actor, each, stance in zip(self.actors, bones, stances, strict=True):
            actor.pose(each, stance.face)

    def _light(self, stances: Sequence[Stance]) -> tuple[NDArray[np.float32], Floats, float]:
        """Depth maps around everybody, and the lights read at their vertices: maps, their centre, half their side."""
        low = np.min([actor.posed.min(0) for actor in self.actors], axis=0)
        high = np.max([actor.posed.max(0) for actor in self.actors], axis=0)
        centre = 0.5 * (low + high)
        # constant while it can be, so that shadows do not shimmer
        half = max(self._reach, 0.5 * float(np.linalg.norm(high - low)) + 0.02)
        if len(self.actors) > 1:
            half = math.ceil(half / 0.25) * 0.25
        side = (
            math.ceil(self.quality.shadow * half / self._reach)
            if len(self.actors) > 1
            else self.quality.shadow
        )
        vertices, faces, offset = [], [], 0
        for actor, stance in zip(self.actors, stances, strict=True):
            points, triangles = actor.caster(stance.bones)
            vertices.append(points)
            faces.append(triangles + offset)
            offset += len(points)
        rig = self.room.rig
        maps = np.empty((len(rig.basis), side, side), np.float32)
        all_vertices, all_faces = np.concatenate(vertices), np.concatenate(faces).astype(np.int32)
        for number, basis in enumerate(rig.basis):
            depth_map(all_vertices, all_faces, basis, centre, half, maps[number])
        for actor in self.actors:
            actor.light(maps, rig, centre, half)
        return maps, centre, half

    def _draw(self, light: Floats, alpha: Floats, covered: Floats) -> None:
        """Rasterise and shade the current poses; add premultiplied light and coverage."""
        camera, samples = self.room.camera, self.quality.samples
        self.buffers.clear()
        corners = []
        for actor in self.actors:
            xy, z = camera.project(actor.posed)
            actor.rasterize(self.buffers, xy, z)
            corners += [xy.min(0), xy.max(0)]
        left, top = np.maximum(np.min(corners, 0).astype(int) - 2, 0)
        right, bottom = np.minimum(np.max(corners, 0).astype(int) + 3, camera.size)
        if right <= left or bottom <= top:
            return
        where = slice(top * samples, bottom * samples), slice(left * samples, right * samples)
        shape = ((bottom - top) * samples, (right - left) * samples)
        colour, hit = np.zeros((*shape, 3)), np.zeros(shape)
        for actor in self.actors:
            actor.shade(self.buffers, where, camera.eye, self.room.rig, colour, hit)
        out, out_alpha = np.zeros((bottom - top, right - left, 3)), np.zeros((bottom - top, right - left))
        downsample(colour, hit, samples, out, out_alpha)
        part = slice(top, bottom), slice(left, right)
        light[part] += out
        alpha[part] += out_alpha
        if len(self.actors) == 1:
            covered[0][part] += out_alpha
            return
        for number, actor in enumerate(self.actors):
            faces = len(actor.person.faces)
            covered[number][part] += coverage(self.buffers.face_ids[where], actor.first, faces, samples)
