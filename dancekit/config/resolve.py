"""From a name or file and overrides to a checked, complete recipe, with all problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dancekit.config.explain import explain
from dancekit.config.load import read_recipe
from dancekit.config.overrides import apply_overrides
from dancekit.config.schema import SCHEMA, Component, Recipe
from dancekit.config.stages import without_idle_stages
from dancekit.config.tree import LIST_SLOTS, SLOTS, Keys, Node, follow, path_text, plain
from dancekit.errors import DancekitError, MissingExtra, PluginError, RecipeError
from dancekit.registry import parameters, wired
from dancekit.registry.core import did_you_mean


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, lay overrides over it, check everything and fill in every default.

    Precedence: defaults < units < recipe < overrides. Importing the components it names is part of the check.

    Args:
        name_or_path: A packaged recipe's name (`quick`); anything with a suffix or a slash is a file.
        overrides: `key=value` each, see `dancekit.config.overrides`.

    Returns:
        The recipe with all parameters of all components.

    Raises:
        UnknownName: There is no packaged recipe of that name.
        RecipeError: Everything that is wrong, each with file and line or the override.
        PluginError: The only trouble is a plugin that is broken or clashes.
        MissingExtra: The only trouble is an optional dependency that is not installed.
    """
    tree, problems = _read(name_or_path, overrides)
    return _resolved(tree, problems)


