"""A dressed person: one mesh that follows a skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.body import BodyModel, body_model
from dancekit.dancefloor.clothes import Part, Tailor
from dancekit.dancefloor.hair import HeadBox, make_hair
from dancekit.dancefloor.jit import Bools, Floats, Ints
from dancekit.dancefloor.keypoints import KeypointModel
from dancekit.dancefloor.looks import PersonSpec
from dancekit.dancefloor.materials import HAIR, SHOE, SKIN
from dancekit.dancefloor.regions import Regions, find_regions, skin_materials
from dancekit.dancefloor.rig import Rig
from dancekit.dancefloor.shoes import make_shoe


@dataclass(frozen=True, eq=False)
class Skinned:
    """Vertices that hang on bones.

    Attributes:
        rest: (V, 3) metres.
        bones: (V, n) bone numbers.
        weights: (V, n) summing to 1.
    """

    rest: Floats
    bones: Ints
    weights: Floats

    @classmethod
    def of(cls, rest: Floats, weights: Floats, most: int) -> Skinned:
        """Keep the `most` strongest bones of each vertex."""
        bones = np.argsort(-weights, 1)[:, :most].astype(np.int32)
        kept = np.take_along_axis(weights, bones, 1)
        return cls(rest, bones, kept / kept.sum(1, keepdims=True))


class Person:
    """A person to render.

    Attributes:
        spec: How they look.
        rig: Their bones.
        height: Standing barefoot, metres.
        skinned: The drawn mesh: skin, clothes, shoes, hair.
        faces: (F, 3) of it.
        materials: (F,).
        attributes: (V, 7) what the materials read.
        hair: (V, 3) strands' coordinates.
        cut: (V,) surface is not drawn where this is below 0.
        cloth: (V,) what wrinkles.
        weld: (V,) vertices that share a normal.
        actions: (A, V, 3) displacement by each facial action.
        caster: A simpler mesh that casts the shadows: the body ...
        caster_faces: ... with the shoes: faces (F', 3) over its vertices, then those of `caster_extra`.
        caster_extra: (S,) vertices of the drawn mesh that follow those of `caster`.
        keypoints: Of this body.
    """

    def __init__(self, spec: PersonSpec) -> None:
        self.spec = spec
        model = body_model()
        vertices, heads = model.rest(spec.phenotype)
        self.rig = Rig(model, vertices, heads)
        self.height = float(vertices[:, 2].max())
        regions = find_regions(model, self.rig, vertices)
        box = HeadBox(vertices, regions)
        tailor = Tailor(model, self.rig, vertices, regions, spec.top, spec.bottom)
        parts = [
            _skin(model, vertices, regions, tailor.hidden()),
            tailor.sew_bottom(),
            tailor.sew_top(),
            *(make_shoe(model, self.rig, vertices, tailor.normals, side) for side in "LR"),
            *make_hair(model, self.rig, vertices, tailor.normals, regions, box, spec.hair),
        ]
        self._assemble(model, parts)
        self._make_caster(model, vertices, tailor, regions)
        self.keypoints = KeypointModel(model, self.rig, vertices, regions, box)

    def _assemble(self, model: BodyModel, parts: list[Part]) -> None:
        """One mesh of all parts."""
        counts = [len(part.vertices) for part in parts]
        offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
        rest = np.concatenate([part.vertices for part in parts])
        self.skinned = Skinned.of(rest, np.concatenate([part.weights for part in parts]), 6)
        self.faces = np.concatenate(
            [part.faces + offset for part, offset in zip(parts, offsets, strict=True)]
        ).astype(np.int32)
        self.materials = np.concatenate([part.materials for part in parts]).astype(np.int32)
        self.attributes = np.ascontiguousarray(np.concatenate([part.attributes for part in parts]))
        self.hair = np.ascontiguousarray(np.concatenate([part.hair for part in parts]))
        self.cloth: Bools = np.repeat([part.cloth for part in parts], counts)
        key = np.concatenate(
            [np.repeat(np.arange(len(parts)), counts)[:, None], np.round(rest * 1e5).astype(np.int64)], 1
        )
        _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
        self.weld = first[which.ravel()].astype(np.int32)
        source = np.concatenate([part.source for part in parts])
        self.actions = np.zeros((len(model.actions), len(rest), 3))
        self.actions[:, source >= 0] = model.actions[:, source[source >= 0]]
        on_hair = np.zeros(len(rest), bool)
        on_hair[self.faces[self.materials >= HAIR].ravel()] = True
        self.cut = np.where(self.cloth | on_hair, self.attributes[:, 0], 1.0)

    def _make_caster(self, model: BodyModel, vertices: Floats, tailor: Tailor, regions: Regions) -> None:
        """The body, as thick as its clothes, and the shoes."""
        thick = np.where(tailor.covered > 0, 0.008, 0.0) + np.where(regions.head > 0.8, 0.002, 0.0)
        self.caster = Skinned.of(vertices + tailor.normals * thick[:, None], model.weights, 4)
        shoes = self.faces[self.materials == SHOE]
        self.caster_extra = np.unique(shoes).astype(np.int32)
        number = np.full(len(self.skinned.rest), -1)
        number[self.caster_extra] = np.arange(len(self.caster_extra)) + len(vertices)
        body = model.faces[skin_materials(model) == SKIN]
        self.caster_faces = np.concatenate([body, number[shoes]]).astype(np.int32)


def _skin(model: BodyModel, vertices: Floats, regions: Regions, hidden: Bools) -> Part:
    """The visible skin, eyes and mouth: a vertex for each pair of body vertex and place on the map."""
    corners = np.stack([model.faces.ravel(), model.uv_faces.ravel()], 1)
    pairs, which = np.unique(corners, axis=0, return_inverse=True)
    source, uv = pairs[:, 0], model.uv[pairs[:, 1]]
    keep = ~hidden
    ones = np.ones(len(pairs))
    attributes = np.stack(
        [
            *(ones, regions.arm[source], regions.leg[source], regions.around[source]),
            *(uv[:, 0], uv[:, 1], vertices[source, 2]),
        ],
        1,
    )
    return Part(
        vertices=vertices[source],
        faces=which.reshape(model.faces.shape)[keep].astype(np.int32),
        weights=model.weights[source],
        materials=skin_materials(model)[keep],
        attributes=attributes,
        hair=np.zeros((len(pairs), 3)),
        source=source.astype(np.int32),
    )
