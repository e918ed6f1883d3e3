"""How fast the metrics are that look at frames: five regions each, memory constant over the clip.

    python benchmarks/metrics.py [--frames 300] [--size 512] [--json]

`cpu_ms` is processor time a frame, `wall_ms` what passed; `frames_per_second` counts all metrics together.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from scipy import ndimage

from dancekit.metrics.image import L1, PSNR, Sharpness
from dancekit.metrics.structure import MSSSIM, SSIM
from dancekit.metrics.temporal import Flicker, FrameDifference
from dancekit.metrics.warping import WarpingError

CHUNK = 16


def clip(size: int, start: int, frames: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray | None]]:
    """A textured room in which a textured square moves; painted: noisy. Frames `start` and on."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, size, size, 3))
    flat = sum(ndimage.gaussian_filter(noise, (0, s, s, 0)) * s for s in (0.7, 2, 6))
    room, dancer = (128 + 30 * flat / flat.std()).clip(0, 255).astype(np.uint8)
    real, mask = np.repeat(room[None], frames, 0), np.zeros((frames, size, size), bool)
    for number in range(frames):
        left = size // 4 + (2 * (start + number)) % (size // 4)
        place = np.s_[size // 8 : -size // 8, left : left + size // 3]
        real[number][place], mask[number][place] = dancer[place[0], : size // 3], True
    fake = (real + np.random.default_rng(start).normal(0, 6, real.shape)).clip(0, 255).astype(np.uint8)
    face = np.zeros_like(mask)
    face[:, size // 8 : size // 4, size // 3 : size // 2] = True
    return fake, real, {"frame": None, "mask": mask, "box": mask, "face": face, "hands": face}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    metrics = [L1(), PSNR(), SSIM(), MSSSIM(), Sharpness(), WarpingError(), FrameDifference()]
    flicker = Flicker(rate=30.0)
    cpu, wall = (dict.fromkeys([type(metric).__name__ for metric in (*metrics, flicker)], 0.0) for _ in "ab")
    for start in range(0, arguments.frames, CHUNK):
        fake, real, masks = clip(arguments.size, start, min(CHUNK, arguments.frames - start))
        for metric in (*metrics, flicker):
            name, began, clock = type(metric).__name__, time.process_time(), time.perf_counter()
            if isinstance(metric, Flicker):
                metric.update(fake, real, None)
            else:
                metric.regions(fake, real, masks)
            cpu[name] += time.process_time() - began
            wall[name] += time.perf_counter() - clock
    result = {
        "frames": arguments.frames,
        "size": arguments.size,
        "cpu_ms": {name: round(1000 * seconds / arguments.frames, 2) for name, seconds in cpu.items()},
        "wall_ms": {name: round(1000 * seconds / arguments.frames, 2) for name, seconds in wall.items()},
        "frames_per_second": round(arguments.frames / sum(wall.values()), 1),
        "frames_per_second_of_cpu": round(arguments.frames / sum(cpu.values()), 1),
    }
    print(json.dumps(result, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
