"""The constructor's signature as the schema of a component's parameters.

Keyword-only parameters with a default are recipe parameters; those without one, `device`, `out_channels`, `runner`
and `pose_network` are wired by the builder. Types, bounds and defaults stand in the signature and nowhere else.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Strict, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError

from dancekit.errors import PluginError
from dancekit.registry.core import Entry, find, load

_NOT_IN_RECIPES = ("device", "masks", "out_channels", "pose_network", "runner")
"""Wired although they have a default: the machine and the image decide them, not the recipe."""


@dataclass(frozen=True)
class Parameter:
    """One recipe parameter, for people.

    Attributes:
        name: Its key under `params`.
        type: Its type and bounds, as text.
        default: Its default.
        doc: What the docstring's Args section says of it.
    """

    name: str
    type: str
    default: Any
    doc: str


@dataclass(frozen=True)
class Description:
    """What `dancekit show` tells of a component.

    Attributes:
        kind: The role.
        name: The component's name.
        distribution: Who provides it.
        target: `module:attribute` of its class.
        version: Of its numbers.
        summary: The first paragraph of its docstring, on one line.
        parameters: Recipe parameters, in the order of the signature.
        wired: Names of the parameters that the builder gives.
    """

    kind: str
    name: str
    distribution: str
    target: str
    version: int
    summary: str
    parameters: tuple[Parameter, ...]
    wired: tuple[str, ...]


class _Parameters(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


def parameters(kind: str, name: str) -> type[BaseModel]:
    """The pydantic model of a component's recipe parameters.

    Strict: "3" and 3.0 are no int and 1 is no bool, but 1 is a float and a list is a tuple, as YAML and JSON
    need it. Unknown names, infinities and NaN are errors.

    Args:
        kind: A role.
        name: A component of it.

    Returns:
        A frozen model whose fields and defaults are those of the signature;
        `model_validate(params).model_dump()` gives the constructor's keyword arguments.

    Raises:
        UnknownName: No such kind or name.
        PluginError: The component is broken, or its signature cannot serve as a schema.
        MissingExtra: An optional dependency of it is missing.
    """
    cls: Any = load(kind, name)
    return parameters_of(cls, find(kind, name))


def wired(kind: str, name: str) -> tuple[str, ...]:
    """Names of the parameters that the builder gives, in order; raises what `parameters` raises."""
    return tuple(_split(load(kind, name), find(kind, name))[1])


def describe(kind: str, name: str) -> Description:
    """All that can be said of a component without building it; raises what `parameters` raises.

    Args:
        kind: A role.
        name: A component of it.
    """
    entry, cls = find(kind, name), load(kind, name)
    text = inspect.cleandoc(cls.__doc__ or "")
    constructor = inspect.cleandoc(cls.__init__.__doc__ or "") if "__init__" in vars(cls) else ""
    docs = argument_docs(text) | argument_docs(constructor)
    hints = _hints(cls, entry)
    found = tuple(
        Parameter(each.name, _type_text(hints[each.name]), each.default, docs.get(each.name, ""))
        for each in _split(cls, entry)[0].values()
    )
    return Description(
        kind=kind,
        name=name,
        distribution=entry.distribution,
        target=entry.target,
        version=int(cls.version),
        summary=" ".join(text.partition("\n\n")[0].split()),
        parameters=found,
        wired=wired(kind, name),
    )


def argument_docs(docstring: str) -> dict[str, str]:
    """Parse the Args section of a Google-style docstring.

    Args:
        docstring: Without the indentation of the source (`inspect.cleandoc`).

    Returns:
        Name to text, continuation lines joined with spaces.
    """
    docs: dict[str, str] = {}
    name = ""
    inside = False
    indent: int | None = None
    for line in docstring.splitlines():
        if not line.startswith(" ") and line.strip():
            inside, name, indent = line.rstrip() in ("Args:", "Arguments:"), "", None
            continue
        if not inside or not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        head = re.match(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)", line.strip())
        if depth <= indent and head:
            name = head.group(1)
            docs[name] = head.group(2)
        elif name:
            docs[name] = f"{docs[name]} {line.strip()}".strip()
    return docs


@lru_cache(maxsize=256)
def parameters_of(cls: Any, entry: Entry) -> type[BaseModel]:
    """As `parameters`, of a class that need not be registered; `entry` is whom errors name."""
    hints = _hints(cls, entry)
    fields: dict[str, Any] = {
        each.name: (_accept_lists(hints[each.name]), each.default) for each in _split(cls, entry)[0].values()
    }
    try:
        model: type[BaseModel] = create_model(
            f"{cls.__name__}Parameters", __base__=_Parameters, __module__=__name__, **fields
        )
        model()
    except (PydanticUserError, SchemaError, NameError, ValueError, TypeError) as error:
        raise _unusable(entry, f"its signature is no schema: {error}") from error
    return model


def _split(cls: type[Any], entry: Entry) -> tuple[dict[str, inspect.Parameter], dict[str, inspect.Parameter]]:
    """Recipe parameters and wired ones."""
    recipe: dict[str, inspect.Parameter] = {}
    by_builder: dict[str, inspect.Parameter] = {}
    for each in inspect.signature(cls).parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue  # a class without a constructor of its own has object's (*args, **kwargs)
        if each.kind is not each.KEYWORD_ONLY:
            raise _unusable(entry, f"the constructor's parameter {each.name!r} is not keyword-only")
        to_builder = each.default is each.empty or each.name in _NOT_IN_RECIPES
        (by_builder if to_builder else recipe)[each.name] = each
    return recipe, by_builder


def _hints(cls: type[Any], entry: Entry) -> dict[str, Any]:
    """Evaluated annotations of the recipe parameters alone: wired ones may name types not imported."""
    recipe, _ = _split(cls, entry)
    for each in recipe.values():
        if each.annotation is each.empty:
            raise _unusable(entry, f"the constructor's parameter {each.name!r} has no annotation")

    def holder() -> None: ...

    holder.__annotations__ = {each.name: each.annotation for each in recipe.values()}
    scope = getattr(inspect.unwrap(cls.__init__), "__globals__", {})
    try:
        return get_type_hints(holder, globalns=scope, include_extras=True)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise _unusable(entry, f"an annotation of its constructor cannot be evaluated: {error}") from error


def _accept_lists(hint: Any) -> Any:
    """The same type, its tuples accepting lists though the model is strict."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_accept_lists(inner[0]), *inner[1:])]
    if origin is tuple:
        items = tuple(item if item is Ellipsis else _accept_lists(item) for item in inner)
        return Annotated[tuple[items], Strict(False)]  # type: ignore[valid-type]  # built at run time
    if origin in (Union, UnionType):
        return reduce(or_, (_accept_lists(item) for item in inner))
    if origin in (list, dict) and inner:
        return origin[tuple(_accept_lists(item) for item in inner)]
    return hint


