"""`dancekit ablate`: the arms of a matrix trained on one clip, evaluated alike, as tables, figures and curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import INTERRUPTED, Terminal
from dancekit.cli.options import Device, Json, Overrides, Quiet, Seed, Verbose, check_overrides
from dancekit.errors import UsageError

if TYPE_CHECKING:
    from dancekit.ablation.arms import ArmState
    from dancekit.ablation.matrix import Matrix

SAMPLE = "zoo/samples/target.mp4"


def ablate(
    matrix: Annotated[
        str, typer.Argument(metavar="MATRIX", help="A packaged matrix (dancekit ls ablations), or a file.")
    ],
    overrides: Overrides = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--target", metavar="VIDEO", help="What all arms learn from. [dim]Default: the shipped sample[/]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder of it all. [dim]Default: runs/<name of the matrix>[/]"
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ARM", help="Train this arm; can be given again.")
    ] = None,
    list_arms: Annotated[
        bool, typer.Option("--list", help="Say what would be done, and what is there; do nothing.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="As --list, with the time it would take, tried out here.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train anew what is there already: all arms, or those of --only.")
    ] = False,
    device: Device = "auto",
    seed: Seed = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Train the arms of a matrix on one clip and compare them.

    Arms that are finished are kept; one that was stopped goes on where it was
    when the command is given again. Ctrl-C stops after the running step.

    Examples:
      dancekit ablate edn-v1 --list
      dancekit ablate edn-v1 --target me.mp4 --out runs/paper
      dancekit ablate edn-v1 --target me.mp4 --out runs/paper --only ts --force
      dancekit ablate mine.yaml --target me.mp4 train.steps=2000
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides, seed=seed)
    if force and (list_arms or estimate):
        raise UsageError("--force is not for --list", hint="leave one of them out")
    from dancekit.ablation.matrix import load_matrix

    plan = load_matrix(matrix)
    folder = out or Path("runs") / plan.name
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file", hint="name a folder")
    for name in only or ():
        plan.arm(name)
    clip = target or _sample()

    from dancekit.video import probe

    if not (clip / "edn.json").is_file():
        probe(clip)
    if list_arms or estimate:
        _list(terminal, plan, clip, folder, changes, estimate, device)
        return
    states, stopped = _train(terminal, plan, clip, folder, changes, only or [], force, device)
    if stopped:
        terminal.log("stopped; the same command goes on")
        raise SystemExit(INTERRUPTED)
    terminal.json({"out": str(folder), "arms": [_plain(state) for state in states]})


def _sample() -> Path:
    from dancekit.resources import data_path

    return data_path(SAMPLE)


def _train(
    terminal: Terminal,
    plan: Matrix,
    clip: Path,
    folder: Path,
    changes: list[str],
    only: list[str],
    force: bool,
    device: str,
) -> tuple[list[ArmState], bool]:
    """The arms as they are afterwards, and whether Ctrl-C was pressed."""
    from dancekit.ablation.arms import train_arms
    from dancekit.cli.interrupt import StopOnInterrupt
    from dancekit.cli.progress import duration, show_progress

    current = ""

    def begin(state: ArmState) -> None:
        nonlocal current
        current = state.arm.name
        took = f", {duration(state.seconds)}" if state.finished else ""
        terminal.log(f"arm {current}: {state.status} of {state.recipe.train.steps}{took}")

    with show_progress(terminal) as display:

        def shown(what: str, done: int, total: int | None) -> None:
            display(f"training {current}" if what == "steps" else what, done, total)

        with StopOnInterrupt(shown, terminal.warn) as stop:
            states = train_arms(
                plan,
                clip,
                folder,
                overrides=changes,
                only=only,
                force=force,
                device=device,
                progress=stop.progress,
                should_stop=stop.should_stop,
                on_arm=begin,
            )
    return states, stop.stopped


def _list(
    terminal: Terminal,
    plan: Matrix,
    clip: Path,
    folder: Path,
    changes: list[str],
    estimate: bool,
    device: str,
) -> None:
    from dancekit.ablation.arms import estimated_seconds, look
    from dancekit.cli.progress import duration

    states = look(plan, clip, folder, changes)
    seconds = [estimated_seconds(state, device) if estimate else None for state in states]
    rows = []
    for state, left in zip(states, seconds, strict=True):
        time = f"took {duration(state.seconds)}" if state.finished else ""
        if left:
            time = f"about {duration(left)}"
        size = "x".join(map(str, state.recipe.size))
        rows.append(
            [
                state.arm.name,
                state.arm.start or "-",
                size,
                str(state.recipe.train.steps),
                state.status,
                time,
                state.arm.summary or state.arm.title,
            ]
        )
    terminal.table(["arm", "from", "size", "steps", "status", "time", "what"], rows)
    if estimate:
        terminal.result(
            f"\n{duration(sum(each or 0.0 for each in seconds))} of training are left on this machine"
        )
    terminal.json(
        {
            "ablation": plan.name,
            "out": str(folder),
            "arms": [
                _plain(state) | ({} if left is None else {"seconds_left": round(left, 1)})
                for state, left in zip(states, seconds, strict=True)
            ],
        }
    )


def _plain(state: ArmState) -> dict[str, Any]:
    return {
        "arm": state.arm.name,
        "title": state.arm.title,
        "from": state.arm.start or None,
        "run": str(state.run.folder),
        "size": list(state.recipe.size),
        "steps": state.steps,
        "of": state.recipe.train.steps,
        "finished": state.finished,
        "seconds": state.seconds,
        "recipe_sha256": state.recipe.hash,
    }
