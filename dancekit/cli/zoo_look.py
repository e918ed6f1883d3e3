"""`dancekit zoo ls` and `dancekit zoo show`: what the zoo has."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose

Id = Annotated[str, typer.Argument(metavar="ID", help="As dancekit zoo ls lists it.")]


def ls(as_json: Json = False, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """List what the zoo has: what ships with dancekit, and the folders that DANCEKIT_ZOO names.

    Examples:
      dancekit zoo ls
      dancekit zoo ls --json
    """
    from dancekit.zoo.index import Zoo
    from dancekit.zoo.locate import find_here

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    zoo = Zoo()
    rows: list[dict[str, Any]] = [
        {
            "id": entry.id,
            "kind": entry.kind,
            "title": entry.title,
            "bytes": sum(file.bytes for file in entry.files),
            "licence": entry.licence.weights,
            "here": find_here(zoo, entry, entry.main)[0],
        }
        for entry in zoo.entries
    ]
    terminal.table(
        ["id", "kind", "MB", "licence", "where", "what it is"],
        [
            [row["id"], row["kind"], f"{row['bytes'] / 1e6:.1f}", row["licence"], row["here"], row["title"]]
            for row in rows
        ],
    )
    terminal.json(rows)


def show(identity: Id, as_json: Json = False, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """Show one entry of the zoo: files, licence, consent, numbers. Fetches nothing.

    Examples:
      dancekit zoo show demo
    """
    from dancekit.zoo.index import Zoo
    from dancekit.zoo.locate import find_here

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    zoo = Zoo()
    entry = zoo.entry(identity)
    here = {file.name: find_here(zoo, entry, file) for file in entry.files}
    rows = [
        ["what", entry.title],
        ["licence of the weights", entry.licence.weights],
        ["licence of the data", entry.licence.data or "not said"],
    ]
    if entry.kind == "dancer":
        rows += [["shows", entry.subject], ["consent", entry.consent or "not needed"]]
        rows += [["recipe", entry.recipe or "of its own"]]
    rows += [["use", entry.use], ["limits", entry.limits]]
    terminal.table([entry.id, ""], [row for row in rows if row[1]])
    terminal.result("")
    terminal.table(
        ["file", "MB", "where", "sha256"],
        [
            [file.name, f"{file.bytes / 1e6:.1f}", str(here[file.name][1] or here[file.name][0]), file.sha256]
            for file in entry.files
        ],
    )
    for found in entry.measured:
        terminal.result("")
        terminal.table(
            [found.protocol, "where", "value"],
            [
                [score.metric, score.region, f"{score.value:.4g} {score.unit}".strip()]
                for score in found.scores
            ],
        )
    terminal.json(
        entry.model_dump(mode="json")
        | {"here": {name: {"place": place, "path": path} for name, (place, path) in here.items()}}
    )
