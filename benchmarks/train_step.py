"""How fast a training step is, against a plain loop with the original's structure, lever by lever.

    python benchmarks/train_step.py [--json] [--data DIR] [--rounds N] [--threads N] [--only WORD ...]

256x256, ngf 32, 3 halvings, 6 blocks, ndf 32, num_D 2, no face networks, pairs of frames, batch 1, LSGAN, feature
matching and (where it says so) VGG19 with random weights: the same losses and networks on both sides.

Every variant takes a step in turn in every round; a figure is the median over the rounds of the ratio to its
neighbour in the same round. Time is CPU time of the process with one thread (other work on the machine disturbs
it little), wall time with more. The peak is a product of two 2048x2048 matrices, measured at the start of
every round, and a figure's share of it counts the work of the plain loop: more than all of it means that
multiplications are saved. With `--data` the frames are those of the first video in a folder, else noise.

A run is valid if the plain loop needs as many times the generator's time as the original does, within 10 %.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from plain_loop import PlainLoop, clips_of
from torch import Tensor, nn

from dancekit import convolutions
from dancekit.config import load_recipe
from dancekit.layers import InstanceNorm2d
from dancekit.losses.vgg import SLICES, VGG19
from dancekit.training.batch import Batch
from dancekit.training.devices import compile_generator
from dancekit.training.state import TrainingState
from dancekit.types import get_skeleton
from dancekit.weights.header import write_safetensors

SIZE = 256
NETS = {"ngf": 32, "n_down": 3, "n_blocks": 6, "ndf": 32, "num_d": 2}
ORIGINAL = {"generator": 0.118, "pix2pixhd": (0.507, 1.111), "edn": (0.904, 2.079)}
"""Seconds on two cores of another machine, reference/performance.md 0b: perceptual loss off and on."""
WIDTHS = {
    0: 64,
    2: 64,
    5: 128,
    7: 128,
    **dict.fromkeys((10, 12, 14, 16), 256),
    **dict.fromkeys((19, 21, 23, 25, 28), 512),
}
REQUIRED = {"ours, perceptual off": 1.25, "ours, perceptual on": 1.2, "ours, perceptual at half size": 2.0}
ALLOCATOR = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=67108864"

Step = Callable[[], object]


def vgg_file(folder: Path) -> Path:
    """VGG19 of the right widths, random weights that keep the variance."""
    torch.manual_seed(1)
    network = VGG19({index: WIDTHS[index] for piece in SLICES for index in piece})
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    path = folder / "vgg.safetensors"
    write_safetensors(path, dict(network.state_dict()), {"format": "pt"})
    return path


def ours(
    vgg: Path | None, *overrides: str, perceptual: dict[str, Any] | None = None, every: int = 1
) -> TrainingState:
    losses: list[dict[str, Any]] = [{"name": "lsgan"}, {"name": "feature_matching", "weight": 10}]
    if vgg is not None:
        params = {"weights": str(vgg), "normalize": False, **(perceptual or {})}
        losses.append({"name": "perceptual", "weight": 10, "every": every, "params": params})
    recipe = load_recipe(
        "base",
        [f"size=[{SIZE},{SIZE}]", "background=painted", "face=none", "train.prefetch=0",
         f"losses={json.dumps(losses)}", *overrides],
    )  # fmt: skip
    skeleton = get_skeleton("blazepose_33")
    data = SimpleNamespace(target=SimpleNamespace(skeleton=skeleton), starts=lambda length, **_: [0])
    return TrainingState(recipe, data, "cpu")  # type: ignore[arg-type]


def torch_norms(state: TrainingState) -> TrainingState:
    """The same numbers by `nn.InstanceNorm2d`, which leaves channels_last."""
    for network in state.networks.values():
        for module in network.modules():
            for name, child in list(module.named_children()):
                if isinstance(child, InstanceNorm2d):
                    setattr(module, name, nn.InstanceNorm2d(child.channels))
    return state


def default_adam(state: TrainingState) -> TrainingState:
    settings = state.recipe.train.optimizer
    state.optimizers = {
        name: torch.optim.Adam(state.networks[name].parameters(), settings.lr, betas=settings.betas)
        for name in state.optimizers
    }
    return state


class EveryGradient:
    """Within it, a backward pass computes the gradients of all weights, as without `inputs=`."""

    def __enter__(self) -> None:
        self.real = Tensor.backward
        Tensor.backward = lambda tensor, *_, inputs=None, **given: self.real(tensor, **given)  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        Tensor.backward = self.real  # type: ignore[method-assign]


def compiled(state: TrainingState) -> TrainingState:
    generator = state.networks["generator"].train()
    settings = state.recipe.train.model_copy(update={"compile": "on"})
    compile_generator(
        generator, settings, torch.rand(1, state.painting.generator.spec.in_channels, SIZE, SIZE)
    )
    return state


class Bench:
    """Variants that take a step in turn."""

    def __init__(self, threads: int, data: Path | None, folder: Path) -> None:
        self.clock = time.process_time if threads == 1 else time.perf_counter
        self.clips = clips_of(data, SIZE)
        self.vgg = vgg_file(folder)
        self.folder = folder
        self.variants: dict[str, tuple[str, Step, float]] = {}

    def state_step(self, state: TrainingState, clips: int = 1, *, gradients: bool = False) -> Step:
        stage = state.recipe.train.stages[0]
        per_batch = clips // state.recipe.train.accumulate

        def step() -> object:
            batches = [batch_of(self.clips, per_batch) for _ in range(state.recipe.train.accumulate)]
            if gradients:
                with EveryGradient():
                    return state.learn(stage, *batches)
            record = state.learn(stage, *batches)
            state.step += 1
            return record

        return step

    def plain_step(self, pair: bool, vgg: bool) -> Step:
        network = VGG19({index: WIDTHS[index] for piece in SLICES for index in piece}) if vgg else None
        if network is not None:
            from dancekit.weights.header import read_tensors

            network.load_state_dict(read_tensors(self.vgg))
            network.requires_grad_(False)
        loop = PlainLoop(**NETS, pair=pair, vgg=network)

        def step() -> object:
            labels, images = next(self.clips)
            return loop.step(labels[: 1 + pair], images[: 1 + pair])

        return step

    def add(self, name: str, base: str, make: Callable[[], Step], clips: int = 1) -> None:
        """A variant, and the one that its ratio is taken to."""
        try:
            self.variants[name] = (base, make(), clips)
        except Exception as error:  # a lever that this machine does not have is a row that says so
            self.variants[name] = (base, lambda: None, 0.0)
            print(f"{name}: {error}", file=sys.stderr)

    def run(self, rounds: int) -> dict[str, Any]:
        torch.manual_seed(0)
        times: dict[str, list[float]] = {name: [] for name in self.variants}
        peaks = []
        for number in range(rounds + 1):
            peak = matmul_peak(self.clock)
            for name, (_, step, clips) in self.variants.items():
                if not clips:
                    continue
                began = self.clock()
                step()
                seconds = (self.clock() - began) / clips
                if number:  # the first round warms up
                    times[name].append(seconds)
            if number:
                peaks.append(peak)
        rows = {}
        for name, (base, _, _) in self.variants.items():
            row: dict[str, Any] = {"against": base}
            if times[name]:
                row |= {"seconds": round(statistics.median(times[name]), 4)}
                if times.get(base):
                    ratios = [b / a for a, b in zip(times[name], times[base], strict=True)]
                    row["times_faster"] = round(statistics.median(ratios), 3)
                    row["spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
            rows[name] = row
        return {"rows": rows, "peak_gflops": round(statistics.median(peaks) / 1e9, 1)}


def batch_of(clips: Iterator[tuple[list[Tensor], list[Tensor]]], size: int) -> Batch:
    drawn = [next(clips) for _ in range(size)]
    labels = torch.stack([torch.cat(labels) for labels, _ in drawn])
    images = torch.stack([torch.cat(images) for _, images in drawn])
    mask = torch.zeros(size, 2, 1, SIZE, SIZE)
    mask[:, :, :, SIZE // 6 : -SIZE // 12, SIZE // 3 : -SIZE // 3] = 1  # a person as tall as most are filmed
    return Batch(labels, images, mask, torch.zeros(size, 3, SIZE, SIZE), torch.full((size, 2, 4), torch.nan))


def matmul_peak(clock: Callable[[], float]) -> float:
    """FLOP a second of the best of three products of 2048x2048 matrices."""
    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
    best = float("inf")
    for _ in range(3):
        began = clock()
        a @ b
        best = min(best, clock() - began)
    return 2 * 2048**3 / best


def flops(step: Step) -> int:
    """Of one step: matrix products and convolutions, both ways."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def fill(bench: Bench) -> None:
    off, on, half = REQUIRED
    vgg, state_step = bench.vgg, bench.state_step
    bench.add("generator, plain, one frame", "", lambda: painting(bench))
    bench.add("plain, pix2pixHD, perceptual off", "", lambda: bench.plain_step(False, False))
    bench.add("plain, pix2pixHD, perceptual on", "", lambda: bench.plain_step(False, True))
    bench.add("plain, perceptual off", "", lambda: bench.plain_step(True, False))
    bench.add("plain, perceptual on", "", lambda: bench.plain_step(True, True))
    bench.add(off, "plain, perceptual off", lambda: state_step(ours(None)))
    bench.add(on, "plain, perceptual on", lambda: state_step(ours(vgg)))
    bench.add(half, "plain, perceptual on", lambda: state_step(ours(vgg, perceptual={"scale": 0.5})))

    # each lever taken away from, or added to, our step; a figure above 1 says that ours is faster than this
    def less(name: str, make: Callable[[], Step], base: str = off, clips: int = 1) -> None:
        bench.add(name, base, make, clips)

    less("norm: torch's instance norm", lambda: state_step(torch_norms(ours(None))))
    less("convolutions: no Winograd", lambda: state_step(ours(None, "train.winograd=off")))
    less(
        "convolutions: weight gradients in channels_last too",
        lambda: torchs_gradients(state_step(ours(None))),
    )
    less(
        "convolutions: torch's alone", lambda: torchs_gradients(state_step(ours(None, "train.winograd=off")))
    )
    less("convolutions: no Winograd, perceptual on", lambda: state_step(ours(vgg, "train.winograd=off")), on)
    less("adam: torch's default", lambda: state_step(default_adam(ours(None))))
    less("discriminator: painted view judged twice", lambda: state_step(twice_judged(ours(None))))
    less("gradients: of the frozen weights too", lambda: state_step(twice_judged(ours(None)), gradients=True))
    less("no moving average", lambda: state_step(ours(None, "train.ema=0")))
    less("compile: generator", lambda: state_step(compiled(ours(None))))
    less("bf16", lambda: state_step(ours(None, "train.precision=bf16")))
    less("gradient checkpointing", lambda: state_step(ours(None, "train.gradient_checkpointing=true")))
    less("batch 4, per clip", lambda: state_step(ours(None, "train.batch=4"), 4), clips=4)
    less("accumulate 4, per clip", lambda: state_step(ours(None, "train.accumulate=4"), 4), clips=4)
    less("perceptual: half size", lambda: state_step(ours(vgg, perceptual={"scale": 0.5})), on)
    less("perceptual: three layers", lambda: state_step(ours(vgg, perceptual={"layers": 3})), on)
    less("perceptual: the person's crop", lambda: state_step(ours(vgg, perceptual={"crop": "person"})), on)
    less("perceptual: every 4th step, mean", lambda: four_steps(state_step(ours(vgg, every=4))), on, 4)


