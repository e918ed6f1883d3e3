"""`dancekit dance`: poses, a check of both clips, training and transfer in one go, which can be stopped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import INTERRUPTED, Terminal
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
    check_output,
    check_overrides,
    check_person,
    has_override,
)
from dancekit.errors import DancekitError, OutputExists

if TYPE_CHECKING:
    from dancekit.cli.dance_job import DanceJob
    from dancekit.cli.progress import Display
    from dancekit.config import Recipe
    from dancekit.contracts import PoseBackend
    from dancekit.model import Painter
    from dancekit.training import TrainResult
    from dancekit.training.estimate import Speeds
    from dancekit.transfer import TransferResult
    from dancekit.types import PoseSequence, VideoInfo


def dance(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A video of the dance.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET",
            help="A video of who is to dance it: whole body, some minutes, camera that does not move.",
        ),
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The video. [dim]Default: <source>_as_<target>.mp4[/]"),
    ] = None,
    person: Who = None,
    target_person: Annotated[
        str | None, typer.Option("--target-person", metavar="WHO", help="The same in TARGET.")
    ] = None,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    seed: Seed = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """All in one: TARGET dances what SOURCE dances.

    Says how long it will take, checks both clips, trains a dancer on TARGET
    and paints the dance. While it trains, a preview of two seconds of the
    dance appears beside the video every few minutes.

    Ctrl-C paints the video with what is trained so far; the same command
    again goes on from there.

    Examples:
      dancekit dance idol.mp4 me.mp4
      dancekit dance idol.mp4 me.mp4 --out show.mp4 train.steps=8000
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides, seed=seed)
    check_person(person, target_person)
    destination = check_output(out or Path(f"{source.stem}_as_{target.stem}.mp4"), force=True)

    if destination.exists() and not force and not destination.with_name(f"{destination.stem}.run").exists():
        raise OutputExists(destination)

    from dancekit.video import probe

    clips = probe(source), probe(target)  # first: it needs no torch

    from dancekit.build import build_pose, resolve_device
    from dancekit.cli.dance_job import DanceJob, preview_every, refuse_same
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe, override_recipe

    settings = load_recipe(recipe, changes)
    refuse_same(source, target, destination)
    job = DanceJob(source, target, destination, settings, person, target_person)
    going_on = job.check_run(force=force)
    job.check_out(going_on=going_on, force=force)
    place = resolve_device(device)
    backend = build_pose(settings, place)
    if going_on and job.trained:
        terminal.log(f"{job.run.folder} is trained already ({job.steps_done} steps): only painting again")
        with show_progress(terminal) as display:
            made = _paint(job, display, place)
        _report(terminal, job, made, finished=True)
        return
    speeds = _say_plan(terminal, job, backend, clips, place, going_on=going_on)
    if not has_override(changes, "train.preview_every"):
        pace = speeds.training(settings) / settings.train.steps
        settings = override_recipe(
            settings, [f"train.preview_every={preview_every(pace, settings.train.steps)}"]
        )
    with show_progress(terminal) as display:
        moved = _check_clips(terminal, job, backend, clips, display)
        result = _train(terminal, job, settings, moved, clips[0], display, place, going_on=going_on)
        made = _paint(job, display, place)
    _report(terminal, job, made, finished=result.finished)
    if not result.finished:
        terminal.log(
            f"painted after {result.steps} of {settings.train.steps} steps; "
            "the same command again goes on from there"
        )
        raise SystemExit(INTERRUPTED)  # said already, not an error


def _say_plan(
    terminal: Terminal,
    job: DanceJob,
    backend: PoseBackend,
    clips: tuple[VideoInfo, VideoInfo],
    device: str,
    *,
    going_on: bool,
) -> Speeds:
    """Measure this machine and say how long each part will take."""
    from dancekit.cli.progress import duration
    from dancekit.data.poses import is_tracked
    from dancekit.training.estimate import measure_speeds

    terminal.log("measuring this machine ...")
    speeds = measure_speeds(job.recipe, backend, job.target, device)
    frames = [clip.frames or math.ceil((clip.duration or 0) * clip.rate) for clip in clips]
    known = [
        is_tracked(clip.path, backend, job.recipe.pose, person=who)
        for clip, who in zip(clips, (job.person, job.target_person), strict=True)
    ]
    poses = sum(count * speeds.pose for count, there in zip(frames, known, strict=True) if not there)
    done = job.steps_done if going_on else 0
    if done:
        terminal.log(f"going on from step {done}")
    steps = f"{job.recipe.train.steps - done} steps"
    parts = [
        f"poses {duration(poses)}" if poses else "poses known",
        f"training {duration(speeds.training(job.recipe, done))} ({steps})",
        f"painting {duration(frames[0] * speeds.paint)}",
    ]
    terminal.log(f"this will take about: {', '.join(parts)}")
    if job.recipe.before:
        terminal.log(f"and, not counted here, the training of the {len(job.recipe.before)} recipes before it")
    return speeds


