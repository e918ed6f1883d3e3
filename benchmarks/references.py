"""How near is a reference to the right picture before anything is trained? What `reference: nearest` begins with.

    python benchmarks/references.py [--size 128] [--data DIR] [--json]

The references of every sixth frame of a dance that the target also did for the camera, drawn onto the clean plate and
compared with the true frame in the person's mask: PSNR, SSIM and sharpness (1 is right) of the picture that the
generator is shown, the PSNR in the part of the mask that is within a head's width of the head's middle, and how often
another frame takes over in the whole dance. DIR is like ../shared/data/dancefloor:
`target_train.mp4`, `target_truth.mp4` and `target_truth.npz`. Poses are found, not given.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dancekit.boxes import face_boxes
from dancekit.build import build_filters, build_pose, create
from dancekit.config import load_recipe
from dancekit.data.framing import crop
from dancekit.data.poses import apply_filters, track_person
from dancekit.data.references import make_bank
from dancekit.data.training_set import TrainingSet, crop_mask, prepare
from dancekit.references.nearest import Nearest
from dancekit.video import read_frames

EVERY = 6
HEAD_RADIUS = 0.4
"""Of the face box's side, which is 2.5 head widths: a head's width."""
WAYS: dict[str, dict[str, Any]] = {
    "nearest frame, shifted": {"align": "shift"},
    "limb by limb": {},
    "bank of 16": {"bank": 16},
    "bank of 128": {"bank": 128},
    "no hysteresis": {"hysteresis": 0.0},
    "mean of 2": {"frames": 2},
    "mean of 3": {"frames": 3},
    "head of its own": {"head": "nearest"},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=128, help="side of the window, pixels")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/dancefloor"))
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data, clip = prepared(arguments.data, arguments.size, Path(folder))
        for name in arguments.only:
            found[name] = measured(Nearest(**WAYS[name]), data, *clip)
            if not arguments.json:
                numbers = ", ".join(f"{key} {value:.4g}" for key, value in found[name].items())
                print(f"{name}: {numbers}", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=2))


def prepared(folder: Path, size: int, work: Path) -> tuple[TrainingSet, tuple[Any, ...]]:
    """The training set; and of the truth the poses in window pixels, the frames and the masks."""
    recipe = load_recipe("base", [f"size=[{size},{size}]"])
    backend, filters = build_pose(recipe, "cpu"), build_filters(recipe)
    tracked = track_person(folder / "target_train.mp4", backend, recipe.pose)
    data = prepare(
        folder / "target_train.mp4", tracked, filters=filters, size=recipe.size, folder=work / "data"
    )
    truth = folder / "target_truth.mp4"
    poses = apply_filters(track_person(truth, backend, recipe.pose).poses, filters)
    frames = np.stack([crop(frame.rgb, data.window) for frame in read_frames(truth)][::EVERY])
    bits = np.load(folder / "target_truth.npz")["mask_bits"][::EVERY]
    width = data.window.frame_size[0]
    masks = [
        crop_mask(np.unpackbits(row, axis=1)[:, :width] * np.uint8(255), data.window) > 127 for row in bits
    ]
    return data, (data.window.to_window(poses.xy), poses.score, frames, np.stack(masks))


def measured(
    reference: Nearest, data: TrainingSet, xy: Any, score: Any, frames: Any, masks: Any
) -> dict[str, float]:
    """The mean of a frame's references on the plate, against the truth."""
    bank = make_bank(data, reference)
    assert bank is not None
    renderer = create(
        "renderer", "sticks", skeleton=data.target.skeleton, size=data.window.size, device="cpu"
    )
    chosen = bank.choose(reference, xy, score)
    plate = crop(data.plate, data.window).astype(np.float32).transpose(2, 0, 1)
    shown = []
    for number in range(0, len(xy), EVERY):
        seen = bank.draw(reference, chosen[number], xy[number], score[number], renderer).numpy()
        seen = seen.reshape(reference.frames, -1, *seen.shape[1:])[:, :4].mean(0)
        picture = (seen[:3] + seen[3]) * 127.5 + plate * (1 - seen[3])
        shown.append(picture.clip(0, 255).round().astype(np.uint8).transpose(1, 2, 0))
    boxes = face_boxes(xy, score, data.target.skeleton)[::EVERY]
    rows, columns = np.mgrid[0 : data.window.size[1], 0 : data.window.size[0]]
    middle = (boxes[:, :2] + boxes[:, 2:])[..., None, None] / 2
    radius = (boxes[:, 2] - boxes[:, 0])[:, None, None] * HEAD_RADIUS
    heads = masks & (np.hypot(columns - middle[:, 0], rows - middle[:, 1]) < radius)
    scores = {
        name: float(np.nanmean(create("metric", name)(np.stack(shown), frames, masks)))
        for name in ("psnr", "ssim", "sharpness")
    }
    seen_of_head = create("metric", "psnr")(np.stack(shown), frames, heads)
    scores |= {"head psnr": float(np.nanmean(seen_of_head))}
    return scores | {"changes": int((np.diff(chosen[:, 0]) != 0).sum()), "kilobytes": len(bank.png()) / 1000}


if __name__ == "__main__":
    main()
