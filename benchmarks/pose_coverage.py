"""Does the distance to what was filmed tell how badly a frame is painted? Spearman's rank correlation.

    python benchmarks/pose_coverage.py [--dancer FILE] [--clip VIDEO] [--masks NPZ] [--json]

The dancer paints a held-out clip of its own target from that clip's poses; a frame's painting error is the
mean absolute difference within the person's mask (`l1`) and the lost PSNR there (`-psnr`). `pose` is the measure
in use (`dancekit.data.coverage`): the distance to the nearest filmed pose wherever that was; `place` is how far
the person is from where they were filmed, and `in_place` the distance to the nearest pose in the same place.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dancekit.data.coverage import PoseRange
from dancekit.data.framing import crop
from dancekit.metrics.baselines import pose_distances
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence
from dancekit.video import read_frames


def errors(dancer: Dancer, clip: Path, masks: Path, poses: PoseSequence) -> dict[str, np.ndarray[Any, Any]]:
    window = dancer.info.window
    bits = np.load(masks)["mask_bits"]
    l1, psnr = [], []
    for number, (painted, frame) in enumerate(zip(dancer.paint(poses), read_frames(clip), strict=True)):
        mask = np.unpackbits(bits[number], axis=1)[:, : frame.rgb.shape[1]]
        person = crop(np.repeat(mask[..., None] * np.uint8(255), 3, 2), window)[..., 0] > 127
        difference = painted[person].astype(float) - crop(frame.rgb, window)[person]
        l1.append(np.abs(difference).mean())
        psnr.append(10 * np.log10(255**2 / (difference**2).mean()))
    return {"l1": np.array(l1), "-psnr": -np.array(psnr)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--data", help="unused: see --clip")
    parser.add_argument("--dancer", type=Path, default=None)
    parser.add_argument("--clip", type=Path, default=None)
    parser.add_argument("--masks", type=Path, default=None)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    dancer = Dancer.load(
        arguments.dancer or data_path("zoo/weights/demo.safetensors"), device=arguments.device
    )
    clip = arguments.clip or data_path("zoo/samples/truth.mp4")
    poses = dancer.poses_of(clip)
    found = errors(dancer, clip, arguments.masks or data_path("zoo/samples/truth.npz"), poses)
    result: dict[str, Any] = {"dancer": dancer.path.name, "clip": Path(clip).name, "frames": len(poses)}
    coverage = PoseRange(dancer.target).coverage(poses)
    result |= {"outside": round(coverage.share, 4), "out_of_place": round(coverage.share_out_of_place, 4)}
    measures = {
        "pose": coverage.distance,
        "place": coverage.place,
        "in_place": pose_distances(dancer.target[dancer.target.found], poses).min(1).astype(float),
    }
    for name, distance in measures.items():
        known = np.isfinite(distance)
        result[name] = {
            f"spearman_{what}": round(float(spearmanr(distance[known], error[known]).statistic), 3)
            for what, error in found.items()
        }
    print(
        json.dumps(result, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in result.items())
    )


if __name__ == "__main__":
    main()
