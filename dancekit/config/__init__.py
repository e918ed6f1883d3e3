"""Recipes: which components, with which parameters, trained how. Data only; a recipe never imports code.

`recipe_names` and `recipe_path` need neither pydantic nor YAML; `load_recipe` imports the components that the
recipe names, to check their parameters; `load_tree` does not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dancekit.config.files import recipe_names, recipe_path

if TYPE_CHECKING:
    from dancekit.config.resolve import complete as complete
    from dancekit.config.resolve import load_recipe as load_recipe
    from dancekit.config.resolve import load_tree as load_tree
    from dancekit.config.resolve import override_recipe as override_recipe
    from dancekit.config.schema import Component as Component
    from dancekit.config.schema import LossTerm as LossTerm
    from dancekit.config.schema import Optimizer as Optimizer
    from dancekit.config.schema import Policy as Policy
    from dancekit.config.schema import Recipe as Recipe
    from dancekit.config.schema import Stage as Stage
    from dancekit.config.schema import TrainConfig as TrainConfig

_LAZY = {
    "Component": "schema",
    "LossTerm": "schema",
    "Optimizer": "schema",
    "Policy": "schema",
    "Recipe": "schema",
    "Stage": "schema",
    "TrainConfig": "schema",
    "complete": "resolve",
    "load_recipe": "resolve",
    "load_tree": "resolve",
    "override_recipe": "resolve",
}
__all__ = [
    "Component",
    "LossTerm",
    "Optimizer",
    "Policy",
    "Recipe",
    "Stage",
    "TrainConfig",
    "complete",
    "load_recipe",
    "load_tree",
    "override_recipe",
    "recipe_names",
    "recipe_path",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"dancekit.config.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'dancekit.config' has no attribute {name!r}")
