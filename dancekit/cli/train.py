"""`dancekit train`: a video of the target becomes a dancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import (
    Device,
    Force,
    Json,
    Overrides,
    Quiet,
    RecipeName,
    Seed,
    Verbose,
    Who,
    check_overrides,
    check_person,
    is_override,
    read_seconds,
)
from dancekit.errors import OutputExists, UsageError
from dancekit.launch import launched, leads, wished_precision

if TYPE_CHECKING:
    from dancekit.data.progress import Progress
    from dancekit.training import TrainResult


VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
"""What is taken from a folder named by `--also`."""


def train(
    overrides: Overrides = None,
    targets: Annotated[
        list[Path] | None,
        typer.Option(
            "--target",
            metavar="VIDEO|SET",
            help="One person, whole body, camera that does not move; or what import-edn wrote. Several takes of "
            "one person, place and camera: give it again.",
        ),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="FROM-TO",
            help="Only this part of the target: 10-25, 1:05- or -0:40; may be given again. With several targets "
            "one for each, in order (- for all of it).",
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            "--also",
            metavar="VIDEO|FOLDER",
            help="Learn from somebody else too, in a place of their own, or from all videos of a folder: for a "
            "dancer that others start from. May be given again.",
        ),
    ] = None,
    recipe: RecipeName = "standard",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="The run folder. [dim]Default: runs/<name of the target>[/]"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on exactly where the run in --out stopped.")
    ] = False,
    licence: Annotated[
        str, typer.Option("--licence", metavar="SPDX", help="Written into the dancer file.")
    ] = "",
    consent: Annotated[
        str,
        typer.Option(
            "--consent", metavar="TEXT", help="What the person shown agreed to; written into the file."
        ),
    ] = "",
    rendered: Annotated[
        bool,
        typer.Option(
            "--rendered", help="Nobody real is shown; said in the file, so that no consent is needed."
        ),
    ] = False,
    data_licence: Annotated[
        str,
        typer.Option("--data-licence", metavar="SPDX", help="Of the video; written into the dancer file."),
    ] = "",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write for TensorBoard too; train.loggers=[tensorboard].")
    ] = False,
    person: Who = None,
    force: Force = False,
    device: Device = "auto",
    seed: Seed = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Train a dancer on a video of the target.

    The run folder holds the dancer (dancer.safetensors), previews,
    curves.png, metrics.jsonl and checkpoints; dancekit show RUN sums it up.
    Ctrl-C (or SIGTERM) stops after the running step and keeps everything;
    --resume goes on, exactly as if nothing had happened.

    Examples:
      dancekit train --target me.mp4
      dancekit train --target me.mp4 --out runs/try train.steps=200
      dancekit train --target me.mp4 --out runs/try --resume
      dancekit train --target monday.mp4 --target tuesday.mp4 --out runs/me
      dancekit train --target me.mp4 --range 0:05-1:10 --range 2:00-
      dancekit train --target me.mp4 --recipe mine.yaml train.batch=2
      dancekit train --target ann.mp4 --also people/ --out runs/anybody
      dancekit train --target me.mp4 train.start_from=runs/anybody
    """
    terminal = Terminal(verbose=verbose, quiet=quiet or not leads(), as_json=as_json)
    changes = check_overrides(overrides if targets else _no_target(overrides), seed=seed)
    if not targets:
        raise UsageError("the target is missing", hint="dancekit train --target VIDEO")
    if tensorboard:
        changes = [*changes, "train.loggers=[tensorboard]"]
    given = [f"--target {each}" for each in targets] + [f"--range={each}" for each in ranges or ()]
    given += [f"--also {each}" for each in also or ()]
    named = [] if recipe == "standard" else [f"--recipe {recipe}"]
    train_dancer(
        terminal,
        Training(recipe, changes, targets, ranges or [], out, resume, force, person, device, also or []),
        again=" ".join(["dancekit train", *given, *named]),
        licence=licence,
        consent=consent,
        rendered=rendered,
        data_licence=data_licence,
    )


