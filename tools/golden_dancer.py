"""Makes a golden dancer of the formats this version writes, and what it paints: `tests/golden/dancers/`.

    python tools/golden_dancer.py format-2                 # fp16
    python tools/golden_dancer.py format-2-int8 --dtype int8
    python tools/golden_dancer.py format-3 --follow        # a window that follows the person

Files of older formats stay as they are: they were made by this script of the version that wrote that format, and
`tests/unit/test_dancer_format.py` loads all of them for ever. Nothing is trained: weights are drawn from a seed.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from dancekit.build import build_painting, build_training
from dancekit.config import load_recipe
from dancekit.critic import save_critic
from dancekit.dancer import DancerInfo, component_ids, save_dancer
from dancekit.transfer import Dancer
from dancekit.types import Following, PoseSequence, Window, get_skeleton

FOLDER = Path(__file__).parents[1] / "tests" / "golden" / "dancers"
CHANGES = (
    "size=[64, 64]",
    "generator.ngf=4",
    "discriminator.ndf=4",
    "face_discriminator=patch",
    "face_discriminator.ndf=4",
    "face.ngf=4",
    "face.crop_size=16",
)
FRAMES = 4


def poses(*, follow: bool) -> PoseSequence:
    """A person drawn by chance, in pixels of the clip; small, and walking, where the window is to follow."""
    rng = np.random.default_rng(7)
    skeleton = get_skeleton("blazepose_33")
    xy = rng.uniform(16, 112, (1, len(skeleton), 2)) + rng.normal(0, 2, (FRAMES, len(skeleton), 2))
    if follow:
        xy = xy / 2 + 16 * np.arange(FRAMES)[:, None, None] * np.array([1, 0])
    score = rng.uniform(0.5, 1, (FRAMES, len(skeleton))).astype(np.float32)
    return PoseSequence(
        xy=xy.astype(np.float32),
        score=score,
        pts=np.arange(FRAMES),
        time_base=Fraction(1, 25),
        size=(128, 128),
        skeleton=skeleton,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--dtype", default="fp16")
    parser.add_argument("--follow", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(3)
    recipe = load_recipe("tiny", (*CHANGES, "person_height=48") if given.follow else CHANGES)
    target = poses(follow=given.follow)
    parts = build_painting(recipe, target.skeleton)
    networks = {
        f"{name}.{key}": value
        for name, module in (("generator", parts.generator), ("face", parts.face))
        for key, value in module.state_dict().items()
    }
    ramp = np.linspace(0, 255, 128)
    plate = np.stack([np.broadcast_to(ramp, (128, 128)), np.broadcast_to(ramp[:, None], (128, 128))] * 2, -1)
    _, png = cv2.imencode(".png", plate[..., :3].astype(np.uint8))
    window = Window(left=0.0, top=0.0, scale=2.0, size=(64, 64), frame_size=(128, 128))
    follow = None
    if given.follow:
        window = Window.full((128, 128))
        follow = Following(size=(64, 64), canvas=(128, 128), step=4)
    info = DancerInfo(
        recipe=recipe,
        components=component_ids(recipe),
        skeleton=target.skeleton.id,
        window=window,
        follow=follow,
        rate=Fraction(25),
        licence="CC0-1.0",
        subject="rendered",
        training={"steps": 0, "seed": 3},
    )
    path = FOLDER / f"{given.name}.safetensors"
    FOLDER.mkdir(parents=True, exist_ok=True)
    digest = save_dancer(path, info, networks, target=target, plate_png=png.tobytes(), dtype=given.dtype)
    training = build_training(recipe, parts)
    judges = {"discriminator": training.discriminator, "face_discriminator": training.face_discriminator}
    save_critic(
        path,
        info,
        {f"{n}.{k}": v for n, module in judges.items() for k, v in module.state_dict().items()},
        dancer_sha256=digest,
        dtype=given.dtype,
    )
    frames = np.stack(list(Dancer.load(path, device="cpu").paint(target)))
    np.savez_compressed(path.with_suffix(".npz"), frames=frames)
    print(path, path.stat().st_size, digest)


if __name__ == "__main__":
    main()
