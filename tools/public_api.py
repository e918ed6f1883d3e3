"""The public surface of dancekit as text: names and signatures, commands and options, components and parameters.

    python tools/public_api.py            whether it is what tests/packaging/public_api.txt says (exit code 1 if not)
    python tools/public_api.py --write    write that file anew, after a change that is meant

See docs/api-stability.md for what may change and how.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "tests" / "packaging" / "public_api.txt"

MODULES = (
    "dancekit",
    "dancekit.types",
    "dancekit.contracts",
    "dancekit.errors",
    "dancekit.registry",
    "dancekit.config",
    "dancekit.video",
    "dancekit.training",
    "dancekit.transfer",
    "dancekit.evaluate",
    "dancekit.testing",
)
"""What may be imported; everything else can change at any time."""


def surface() -> list[str]:
    """One line for each name, in order."""
    return [*_python(), *_commands(), *_components()]


def _python() -> Iterator[str]:
    for name in MODULES:
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None) or [
            each for each, value in vars(module).items() if getattr(value, "__module__", "") == name
        ]
        for each in sorted(public):
            if not each.startswith("_"):
                yield from _describe(f"{name}.{each}", getattr(module, each))


def _describe(path: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield f"class {path}"
        fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        for field in fields:
            optional = (
                field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            )
            yield f"field {path}.{field.name}: {field.type}{' = ...' if optional else ''}"
        for name, member in sorted(vars(value).items()):
            if name.startswith("_") or name in {field.name for field in fields}:
                continue
            if isinstance(member, property):
                yield f"property {path}.{name}"
            elif callable(member) or isinstance(member, classmethod | staticmethod):
                yield f"def {path}.{name}{_signature(getattr(value, name))}"
    elif callable(value) and hasattr(value, "__module__"):
        yield f"def {path}{_signature(value)}"
    else:
        yield f"value {path}"


def _signature(function: Any) -> str:
    try:
        text = str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(...)"
    return re.sub(r" at 0x[0-9a-f]+", "", text.replace("'", ""))


def _commands() -> Iterator[str]:
    from dancekit.cli.app import COMMANDS, load_command

    for name in sorted(COMMANDS):
        command = load_command(name)
        inside = {name: command} | {
            f"{name} {each}": c for each, c in getattr(command, "commands", {}).items()
        }
        for words, each in inside.items():
            yield f"command dancekit {words}"
            for parameter in sorted(each.params, key=lambda parameter: parameter.name):
                if parameter.name not in ("help", "verbose", "quiet"):
                    flags = [*parameter.opts, *parameter.secondary_opts]
                    kind = "option" if flags[0].startswith("-") else "argument"
                    shown = "/".join(flags) if kind == "option" else parameter.name
                    needed = " (required)" if parameter.required else ""
                    yield f"{kind} dancekit {words} {shown}{needed}"


def _components() -> Iterator[str]:
    from dancekit.registry import describe, list_components
    from dancekit.registry.core import HOME

    for entry in list_components():
        if entry.distribution != HOME:
            continue
        facts = describe(entry.kind, entry.name)
        yield f"component {entry.kind}/{entry.name}@{facts.version}"
        for each in facts.parameters:
            yield f"parameter {entry.kind}/{entry.name} {each.name}: {each.type} = {each.default!r}"


def changes(found: list[str], pinned: list[str]) -> list[str]:
    """What is gone (-) and what is new (+); empty if both are the same."""
    lines = difflib.unified_diff(pinned, found, lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def main() -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the file anew")
    found = surface()
    if parser.parse_args().write:
        FILE.write_text("\n".join(found) + "\n", encoding="utf-8")
        return 0
    different = changes(found, FILE.read_text(encoding="utf-8").splitlines())
    print("\n".join(different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
