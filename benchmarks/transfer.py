"""How fast a transfer is, stage by stage and as a whole, and how much memory it takes.

    python benchmarks/transfer.py [--data DIR] [--sizes 256 512] [--frames 60] [--length 1500] [--recipe quick]
        [--dancer FILE ...] [--runner torch winograd openvino openvino+int8] [--threads 2] [--] [key=value ...]
    python benchmarks/transfer.py --minutes 1 10 [--recipe tiny] [--json]

`--data DIR` takes `source_dance.mp4` of a dancefloor folder, else the shipped sample; it is scaled to each size. The
dancer has random weights (speed does not depend on them, but 8-bit integers refuse them), a window of that size, and a
clip of 1080x1920; with `--dancer FILE` they are trained ones, of their own sizes.

Each stage runs alone in a fresh process: `fps` and `cpu_fps` (frames a second of wall and of processor time),
`median_ms` and `p99_ms` (wall), `peak_mb` (resident memory above that after the imports). Stages: `decode`, `pose`,
`render` (the condition image, and the references), `generate`, `refine` (the face), `composite` (into the clip),
`encode` (the window), `encode_full` (1080x1920). `whole` is a transfer of `--length` frames with all stages at once,
from a video to a video of the window, poses included: `fps`, the time from one finished frame to the next, and
`peak_mb` of the process. Runners find the graphs that were made for the stages, as in a user's second transfer.

`--minutes` paints sources of those lengths and says how the peak memory of the process grows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import build_painting, build_pose, build_runner
from dancekit.config import Recipe, load_recipe
from dancekit.contracts import MattedBackground, State
from dancekit.dancer import DancerInfo, component_ids, read_info, save_dancer
from dancekit.data.framing import crop
from dancekit.data.references import ReferenceBank
from dancekit.resources import data_path
from dancekit.transfer import Dancer
from dancekit.transfer.composite import MattedPerson
from dancekit.types import PoseSequence, Window
from dancekit.video import VideoWriter, read_frames

FULL = (1080, 1920)
RATE = Fraction(25)
WARM = 3
STAGES = ("decode", "pose", "render", "generate", "refine", "composite", "encode", "encode_full")
COMPUTED = ("pose", "generate")
"""Stages that a runner computes."""

STAY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

Image = NDArray[np.uint8]
Work = Callable[[int], Any]


def make_source(given: Path, out: Path, side: int, frames: int) -> None:
    """The dance again and again, forwards and backwards."""
    some = [
        cv2.resize(frame.rgb, (side, side), interpolation=cv2.INTER_AREA)
        for frame in read_frames(given, stop=100)
    ]
    with VideoWriter(out, size=(side, side), time_base=1 / RATE, rate=RATE, preset="veryfast") as writer:
        for number, rgb in enumerate(islice(cycle(some + some[-2:0:-1]), frames)):
            writer.write(rgb, number)


def make_dancer(out: Path, recipe: Recipe, poses: PoseSequence) -> None:
    """Weights at random; the poses are the source's, scaled into the middle of a phone's clip."""
    ratio = FULL[0] / poses.size[0]
    xy = poses.xy * np.float32(ratio) + np.float32([0, (FULL[1] - ratio * poses.size[1]) / 2])
    target = poses.replace(xy=xy, size=FULL)
    torch.manual_seed(0)
    parts = build_painting(recipe, target.skeleton)
    networks = {
        f"{name}.{key}": value
        for name, module in parts.networks.items()
        for key, value in module.state_dict().items()
    }
    info = DancerInfo(
        recipe=recipe,
        components=component_ids(recipe),
        skeleton=target.skeleton.id,
        window=Window.around(target.xy, size=recipe.size, frame_size=FULL),
        rate=RATE,
    )
    plate = np.random.default_rng(0).integers(0, 255, (FULL[1], FULL[0], 3), np.uint8)
    _, png = cv2.imencode(".png", plate)
    bank = make_bank(recipe, info.window, target)
    save_dancer(out, info, networks, target=target, plate_png=png.tobytes(), references=bank)


def make_bank(recipe: Recipe, window: Window, target: PoseSequence) -> ReferenceBank | None:
    """As many references as the recipe wants, without a person's picture: poses spread over the target's."""
    if recipe.reference.name == "none":
        return None
    wanted = min(int(recipe.reference.params["bank"]), len(target))
    some = target[np.linspace(0, len(target) - 1, wanted).round().astype(int)]
    width, height = window.size
    poses = some.replace(xy=window.to_window(some.xy), size=window.size)
    return ReferenceBank(np.full((wanted, height, width, 4), 255, np.uint8), poses)


def load(file: Path, runner: str) -> Dancer:
    """The dancer, computed by a runner; `openvino+int8` is one in 8-bit integers."""
    name, _, integers = runner.partition("+")
    return Dancer.load(file, device="cpu", runner=name, threads=torch.get_num_threads(), int8=bool(integers))


# ---- one stage ---------------------------------------------------------------------------------------------


def timed(stage: str, source: Path, dancer_file: Path, runner: str, frames: int) -> dict[str, float]:
    """A stage alone."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    work = make_work(stage, source, dancer_file, runner)
    for number in range(WARM):
        work(number)
    seconds, cpu = [], time.process_time()
    for number in range(frames):
        began = time.perf_counter()
        work(WARM + number)
        seconds.append(time.perf_counter() - began)
    return summary(seconds, time.process_time() - cpu) | {"peak_mb": round(peak() - before, 1)}


