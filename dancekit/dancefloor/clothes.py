"""Clothes: pieces of the body's surface, moved outwards, smoothed, and cut by signed fields (hem, sleeve, neck)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dancekit.dancefloor.body import BodyModel
from dancekit.dancefloor.jit import Bools, Floats, Ints
from dancekit.dancefloor.looks import BottomSpec, TopSpec
from dancekit.dancefloor.materials import BOTTOM, TOP
from dancekit.dancefloor.mesh import normals_of, smoothed, subdivided, submesh
from dancekit.dancefloor.regions import Regions
from dancekit.dancefloor.rig import Rig


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a dressed person, at rest.

    Attributes:
        vertices: (V, 3).
        faces: (F, 3).
        weights: (V, J) skinning weights.
        materials: (F,).
        attributes: (V, 7) coverage (below 0: cut away), then what the material reads (`materials.py`).
        hair: (V, 3) strands' coordinates and layer; zeros where there is none.
        source: (V,) the body's vertex it is a copy of, or -1.
        cloth: Whether it wrinkles.
    """

    vertices: Floats
    faces: Ints
    weights: Floats
    materials: Ints
    attributes: Floats
    hair: Floats
    source: Ints
    cloth: bool = False

    @classmethod
    def plain(
        cls,
        vertices: Floats,
        faces: Ints,
        weights: Floats,
        material: int,
        attributes: Floats,
        *,
        hair: Floats | None = None,
        cloth: bool = False,
    ) -> Part:
        """Of one material, and no copy of the body's surface."""
        count = len(vertices)
        return cls(
            vertices,
            faces.astype(np.int32),
            weights,
            np.full(len(faces), material, np.int32),
            attributes,
            np.zeros((count, 3)) if hair is None else hair,
            np.full(count, -1, np.int32),
            cloth,
        )


class Tailor:
    """Cuts clothes for one body.

    Attributes:
        top_cut: (V,) metres inside the shirt's outline on the body, below 0 outside.
        bottom_cut: (V,) of the trousers.
    """

    def __init__(
        self, model: BodyModel, rig: Rig, vertices: Floats, regions: Regions, top: TopSpec, bottom: BottomSpec
    ) -> None:
        self.model, self.rig, self.vertices, self.regions = model, rig, vertices, regions
        self.top, self.bottom = top, bottom
        self.scale = float(vertices[:, 2].max()) / 1.75
        self.normals = normals_of(vertices, model.faces)
        self.hem = rig.hips[2] + top.hem * self.scale
        self.neck = rig.head("neck01")
        self.top_cut, self.bottom_cut = self._top_cut(), self._bottom_cut()

    def _top_cut(self) -> Floats:
        v, arm = self.vertices, self.regions.arm
        upper_arm = np.linalg.norm(self.rig.head("lowerarm01.L") - self.rig.head("upperarm01.L"))
        neckline = self.neck[2] + self.top.neck * self.scale + 0.55 * (v[:, 1] - self.neck[1])
        cut = np.minimum(v[:, 2] - self.hem, neckline - v[:, 2])
        sleeve = (self.top.sleeve - arm) * upper_arm
        cut = np.minimum(cut, np.where(arm > -1, sleeve, 1.0))
        cut[self.regions.head > 0.3] = -1
        below = arm > 0.9
        cut[below] = np.minimum(cut[below], sleeve[below])
        return np.asarray(cut)

    def _bottom_cut(self) -> Floats:
        leg = self.regions.leg
        bone = np.mean(self.rig.leg_bones)
        waist = self.rig.hips[2] + self.bottom.waist * self.scale
        end = np.where(leg > -1, (self.bottom.length - leg) * bone, 1.0)
        cut = np.minimum(waist - self.vertices[:, 2], end)
        cut[self.regions.arm > -0.9] = -1
        return np.asarray(cut)

    @property
    def covered(self) -> Floats:
        """(V,) metres inside any outline."""
        return np.maximum(self.top_cut, self.bottom_cut)

    def hidden(self) -> Bools:
        """(F,) faces of the skin that clothes and shoes hide for certain."""
        faces = self.model.faces
        under = (self.top_cut[faces] > 0.03).all(1) | (self.bottom_cut[faces] > 0.03).all(1)
        return np.asarray(under | (self.regions.leg > 1.86)[faces].all(1))

    def sew_bottom(self) -> Part:
        """The trousers."""
        faces, used = self._cloth(self.bottom_cut)
        leg = np.clip(self.regions.leg[used], 0, 2)
        ease = self.bottom.ease + self.bottom.flare * np.clip(leg / self.bottom.length, 0, 1.1) ** 1.2
        surface = self._drape(faces, used, ease, self.bottom.smooth)
        return self._finish(surface, faces, used, self.bottom_cut[used], self.model.weights[used], BOTTOM)

    def sew_top(self) -> Part:
        """The shirt."""
        faces, used = self._cloth(self.top_cut)
        v, arm, top = self.vertices[used], self.regions.arm[used], self.top
        t = np.clip((self.neck[2] - v[:, 2]) / (self.neck[2] - self.hem), 0, 1.2)
        ease = top.ease * (0.35 + 0.65 * t) + top.flare * np.clip(t - 0.45, 0, 1) ** 1.3
        sleeve = top.ease * 0.6 + top.sleeve_flare * np.clip(arm / top.sleeve, 0, 1.1)
        ease = np.where(arm > 0, sleeve, ease)
        surface = self._drape(faces, used, ease, top.smooth)
        cut = self.top_cut[used].copy()
        trunk = arm < 0
        near_hem = v[trunk, 2] - self.hem < 0.05
        cut[trunk] = np.minimum(cut[trunk] + 0.05 * near_hem, surface[trunk, 2] - self.hem)
        # a hem hangs from the pelvis more than it follows the thighs
        weights = self.model.weights[used].copy()
        legs = [n for n, name in enumerate(self.rig.names) if name.startswith(("upperleg", "lowerleg"))]
        moved = 0.65 * weights[:, legs].sum(1)
        weights[:, legs] *= 0.35
        weights[:, 0] += moved
        return self._finish(surface, faces, used, cut, weights, TOP)

    def _cloth(self, cut: Floats) -> tuple[Ints, Ints]:
        """The faces inside an outline and a little beyond, and the vertices they use."""
        faces = self.model.faces
        keep = (cut[faces] > -0.03).any(1) & (cut[faces] > -0.5).all(1)
        return submesh(faces[keep], len(cut))

    def _drape(self, faces: Ints, used: Ints, ease: Floats, rounds: int) -> Floats:
        """Move outwards by `ease` (metres of a body of 1.75 m), smooth, and stay out of the body."""
        v, n = self.vertices[used], self.normals[used]
        ease = ease * self.scale
        surface = smoothed(v + n * ease[:, None], faces, rounds)
        inside = np.maximum(0.35 * ease, 0.004) - ((surface - v) * n).sum(1)
        surface += n * np.maximum(inside, 0)[:, None]
        return smoothed(surface, faces, 2)

    def _finish(
        self, surface: Floats, faces: Ints, used: Ints, cut: Floats, weights: Floats, material: int
    ) -> Part:
        r = self.regions
        attributes = np.stack(
            [
                *(cut, r.arm[used], r.leg[used], r.around[used]),
                *(self.normals[used, 1], surface[:, 0], surface[:, 2]),
            ],
            1,
        )
        finer, (vertices, weights, attributes) = subdivided(faces, [surface, weights, attributes])
        return Part.plain(smoothed(vertices, finer, 2), finer, weights, material, attributes, cloth=True)
