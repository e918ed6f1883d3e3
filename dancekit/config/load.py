"""Reads a recipe file and what it extends into one tree with places."""

from __future__ import annotations

from pathlib import Path

from dancekit.config.files import locate, locate_base, packaged_files, shown
from dancekit.config.tree import Node, follow, merge_recipes, parse, spell_out
from dancekit.errors import RecipeError
from dancekit.registry.core import did_you_mean


def read_recipe(name_or_path: str | Path) -> tuple[Node, list[str]]:
    """Read a recipe and the files it extends; nothing is checked against the schema yet.

    Units win over those before them in `extends`, the recipe's own keys win over all.

    Args:
        name_or_path: A packaged recipe's name, or a file.

    Returns:
        The merged tree, without `extends`, and what is wrong so far.

    Raises:
        UnknownName: There is no packaged recipe of that name.
        RecipeError: The file is missing or no YAML mapping.
    """
    path = locate(name_or_path)
    problems: list[str] = []
    tree = _read(path, problems, chain=())
    if tree is None:
        raise RecipeError(problems)
    return tree, problems


def _read(path: Path, problems: list[str], chain: tuple[Path, ...]) -> Node | None:
    """A file and its bases; `chain` are the files that led here."""
    root = _read_file(path, problems)
    return None if root is None else _expand(root, path, problems, chain)


def _expand(
    root: Node, path: Path, problems: list[str], chain: tuple[Path, ...], *, inline: bool = False
) -> Node | None:
    """What a file says, and its bases; `inline`: a recipe that stands within another file."""
    if not isinstance(root.value, dict):
        return None
    value = dict(root.value)
    bases = value.pop("extends", None)
    if "before" in value:
        value["before"] = _read_before(value["before"], path, problems, (*chain, path))
    own = spell_out(Node(value, root.place))
    is_unit = "schema" not in value and not inline
    if is_unit and not chain and bases is not None:  # without bases the schema says so
        problems.append(f"{root.place}: schema: is missing")
    if bases is None:
        return own
    if is_unit and chain:
        problems.append(f"{bases.place}: extends: a unit (a file without `schema`) may not extend others")
        return own
    merged: Node | None = None
    for item in _items(bases, problems):
        base = _read_base(item, path, problems, (*chain, path))
        if base is not None:
            merged = base if merged is None else merge_recipes(merged, base)
    return own if merged is None else merge_recipes(merged, own)


def _read_before(before: Node, path: Path, problems: list[str], chain: tuple[Path, ...]) -> Node:
    """The recipes that are trained first, whole, each after those that it has before it."""
    if not isinstance(before.value, list):
        return before
    found: list[Node] = []
    for item in before.value:
        if isinstance(item.value, str):
            recipe = _read_base(item, path, problems, chain, key="before")
        else:
            recipe = _expand(item, path, problems, chain, inline=True)
        if recipe is None or not isinstance(recipe.value, dict):
            found += [] if isinstance(item.value, str) else [item]  # the schema says what it should be
            continue
        value = dict(recipe.value)
        earlier = value.pop("before", None)
        if earlier is not None and isinstance(earlier.value, list):
            found += earlier.value
        found.append(Node(value, item.place))
    return Node(found, before.place)


def _items(bases: Node, problems: list[str]) -> list[Node]:
    items = bases.value if isinstance(bases.value, list) else [bases]
    good = [item for item in items if isinstance(item.value, str)]
    if len(good) != len(items):
        problems.append(f"{bases.place}: extends: should be a list of recipes and units, each a text")
    return good


def _read_base(
    item: Node, path: Path, problems: list[str], chain: tuple[Path, ...], *, key: str = "extends"
) -> Node | None:
    text = str(item.value)
    base = locate_base(text, path.parent)
    if base is None:
        meant = did_you_mean(text, packaged_files())
        problems.append(
            f"{item.place}: {key}: {text!r} is neither beside {shown(path)} nor a packaged file{meant}"
        )
        return None
    if base.resolve() in [each.resolve() for each in chain]:
        circle = " -> ".join(shown(each) for each in (*chain, base))
        problems.append(f"{item.place}: {key}: goes in a circle: {circle}")
        return None
    return _read(base, problems, chain)


def _read_file(path: Path, problems: list[str]) -> Node | None:
    name = shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(f"{name}: is not UTF-8 text")
        return None
    except OSError as error:
        problems.append(f"{name}: cannot be read: {error.strerror or error}")
        return None
    root = parse(text, lambda line: f"{name}:{line}", problems)
    if root is not None and not isinstance(root.value, dict):
        problems.append(f"{root.place}: a recipe is a mapping of keys to values")
    return root


def summary_of(root: Node) -> str:
    """The recipe's `summary`, empty if it has none."""
    node, depth = follow(root, ("summary",))
    return node.value if depth and isinstance(node.value, str) else ""
