"""Time the condition images of every renderer, each way of drawing, and compare the two ways of each.

    python benchmarks/render_device.py [--device cpu] [--size N] [--frames N] [--rounds N] [--json]

`pixels` is what `__call__` does on the CPU (covered pixels only), `field` is `draw` (every pixel, in torch,
on --device), `gradient` is `draw` with its backward pass. Milliseconds a frame, the median over the rounds
after a warm-up: CPU time of the process on the CPU (other work on the machine disturbs it little), wall time
with synchronization elsewhere. `worst` and `mean` are the difference of both ways in grey levels of 255.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dancekit import create
from dancekit.types import get_skeleton


def people(frames: int, size: int, joints: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Joints scattered over the middle of the picture, as far apart as a dancer's; all there."""
    rng = np.random.default_rng(0)
    middle = rng.uniform(0.4, 0.6, (frames, 1, 2))
    xy = (middle + rng.normal(0, [0.1, 0.2], (frames, joints, 2))) * size
    return xy.astype(np.float32), np.ones((frames, joints), np.float32)


def milliseconds(work: Callable[[], object], rounds: int, frames: int, device: str) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    times = []
    for _ in range(rounds + 1):
        start = clock()
        work()
        if device != "cpu":
            torch.cuda.synchronize() if device.startswith("cuda") else torch.mps.synchronize()
        times.append(clock() - start)
    return round(1e3 * statistics.median(times[1:]) / frames, 3)


def measure(name: str, skeleton: str, arguments: argparse.Namespace) -> dict[str, Any]:
    layout = get_skeleton(skeleton)
    size = (arguments.size, arguments.size)
    renderer = create("renderer", name, skeleton=layout, size=size, device="cpu")
    xy, score = people(arguments.frames, arguments.size, len(layout))
    place = torch.from_numpy(xy).to(arguments.device)
    known = torch.from_numpy(score).to(arguments.device)

    def backward() -> None:
        at = place.clone().requires_grad_()
        renderer.draw(at, known).sum().backward()

    with torch.no_grad():
        apart = (renderer(xy, score) - renderer.draw(place, known).cpu()).abs() * 255
        pixels = milliseconds(lambda: renderer(xy, score), arguments.rounds, len(xy), "cpu")
        field = milliseconds(lambda: renderer.draw(place, known), arguments.rounds, len(xy), arguments.device)
    return {
        "renderer": f"{name}@{renderer.version}",
        "skeleton": skeleton,
        "channels": renderer.spec.channels,
        "pixels_ms": pixels,
        "field_ms": field,
        "gradient_ms": milliseconds(backward, arguments.rounds, len(xy), arguments.device),
        "worst": round(apart.max().item(), 4),
        "mean": round(apart.mean().item(), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--data", help="unused: this benchmark makes its own input")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [
        measure(name, skeleton, arguments)
        for name in ("sticks", "limbs", "heatmaps")
        for skeleton in ("blazepose_33", "wholebody_133")
    ]
    result = {
        "what": "condition images, milliseconds a frame",
        "device": arguments.device,
        "size": [arguments.size, arguments.size],
        "threads": torch.get_num_threads(),
        "rows": rows,
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
