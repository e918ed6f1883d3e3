"""`dancekit new-plugin`: a package of your own with one component, complete and tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose, complete_kind


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What recipes will call the component.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="pose, filter, ..., metric: dancekit ls lists them.",
            autocompletion=complete_kind,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder; dancekit-NAME if not given.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Write a package with one component that works: change it into yours.

    It holds the component, its tests, the contract tests of its kind, a recipe
    that uses it, and the entry point by which dancekit finds it.

    Examples:
      dancekit new-plugin acme_gan --kind generator
      dancekit new-plugin acme_gan --kind generator --out ~/code/acme
    """
    from dancekit.plugins.template import name_plugin, write_plugin

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    plugin = name_plugin(name, kind)
    folder = out or Path(plugin.distribution)
    files = write_plugin(plugin, folder)
    for path in files:
        terminal.result(str(folder / path))
    terminal.log(f"next: cd {folder} && pip install -e '.[test]' && pytest")
    terminal.json(
        {
            "folder": str(folder),
            "files": [path.as_posix() for path in files],
            "distribution": plugin.distribution,
            "kind": plugin.kind,
            "name": plugin.name,
            "recipe": plugin.document,
        }
    )
