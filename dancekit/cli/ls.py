"""`dancekit ls`: what there is. Imports no component, and no torch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose, complete_kind
from dancekit.errors import DancekitError, UnknownName

RECIPES, PROTOCOLS, ABLATIONS, MOTIONS = "recipes", "protocols", "ablations", "motions"


def ls(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND|recipes|protocols|ablations|motions",
            help="Only these: pose, filter, generator, ..., recipes, protocols, ablations or motions.",
            autocompletion=complete_kind,
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """List components, recipes, protocols, ablations and motions: dances to transfer.

    Examples:
      dancekit ls
      dancekit ls generator
      dancekit ls recipes --json
      dancekit ls protocols
      dancekit ls motions
    """
    from dancekit.registry import plugin_problems

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    components = [] if kind in (RECIPES, PROTOCOLS, ABLATIONS, MOTIONS) else list_all(kind)
    recipes = list_recipes() if kind in (None, RECIPES) else []
    protocols = list_protocols() if kind in (None, PROTOCOLS) else []
    ablations = list_ablations() if kind in (None, ABLATIONS) else []
    motions = list_dances() if kind in (None, MOTIONS) else []
    if components:
        foreign = any(each["distribution"] != "dancekit" for each in components)
        head = ["kind", "name", *(["from"] if foreign else []), "what it is"]
        keys = ["kind", "name", *(["distribution"] if foreign else []), "summary"]
        terminal.table(head, [[str(each[key]) for key in keys] for each in components])
    if recipes:
        if components:
            terminal.result("")
        terminal.table(["recipe", "what it is for"], [[each["name"], each["summary"]] for each in recipes])
    if protocols:
        if components:
            terminal.result("")
        terminal.table(
            ["protocol", "what it measures"], [[each["name"], each["summary"]] for each in protocols]
        )
    if ablations:
        if components:
            terminal.result("")
        terminal.table(["ablation", "what it asks"], [[each["name"], each["summary"]] for each in ablations])
    if motions:
        if components:
            terminal.result("")
        terminal.table(
            ["motion", "seconds", "licence", "what it is"],
            [[each["id"], f"{each['seconds']:.0f}", each["licence"], each["summary"]] for each in motions],
        )
    problems = plugin_problems()
    for problem in [*problems, *(_clash(each) for each in components if each["clashes"])]:
        terminal.warn(problem)
    terminal.json(
        {
            "components": components,
            "recipes": recipes,
            "protocols": protocols,
            "ablations": ablations,
            "motions": motions,
            "problems": problems,
        }
    )


def list_all(kind: str | None) -> list[dict[str, Any]]:
    """Components as plain data.

    Raises:
        UnknownName: No such kind.
    """
    from dancekit.registry import kinds, list_components, summary
    from dancekit.registry.core import did_you_mean

    words = [*kinds(), RECIPES, PROTOCOLS, ABLATIONS, MOTIONS]
    if kind is not None and kind not in words:
        raise UnknownName(
            f"there is no kind {kind!r}{did_you_mean(kind, words)}", hint=f"the kinds are {', '.join(words)}"
        )
    return [
        {
            "kind": entry.kind,
            "name": entry.name,
            "summary": summary(entry),
            "distribution": entry.distribution,
            "clashes": list(entry.clashes),
        }
        for entry in list_components(kind)
    ]


def list_recipes() -> list[dict[str, str]]:
    """Packaged recipes as plain data; one that cannot be read is listed with what is wrong."""
    from dancekit.config import recipe_names
    from dancekit.config.load import read_recipe, summary_of

    found = []
    for name in recipe_names():
        try:
            text = summary_of(read_recipe(name)[0])
        except DancekitError as error:
            text = f"(broken: {error})"
        found.append({"name": name, "summary": text})
    return found


def list_protocols() -> list[dict[str, str]]:
    """Packaged protocols as plain data, each with the first sentence of its description."""
    from dancekit.evaluate.protocols import PROTOCOLS, load_protocol

    found = []
    for name in PROTOCOLS.names():
        try:
            text = load_protocol(name).description.partition(". ")[0].rstrip(".") + "."
        except DancekitError as error:
            text = f"(broken: {error})"
        found.append({"name": name, "summary": text})
    return found


def list_ablations() -> list[dict[str, str]]:
    """Packaged matrices as plain data."""
    from dancekit.ablation.matrix import MATRICES, load_matrix

    found = []
    for name in MATRICES.names():
        try:
            text = load_matrix(name).summary
        except DancekitError as error:
            text = f"(broken: {error})"
        found.append({"name": name, "summary": text})
    return found


def list_dances() -> list[dict[str, Any]]:
    """The dances of the motion library as plain data."""
    import dataclasses

    from dancekit.zoo.motions import list_motions

    return [
        {**dataclasses.asdict(each), "path": str(each.path), "seconds": each.frames / each.rate}
        for each in list_motions()
    ]


def _clash(entry: dict[str, Any]) -> str:
    others = ", ".join(entry["clashes"])
    return f"{entry['kind']} {entry['name']!r} is claimed by {entry['distribution']} and {others}"