def torchs_gradients(step: Step) -> Step:
    """Weight gradients in the layout of the rest, as torch takes them."""

    def patched() -> object:
        real = convolutions.slow_weight_gradients
        convolutions.slow_weight_gradients = lambda: False  # type: ignore[assignment]
        try:
            return step()
        finally:
            convolutions.slow_weight_gradients = real

    return patched


def twice_judged(state: TrainingState) -> TrainingState:
    state.share_pass = False
    return state


def four_steps(step: Step) -> Step:
    return lambda: [step() for _ in range(4)]


def painting(bench: Bench) -> Step:
    loop = PlainLoop(**NETS, pair=True, vgg=None)

    def paint() -> object:
        labels, _ = next(bench.clips)
        with torch.inference_mode():
            return loop.generator(torch.cat([labels[0], torch.zeros_like(labels[0])], 1))

    return paint


def verdict(result: dict[str, Any]) -> None:
    """Whether the plain loop is the original's, and whether the targets are met."""
    rows = result["rows"]
    scale = rows.get("generator, plain, one frame", {}).get("seconds", 0.0) / ORIGINAL["generator"]  # type: ignore[operator]
    checks = {}
    for family, label in (("pix2pixhd", "plain, pix2pixHD"), ("edn", "plain")):
        for there, seconds in zip(("off", "on"), ORIGINAL[family], strict=True):  # type: ignore[call-overload]
            row = rows.get(f"{label}, perceptual {there}", {})
            if scale and "seconds" in row:
                relative = row["seconds"] / (seconds * scale)
                checks[f"{label}, perceptual {there}"] = round(relative, 3)
    result["plain_over_scaled_original"] = checks
    result["machine_over_original"] = round(scale, 3)
    result["valid"] = bool(checks) and all(abs(value - 1) <= 0.1 for value in checks.values())
    result["met"] = {
        name: rows[name]["times_faster"] >= wanted
        for name, wanted in REQUIRED.items()
        if "times_faster" in rows.get(name, {})
    }


