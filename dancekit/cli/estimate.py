"""`dancekit estimate`: what a training needs, before it begins."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Device, Json, Overrides, Quiet, Verbose, check_overrides


def estimate(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A packaged recipe (dancekit ls recipes), or a file.")
    ],
    overrides: Overrides = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--target", metavar="VIDEO", help="The clip to train on. [dim]Default: a minute at 25 fps[/]"
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say what a training needs in time, memory and disk, from two steps on made-up frames.

    The parts of the recipe are timed on this machine as it is now; other
    work on it makes the answer longer. Memory is that of the whole process.

    Examples:
      dancekit estimate quick
      dancekit estimate quick --target me.mp4 train.steps=8000
      dancekit estimate mine.yaml train.batch=4 --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)

    from dancekit.cli.cache import megabytes
    from dancekit.cli.progress import duration
    from dancekit.config import load_recipe
    from dancekit.video import probe

    settings = load_recipe(recipe, changes)
    frames, clip = 1500, "a minute at 25 fps"
    if target is not None:
        info = probe(target)
        frames, clip = info.frames or math.ceil((info.duration or 0) * info.rate), str(target)

    from dancekit.build import build_pose, resolve_device
    from dancekit.training.estimate import measure_needs

    place = resolve_device(device)
    terminal.log("measuring this machine ...")
    needs = measure_needs(settings, build_pose(settings, place), frames, place, video=target)
    where = "memory" if place == "cpu" else f"memory on {place}"
    rows = [
        ["clip", f"{clip}, {frames} frames"],
        *([["poses", duration(needs.poses_seconds)]] if needs.poses_seconds is not None else []),
        ["training", f"{duration(needs.training_seconds)}, {settings.train.steps} steps"],
        *(
            [f"  a step of {stage.name}", f"{seconds:.3g} s"]
            for stage, seconds in zip(settings.train.stages, needs.step_seconds, strict=True)
        ),
        [where, megabytes(needs.memory)],
        ["disk: the clip's frames", megabytes(needs.frames_disk)],
        ["disk: checkpoints", f"{megabytes(needs.checkpoints_disk)} ({megabytes(needs.checkpoint)} each)"],
        ["disk: dancer and previews", megabytes(needs.results_disk)],
    ]
    terminal.table([settings.summary, ""], rows)
    terminal.json({"recipe": settings.summary, "frames": frames, "device": place, **needs.to_json()})