def load_tree(name_or_path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The merged recipe as plain data, checked against the schema only: imports no component (no torch).

    Args:
        name_or_path: As for `load_recipe`.
        overrides: As for `load_recipe`.

    Raises:
        UnknownName: There is no packaged recipe of that name.
        RecipeError: Everything that is wrong with its shape.
    """
    tree, problems = _read(name_or_path, overrides)
    _checked(tree, problems)
    if problems:
        raise RecipeError(_in_order(problems))
    data: dict[str, Any] = plain(tree)
    return data


def complete(recipe: Recipe) -> Recipe:
    """Check the parameters of a recipe made in Python against the registry and fill in their defaults.

    Args:
        recipe: From `Recipe(...)` or `Recipe.from_json`.

    Raises:
        RecipeError: Everything that is wrong.
        PluginError: The only trouble is a plugin that is broken or clashes.
        MissingExtra: The only trouble is an optional dependency that is not installed.
    """
    return _resolved(_as_tree(recipe.to_json(), "recipe"), [])


def override_recipe(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Lay overrides over a resolved recipe (that of a dancer file, say) and check it again.

    Args:
        recipe: A complete recipe.
        overrides: `key=value` each, see `dancekit.config.overrides`.

    Raises:
        RecipeError: Everything that is wrong, each with its override.
        PluginError: The only trouble is a plugin that is broken or clashes.
        MissingExtra: The only trouble is an optional dependency that is not installed.
    """
    problems: list[str] = []
    tree = without_idle_stages(apply_overrides(_as_tree(recipe.to_json(), "recipe"), overrides, problems))
    return _resolved(tree, problems)


def _resolved(tree: Node, problems: list[str]) -> Recipe:
    """Check against schema and registry, and fill in every default."""
    recipe = _checked(tree, problems)
    params, troubles = _checked_params(tree, problems)
    if troubles and not problems:
        raise troubles[0]
    problems += [str(trouble) for trouble in troubles]
    if recipe is None or problems:
        raise RecipeError(_in_order(problems))
    return _with_params(recipe, params)


def _in_order(problems: list[str]) -> list[str]:
    """By line within each file, files and overrides in the order in which they were met."""
    places = [re.match(r"(.*?):(\d+): ", problem) for problem in problems]
    files = [place.group(1) if place else "" for place in places]
    lines = [int(place.group(2)) if place else 0 for place in places]
    order = sorted(range(len(problems)), key=lambda index: (files.index(files[index]), lines[index]))
    return [problems[index] for index in order]


def _read(name_or_path: str | Path, overrides: Sequence[str]) -> tuple[Node, list[str]]:
    tree, problems = read_recipe(name_or_path)
    tree = apply_overrides(tree, overrides, problems)
    return without_idle_stages(tree), problems


def _checked(tree: Node, problems: list[str]) -> Recipe | None:
    """The recipe, or None after its problems were added."""
    data = plain(tree)
    version = data.get("schema")
    if isinstance(version, int) and version > SCHEMA:
        place = follow(tree, ("schema",))[0].place
        problems.append(f"{place}: schema: {version} is newer than this dancekit reads ({SCHEMA}); update it")
        return None
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        found = list(explain(error, data))
    missing = [where for where, path, what in found if what == "is missing" and len(path) == 1]
    if len(missing) > 1:
        problems.append(
            f"{tree.place}: the keys {', '.join(missing)} are missing; `extends: [base]` gives them"
        )
    for where, path, what in found:
        node, depth = follow(tree, path)
        said = where in missing and (len(missing) > 1 or f"{node.place}: {where}: {what}" in problems)
        unreadable = node.value is None and any(each.startswith(f"{node.place}: ") for each in problems)
        if not said and not (unreadable and depth == len(path)):
            problems.append(f"{node.place}: {where}: {what}")
    return None


def _checked_params(
    tree: Node, problems: list[str]
) -> tuple[dict[Keys, dict[str, Any]], list[DancekitError]]:
    """Complete params of every component by path, and components that cannot be imported."""
    params: dict[Keys, dict[str, Any]] = {}
    troubles: list[DancekitError] = []
    for path, kind, node in _component_nodes(tree):
        data = plain(node)
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            continue  # the schema has said so
        given = data.get("params", {})
        name_place = follow(node, ("name",))[0].place
        try:
            model = parameters(kind, data["name"])
        except (PluginError, MissingExtra) as error:
            troubles.append(type(error)(f"{name_place}: {path_text(path)}: {error.message}", hint=error.hint))
            continue
        except DancekitError as error:
            problems.append(f"{name_place}: {path_text(path)}.name: {error}")
            continue
        if not isinstance(given, dict):
            continue
        try:
            params[path] = model.model_validate(given).model_dump(mode="json")
        except ValidationError as error:
            by_builder = wired(kind, data["name"])
            for _, inner, what in explain(error, given, model):
                place = follow(tree, (*path, "params", *inner))[0].place
                text = _about_parameter(inner, what, list(model.model_fields), by_builder)
                problems.append(f"{place}: {path_text((*path, 'params', *inner))}: {text}")
    return params, troubles


def _about_parameter(path: Keys, what: str, known: list[str], by_builder: Sequence[str]) -> str:
    if not what.startswith("unknown key"):
        return what
    name = str(path[-1])
    if name in by_builder:
        return "is derived from the rest of the recipe; remove it"
    if len(path) > 1:
        return what
    exist = f"; it has {', '.join(known)}" if known else "; it has none"
    return f"unknown parameter{did_you_mean(name, known) or exist}"


def _component_nodes(tree: Node) -> Iterator[tuple[Keys, str, Node]]:
    root = tree.value if isinstance(tree.value, dict) else {}
    earlier = root["before"].value if "before" in root else []
    for index, recipe in enumerate(earlier if isinstance(earlier, list) else []):
        for path, kind, node in _component_nodes(recipe):
            yield ("before", index, *path), kind, node
    for key, kind in SLOTS.items():
        if key in root:
            yield (key,), kind, root[key]
    for key, kind in LIST_SLOTS.items():
        items = root[key].value if key in root else []
        for index, item in enumerate(items if isinstance(items, list) else []):
            yield (key, index), kind, item


def _with_params(recipe: Recipe, params: dict[Keys, dict[str, Any]], at: Keys = ()) -> Recipe:
    update: dict[str, Any] = {
        "before": [_with_params(each, params, ("before", n)) for n, each in enumerate(recipe.before)]
    }
    for key, kind in SLOTS.items():
        update[key] = _completed(getattr(recipe, key), kind, params.get((*at, key)))
    for key, kind in LIST_SLOTS.items():
        update[key] = [
            _completed(item, kind, params.get((*at, key, index)))
            for index, item in enumerate(getattr(recipe, key))
        ]
    return recipe.model_copy(update=update)


def _completed(component: Component, kind: str, params: dict[str, Any] | None) -> Component:
    if params is None:  # it comes from the schema's defaults, not from the tree
        params = parameters(kind, component.name).model_validate(component.params).model_dump(mode="json")
    return component.model_copy(update={"params": params})


def _as_tree(data: Any, place: str) -> Node:
    if isinstance(data, dict):
        return Node({key: _as_tree(value, place) for key, value in data.items()}, place)
    if isinstance(data, list):
        return Node([_as_tree(item, place) for item in data], place)
    return Node(data, place)
