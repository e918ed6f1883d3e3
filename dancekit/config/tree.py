"""A recipe before it is checked: plain values that remember the file and line they come from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, SequenceNode

Scalar = str | int | float | bool | None
Keys = tuple[str | int, ...]
"""A path in a recipe: ("losses", 1, "weight")."""

SLOTS = {
    "pose": "pose",
    "normalizer": "normalizer",
    "renderer": "renderer",
    "generator": "generator",
    "discriminator": "discriminator",
    "face_discriminator": "discriminator",
    "background": "background",
    "reference": "reference",
    "temporal": "temporal",
    "face": "face",
}
"""Keys of a recipe that hold one component, and its kind."""

LIST_SLOTS = {"filters": "filter", "losses": "loss", "face_losses": "loss", "augmentations": "augmentation"}
"""Keys of a recipe that hold a list of components, and their kind."""

MOST_NESTED = 50
"""Lists and mappings within each other: a recipe has a handful, and what composes them calls itself for each."""

_TAG = "tag:yaml.org,2002:"
_TYPED = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float")}
# Dates, `<<` and `=` are no types of YAML 1.2's core schema: they are text.
_TEXT = {f"{_TAG}{name}" for name in ("str", "timestamp", "merge", "value")}


@dataclass(frozen=True)
class Node:
    """A value and its place.

    Attributes:
        value: A scalar, a mapping of nodes or a list of nodes.
        place: `file:line` of its key, or the override it comes from.
    """

    value: Scalar | dict[str, Node] | list[Node]
    place: str


def parse(text: str, place: Callable[[int], str], problems: list[str]) -> Node | None:
    """Read one YAML 1.2 document: numbers like 2e-4 are numbers, `no` is text, a key twice is a problem.

    Args:
        text: The document.
        place: Line number (from 1) to place.
        problems: What is wrong is added here, with its place.

    Returns:
        None if it is not YAML at all, or empty.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice: anchors are refused below
            if _nested(text) > MOST_NESTED:
                problems.append(f"{place(1)}: nested too deeply")
                return None
            root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(str(piece) for piece in (error.context, error.problem) if piece)
        problems.append(f"{place(mark.line + 1 if mark else 1)}: not valid YAML: {' '.join(reason.split())}")
        return None
    except YAMLError as error:
        problems.append(f"{place(1)}: not valid YAML: {' '.join(str(error).split())}")
        return None
    if root is None:
        problems.append(f"{place(1)}: is empty")
        return None
    return _Reader(yaml, place, problems).node(root, place(root.start_mark.line + 1))


def _nested(text: str) -> int:
    """How deep a document goes, or the beginning of one that is too deep: events come without recursion."""
    depth = deepest = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        deepest = max(deepest, depth)
        if deepest > MOST_NESTED:
            break
    return deepest


