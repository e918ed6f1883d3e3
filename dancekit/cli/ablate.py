"""`dancekit ablate`: the arms of a matrix trained on one clip, evaluated alike, as tables, figures and curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import INTERRUPTED, Terminal
from dancekit.cli.options import Device, Json, Overrides, Quiet, Seed, Verbose, check_overrides
from dancekit.errors import UsageError

if TYPE_CHECKING:
    from dancekit.ablation.arms import ArmState
    from dancekit.ablation.matrix import Matrix
    from dancekit.ablation.scoring import Clips

SAMPLES = "zoo/samples"
Optional = Path | None


def ablate(
    matrix: Annotated[
        str, typer.Argument(metavar="MATRIX", help="A packaged matrix (dancekit ls ablations), or a file.")
    ],
    overrides: Overrides = None,
    target: Annotated[
        Optional,
        typer.Option(
            "--target", metavar="VIDEO", help="What all arms learn from. [dim]Default: the shipped samples[/]"
        ),
    ] = None,
    source: Annotated[
        Optional,
        typer.Option(
            "--source", metavar="VIDEO", help="Whose dance is transferred, where a matrix asks for it."
        ),
    ] = None,
    truth: Annotated[
        Optional,
        typer.Option("--truth", metavar="VIDEO", help="The target doing that dance: the right answer."),
    ] = None,
    truth_npz: Annotated[
        Optional, typer.Option("--truth-npz", metavar="FILE", help="Exact masks and keypoints of --truth.")
    ] = None,
    out: Annotated[
        Optional,
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
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train what is not finished; or only score what is.")
    ] = True,
    scores: Annotated[
        bool, typer.Option("--scores/--no-scores", help="Score what is trained; or train only.")
    ] = True,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score anew what was scored already; trains nothing anew.")
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
    when the command is given again. Ctrl-C stops after the running step. All
    finished arms are scored, each as the matrix says, and --out then holds
    tables (tables.md), figures, curves, index.html and ablation.json.

    Examples:
      dancekit ablate edn-v1-tiny
      dancekit ablate edn-v1 --estimate
      dancekit ablate edn-v1 --target me.mp4 --out runs/paper
      dancekit ablate edn-v1 --target me.mp4 --out runs/paper --only ts --force
      dancekit ablate my.yaml --target me.mp4 --source a.mp4 --truth right.mp4
      dancekit ablate mine.yaml --target me.mp4 train.steps=2000
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides, seed=seed)
    if force and (list_arms or estimate):
        raise UsageError("--force is not for --list", hint="leave one of them out")
    if not train and (force or only):
        raise UsageError("--no-train with --force or --only", hint="leave one of them out")
    if (source is None) != (truth is None):
        raise UsageError("--source and --truth belong together", hint="name both, or neither")
    if truth_npz is not None and truth is None:
        raise UsageError("--truth-npz belongs to --truth", hint="name both")
    from dancekit.ablation.matrix import load_matrix

    plan = load_matrix(matrix)
    folder = out or Path("runs") / plan.name
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file", hint="name a folder")
    for name in only or ():
        plan.arm(name)
    from dancekit.ablation.scoring import Clips

    clips = Clips(target=target, source=source, truth=truth, truth_npz=truth_npz) if target else _samples()
    if target is None and source is not None:
        raise UsageError("--source without --target", hint="name the clip that the arms learn from")
    _check_clips(clips)
    if list_arms or estimate:
        _list(terminal, plan, clips.target, folder, changes, estimate, device)
        return
    if train:
        states, stopped = _train(terminal, plan, clips.target, folder, changes, only or [], force, device)
    else:
        from dancekit.ablation.arms import look

        states, stopped = look(plan, clips.target, folder, changes), False
    if stopped:
        terminal.log("stopped; the same command goes on")
        raise SystemExit(INTERRUPTED)
    if not scores or not plan.evaluations:
        from dancekit.ablation.run import arm_facts

        terminal.json({"out": str(folder), "arms": [arm_facts(state) for state in states]})
        return
    _score(terminal, plan, states, clips, folder, rescore, device)


def _samples() -> Clips:
    """The shipped clips: target, source, and the target doing the source's dance."""
    from dancekit.ablation.scoring import Clips
    from dancekit.resources import data_path

    target, source, truth = (data_path(f"{SAMPLES}/{name}.mp4") for name in ("target", "source", "truth"))
    return Clips(target=target, source=source, truth=truth, truth_npz=data_path(f"{SAMPLES}/truth.npz"))


def _check_clips(clips: Clips) -> None:
    """Refuse what cannot be read before an hour of training."""
    from dancekit.video import probe

    for clip in (clips.target, clips.source, clips.truth):
        if clip is not None and not (clip / "edn.json").is_file():
            probe(clip)
    if clips.truth_npz is not None:
        from dancekit.evaluate.truth import ExactTruth

        ExactTruth.load(clips.truth_npz)


def _score(
    terminal: Terminal,
    plan: Matrix,
    states: list[ArmState],
    clips: Clips,
    folder: Path,
    rescore: bool,
    device: str,
) -> None:
    from dancekit.ablation.run import PAGE, RESULT, TEXT, report_arms
    from dancekit.ablation.tables import digits
    from dancekit.cli.progress import show_progress

    def begin(scoring: str, arm: str, kept: bool) -> None:
        terminal.log(f"evaluation {scoring}, arm {arm}{': there already' if kept else ''}")

    with show_progress(terminal) as display:
        found = report_arms(
            plan, states, clips, folder, anew=rescore, device=device, progress=display, on_arm=begin
        )
    for made in found.tables:
        rows = [
            [row.title, *("-" if cell.value is None else digits(cell.value) for cell in row.cells)]
            for row in made.rows
        ]
        terminal.table(["", *(head.title for head in made.heads)], rows, title=made.title)
        terminal.result("")
        for note in made.notes:
            terminal.log(f"{made.name}: {note}")
    for name, how in {made.scores: made.how for made in found.tables}.items():
        for text in how:
            terminal.log(f"{name}: {text}")
    for note in found.notes:
        terminal.warn(note)
    for path in (folder / TEXT, *found.figures, *found.curves, folder / PAGE, folder / RESULT):
        terminal.result(str(path))
    terminal.json(found.data)


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
    from dancekit.ablation.run import arm_facts
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
                arm_facts(state) | ({} if left is None else {"seconds_left": round(left, 1)})
                for state, left in zip(states, seconds, strict=True)
            ],
        }
    )
