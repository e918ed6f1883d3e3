"""`dancekit show`: a component's parameters, a recipe, or what a file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose
from dancekit.errors import UnknownName, UsageError


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE|RUN",
            help="A component, a recipe, a protocol, a dancer or any safetensors file, a pose file, a run folder.",
        ),
    ],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Show a component, a recipe, a protocol, a dancer, a pose file or a run.

    Examples:
      dancekit show unet
      dancekit show face/none
      dancekit show quick
      dancekit show protocols/self
      dancekit show runs/me/dancer.safetensors
      dancekit show runs/me
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    path = Path(name)
    if path.is_file():
        _show_file(terminal, path)
        return
    if path.is_dir():
        from dancekit.cli.show_run import show_run

        show_run(terminal, path)
        return
    found = find_all(name)
    if len(found) > 1:
        ways = " or ".join(f"dancekit show {each}" for each in found)
        raise UsageError(f"{name!r} means {len(found)} things", hint=ways)
    kind, _, component = found[0].partition("/")
    if kind == "protocols":
        _show_protocol(terminal, component)
    elif component and kind != "recipes":
        _show_component(terminal, kind, component)
    else:
        _show_recipe(terminal, component or kind)


def find_all(name: str) -> list[str]:
    """What a name can mean: `kind/name` of components, `recipes/name` of recipes.

    Raises:
        UnknownName: Nothing.
    """
    from dancekit.config import recipe_names
    from dancekit.evaluate.protocols import PROTOCOLS
    from dancekit.registry import find, kinds, list_components
    from dancekit.registry.core import did_you_mean

    head, slash, tail = name.partition("/")
    if slash and head in kinds():
        find(head, tail)  # says what is meant perhaps
        return [name]
    entries = dict.fromkeys(f"{entry.kind}/{entry.name}" for entry in list_components())
    everything = [*entries, *(f"recipes/{recipe}" for recipe in recipe_names())]
    everything += [f"protocols/{protocol}" for protocol in PROTOCOLS.names()]
    found = [each for each in everything if name in (each, each.partition("/")[2])]
    if found:
        return found
    if Path(name).suffix:
        raise UnknownName(f"there is no file {name}", hint="check the path")
    close = did_you_mean(name, sorted({each.partition("/")[2] for each in everything}))
    raise UnknownName(f"there is no component, recipe or file {name!r}{close}", hint="see: dancekit ls")


def _show_component(terminal: Terminal, kind: str, name: str) -> None:
    from dancekit.registry import describe

    facts = describe(kind, name)
    terminal.result(f"{kind}/{name}, version {facts.version}, {facts.target} of {facts.distribution}")
    terminal.result(f"{facts.summary}\n")
    if facts.parameters:
        rows = [[each.name, each.type, _plain(each.default), each.doc] for each in facts.parameters]
        terminal.table(["parameter", "type", "default", "what it does"], rows)
    else:
        terminal.result("It has no parameters.")
    if facts.wired:
        terminal.result(f"\nGiven by the rest of the recipe: {', '.join(facts.wired)}.")
    terminal.json(
        {
            "kind": kind,
            "name": name,
            "version": facts.version,
            "target": facts.target,
            "distribution": facts.distribution,
            "summary": facts.summary,
            "parameters": [
                {"name": each.name, "type": each.type, "default": each.default, "doc": each.doc}
                for each in facts.parameters
            ],
            "wired": list(facts.wired),
        }
    )


def _show_recipe(terminal: Terminal, name: str | Path) -> None:
    from dancekit.config import load_recipe

    recipe = load_recipe(name)
    terminal.result(recipe.to_yaml().rstrip())
    terminal.json(recipe.to_json())


def _show_protocol(terminal: Terminal, name: str) -> None:
    from dancekit.evaluate.protocols import load_protocol

    protocol = load_protocol(name)
    terminal.result(protocol.to_yaml().rstrip())
    terminal.json(protocol.to_json())


def _show_file(terminal: Terminal, path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        _show_safetensors(terminal, path)
    elif suffix in (".yaml", ".yml"):
        _show_recipe(terminal, path)
    elif suffix == ".npz":
        _show_poses(terminal, path)
    else:
        raise UsageError(
            f"{path} is none of .safetensors, .yaml, .npz", hint="a video is looked at by dancekit pose"
        )


def _show_safetensors(terminal: Terminal, path: Path) -> None:
    """From the header alone: neither weights nor torch are touched."""
    from dancekit.weights.header import read_header

    header = read_header(path)
    parts: dict[str, dict[str, int]] = {}
    for name, tensor in header.tensors.items():
        part = parts.setdefault(name.partition(".")[0], {"tensors": 0, "bytes": 0})
        part["tensors"] += 1
        part["bytes"] += tensor.offsets[1] - tensor.offsets[0]
    if "dancekit" in header.metadata:
        facts = dancer_facts(path)
        rows = _dancer_rows(facts)
    else:
        facts = {"metadata": dict(header.metadata)}
        rows = [[key, value] for key, value in sorted(header.metadata.items())]
    rows.append(["file", f"{header.size / 1e6:.1f} MB, {len(header.tensors)} tensors"])
    terminal.table([path.name, ""], rows)
    terminal.result("")
    terminal.table(
        ["part", "tensors", "MB"],
        [[name, str(part["tensors"]), f"{part['bytes'] / 1e6:.2f}"] for name, part in sorted(parts.items())],
    )
    terminal.json({"file": str(path), "bytes": header.size, "parts": parts} | facts)


def dancer_facts(path: Path) -> dict[str, Any]:
    """A dancer's header as plain data.

    Raises:
        DancerError: The header is damaged.
    """
    from dancekit.dancer import read_info

    return read_info(path).to_json()


def _dancer_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    window, training = facts["window"], facts["training"]
    rows = [
        ["recipe", str(facts["recipe"]["summary"])],
        [
            "paints",
            "{}x{} pixels".format(*window["size"]) + " of a clip of {}x{}".format(*window["frame_size"]),
        ],
        ["rate", f"{_number(facts['rate'])} fps"],
        ["skeleton", facts["skeleton"]],
        *([kind, name] for kind, name in facts["components"].items()),
        ["licence", facts["licence"] or "not said"],
        ["consent", facts["consent"] or "not said"],
        *([f"training: {key}", _plain(value)] for key, value in training.items()),
        *([f"metric: {key}", _plain(value)] for key, value in facts["metrics"].items()),
        ["written by", f"dancekit {facts['version']}"],
    ]
    return [[str(cell) for cell in row] for row in rows]


def _show_poses(terminal: Terminal, path: Path) -> None:
    from dancekit.cli.pose import summarize
    from dancekit.types import PoseSequence

    facts = summarize(PoseSequence.load(path))
    terminal.table([path.name, ""], [[key, _plain(value)] for key, value in facts.items()])
    terminal.json({"file": str(path)} | facts)


def _number(fraction: str) -> str:
    from fractions import Fraction

    return f"{float(Fraction(fraction)):.4g}"


def _plain(value: Any) -> str:
    """A value as a recipe would have it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
