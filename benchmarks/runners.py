"""Generator and pose networks by each runner: processor time a frame, and how far the pictures are from torch's.

    python benchmarks/runners.py zoo/weights/demo.safetensors [--runner torch winograd openvino+int8] [--frames 12]

One thread, so that processor time is what a frame costs on a core, also on a machine that has other work. `ms` is
the median, `best_ms` the smallest; `psnr_db` compares the dancer's whole pictures (own poses, history fed back) with
torch's. `plain` is pix2pixHD's generator as the original computes it: channels first, `nn.InstanceNorm2d`.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from generator import plain

from dancekit.build import build_pose, build_runner
from dancekit.config import load_recipe
from dancekit.generators.pix2pixhd import Pix2PixHD
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.transfer.int8 import psnrs
from dancekit.video import read_frames

RUNNERS = ["torch", "winograd", "onnxruntime", "openvino", "onnxruntime+int8", "openvino+int8"]


def cost(work: Callable[[int], Any], frames: int) -> dict[str, float]:
    """Milliseconds of processor time."""
    work(0)
    used = []
    for number in range(frames):
        began = time.process_time()
        work(number)
        used.append(1e3 * (time.process_time() - began))
    return {"ms": round(float(np.median(used)), 2), "best_ms": round(min(used), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dancer", nargs="?", default=str(data_path("zoo/weights/demo.safetensors")))
    parser.add_argument("--runner", nargs="+", default=RUNNERS, help="also compiled")
    parser.add_argument("--frames", type=int, default=12)
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    expected = None
    for name in dict.fromkeys(["torch", *args.runner]):
        runner, _, integers = name.partition("+")
        dancer = Dancer.load(args.dancer, device="cpu", runner=runner, threads=1, int8=bool(integers))
        pictures = list(dancer.paint(dancer.target[100 : 100 + args.frames]))
        expected = pictures if expected is None else expected
        each = psnrs(pictures, expected)
        example = dancer.painter.example()
        with torch.inference_mode():
            found = cost(lambda _, run=dancer.painter.network, x=example: run(x), args.frames)
        results[f"generator {name}"] = found | {
            "psnr_db": round(float(each.mean()), 2),
            "worst_psnr_db": round(float(each.min()), 2),
        }
        generator = dancer.painter.parts.generator
        if name == "torch" and isinstance(generator, Pix2PixHD):
            first = plain(copy.deepcopy(generator).to(memory_format=torch.contiguous_format))
            with torch.inference_mode():
                results["generator plain"] = cost(lambda _, run=first, x=example: run(x), args.frames)
    clip = [frame.rgb for frame in read_frames(data_path("zoo/samples/source.mp4"), stop=args.frames + 1)]
    for name in args.runner:
        for model in ("full", "lite") if "+" not in name else ():
            recipe = load_recipe("base", [f"pose.model={model}"])
            people = build_pose(recipe, "cpu", build_runner(name, threads=1)).detect(iter(clip))
            results[f"pose {model} {name}"] = cost(lambda _, people=people: next(people), args.frames)
    print(json.dumps({"threads": 1, "frames": args.frames, "results": results}, indent=1))


if __name__ == "__main__":
    main()