def plain(node: Node) -> Any:
    """The value without its places."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def follow(root: Node, path: Keys) -> tuple[Node, int]:
    """Walk down as far as the tree goes.

    Returns:
        The deepest node on the path, and how many steps lead to it.
    """
    node = root
    for depth, step in enumerate(path):
        child = _child(node, step)
        if child is None:
            return node, depth
        node = child
    return node, len(path)


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step]
    return None


def spell_out(root: Node) -> Node:
    """Write `generator: unet` as `generator: {name: unet}`, in lists of components too."""
    if not isinstance(root.value, dict):
        return root
    value = dict(root.value)
    for key, node in value.items():
        if key in SLOTS:
            value[key] = _component(node)
        elif key in LIST_SLOTS and isinstance(node.value, list):
            value[key] = Node([_component(item) for item in node.value], node.place)
    return Node(value, root.place)


def merge(base: Node, own: Node, *, component: bool = False) -> Node:
    """Lay one value over another: mappings merge, scalars and lists replace.

    Args:
        base: What is inherited.
        own: What wins.
        component: They are components: if the name changes, the inherited params are dropped.
    """
    if not (isinstance(base.value, dict) and isinstance(own.value, dict)):
        return own
    value = dict(base.value)
    if component and "name" in own.value and _text_of(base, "name") != _text_of(own, "name"):
        value.pop("params", None)
    for key, node in own.value.items():
        value[key] = merge(value[key], node) if key in value else node
    return Node(value, own.place)


def merge_recipes(base: Node, own: Node) -> Node:
    """Lay one recipe (or unit) over another, by the rule of `merge`.

    A mapping over a list of components changes those that it names, and appends those that the list has not.
    """
    if not (isinstance(base.value, dict) and isinstance(own.value, dict)):
        return own
    value = dict(base.value)
    for key, node in own.value.items():
        if key not in value:
            value[key] = node
        elif key in LIST_SLOTS and isinstance(value[key].value, list) and isinstance(node.value, dict):
            value[key] = _merge_items(value[key], node)
        else:
            value[key] = merge(value[key], node, component=key in SLOTS)
    return Node(value, own.place)


def _merge_items(base: Node, own: Node) -> Node:
    items = list(base.value) if isinstance(base.value, list) else []
    names = [_text_of(item, "name") for item in items]
    for name, change in own.value.items() if isinstance(own.value, dict) else ():
        if not isinstance(change.value, dict) or names.count(name) > 1:
            return own  # the schema says that it should be a list
        named = Node({"name": Node(name, change.place), **change.value}, change.place)
        if name in names:
            items[names.index(name)] = merge(items[names.index(name)], named)
        else:
            items.append(named)
    return Node(items, own.place)


def path_text(path: Keys) -> str:
    """("losses", 1, "weight") as `losses[1].weight`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _component(node: Node) -> Node:
    return Node({"name": node}, node.place) if isinstance(node.value, str) else node


def _text_of(node: Node, key: str) -> Any:
    found, depth = follow(node, (key,))
    return plain(found) if depth else None


class _Reader:
    def __init__(self, yaml: YAML, place: Callable[[int], str], problems: list[str]) -> None:
        self._yaml = yaml
        self._place = place
        self._problems = problems

    def node(self, node: Any, place: str) -> Node:
        if node.anchor:
            # Recursive or exploding documents need them; a recipe does not.
            self._problems.append(f"{place}: anchors (&{node.anchor}) are not allowed: write the value out")
            return Node(None, place)
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return Node(self._mapping(node), place)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return Node([self.node(item, self._line(item)) for item in node.value], place)
        if node.tag in _TEXT and isinstance(node.value, str):
            return Node(self._text(node.value, place), place)
        if node.tag in _TYPED:
            try:
                return Node(self._yaml.constructor.construct_object(node), place)
            except (ValueError, KeyError):
                self._problems.append(f"{place}: {node.value[:40]!r} is no {node.tag.removeprefix(_TAG)}")
                return Node(None, place)
        self._problems.append(f"{place}: the tag {node.tag} is not allowed: a recipe is plain data")
        return Node(None, place)

    def _mapping(self, node: Any) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        for key, value in node.value:
            place = self._line(key)
            if not isinstance(key.value, str):
                self._problems.append(f"{place}: a key must be text, not a list or mapping")
            elif key.tag not in _TEXT:
                self._problems.append(f"{place}: a key must be text: write '{key.value}' in quotes")
            elif (name := self._text(key.value, place)) in mapping:
                first = mapping[name].place
                self._problems.append(f"{place}: the key {name!r} stands here twice (first at {first})")
            else:
                mapping[name] = self.node(value, place)
        return mapping

    def _text(self, text: str, place: str) -> str:
        # JSON writes characters beyond U+FFFF as two escapes, which YAML reads as two halves.
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._problems.append(f"{place}: {text[:40]!r} is not valid Unicode text")
            return ""

    def _line(self, node: Any) -> str:
        return self._place(node.start_mark.line + 1)
