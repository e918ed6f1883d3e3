"""How good a dancer is after so many minutes of training, recipe by recipe, lever by lever, and for the plain loop.

    python benchmarks/quality.py --out OUT [--recipe standard ...] [--plain] [--minutes 10 30 60 120] [--json]
    python benchmarks/quality.py --out OUT --arms quality --minutes 10 30 60
    python benchmarks/quality.py --out OUT --recipe standard --footage 5 20 40 --minutes 60
    python benchmarks/quality.py --out OUT --recipe standard --warm anybody.safetensors --minutes 1 3 10 30

Each run is one training; at every mark it stops, what it has learnt is kept as a dancer and scored, and it goes on.
Scored is the target's right answer, painted from its own poses (found in it, not exact): PSNR in the person's mask,
SSIM in the mask's box, sharpness in the mask (best near 1), and the excess warping error in the mask (lower is
better). Minutes count training steps, with what is written between them, and neither poses nor scores.

Given again, the command goes on where it was, whatever killed it: OUT/RUN/run is a run folder, OUT/RUN/marks holds
dancers and scores. `--clock cpu` counts CPU time over the number of threads, for a machine that does other work.
`--fit` measures a step first, and lets a recipe's steps fill the last mark: the learning rate falls until there. The
recipe's own number of steps stays without it; a run that ends before a mark is scored as it ended.

`--arms MATRIX` runs every arm of an ablation (`ablations/quality.yaml`: each lever left out), `--footage` the first
recipe on the first so many seconds of the clip, `--warm` every recipe again, begun with another dancer's weights.
`--score-seconds` scores on the first so many seconds of the right answer alone. Without clips of one's own
(`--target`, `--truth` and perhaps `--truth-npz`) it takes those of ../shared/data/dancefloor, or the shipped samples;
`--split 0.8` trains on the beginning of `--target` and scores on its end. `quality.png` and `quality.json` are written
to OUT.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_dancer import PlainDancer, plain_recipe

from dancekit.ablation.matrix import load_matrix
from dancekit.ablation.plot import Line, Panel, draw_panels
from dancekit.build import build_pose, resolve_device
from dancekit.config import Recipe, load_recipe, override_recipe
from dancekit.data.files import write_png, write_whole
from dancekit.data.poses import Span
from dancekit.data.takes import Take, join_takes
from dancekit.evaluate.dancers import Inputs, evaluate_dancer
from dancekit.evaluate.protocols import Protocol
from dancekit.resources import data_path
from dancekit.training import train
from dancekit.training.checkpoint import list_checkpoints, step_of
from dancekit.training.estimate import Speeds, made_up_for, time_steps
from dancekit.training.run import Run
from dancekit.training.state import TrainingState
from dancekit.video import probe, read_frames

PROTOCOL = Protocol.model_validate(
    {
        "schema": 1,
        "name": "quality",
        "version": 1,
        "description": "What benchmarks/quality.py scores.",
        "metrics": [
            {"name": "psnr", "regions": ["mask"]},
            {"name": "ssim", "regions": ["box"]},
            {"name": "sharpness", "regions": ["mask"]},
            {"name": "warping_error", "regions": ["mask"]},
        ],
    }
)
COLUMNS = {
    "psnr": ("mask", "mask PSNR, dB"),
    "ssim": ("box", "SSIM in the box"),
    "sharpness": ("mask", "sharpness (best near 1)"),
    "warping_error": ("mask", "excess warping error"),
}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "dancefloor"


@dataclass(frozen=True)
class Contender:
    """A training that is measured.

    Attributes:
        name: Of its folder, and in tables.
        recipe: What is trained.
        plain: Whether by the plain loop.
        footage: Seconds of the target's clip; None for all of it.
    """

    name: str
    recipe: Recipe
    plain: bool = False
    footage: float | None = None


@dataclass(frozen=True)
class Clips:
    """What is trained on, and scored on; without exact truth the masks are those that the pose backend finds."""

    target: Path
    truth: Path
    truth_npz: Path | None


@dataclass
class Clock:
    """Seconds of training, at the steps that a run can go on from.

    Attributes:
        file: Where they are kept.
        cpu: CPU time over the number of threads in place of wall time.
    """

    file: Path
    cpu: bool
    at: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    _last: float | None = None

    def resume(self, step: int) -> None:
        """Go on from a checkpoint; 0: from the beginning."""
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.at = {int(key): float(value) for key, value in known.items() if int(key) <= step}
        if step and step not in self.at:
            raise SystemExit(
                f"{self.file} does not know step {step}: delete {self.file.parent} and begin anew"
            )
        self.seconds, self._last = self.at.get(step, 0.0), None

    def start(self) -> None:
        """A step begins, unless it runs already."""
        if self._last is None:
            self._last = self._now()

    def tick(self) -> float:
        """A step is done: the seconds so far."""
        now = self._now()
        if self._last is not None:
            self.seconds += now - self._last
        self._last = now
        return self.seconds

    def keep(self, step: int) -> None:
        """Write down how long it took to get here."""
        self.at[step] = self.seconds
        write_whole(self.file, json.dumps(self.at))

    def _now(self) -> float:
        return time.process_time() / torch.get_num_threads() if self.cpu else time.perf_counter()


# ---- what is measured ----------------------------------------------------------------------------------------


def contenders(args: argparse.Namespace, overrides: list[str]) -> list[Contender]:
    """All trainings that were asked for."""
    found = [Contender(name, load_recipe(name, overrides)) for name in args.recipe]
    for name in args.arms:
        matrix = load_matrix(name)
        for arm in matrix.arms:
            if arm.start:
                raise SystemExit(
                    f"arm {arm.name} begins with another one's weights: minutes cannot be compared"
                )
            changes = [*matrix.overrides_of(arm.name), *overrides]
            found.append(Contender(arm.name, load_recipe(matrix.recipe, changes)))
    if args.plain:
        found.append(Contender("plain-loop", plain_recipe(args.recipe[0], overrides), plain=True))
    if args.footage:
        name = args.recipe[0]
        whole = load_recipe(name, overrides)
        found += [Contender(f"{name}-{each:g}s", whole, footage=each) for each in args.footage]
    if args.warm:
        start = f"train.start_from={json.dumps(str(args.warm))}"
        found += [Contender(f"{name}-warm", load_recipe(name, [*overrides, start])) for name in args.recipe]
    return list({each.name: each for each in found}.values())


def fitted(recipe: Recipe, minutes: float, device: str, cpu: bool) -> Recipe:
    """With as many steps as fill some minutes on this machine."""
    backend = build_pose(recipe, device)
    state = TrainingState(recipe, made_up_for(recipe, backend.spec.skeleton), device)
    clock = [time.perf_counter(), time.process_time()]
    steps = time_steps(state)
    state.close()
    share = 1.0
    if cpu:  # of the time that the steps took, what this process had of its threads
        wall, spent = time.perf_counter() - clock[0], time.process_time() - clock[1]
        share = min(1.0, spent / torch.get_num_threads() / wall)
    whole = Speeds(0.0, steps, 0.0).training(recipe) * share
    return override_recipe(
        recipe, [f"train.steps={max(1, round(recipe.train.steps * 60 * minutes / whole))}"]
    )


# ---- one training --------------------------------------------------------------------------------------------


def measure(
    contender: Contender,
    clips: Clips,
    out: Path,
    minutes: Sequence[float],
    *,
    cpu: bool,
    fit: bool,
    device: str,
) -> list[dict[str, Any]]:
    """Train to every mark and score there; what is there already is kept."""
    folder = out / contender.name
    marks = folder / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    target = clips.target
    if contender.footage is not None:
        target = folder / "footage.mp4"
        _cut(clips.target, target, 0, contender.footage)
    recipe = _recipe(contender, folder, max(minutes), fit=fit, device=device, cpu=cpu)
    rows = []
    for minute in sorted(minutes):
        kept, dancer = marks / f"{minute:g}.json", marks / f"{minute:g}.safetensors"
        if not kept.exists():
            if not dancer.exists():
                clock = Clock(folder / "clock.json", cpu)
                _train(contender, recipe, target, folder, clock, 60 * minute, dancer, device)
            write_whole(kept, json.dumps(_score(dancer, clips, device)))
        row = {"run": contender.name, "minutes": minute, "footage": contender.footage}
        rows.append(row | json.loads(kept.read_text()))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    return rows


def _recipe(
    contender: Contender, folder: Path, minutes: float, *, fit: bool, device: str, cpu: bool
) -> Recipe:
    """The contender's, with the steps that it began with: they decide when the learning rate falls."""
    note = folder / "steps.json"
    if note.exists():
        return override_recipe(contender.recipe, [f"train.steps={json.loads(note.read_text())}"])
    recipe = contender.recipe
    if fit and not contender.plain:  # the plain loop's learning rate stays
        recipe = fitted(recipe, minutes, device, cpu)
    write_whole(note, json.dumps(recipe.train.steps))
    return recipe


