"""The first line of a component's docstring, read without importing the component."""

from __future__ import annotations

import ast
from importlib.machinery import PathFinder
from pathlib import Path

from dancekit.registry.core import Entry


def summary(entry: Entry) -> str:
    """What a component is, in a line; imports nothing.

    Args:
        entry: From `list_components`.

    Returns:
        The first paragraph of the class's docstring on one line; empty if the source cannot be found or read
        (a broken plugin must not spoil a listing).
    """
    module, _, attribute = entry.target.partition(":")
    source = _source_of(module)
    if source is None:
        return ""
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    return ""


def _source_of(module: str) -> Path | None:
    # importlib.util.find_spec would import the parent packages; PathFinder, given folders, imports nothing.
    folders: list[str] | None = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), folders)
        if spec is None:
            return None
        if depth == len(parts):
            return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
        folders = list(spec.submodule_search_locations or [])
    return None
