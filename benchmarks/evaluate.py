"""How fast `dancekit evaluate` compares two videos, and how much memory it takes.

    python benchmarks/evaluate.py [--data DIR] [--frames 300] [--size 512] [--json]

`--data DIR` takes `source_dance.mp4` of a dancefloor folder, else the shipped sample; the painted video is the same,
blurred. `frames_per_second` counts the whole comparison: decoding both, all metrics of protocol `paired` that need no
download, in all their regions (masks are found once beforehand and not counted, as they are kept in the cache);
`with_poses` adds the pose metrics, for which the embedded BlazePose looks at every frame of both. `cpu_seconds` is
process time. `memory_growth` is the peak of the second half's resident memory over the first half's: 1 is constant.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import cv2

from dancekit.evaluate.protocols import Protocol, load_protocol
from dancekit.evaluate.videos import evaluate_videos
from dancekit.resources import data_path
from dancekit.video import VideoWriter, read_frames

NEEDS_DOWNLOAD = ("lpips", "fid")
POSES = ("pose_distance", "pck", "missed_joints", "akd", "swaps", "foot_skating", "accents")


def make(source: Path, out: Path, frames: int, side: int, blur: float) -> Path:
    """A clip of so many frames, the source again and again."""
    rate = Fraction(25)
    some = [frame.rgb for frame in read_frames(source, stop=min(frames, 100))]
    with VideoWriter(out, size=(side, side), time_base=1 / rate, rate=rate) as writer:
        for number, rgb in enumerate(islice(cycle(some + some[::-1]), frames)):
            frame = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
            writer.write(cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame, number)
    return out


def protocol(*, poses: bool) -> Protocol:
    """`paired` without what needs a download, and perhaps without poses."""
    whole = load_protocol("paired")
    left_out = NEEDS_DOWNLOAD if poses else (*NEEDS_DOWNLOAD, *POSES)
    return whole.model_copy(update={"metrics": [t for t in whole.metrics if t.name not in left_out]})


def resident() -> float:
    """Megabytes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(fake: Path, real: Path, *, poses: bool) -> dict[str, float]:
    """One comparison."""
    memory: list[float] = []

    def progress(what: str, done: int, total: int | None) -> None:
        if what == "scoring":
            memory.append(resident())

    chosen = protocol(poses=poses)
    began = [time.perf_counter(), time.process_time()]
    found = evaluate_videos(fake, real, chosen, baselines=False, device="cpu", progress=progress)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    half = len(memory) // 2
    return {
        "frames_per_second": round(found.frames / wall, 2),
        "frames_per_cpu_second": round(found.frames / cpu, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(max(memory)),
        "memory_growth": round(max(memory[half:]) / max(memory[: half + 1]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    source = given.data / "source_dance.mp4" if given.data else data_path("zoo/samples/source.mp4")
    with tempfile.TemporaryDirectory() as folder:
        real = make(source, Path(folder) / "real.mp4", given.frames, given.size, 0)
        fake = make(source, Path(folder) / "fake.mp4", given.frames, given.size, 1.5)
        measure(fake, real, poses=False)  # masks into the cache, kernels warm
        result = {
            "frames": given.frames,
            "size": given.size,
            "images": measure(fake, real, poses=False),
            "with_poses": measure(fake, real, poses=True),
        }
    if given.json:
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    for name in ("images", "with_poses"):
        print(name, result[name])


if __name__ == "__main__":
    main()
