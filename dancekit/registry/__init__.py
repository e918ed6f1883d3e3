"""Names to components: the built-in table and the plugins of other distributions.

`list_components` and `find` import no component (and no torch, numpy or pydantic); `load`, `parameters`,
`describe` and `component_version` import the one component they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dancekit.registry.core import Entry, component_version, find, kinds, list_components, load
from dancekit.registry.plugins import plugin_problems
from dancekit.registry.summary import summary

if TYPE_CHECKING:
    from dancekit.registry.signature import Description as Description
    from dancekit.registry.signature import Parameter as Parameter
    from dancekit.registry.signature import describe as describe
    from dancekit.registry.signature import parameters as parameters
    from dancekit.registry.signature import wired as wired

_LAZY = ("Description", "Parameter", "describe", "parameters", "wired")  # these need pydantic
__all__ = [
    "Description",
    "Entry",
    "Parameter",
    "component_version",
    "describe",
    "find",
    "kinds",
    "list_components",
    "load",
    "parameters",
    "plugin_problems",
    "summary",
    "wired",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module("dancekit.registry.signature"), name)
    raise AttributeError(f"module 'dancekit.registry' has no attribute {name!r}")