def make_work(stage: str, source: Path, dancer_file: Path, runner: str) -> Work:
    if stage == "decode":
        again = endless(source)
        return lambda number: next(again)
    dancer = load(dancer_file, runner)
    painter, window, poses = dancer.painter, dancer.info.window, dancer.target
    if stage == "pose":
        computes = build_runner(runner.removesuffix("+int8"), threads=torch.get_num_threads())
        people = build_pose(dancer.info.recipe, "cpu", computes, masks=False).detect(endless(source))
        return lambda number: next(people)
    if stage in ("composite", "encode", "encode_full"):
        return output_work(stage, dancer, source.parent)
    xy = window.to_window(poses.xy)
    places = painter.places(xy)  # of a window that follows

    def draw(number: int) -> torch.Tensor:
        row = slice(number % len(poses), number % len(poses) + 1)
        where = None if places is None else places[row]
        return next(painter.draw(xy[row], poses.score[row], places=where))

    if stage == "render":
        return draw
    drawn, boxes = draw(0), painter.face_boxes(xy, poses.score, places=places)
    channels = painter.parts.renderer.spec.channels
    condition, references = drawn[:, :channels], drawn[:, channels:]
    if stage == "refine":
        image, box = torch.zeros(1, 3, *painter.size[::-1]), torch.from_numpy(boxes[:1])
        return torch.inference_mode()(lambda number: painter.parts.face(image, condition, box))
    state: list[State | None] = [None]
    parts, plate = painter.parts, torch.zeros(1, 3, *painter.size[::-1])

    def paint(given: torch.Tensor) -> torch.Tensor:
        output = painter.network(torch.cat([given, references], 1))
        return parts.background.compose(parts.reference.compose(output, references), plate)

    @torch.inference_mode()
    def generate(number: int) -> None:
        _, state[0] = parts.temporal.step(paint, condition, state[0])

    return generate