def memory_of(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """Peak memory of a process that runs one variant alone, and its time with glibc's tunables."""
    command = [
        sys.executable,
        __file__,
        "--json",
        "--rounds",
        "3",
        "--threads",
        str(arguments.threads),
        "--exactly",
        name,
    ]
    found = {}
    for label, extra in (("", {}), ("tuned_", {"GLIBC_TUNABLES": ALLOCATOR})):
        out = subprocess.run(command, env={**os.environ, **extra}, capture_output=True, text=True, check=True)
        alone = json.loads(out.stdout)
        found[f"{label}seconds_alone"] = alone["rows"][name].get("seconds")
        found[f"{label}peak_memory_mb"] = alone["peak_memory_mb"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--data", type=Path, help="a folder with a video, or the video")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="variants whose names hold one of these words")
    parser.add_argument("--exactly", help="this variant alone")
    parser.add_argument(
        "--alone", action="store_true", help="also memory and allocator, in processes of their own"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.threads == 1 and hasattr(os, "sched_setaffinity"):
        # NNPACK makes a thread for each core it may use, whatever torch is told, and they spin while they wait
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.threads, arguments.data, Path(folder))
        wanted = arguments.only
        add = bench.add

        def chosen(name: str, base: str, make: Callable[[], Step], clips: int = 1) -> None:
            if arguments.exactly:
                if name != arguments.exactly:
                    return
            elif wanted and not any(word in name for word in wanted):
                return
            add(name, base, make, clips)

        bench.add = chosen  # type: ignore[method-assign]
        fill(bench)
        result = bench.run(arguments.rounds)
        for name, (_, step, clips) in bench.variants.items():
            if clips and name in ("plain, perceptual off", "plain, perceptual on"):
                work = flops(step)
                for row in (name, *(each for each, (its, _, _) in bench.variants.items() if its == name)):
                    share = work / result["rows"][row]["seconds"] / 1e9 / result["peak_gflops"]
                    result["rows"][row] |= {"plain_gflop": round(work / 1e9, 1), "of_peak": round(share, 3)}
    verdict(result)
    result |= {"what": "training step, pairs of 256x256 frames", **NETS, "threads": arguments.threads}
    result |= {"torch": torch.__version__, "load": os.getloadavg()[0], "rounds": arguments.rounds}
    result["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if arguments.alone:
        for name in (
            "ours, perceptual off",
            "gradient checkpointing",
            "batch 4, per clip",
            "accumulate 4, per clip",
        ):
            if name in result["rows"]:
                result["rows"][name] |= memory_of(arguments, name)
    print(json.dumps(result) if arguments.json else table(result))


def table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['what']}, {result['threads']} thread(s), torch {result['torch']}; "
        f"peak {result['peak_gflops']} GFLOP/s"
    ]
    for name, row in result["rows"].items():
        against = f"  {row['times_faster']:.2f}x {row['against']}" if "times_faster" in row else ""
        peak = f"  {row['of_peak']:.0%} of the peak" if "of_peak" in row else ""
        alone = (
            f"  {row['peak_memory_mb']} MB, {row['seconds_alone']} s alone, "
            f"{row['tuned_seconds_alone']} s with glibc's tunables"
            if "peak_memory_mb" in row
            else ""
        )
        lines.append(f"{name:44} {row.get('seconds', float('nan')):7.3f} s{against}{peak}{alone}")
    for name, value in result["plain_over_scaled_original"].items():
        lines.append(f"{name}: {value:.2f} of the original's time, scaled by the generator's")
    lines.append(
        "valid: within 10 %" if result["valid"] else "NOT valid: more than 10 % off the original's ratios"
    )
    lines += [f"{name}: {'met' if good else 'MISSED'}" for name, good in result["met"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