@dataclass(frozen=True)
class Training:
    """What a command line asks to be trained; the options of `train` say what each is."""

    recipe: str
    changes: Sequence[str]
    targets: Sequence[Path]
    ranges: Sequence[str]
    out: Path | None
    resume: bool
    force: bool
    person: str | None
    device: str
    also: Sequence[Path] = ()


def train_dancer(
    terminal: Terminal,
    asked: Training,
    *,
    again: str,
    licence: str,
    consent: str,
    rendered: bool,
    data_licence: str,
) -> None:
    """Train, show it, and say what came of it; alone or as one of the processes of a launcher.

    Args:
        terminal: Where to print.
        asked: What to train.
        again: The command that goes on with it, without what stands in every command.
        licence: For the dancer file, as the three that follow.
        consent: What the person shown agreed to.
        rendered: Whether nobody real is shown.
        data_licence: Of the clip.

    Raises:
        SystemExit: It was stopped by a signal; or the main process failed, and has said why.
    """
    targets, resume = asked.targets, asked.resume
    check_person(asked.person)
    target, parts = targets[0], read_ranges(targets, asked.ranges)
    run = asked.out or Path("runs") / target.stem
    if rendered and consent:
        raise UsageError(
            "--consent and --rendered contradict each other", hint="nobody consents where nobody is shown"
        )
    if resume and asked.force:
        raise UsageError(
            "--resume and --force contradict each other", hint="go on with the run, or replace it"
        )
    if leads():  # the others would meet what this one has just made
        _check_place(run, resume=resume, force=asked.force)

    from dancekit.cli.interrupt import StopOnInterrupt
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe

    if leads():
        _check_targets(targets, joined=bool(parts))  # first: it needs no torch
    also = _videos(asked.also, targets)
    from dancekit.training import train as train_target
    from dancekit.training.distributed import FailedElsewhere, leave

    changes = with_launchers_precision(asked.changes)
    settings = load_recipe(asked.recipe, changes)
    with show_progress(terminal) as display, StopOnInterrupt(display, terminal.warn) as stop:
        if parts and leads():
            target = _joined(parts, run, stop.progress)
        try:
            result = train_target(
                target,
                settings,
                out=run,
                device=asked.device,
                resume=resume,
                force=asked.force,
                person=asked.person,
                progress=stop.progress,
                should_stop=stop.should_stop,
                on_record=display.note,
                licence=licence,
                consent=consent,
                subject="rendered" if rendered else "person" if consent else "",
                data_licence=data_licence,
                also=also,
            )
        except FailedElsewhere as error:
            raise SystemExit(error.exit_code) from None
        leave()
    if leads():
        _report(terminal, result, sum(each.train.steps for each in settings.chain))
    if not result.finished:
        person = [] if asked.person is None else [f"--person {asked.person}"]
        command = " ".join([again, f"--out {run} --resume", *person, *changes])
        terminal.log("to go on: " + (command if launched() == 1 else "the same command with --resume"))
        raise SystemExit(stop.exit_code)  # said already, not an error


def with_launchers_precision(changes: Sequence[str]) -> list[str]:
    """`accelerate launch --mixed_precision bf16` is `train.precision=bf16`; a recipe alone decides without it.

    Raises:
        UsageError: The overrides say something else, or it is a precision that training has not.
    """
    wished = wished_precision()
    if wished == "no":
        return list(changes)
    if wished != "bf16":
        raise UsageError(
            f"--mixed_precision {wished}: dancekit trains in fp32 or bf16", hint="--mixed_precision bf16"
        )
    given = [each for each in changes if each.startswith("train.precision=")]
    if given and given[-1] != "train.precision=bf16":
        raise UsageError(f"--mixed_precision bf16 and {given[-1]} disagree", hint="give one of them")
    return [*changes, *([] if given else ["train.precision=bf16"])]


