"""`dancekit cp`: a packaged recipe becomes the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Quiet, Verbose
from dancekit.errors import OutputExists, UnknownName, UsageError


def cp(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A packaged recipe or unit, protocols/NAME or ablations/NAME."),
    ],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The new file, or a folder.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what is at DEST already.")] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Copy a packaged recipe (or protocol, or ablation), to change it.

    The copy has every comment of the original; what it extends is still
    found in dancekit.

    Examples:
      dancekit cp quick mine.yaml
      dancekit train --target me.mp4 --recipe mine.yaml
      dancekit cp protocols/self mine.yaml
      dancekit cp ablations/edn-v1 mine.yaml
    """
    terminal = Terminal(verbose=verbose, quiet=quiet)
    source = packaged_file(recipe)
    place = destination / source.name if destination.is_dir() else destination
    if place.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{place} has no suffix .yaml", hint=f"a file of your own needs one: {place}.yaml")
    if place.exists() and not force:
        raise OutputExists(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.write_bytes(source.read_bytes())
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
    terminal.result(str(place))


def packaged_file(name: str) -> Path:
    """The file of a packaged recipe (`quick`), unit (`units/optim/adam_gan.yaml`), protocol (`protocols/self`) or
    ablation (`ablations/edn-v1`).

    Raises:
        UnknownName: There is none.
    """
    from dancekit.config import recipe_path
    from dancekit.config.files import is_file_name, packaged_files
    from dancekit.registry.core import did_you_mean
    from dancekit.resources import data_path

    head, _, tail = name.partition("/")
    if head == "protocols":
        from dancekit.evaluate.protocols import PROTOCOLS

        return PROTOCOLS.path(tail.removesuffix(".yaml"))
    if head == "ablations":
        from dancekit.ablation.matrix import MATRICES

        return MATRICES.path(tail.removesuffix(".yaml"))
    if not is_file_name(name):
        return recipe_path(name)
    known = packaged_files()
    if name not in known:
        raise UnknownName(
            f"there is no packaged recipe {name!r}{did_you_mean(name, known)}",
            hint="see: dancekit ls recipes",
        )
    return data_path(f"recipes/{name}")
