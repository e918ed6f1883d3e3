"""Measure BlazePose on clips with exact truth: how often, how exactly and how fast it finds the person.

    python benchmarks/pose.py --data ../shared/data/dancefloor [--json] [clip ...]

Counts as `dancefloor/verify.py` does: the 17 COCO joints, hidden ones included, distance over the standing
height projected at the person's distance. A joint that the backend calls missing counts as infinitely wrong.
The speed is that of detection, landmarks and mask together in tracking mode, without decoding; `cpu_ms` is
what one frame costs all threads together, and says more than `fps` on a machine that has other work.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.pose.blazepose import BlazePose
from dancekit.types import Detections

COCO = 17


class Timed:
    """Runs a backend over a clip and counts only the time spent in the backend."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.frames = 0

    def run(self, backend: BlazePose, path: Path) -> Iterator[Detections]:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        stream = backend.detect(frames)
        for _ in frames:
            wall, cpu = time.perf_counter(), time.process_time()
            found = next(stream)
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu
            self.frames += 1
            yield found


def standing_height(truth: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """(T,) pixels that the upright person would be tall at their distance."""
    names = truth["names"].tolist()
    depth = (truth["keypoints3d"] - truth["camera_eye"]) @ truth["camera_R"][2]
    hips = depth[:, [names.index("left_hip"), names.index("right_hip")]].mean(1)
    return np.asarray(truth["camera_f"] * truth["person_height"] / hips)


def measure(backend: BlazePose, clip: Path) -> dict[str, Any]:
    with np.load(clip.with_suffix(".npz")) as data:
        truth = dict(data)
    ours = [backend.spec.skeleton.index(name) for name in truth["names"].tolist()[:COCO]]
    masks = np.unpackbits(truth["mask_bits"], axis=2) > 0
    heights, timed = standing_height(truth), Timed()
    seen, errors, overlaps, missing = [], [], [], 0
    for number, found in enumerate(timed.run(backend, clip)):
        if not len(found) or found.mask is None:
            continue
        error = (
            np.linalg.norm(found.xy[0, ours] - truth["keypoints"][number, :COCO], axis=1) / heights[number]
        )
        seen.append(number)
        missing += int(np.isnan(error).sum())
        errors.append(np.nan_to_num(error, nan=np.inf))
        mask = found.mask[0] > 127
        overlaps.append((mask & masks[number]).sum() / (mask | masks[number]).sum())
    if not seen:
        return {"clip": clip.stem, "frames": timed.frames, "found": 0.0}
    errors = np.array(errors)
    visible = truth["visibility"][seen, :COCO] == 2
    return {
        "clip": clip.stem,
        "frames": timed.frames,
        "found": round(len(errors) / timed.frames, 4),
        "median_error": round(float(np.median(errors)), 5),
        "median_error_visible": round(float(np.median(errors[visible])), 5)
        if len(errors) == len(masks)
        else None,
        "within_5_percent": round(float((errors < 0.05).mean()), 4),
        "missing_joints": round(missing / errors.size, 4),
        "mask_iou": round(float(np.mean(overlaps)), 4),
        "fps": round(timed.frames / timed.wall, 1),
        "cpu_ms": round(1000 * timed.cpu / timed.frames, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", help="names without suffix; all if none")
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data/dancefloor"
    )
    parser.add_argument("--model", choices=("full", "lite"), default="full")
    parser.add_argument("--threshold", type=float, default=None)
    parser.add_argument("--static", action="store_true", help="search every frame, in batches")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = {} if arguments.threshold is None else {"threshold": arguments.threshold}
    backend = BlazePose(
        model=arguments.model, tracking=not arguments.static, device=arguments.device, **options
    )
    names = arguments.clips or sorted(path.stem for path in arguments.data.glob("*.npz"))
    results = []
    for name in names:
        result = measure(backend, arguments.data / f"{name}.mp4")
        results.append(result)
        if not arguments.json:
            print("  ".join(f"{key} {value}" for key, value in result.items()), flush=True)
    if arguments.json:
        total = sum(result["frames"] for result in results)
        found = sum(result["found"] * result["frames"] for result in results) / total
        summary = {
            "found": round(found, 4),
            "worst_median_error": max(result["median_error"] for result in results),
            "fps": round(total / sum(result["frames"] / result["fps"] for result in results), 1),
            "threads": arguments.threads,
        }
        print(json.dumps({"summary": summary, "clips": results}, indent=1))


if __name__ == "__main__":
    main()