def _train(
    contender: Contender,
    recipe: Recipe,
    target: Path,
    folder: Path,
    clock: Clock,
    until: float,
    dancer: Path,
    device: str,
) -> None:
    """Train on until the clock shows so many seconds, and keep what has been learnt."""
    run = Run(folder / "run")
    found = list_checkpoints(run.checkpoints)
    clock.resume(step_of(found[-1]) if found else 0)
    every = recipe.train.checkpoint_every
    if contender.plain:
        plain = PlainDancer(target, recipe, run.folder)
        if clock.seconds < until:
            clock.start()
            plain.train(_told(clock, until, every), lambda step: step % every == 0)
        plain.dancer(dancer)
        return
    step = [0]

    def progress(what: str, done: int, total: int | None) -> None:
        if what == "steps":
            step[0] = done
            clock.start()

    told = _told(clock, until, every, recipe.train.steps)
    if clock.seconds < until and not (found and step_of(found[-1]) >= recipe.train.steps):
        train(
            target,
            recipe,
            out=run.folder,
            device=device,
            resume=run.provenance_file.exists(),
            progress=progress,
            should_stop=lambda: told(step[0]),
        )
    part = dancer.with_suffix(".part")
    shutil.copyfile(run.dancer, part)
    part.replace(dancer)


