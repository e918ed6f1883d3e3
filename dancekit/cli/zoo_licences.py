"""`dancekit zoo licences` and `dancekit zoo lock`: what a recipe's weights are, and under which terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Force, Json, Overrides, Quiet, Verbose, check_output, check_overrides
from dancekit.errors import LicenceError

Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A packaged recipe, or a file.")]


def licences(
    recipe: Recipe,
    overrides: Overrides = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say under which licences a recipe's weights are. Exit code 4 if its policy forbids one.

    The policy is policy.allow_licences of the recipe: permissive, copyleft,
    non-commercial. Nothing is fetched.

    Examples:
      dancekit zoo licences quick
      dancekit zoo licences mine.yaml pose=rtmlib
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    from dancekit.config import load_recipe
    from dancekit.zoo.lock import licence_rows

    settings = load_recipe(recipe, check_overrides(overrides))
    rows = licence_rows(settings)
    if rows:
        terminal.table(
            ["file", "licence", "group", "allowed", "needed by"],
            [
                [
                    row["file"],
                    row["licence"] or "not said",
                    row["group"],
                    "yes" if row["allowed"] else "no",
                    f"{row['place']}: {row['component']}",
                ]
                for row in rows
            ],
        )
    else:
        terminal.result("It needs no weights of others.")
    terminal.json(rows)
    if wrong := [row for row in rows if not row["allowed"]]:
        raise LicenceError(
            f"{wrong[0]['place']}: the weights {wrong[0]['file']} are under "
            f"{wrong[0]['licence'] or 'an unknown licence'} ({wrong[0]['group']})",
            hint=f"policy.allow_licences allows {', '.join(settings.policy.allow_licences)}",
        )


def lock(
    recipe: Recipe,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of to stdout.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """List every weight file that a recipe needs, with its sha256, as JSON. Nothing is fetched.

    dancekit zoo verify FILE checks a machine against it later.

    Examples:
      dancekit zoo lock quick
      dancekit zoo lock quick --out quick.lock.json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    destination = None if out is None else check_output(out, force=force, suffixes=(".json",))
    from dancekit.config import load_recipe
    from dancekit.zoo.lock import lock_recipe

    found = lock_recipe(load_recipe(recipe, check_overrides(overrides)), name=recipe)
    for file in found["files"]:
        if file["sha256"] is None:
            terminal.warn(f"nobody knows a sha256 of {file['name']}")
    if destination is None:
        terminal.result(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        from dancekit.data.files import write_whole

        write_whole(destination, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        terminal.result(str(destination))
    terminal.json(found)
