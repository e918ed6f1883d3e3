"""pydantic's errors in the words of a recipe: the key, what is wrong with it, what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dancekit.config.schema import Component, Recipe
from dancekit.config.tree import Keys, path_text
from dancekit.registry.core import did_you_mean

_PLAINER = {
    " after validation": "",
    "Tuple": "list",
    "valid tuple": "valid list",
    "valid dictionary": "mapping",
}
"""YAML knows lists and mappings."""


def explain(
    error: ValidationError, data: Any, model: type[BaseModel] = Recipe
) -> Iterator[tuple[str, Keys, str]]:
    """Put pydantic's errors into words.

    Args:
        error: What pydantic found.
        data: What it looked at.
        model: The model it checked against.

    Yields:
        The key as text, as a path, and what is wrong; the branches of a union are one error.
    """
    reasons: dict[Keys, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _real_path(detail, data)
        reason = _reason(detail, path, model)
        if reason not in reasons.setdefault(path, []):
            reasons[path].append(reason)
    for path, texts in reasons.items():
        first = texts[0]
        rest = [text.removeprefix("should be ") for text in texts[1:]]
        yield path_text(path) or "recipe", path, " or ".join([first, *rest]) + _got(path, data, first)


def _real_path(detail: ErrorDetails, data: Any) -> Keys:
    """Without the names of union branches and validators that pydantic appends."""
    if detail["type"] in ("missing", "extra_forbidden"):
        return detail["loc"]
    path: list[str | int] = []
    for step in detail["loc"]:
        inside = isinstance(data, dict) and step in data
        inside = inside or (isinstance(data, list | tuple) and isinstance(step, int) and step < len(data))
        if not inside:
            break
        data = data[step]
        path.append(step)
    return tuple(path)


def _reason(detail: ErrorDetails, path: Keys, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown(path, model)
    if kind in ("model_type", "model_attributes_type"):
        holder = _model_at(model, path)
        if holder is not None and issubclass(holder, Component):
            return "should be a component: its name, or {name: ..., params: {...}}"
        return "should be a mapping of keys to values"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    # YAML knows lists, not tuples.
    text = (
        text.replace(" after validation", "")
        .replace("valid tuple", "valid list")
        .replace("Tuple", "list")
        .replace("valid dictionary", "mapping")
    )
    return text[:1].lower() + text[1:]


def _unknown(path: Keys, model: type[BaseModel]) -> str:
    holder = _model_at(model, path[:-1])
    if holder is None:
        return "unknown key"
    known = [field.alias or name for name, field in holder.model_fields.items()]
    meant = did_you_mean(str(path[-1]), known)
    if issubclass(holder, Component) and not meant:
        return f"unknown key; a parameter stands under params: {{{path[-1]}: ...}}"
    return f"unknown key{meant}" if meant else f"unknown key; the keys are {', '.join(known)}"


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """The model whose fields stand at a path."""
    here: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue  # a list of models: the field below already led to the item's model
        if here is None:
            return None
        field = next((f for name, f in here.model_fields.items() if step in (name, f.alias)), None)
        here = None if field is None else _model_in(field.annotation)
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for item in get_args(annotation) if (found := _model_in(item))), None)


def _got(path: Keys, data: Any, reason: str) -> str:
    """`, got 'abc'` for plain wrong values."""
    if not reason.startswith("should"):
        return ""
    for step in path:
        data = data[step]
    text = repr(data)
    return f", got {text}" if len(text) <= 60 else ""