def _told(clock: Clock, until: float, every: int, last: int = 0) -> Callable[[int], bool]:
    """Asked after each step: whether it is time to stop."""

    def told(step: int) -> bool:
        stop = clock.tick() >= until
        if stop or step % every == 0 or step == last:
            clock.keep(step)
        return stop

    return told


def _score(dancer: Path, clips: Clips, device: str) -> dict[str, Any]:
    evaluation = evaluate_dancer(
        Inputs(dancer=dancer, clip=clips.truth, truth_npz=clips.truth_npz),
        PROTOCOL,
        baselines=False,
        device=device,
    )
    (variant,) = evaluation.variants
    row: dict[str, Any] = {"steps": evaluation.environment["training"]["steps"]}
    for metric, (region, _) in COLUMNS.items():
        found = variant.score(metric, region)
        row[metric] = None if found is None else found.value
        row[f"{metric}_interval"] = None if found is None else [found.low, found.high]
    return row


# ---- what is shown -------------------------------------------------------------------------------------------


def _line(row: dict[str, Any]) -> str:
    values = "  ".join("-" if row[key] is None else f"{row[key]:.4f}" for key in COLUMNS)
    return f"{row['run']:24} {row['minutes']:6g} min {row['steps']:6d} steps  {values}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    head = ["run", "minutes", "steps", *(title for _, title in COLUMNS.values())]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        values = ["-" if row[key] is None else f"{row[key]:.4g}" for key in COLUMNS]
        cells = [row["run"], f"{row['minutes']:g}", str(row["steps"]), *values]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def footage_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: how much to film, at the last mark."""
    found = [row for row in rows if row["footage"] is not None]
    last = max((row["minutes"] for row in found), default=0)
    head = ["seconds filmed", *(title for _, title in COLUMNS.values())]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in sorted((row for row in found if row["minutes"] == last), key=lambda row: row["footage"]):
        values = ["-" if row[key] is None else f"{row[key]:.4g}" for key in COLUMNS]
        cells = [f"{row['footage']:g}", *values]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if found else ""


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel for each score, a line for each run."""
    names = list(dict.fromkeys(row["run"] for row in rows))
    panels = []
    for key, (_, title) in COLUMNS.items():
        lines = []
        for name in names:
            mine = [row for row in rows if row["run"] == name]
            x = np.array([row["minutes"] for row in mine], float)
            y = np.array([np.nan if row[key] is None else row[key] for row in mine], float)
            lines.append(Line(name, x, y))
        panels.append(Panel(title, tuple(lines), "minutes of training"))
    write_png(path, draw_panels(panels, columns=2))


