"""How near is a reference to the right picture before anything is trained? What `reference: nearest` begins with.

    python benchmarks/references.py [--size 128] [--data DIR] [--json]

The references of every sixth frame of a dance that the target also did for the camera, drawn onto the clean plate and
compared with the true frame in the person's mask: PSNR, SSIM and sharpness (1 is right) of the picture that the
generator is shown, the PSNR in the part of the mask that is within a head's width of the head's middle, the PSNR in
and around the arms (within half a head's width of the wanted arms' bones), and how often
another frame takes over in the whole dance. `bent` is the PSNR if the picture were moved along the optical flow onto
the true one, smoothed (what `residual_flow` has to learn); `best` that of several references if at each place the one
that differs least were taken (what the shares of `copy_pixels` have to learn). DIR is like ../shared/data/dancefloor:
`target_train.mp4`, `target_truth.mp4` and `target_truth.npz`. Poses are found, not given.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dancekit.boxes import face_boxes, head_widths
from dancekit.build import build_filters, build_pose, create
from dancekit.config import load_recipe
from dancekit.data.framing import crop
from dancekit.data.poses import apply_filters, track_person
from dancekit.data.references import make_bank
from dancekit.data.training_set import TrainingSet, crop_mask, prepare
from dancekit.references.nearest import Nearest
from dancekit.video import read_frames

EVERY = 6
SMOOTH, FURTHEST = 1 / 32, 1 / 50
"""Of the flow that bends the picture, in picture heights: the Gaussian that smooths it, and how far it may reach."""
PLACE = 1 / 85
"""Where the best of several references is asked for: the Gaussian's width, in picture heights."""
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
    "mean of 4": {"frames": 4},
    "head of its own": {"head": "nearest"},
    "head and arms of their own": {"head": "nearest", "arms": "nearest"},
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
    shown, each = [], []
    for number in range(0, len(xy), EVERY):
        seen = bank.draw(reference, chosen[number], xy[number], score[number], renderer).numpy()
        seen = seen.reshape(reference.frames, -1, *seen.shape[1:])[:, :4]
        each.append([_on_plate(one, plate) for one in seen])
        shown.append(_on_plate(seen.mean(0), plate))
    boxes = face_boxes(xy, score, data.target.skeleton)[::EVERY]
    rows, columns = np.mgrid[0 : data.window.size[1], 0 : data.window.size[0]]
    middle = (boxes[:, :2] + boxes[:, 2:])[..., None, None] / 2
    radius = (boxes[:, 2] - boxes[:, 0])[:, None, None] * HEAD_RADIUS
    heads = masks & (np.hypot(columns - middle[:, 0], rows - middle[:, 1]) < radius)
    scores = {
        name: float(np.nanmean(create("metric", name)(np.stack(shown), frames, masks)))
        for name in ("psnr", "ssim", "sharpness")
    }
    pairs = list(zip(each, frames, strict=True))
    scores |= {
        "bent": _psnr([_bent(ones[0], true) for ones, true in pairs], frames, masks),
        "best": _psnr([_best(ones, true) for ones, true in pairs], frames, masks),
    }
    seen_of_head = create("metric", "psnr")(np.stack(shown), frames, heads)
    scores |= {"head psnr": float(np.nanmean(seen_of_head))}
    arms = _arms(xy[::EVERY], score[::EVERY], data)
    scores |= {"arms psnr": _psnr(shown, frames, arms)}
    return scores | {"changes": int((np.diff(chosen[:, 0]) != 0).sum()), "kilobytes": len(bank.png()) / 1000}


def _on_plate(seen: Any, plate: Any) -> Any:
    picture = (seen[:3] + seen[3]) * 127.5 + plate * (1 - seen[3])
    return picture.clip(0, 255).round().astype(np.uint8).transpose(1, 2, 0)


def _arms(xy: Any, score: Any, data: TrainingSet) -> Any:
    """Where arms should be, and half a head's width around."""
    skeleton, masks = data.target.skeleton, []
    widths = head_widths(xy, score, skeleton)
    for points, known, width in zip(xy, score, widths, strict=True):
        mask = np.zeros(data.window.size[::-1], np.uint8)
        for side in ("left", "right"):
            joints = [skeleton.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist", "index")]
            if (known[joints] > 0).all() and np.isfinite(width):
                line = [points[joints].round().astype(np.int32)]
                cv2.polylines(mask, line, isClosed=False, color=255, thickness=max(1, round(width)))
        masks.append(mask > 0)
    return np.stack(masks)


def _psnr(shown: list[Any], frames: Any, masks: Any) -> float:
    return float(np.nanmean(create("metric", "psnr")(np.stack(shown), frames, masks)))


def _bent(shown: Any, true: Any) -> Any:
    """Moved along the optical flow to the true picture, as smooth and as far as can be learnt."""
    height, width = shown.shape[:2]
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (true, shown)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)
    flow = cv2.GaussianBlur(flow, (0, 0), SMOOTH * height).clip(-FURTHEST * height, FURTHEST * height)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(shown, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_CUBIC)


def _best(ones: list[Any], true: Any) -> Any:
    """Of several pictures at each place the one that differs least there."""
    wrong = [((one.astype(np.float32) - true) ** 2).sum(-1) for one in ones]
    near = np.stack([cv2.GaussianBlur(each, (0, 0), PLACE * len(true)) for each in wrong]).argmin(0)
    return np.take_along_axis(np.stack(ones), near[None, ..., None], 0)[0]


if __name__ == "__main__":
    main()
