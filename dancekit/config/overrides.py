"""`key=value` from the command line.

- `generator.ngf=16`: a parameter of a component (the same as `generator.params.ngf`)
- `generator=unet`: another component; the parameters of the old one are dropped
- `losses.l1.weight=5`: an item of a list, by its name
- `losses[1].weight=5`: an item of a list, by its position from 0
- `filters=[]`: any YAML 1.2 value
- `before[0].train.steps=10`: a recipe that is trained before

Without `before`, an override changes the recipes that are trained before as well, as far as they have what it
names: a parameter of the same component, an item of that name. `summary`, `train.stages` and `train.start_from`
are each recipe's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dancekit.config.tree import LIST_SLOTS, SLOTS, Keys, Node, merge, parse, path_text, plain, spell_out
from dancekit.registry.core import did_you_mean

_KEY = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])*(\.[A-Za-z0-9_-]+(\[\d+\])*)*")
_STEP = re.compile(r"\[(\d+)\]|([A-Za-z0-9_-]+)")


OWN = ("schema", "summary")
OWN_SETTINGS = (("train", "stages"), ("train", "start_from"))
"""What an override changes in the recipe itself alone."""


class _Bad(Exception):
    """What is wrong with an override."""


def apply_overrides(root: Node, overrides: Sequence[str], problems: list[str]) -> Node:
    """Lay overrides over a recipe, one after the other.

    Args:
        root: The recipe.
        overrides: Each `key=value`, split at the first `=`.
        problems: What is wrong is added here. Unknown keys are left to the schema's check.

    Returns:
        The new recipe; overrides that are wrong change nothing.
    """
    for text in overrides:
        place = f"override {text!r}"
        key, equals, raw = text.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key):
            problems.append(f"{place}: should be key=value, such as train.steps=10 or losses.l1.weight=5")
            continue
        value = _value(raw, place, problems)
        if value is None:
            continue
        steps = tuple(int(index) if index else name for index, name in _STEP.findall(key))
        try:
            root = _set_in_chain(root, steps, value, place)
        except _Bad as error:
            problems.append(f"{place}: {error}")
    return root


def _set_in_chain(root: Node, steps: Keys, value: Node, place: str) -> Node:
    before = root.value.get("before") if isinstance(root.value, dict) else None
    earlier = before.value if before is not None and isinstance(before.value, list) else []
    if steps[0] == "before" and len(steps) > 2:
        index = steps[1]
        if not isinstance(index, int) or index >= len(earlier):
            raise _Bad(f"before has {len(earlier)} recipes: write before[0] and so on")
        changed = spell_out(_set(earlier[index], steps[2:], value, (), place))
        return _with_before(root, [*earlier[:index], changed, *earlier[index + 1 :]])
    root = spell_out(_set(root, steps, value, (), place))
    if steps[0] in ("before", *OWN) or steps[:2] in OWN_SETTINGS or not earlier:
        return root
    changed_ones = []
    for recipe in earlier:
        try:
            fits = _component_named(recipe, steps) == _component_named(root, steps)
            changed_ones.append(spell_out(_set(recipe, steps, value, (), place)) if fits else recipe)
        except _Bad:  # it has no such item
            changed_ones.append(recipe)
    return _with_before(root, changed_ones)


def _with_before(root: Node, recipes: list[Node]) -> Node:
    value = dict(root.value) if isinstance(root.value, dict) else {}
    return Node({**value, "before": Node(list(recipes), value["before"].place)}, root.place)


def _component_named(recipe: Node, steps: Keys) -> str:
    """The name of the component whose parameter is set, "" where none is."""
    slot, *rest = steps
    node = recipe.value.get(str(slot)) if isinstance(recipe.value, dict) else None
    if slot in LIST_SLOTS and rest and node is not None and isinstance(node.value, list):
        index = rest[0] if isinstance(rest[0], int) else _index_of(node.value, rest[0], (slot,))
        node = node.value[index] if index < len(node.value) else None
    elif slot not in SLOTS or rest in ([], ["name"]):
        return ""
    name = plain(node).get("name") if node is not None and isinstance(node.value, dict) else None
    return str(name)


def _value(raw: str, place: str, problems: list[str]) -> Node | None:
    if not raw.strip():
        problems.append(f"{place}: the value is missing; an empty text is written ''")
        return None
    return parse(raw, lambda line: place, problems)


def _set(node: Node | None, steps: Keys, value: Node, path: Keys, place: str) -> Node:
    """The node with `value` at `steps` below it; `path` leads from the root to the node."""
    component = _is_component(path)
    if not steps:
        if component and isinstance(value.value, str):
            value = Node({"name": value}, place)
        return value if node is None else merge(node, value, component=component)
    if node is not None and isinstance(node.value, list):
        return _set_item(node, steps, value, path, place)
    if node is not None and not isinstance(node.value, dict):
        raise _Bad(f"{_text(path)} is {plain(node)!r}; it has no {_text(steps[:1])}")
    step = steps[0]
    if isinstance(step, int):
        raise _Bad(f"{_text(path)} is not a list; it has no item {step}")
    if component and steps == ("name",):
        return _set(node, (), Node({"name": value}, place), path, place)
    if component and step not in _fields(path):
        return _set(node, ("params", *steps), value, path, place)
    children = dict(node.value) if node is not None and isinstance(node.value, dict) else {}
    children[step] = _set(children.get(step), steps[1:], value, (*path, step), place)
    return Node(children, node.place if node is not None else place)


def _set_item(node: Node, steps: Keys, value: Node, path: Keys, place: str) -> Node:
    items = list(node.value) if isinstance(node.value, list) else []
    index = steps[0] if isinstance(steps[0], int) else _index_of(items, steps[0], path)
    if index >= len(items):
        raise _Bad(
            f"{_text(path)} has {len(items)} items, counted from 0; there is no {_text((*path, index))}"
        )
    items[index] = _set(items[index], steps[1:], value, (*path, index), place)
    return Node(items, node.place)


def _index_of(items: list[Node], name: str, path: Keys) -> int:
    names = [str(plain(item).get("name")) if isinstance(item.value, dict) else "" for item in items]
    found = [index for index, each in enumerate(names) if each == name]
    if len(found) == 1:
        return found[0]
    if found:
        ways = " or ".join(_text((*path, index)) for index in found)
        raise _Bad(f"{_text(path)} has {name!r} {len(found)} times: say {ways}")
    listed = ", ".join(each for each in names if each)
    if not listed:
        raise _Bad(f"{_text(path)} has no names: its items are {_text((*path, 0))} and so on")
    raise _Bad(f"{_text(path)} has no {name!r}{did_you_mean(name, names)} (it has {listed})")


def _is_component(path: Keys) -> bool:
    if len(path) == 1:
        return path[0] in SLOTS
    return len(path) == 2 and path[0] in LIST_SLOTS and isinstance(path[1], int)


def _fields(path: Keys) -> tuple[str, ...]:
    """The keys of a component itself; every other one is a parameter."""
    is_loss = LIST_SLOTS.get(str(path[0])) == "loss"
    return ("name", "params", "weight", "every") if is_loss else ("name", "params")


def _text(path: Keys) -> str:
    return path_text(path) or "the recipe"