def first_seconds(clips: Clips, seconds: float, folder: Path) -> Clips:
    """The same, but for a right answer of so many seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    truth, exact = folder / "truth.mp4", folder / "truth.npz"
    _cut(clips.truth, truth, 0, seconds)
    if clips.truth_npz is None:
        return Clips(clips.target, truth, None)
    frames = sum(1 for _ in read_frames(truth))
    with np.load(clips.truth_npz, allow_pickle=False) as whole:
        length = len(whole["keypoints"])
        cut = {
            key: whole[key][:frames] if whole[key].ndim and len(whole[key]) == length else whole[key]
            for key in whole
        }
    buffer = io.BytesIO()
    np.savez(buffer, **cut)
    write_whole(exact, buffer.getvalue())
    return Clips(clips.target, truth, exact)


def split(clip: Path, share: float, folder: Path) -> Clips:
    """The beginning of a clip to train on, and its end, which training never sees, to score on."""
    folder.mkdir(parents=True, exist_ok=True)
    target, truth = folder / "target.mp4", folder / "truth.mp4"
    seconds = float(probe(clip).duration or 0)
    _cut(clip, target, 0, share * seconds)
    _cut(clip, truth, share * seconds, seconds)
    return Clips(target, truth, None)


def _cut(clip: Path, to: Path, start: float, end: float) -> None:
    first, last = (Fraction(each).limit_denominator(1000) for each in (start, end))
    join_takes([Take(clip, Span(first, last))], to)


def find_clips(args: argparse.Namespace) -> Clips:
    """Those named, the shared benchmark's, or the shipped samples."""
    given = (args.target, args.truth)
    if args.split and (not args.target or args.truth or not 0 < args.split < 1):
        raise SystemExit("--split SHARE, between 0 and 1, takes both clips from --target")
    if args.split:
        return split(args.target, args.split, args.out / "split")
    if (any(given) and not all(given)) or (args.truth_npz and not any(given)):
        raise SystemExit("--target and --truth belong together, and --truth-npz to them")
    if all(given):
        return Clips(*given, args.truth_npz)
    if SHARED.is_dir():
        return Clips(
            *(SHARED / name for name in ("target_train.mp4", "target_truth.mp4", "target_truth.npz"))
        )
    return Clips(*(data_path(f"zoo/samples/{name}") for name in ("target.mp4", "truth.mp4", "truth.npz")))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for all recipes")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", nargs="+", default=["standard"])
    parser.add_argument("--arms", nargs="+", default=[], metavar="MATRIX")
    parser.add_argument(
        "--plain", action="store_true", help="the plain loop, with the first recipe's networks"
    )
    parser.add_argument("--footage", nargs="+", type=float, default=[], metavar="SECONDS")
    parser.add_argument("--warm", type=Path, metavar="FILE", help="a dancer file or a run folder")
    parser.add_argument("--split", type=float, metavar="SHARE", help="of --target that is trained on")
    parser.add_argument("--score-seconds", type=float, metavar="SECONDS")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30, 60, 120])
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--no-recipe", action="store_true", help="only --arms, --plain and --footage")
    for name in ("--target", "--truth", "--truth-npz"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    clips, device = find_clips(args), resolve_device(args.device)
    if args.score_seconds:
        clips = first_seconds(clips, args.score_seconds, args.out / "truth")
    rows: list[dict[str, Any]] = []
    chosen = contenders(args, args.overrides)
    if args.no_recipe:
        chosen = [each for each in chosen if each.name not in args.recipe]
    for contender in chosen:
        rows += measure(
            contender, clips, args.out, args.minutes, cpu=args.clock == "cpu", fit=args.fit, device=device
        )
        result = {
            "rows": rows,
            "target": clips.target.name,
            "seconds": float(probe(clips.target).duration or 0),
            "clock": args.clock,
            "threads": torch.get_num_threads(),
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
        write_whole(args.out / "quality.json", json.dumps(result, indent=1) + "\n")
        plot(rows, args.out / "quality.png")
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        print(table(rows))
        if args.footage:
            print(f"\n{footage_table(rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