def _type_text(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return ", ".join([_type_text(inner[0]), *(text for item in inner[1:] for text in _bounds(item))])
    if origin is Literal:
        return " | ".join(repr(item) for item in inner)
    if origin in (Union, UnionType):
        return " | ".join(_type_text(item) for item in inner)
    if origin is not None:
        items = ("..." if item is Ellipsis else _type_text(item) for item in inner)
        return f"{origin.__name__}[{', '.join(items)}]"
    return "None" if hint is type(None) else str(getattr(hint, "__name__", hint))


def _bounds(metadata: Any) -> list[str]:
    """`Field(ge=1)` or `annotated_types.Ge(1)` as [">= 1"]."""
    names = {
        "ge": ">= {}",
        "gt": "> {}",
        "le": "<= {}",
        "lt": "< {}",
        "multiple_of": "a multiple of {}",
        "min_length": "at least {} items",
        "max_length": "at most {} items",
    }
    pieces = metadata.metadata if isinstance(metadata, FieldInfo) else [metadata]
    return [
        text.format(getattr(piece, key))
        for piece in pieces
        for key, text in names.items()
        if getattr(piece, key, None) is not None
    ]


def _unusable(entry: Entry, reason: str) -> PluginError:
    return PluginError(
        f"{entry.kind} {entry.name!r} of the distribution {entry.distribution}: {reason}",
        hint="see 'the constructor's signature is its schema' in dancekit.contracts",
    )