def output_work(stage: str, dancer: Dancer, folder: Path) -> Work:
    """What comes after the networks."""
    window, plate = dancer.info.window, dancer.plate
    size = FULL if stage == "encode_full" else window.size
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 255, (size[1], size[0], 3), np.uint8), (0, 0), 3)
    if stage == "composite":
        assert isinstance(dancer.painter.parts.background, MattedBackground)
        composer = MattedPerson(window, crop(plate, window), plate, matrix=STAY, inner=plate.shape[1::-1])
        matte = np.zeros(window.size[::-1], np.uint8)
        matte[10:-10, window.size[0] // 3 : -window.size[0] // 3] = 255  # a third of the window's width
        return lambda number: composer(noise, matte)
    writer = VideoWriter(folder / f"{stage}.mp4", size=size, time_base=1 / RATE, rate=RATE, force=True)
    return lambda number: writer.write(np.roll(noise, number, 1), number)


def endless(source: Path) -> Iterator[Image]:
    while True:
        for frame in read_frames(source):
            yield frame.rgb


# ---- the whole ---------------------------------------------------------------------------------------------


def whole(source: Path, dancer_file: Path, runner: str) -> dict[str, float]:
    """A transfer: poses and painting, all stages at once."""
    dancer = load(dancer_file, runner)
    finished: list[float] = []

    def progress(what: str, done: int, total: int | None) -> None:
        if what == "painting":
            finished.append(time.perf_counter())

    began, cpu = time.perf_counter(), time.process_time()
    result = dancer.transfer(
        source,
        source.with_name("whole.mp4"),
        force=True,
        progress=progress,
    )
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return summary(np.diff(finished[1:]).tolist(), used) | {
        "fps": round(result.frames / seconds, 2),
        "cpu_fps": round(result.frames / used, 2),
        "frames": result.frames,
        "peak_mb": round(peak(), 1),
    }


def summary(seconds: list[float], cpu: float) -> dict[str, float]:
    return {
        "fps": round(len(seconds) / sum(seconds), 2),
        "cpu_fps": round(len(seconds) / max(cpu, 1e-9), 2),
        "median_ms": round(1e3 * float(np.median(seconds)), 2),
        "p99_ms": round(1e3 * float(np.quantile(seconds, 0.99)), 2),
    }


def peak() -> float:
    """Megabytes of resident memory at most, so far (ru_maxrss begins with that of the process before exec)."""
    return memory("VmHWM")


def memory(what: str) -> float:
    found = re.search(rf"{what}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1.024e-3


# ---- the command line --------------------------------------------------------------------------------------


def apart(cache: Path, *arguments: str | Path | int) -> dict[str, float]:
    """Measure in a fresh process, with a cache of the benchmark's own."""
    shutil.rmtree(cache / "poses", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "DANCEKIT_CACHE": str(cache)},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def filmed() -> PoseSequence:
    """A target's poses."""
    return Dancer.load(data_path("zoo/weights/demo.safetensors"), device="cpu").target


def measure_sizes(args: argparse.Namespace, given: Path, folder: Path) -> dict[str, Any]:
    """Stages that no runner computes once; the others, and the whole, for each."""
    results: dict[str, Any] = {}
    for each in args.dancer or args.sizes:
        if isinstance(each, Path):
            where, dancer, side = str(each), each, read_info(each).recipe.size[0]
        else:
            where, dancer, side = f"{each}x{each}", folder / f"{each}.safetensors", each
            make_dancer(
                dancer, load_recipe(args.recipe, [f"size=[{side}, {side}]", *args.overrides]), filmed()
            )
        own = folder / f"of-{len(results)}"  # two dancers may have one size
        own.mkdir()
        cache, source, long = folder / "cache", own / f"{side}.mp4", own / f"{side}-long.mp4"
        make_source(given, source, side, args.frames)
        make_source(given, long, side, args.length or args.frames)
        shared = [stage for stage in STAGES if stage not in COMPUTED]
        found = {
            stage: apart(cache, "--only", stage, source, dancer, "torch", args.frames) for stage in shared
        }
        for runner in args.runner:
            for stage in (*COMPUTED, "whole"):
                clip = long if stage == "whole" else source
                found[f"{stage} {runner}"] = apart(cache, "--only", stage, clip, dancer, runner, args.frames)
        results[where] = found
    return results


def measure_lengths(args: argparse.Namespace, given: Path, folder: Path) -> dict[str, Any]:
    recipe = load_recipe(args.recipe, list(args.overrides))
    results: dict[str, Any] = {}
    for minutes in args.minutes:
        source, dancer = folder / f"{minutes:g}.mp4", folder / "dancer.safetensors"
        make_source(given, source, recipe.size[0], round(minutes * 60 * RATE))
        if not dancer.exists():
            make_dancer(dancer, recipe, filmed())
        results[f"{minutes:g} min"] = apart(
            folder / "cache", "--only", "whole", source, dancer, args.runner[0], 0
        )
    peaks = [each["peak_mb"] for each in results.values()]
    return {**results, "memory_growth": round(max(peaks) / min(peaks), 4)}


def main() -> None:
    if sys.argv[1:2] == ["--only"]:
        _, _, stage, source, dancer, runner, frames = sys.argv
        paths = Path(source), Path(dancer)
        result = whole(*paths, runner) if stage == "whole" else timed(stage, *paths, runner, int(frames))
        print(json.dumps(result))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="folder with source_dance.mp4 (or dancefloor/source_dance.mp4)"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument(
        "--dancer", type=Path, nargs="+", help="trained ones in place of --recipe and --sizes"
    )
    parser.add_argument("--length", type=int, help="frames of the whole transfer; --frames if left away")
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--runner", nargs="+", default=["torch"], help="dancekit ls runner; openvino+int8")
    parser.add_argument("--threads", type=int, help="of a computation; one a core if left away")
    parser.add_argument(
        "overrides", nargs="*", default=[], help="key=value of the recipe, such as generator=unet"
    )
    parser.add_argument("--minutes", type=float, nargs="+", help="memory over the length, instead of stages")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.threads:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes that measure
    given = data_path("zoo/samples/source.mp4")
    if args.data is not None:
        given = next(
            path
            for path in (args.data / "source_dance.mp4", args.data / "dancefloor/source_dance.mp4")
            if path.exists()
        )
    with tempfile.TemporaryDirectory() as folder:
        measure = measure_lengths if args.minutes else measure_sizes
        results = measure(args, given, Path(folder))
    facts = {
        "recipe": args.recipe,
        "runner": args.runner,
        "threads": args.threads or torch.get_num_threads(),
        "results": results,
    }
    print(json.dumps(facts, indent=2) if args.json else table(results))


def table(results: dict[str, Any]) -> str:
    lines = []
    for where, stages in results.items():
        for stage, numbers in stages.items() if isinstance(stages, dict) else ():
            text = (
                numbers
                if not isinstance(numbers, dict)
                else "  ".join(f"{k} {v}" for k, v in numbers.items())
            )
            lines.append(f"{where:10} {stage:22} {text}")
        if not isinstance(stages, dict):
            lines.append(f"{where}: {stages}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
