"""Which file a recipe's name means: `quick` and `edn/full` are packaged, what has a suffix is a file."""

from __future__ import annotations

from pathlib import Path, PurePath

from dancekit.errors import RecipeError, UnknownName
from dancekit.registry.core import did_you_mean
from dancekit.resources import data_path

UNITS = "units/"
"""Where the parts of recipes are, among the packaged recipes."""


def recipe_names() -> list[str]:
    """Names of the packaged recipes, sorted: their paths below `recipes`, without the suffix."""
    names = (path.removesuffix(".yaml") for path in packaged_files())
    return sorted(name for name in names if not name.startswith(UNITS))


def recipe_path(name: str) -> Path:
    """The file of a packaged recipe.

    Args:
        name: Such as `quick` or `edn/full`.

    Raises:
        UnknownName: There is none of that name.
    """
    names = recipe_names()
    if name in names:
        return data_path(f"recipes/{name}.yaml")
    raise UnknownName(
        f"there is no recipe {name!r}{did_you_mean(name, names)}",
        hint=f"recipes: {', '.join(names)}; a file of your own needs its suffix: {name}.yaml",
    )


def locate(name_or_path: str | Path) -> Path:
    """The file that is meant; a local file is never taken for a bare name.

    Raises:
        UnknownName: A bare name that is no packaged recipe.
        RecipeError: A file that does not exist.
    """
    if isinstance(name_or_path, str) and not is_file_name(name_or_path):
        return recipe_path(name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        what = "is a folder, not a recipe" if path.is_dir() else "does not exist"
        names = [name for name in (path.with_suffix("").as_posix(), path.stem) if name in recipe_names()]
        packaged = f"; the packaged recipe is called {names[0]!r}" if names else ""
        raise RecipeError([f"{path}: {what}{packaged}"])
    return path


def locate_base(item: str, folder: Path) -> Path | None:
    """The file that an item of `extends` means.

    Args:
        item: A packaged recipe's name, or a path relative to `folder` or to the packaged recipes.
        folder: Where the recipe lies that extends it.

    Returns:
        None if there is no such file.
    """
    if not is_file_name(item):
        return data_path(f"recipes/{item}.yaml") if item in recipe_names() else None
    own = folder / item
    if own.is_file():
        return own
    packaged = data_path("recipes") / item
    return packaged if ".." not in PurePath(item).parts and packaged.is_file() else None


def packaged_files() -> list[str]:
    """All packaged files that a recipe may extend, relative to the packaged recipes."""
    root = data_path("recipes")
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.yaml"))


def shown(path: Path) -> str:
    """How messages call a file: packaged ones by their name below `recipes`, others as they were given."""
    root = data_path("recipes")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def is_file_name(text: str) -> bool:
    """Whether the user means a file rather than a packaged recipe: it has a suffix, or lies in a folder of theirs."""
    if "\\" in text or PurePath(text).suffix:
        return True
    head, slash, _ = text.partition("/")
    return bool(slash) and not any(name.startswith(f"{head}/") for name in recipe_names())
