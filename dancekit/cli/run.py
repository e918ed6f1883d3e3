"""`dancekit run`: train what a recipe says, on one machine or, started by `accelerate launch`, on many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import (
    Device,
    Force,
    Json,
    Overrides,
    Quiet,
    Seed,
    Verbose,
    Who,
    check_overrides,
)
from dancekit.cli.train import Training, train_dancer
from dancekit.errors import UsageError
from dancekit.launch import leads


def run(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A packaged recipe (dancekit ls recipes), or a file."),
    ],
    overrides: Overrides = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", metavar="VIDEO|SET", help="In place of the recipe's key target."),
    ] = None,
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
    person: Who = None,
    force: Force = False,
    device: Device = "auto",
    seed: Seed = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Train what a recipe says on the target that it names.

    The same as dancekit train, with the recipe in the first place: the form for
    scripts and clusters. Started by accelerate launch (or torchrun), the
    processes share out the clips of every step: the same is learnt, sooner.
    docs/many.md says more.

    Examples:
      dancekit run mine.yaml
      dancekit run quick target=me.mp4 train.steps=500
      accelerate launch --num_processes 4 -m dancekit run best \
          --target me.mp4 --out runs/me train.accumulate=4
    """
    terminal = Terminal(verbose=verbose, quiet=quiet or not leads(), as_json=as_json)
    changes = check_overrides(overrides, seed=seed)
    clip = target or _target_of(recipe, changes)
    given = [] if target is None else [f"--target {target}"]
    train_dancer(
        terminal,
        Training(recipe, changes, [clip], [], out, resume, force, person, device),
        again=" ".join([f"dancekit run {recipe}", *given]),
        licence=licence,
        consent=consent,
        rendered=rendered,
        data_licence=data_licence,
    )


def _target_of(recipe: str, changes: list[str]) -> Path:
    from dancekit.config import load_tree

    found = load_tree(recipe, changes).get("target", "")
    if not found:
        raise UsageError(
            f"recipe {recipe} names no target",
            hint=f"dancekit run {recipe} --target VIDEO, or its key target",
        )
    return Path(found)