def _check_place(run: Path, *, resume: bool, force: bool) -> None:
    """Refuse a run folder before anything heavy is imported."""
    if resume and not run.is_dir():
        raise UsageError(
            f"{run} does not exist, there is nothing to resume", hint="leave --resume away, or check --out"
        )
    if run.exists() and not run.is_dir():
        raise UsageError(f"--out {run} is a file", hint="name a folder")
    if run.exists() and any(run.iterdir()) and not (resume or force):
        raise OutputExists(run) if not (run / "checkpoints").is_dir() else _unfinished(run)


def _report(terminal: Terminal, result: TrainResult, steps: int) -> None:
    done = f"step {result.steps} of {steps}"
    terminal.log(f"{'finished' if result.finished else 'stopped'} at {done}")
    terminal.result(str(result.dancer))
    terminal.json(
        {
            "run": str(result.run),
            "dancer": str(result.dancer),
            "steps": result.steps,
            "of": steps,
            "finished": result.finished,
        }
    )


def _check_targets(targets: Sequence[Path], *, joined: bool) -> None:
    from dancekit.video import probe

    for each in targets:
        if not (each / "edn.json").is_file():
            _no_plain_folder(each)
            probe(each)
        elif joined:
            raise UsageError(f"{each} is an imported set: it is not joined with others, nor cut")


def _videos(also: Sequence[Path], targets: Sequence[Path]) -> list[Path]:
    """The clips named by `--also`, those of folders by name; a target among them is not taken twice.

    Raises:
        UsageError: A folder without videos.
        VideoError: One cannot be read.
    """
    from dancekit.video import probe

    found: list[Path] = []
    for each in also:
        if not each.is_dir():
            found.append(each)
            continue
        within = sorted(path for path in each.iterdir() if path.suffix.lower() in VIDEOS)
        if not within:
            raise UsageError(f"--also {each} holds no video", hint=f"files that end in {', '.join(VIDEOS)}")
        found += within
    known = {target.resolve() for target in targets}
    found = [each for each in found if each.resolve() not in known]
    for each in found:
        probe(each)
    return found


def read_ranges(targets: Sequence[Path], ranges: Sequence[str]) -> list[tuple[Path, str]]:
    """Which part of which target; nothing where one target is taken as it is.

    Raises:
        UsageError: Not one range for each of several targets.
    """
    if len(targets) == 1:
        return [(targets[0], text) for text in ranges]
    if ranges and len(ranges) != len(targets):
        raise UsageError(
            f"{len(targets)} targets and {len(ranges)} ranges",
            hint="one --range for each target, - for all of it",
        )
    return list(zip(targets, ranges or ["-"] * len(targets), strict=True))


def _joined(parts: Sequence[tuple[Path, str]], run: Path, progress: Progress) -> Path:
    """The parts as one video beside the run: `runs/me.target.mp4`."""
    from dancekit.data.poses import Span
    from dancekit.data.takes import Take, join_takes

    takes = []
    for video, text in parts:
        since, dash, until = text.partition("-")
        begin, end = (read_seconds("--range", each) if each.strip() else None for each in (since, until))
        if not dash or (end is not None and end <= (begin or 0)):
            raise UsageError(f"--range {text} is no range", hint="10-25, 1:05-, -0:40, or - for all of it")
        takes.append(Take(video, Span(begin, end)))
    return join_takes(takes, run.with_name(f"{run.name}.target.mp4"), progress=progress)


def _unfinished(run: Path) -> UsageError:
    return UsageError(f"{run} holds a run already", hint="--resume goes on with it, --force replaces it")


def _no_plain_folder(target: Path) -> None:
    if target.is_dir():
        known = (target / "train_label").is_dir()
        made = f"dancekit import-edn {target} --out SET makes a training set of it"
        raise UsageError(f"{target} is a folder", hint=made if known else "name a video")


def _no_target(overrides: list[str] | None) -> list[str]:
    """The overrides, if there is no video among them that wants to be the target."""
    for text in overrides or ():
        if not is_override(text):
            raise UsageError(
                f"{text!r} is not an override", hint=f"is it the target? dancekit train --target {text}"
            )
    return overrides or []
