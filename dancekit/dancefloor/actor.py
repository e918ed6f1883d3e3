"""One person while they are drawn: buffers for their posed mesh and its light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.jit import Floats, Ints, Singles
from dancekit.dancefloor.lights import LightRig
from dancekit.dancefloor.looks import Colour
from dancekit.dancefloor.materials import BOTTOM, FACE, TOP
from dancekit.dancefloor.mesh import edges_of
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.pictures import linear, shirt_print
from dancekit.dancefloor.rasterize import rasterize
from dancekit.dancefloor.shading import shade
from dancekit.dancefloor.shadows import light_vertices
from dancekit.dancefloor.skinning import skin, vertex_normals, wrinkle

_COLOURS = ("skin", "lips", "hair", "iris", "top", "trim", "bottom", "stripe", "shoe", "sole", "mark")

Bones = tuple[Floats, Floats]
"""Rotations (J, 3, 3) and positions (J, 3), from `Rig.pose`."""


class Buffers:
    """The z-buffer that all people of a scene share, at `samples` samples a pixel's side.

    Attributes:
        samples: Samples a side of a pixel.
        depth: (h, w) inverse distance, 0 where nobody is.
        face_ids: (h, w) number of the face over all people, -1 where nobody is.
        weight1: (h, w) weight of the face's second corner.
        weight2: (h, w) of the third.
    """

    def __init__(self, size: tuple[int, int], samples: int) -> None:
        shape = (size[1] * samples, size[0] * samples)
        self.samples = samples
        self.depth, self.face_ids = np.zeros(shape), np.full(shape, -1, np.int32)
        self.weight1, self.weight2 = np.zeros(shape), np.zeros(shape)

    def clear(self) -> None:
        """Nobody is anywhere."""
        self.depth[:] = 0
        self.face_ids[:] = -1


class Actor:
    """A person's posed mesh.

    Attributes:
        person: Who.
        first: Number of their first face over all people of the scene.
        posed: (V, 3) posed vertices, metres.
        normals: (V, 3).
    """

    def __init__(self, person: Person, first: int) -> None:
        self.person, self.first = person, first
        count = len(person.skinned.rest)
        self.posed, self.normals = np.zeros((count, 3)), np.zeros((count, 3))
        self._ambient, self._key, self._squeeze = np.zeros((count, 3)), np.zeros(count), np.zeros(count)
        rest = person.skinned.rest
        self._edges = edges_of(person.faces[np.isin(person.materials, (TOP, BOTTOM))]).astype(np.int32)
        self._lengths = np.linalg.norm(rest[self._edges[:, 0]] - rest[self._edges[:, 1]], axis=1) + 1e-9
        self._degree = np.maximum(1, np.bincount(self._edges.ravel(), minlength=count)).astype(float)
        self._caster = np.empty((len(person.caster.rest) + len(person.caster_extra), 3))
        self._palette = _palette(person.spec.colours, person.spec.face)
        top = person.spec.top
        self._patterns: Ints = np.array([top.pattern, person.spec.bottom.pattern], np.int32)
        self._prints = shirt_print(top.front), shirt_print(top.back)
        rig = person.rig
        hips, trunk = rig.hips[2], rig.head("neck01")[2] - rig.hips[2]
        middle, half = hips + trunk * top.print_height, top.print_size / 2
        split = hips + trunk * top.split
        self._layout = np.array([-half, half, middle - half, middle + half, split, top.stripe])
        self._eyes = np.stack([rig.head("eye.L"), rig.head("eye.R")])

    def pose(self, bones: Bones, face: Floats) -> None:
        """Skin, wrinkle, and find normals."""
        p = self.person
        rest = p.skinned.rest + np.tensordot(face, p.actions, 1) if face.any() else p.skinned.rest
        skin(rest, p.skinned.bones, p.skinned.weights, p.rig.rest, *bones, self.posed)
        vertex_normals(self.posed, p.faces, p.weld, self.normals)
        wrinkle(
            self.posed,
            self.normals,
            p.skinned.rest,
            p.cloth,
            self._edges,
            self._lengths,
            *p.spec.wrinkles,
            self._squeeze,
            self._degree,
        )
        vertex_normals(self.posed, p.faces, p.weld, self.normals)

    def caster(self, bones: Bones) -> tuple[Floats, Ints]:
        """Vertices and faces that cast shadows; the shoes are those of the last `pose`."""
        p = self.person
        body = len(p.caster.rest)
        skin(p.caster.rest, p.caster.bones, p.caster.weights, p.rig.rest, *bones, self._caster[:body])
        self._caster[body:] = self.posed[p.caster_extra]
        return self._caster, p.caster_faces

    def light(self, maps: Singles, rig: LightRig, centre: Floats, half: float) -> None:
        """Read the lights at the vertices of the current pose."""
        bias = 1.6 * 2 * half / maps.shape[1]
        light_vertices(
            self.posed,
            self.normals,
            maps,
            rig.basis,
            rig.rgb,
            rig.is_key,
            centre,
            half,
            bias,
            self._ambient,
            self._key,
        )

    def rasterize(self, buffers: Buffers, xy: Floats, z: Floats) -> None:
        """Draw into the z-buffer; `xy` (V, 2) are pixels (centres at integers), `z` (V,) distances."""
        p, k = self.person, buffers.samples
        at = (xy + 0.5) * k
        rasterize(
            np.ascontiguousarray(at[:, 0]),
            np.ascontiguousarray(at[:, 1]),
            1.0 / z,
            p.faces,
            p.materials,
            p.cut,
            p.hair,
            self.first,
            buffers.depth,
            buffers.face_ids,
            buffers.weight1,
            buffers.weight2,
        )

    def shade(
        self,
        buffers: Buffers,
        where: tuple[slice, slice],
        eye: Floats,
        rig: LightRig,
        colour: Floats,
        alpha: Floats,
    ) -> None:
        """Colour this person's samples within a part of the buffers."""
        p = self.person
        shade(
            buffers.face_ids[where],
            buffers.weight1[where],
            buffers.weight2[where],
            self.first,
            p.faces,
            p.materials,
            p.skinned.rest,
            p.attributes,
            self.posed,
            self.normals,
            self._ambient,
            self._key,
            eye,
            rig.key_dir,
            rig.key_rgb,
            self._palette,
            self._patterns,
            *self._prints,
            self._layout,
            self._eyes,
            colour,
            alpha,
        )


def _palette(colours: Mapping[str, Colour], face: tuple[float, ...]) -> NDArray[np.float64]:
    palette = np.zeros((FACE + 1, 6))
    for row, name in enumerate(_COLOURS):
        palette[row, :3] = linear(*colours[name])
    palette[FACE, : len(face)] = face
    return palette