def _check_clips(
    terminal: Terminal,
    job: DanceJob,
    backend: PoseBackend,
    clips: tuple[VideoInfo, VideoInfo],
    display: Display,
) -> PoseSequence:
    """Find both poses, say what the clips are like, and fit the source's poses to the target."""
    from dancekit.build import build_filters, build_normalizer
    from dancekit.cli.check import NEW_DANCE
    from dancekit.data.check import check_source, check_target
    from dancekit.data.coverage import PoseRange
    from dancekit.data.poses import apply_filters, track_person

    recipe = job.recipe
    found = [
        track_person(clip.path, backend, recipe.pose, person=who, progress=display)
        for clip, who in zip(clips, (job.person, job.target_person), strict=True)
    ]
    reports = (
        check_source(clips[0], found[0].poses, camera=found[0].camera),
        check_target(
            clips[1], found[1].poses, recipe.size, person_height=recipe.person_height, camera=found[1].camera
        ),
    )
    source, target = (apply_filters(each.steady_poses, build_filters(recipe)) for each in found)
    normalizer = build_normalizer(recipe.normalizer)
    fitted = normalizer.fit(source, target)
    for name, report in zip(("source", "target"), reports, strict=True):
        terminal.log(f"{name}: {report}")
    for warning in [*reports[0].warnings, *reports[1].warnings, *fitted.get("warnings", ())]:
        terminal.warn(warning)
    moved = normalizer.apply(fitted, source)
    coverage = PoseRange(target).coverage(moved)
    if coverage.share > NEW_DANCE:
        terminal.warn(
            f"{coverage.share:.0%} of the dance is outside what was filmed (which poses to film as well: "
            f"dancekit check {job.target} --for {job.source} --out film-these.png)"
        )
    return moved


def _train(
    terminal: Terminal,
    job: DanceJob,
    recipe: Recipe,
    moved: PoseSequence,
    clip: VideoInfo,
    display: Display,
    device: str,
    *,
    going_on: bool,
) -> TrainResult:
    from dancekit.cli.dance_job import DancePreview
    from dancekit.cli.interrupt import StopOnInterrupt
    from dancekit.training import train

    preview = DancePreview(job, moved, clip.rate)

    def show(painter: Painter, step: int) -> None:
        try:
            preview(painter, step)
        except DancekitError as error:  # hours of training are not lost for a preview
            terminal.warn(f"no preview at step {step}: {error}")
        else:
            terminal.log(f"step {step}: {job.preview}")

    with StopOnInterrupt(display, terminal.warn) as stop:
        return train(
            job.target,
            recipe,
            out=job.run.folder,
            device=device,
            resume=going_on,
            force=not going_on,
            person=job.target_person,
            progress=stop.progress,
            should_stop=stop.should_stop,
            on_record=display.note,
            on_preview=show,
        )


def _paint(job: DanceJob, display: Display, device: str) -> TransferResult:
    """Transfer with the dancer there is; `job.check_out` has allowed to replace the video."""
    from dancekit.transfer import Dancer

    dancer = Dancer.load(job.run.dancer, device=device)
    result = dancer.transfer(job.source, job.out, force=True, person=job.person, progress=display)
    job.remember(job.steps_done)
    return result


def _report(terminal: Terminal, job: DanceJob, made: TransferResult, *, finished: bool) -> None:
    terminal.result(str(made.out))
    terminal.json(
        {
            "out": str(made.out),
            "sidecar": str(made.sidecar),
            "run": str(job.run.folder),
            "dancer": str(job.run.dancer),
            "frames": made.frames,
            "frames_without_person": made.missing,
            "steps": job.steps_done,
            "of": job.recipe.train.steps,
            "finished": finished,
        }
    )
