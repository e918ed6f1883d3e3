"""Named YAML files besides recipes (protocols, ablations): found, parsed and checked, each mistake with its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dancekit.config.explain import explain
from dancekit.config.tree import Node, follow, parse, plain
from dancekit.errors import RecipeError, UnknownName
from dancekit.registry.core import did_you_mean
from dancekit.resources import data_path

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Documents:
    """The files of one kind.

    Attributes:
        folder: Of the packaged ones.
        what: One of them, in messages.
    """

    folder: str
    what: str

    def names(self) -> list[str]:
        """Names of the packaged ones, sorted."""
        return sorted(path.stem for path in data_path(self.folder).glob("*.yaml"))

    def path(self, name: str) -> Path:
        """The file of a packaged one.

        Raises:
            UnknownName: There is none of that name.
        """
        names = self.names()
        if name not in names:
            raise UnknownName(
                f"there is no {self.what} {name!r}{did_you_mean(name, names)}",
                hint=f"{self.folder}: {', '.join(names)}; a file of your own needs its suffix: {name}.yaml",
            )
        return data_path(f"{self.folder}/{name}.yaml")

    def locate(self, name_or_path: str | Path) -> Path:
        """The file that is meant: a packaged one's name; anything with a suffix or a slash is a file.

        Raises:
            UnknownName: There is no packaged one of that name.
            RecipeError: A file that does not exist.
        """
        text = str(name_or_path)
        is_file = "/" in text or "\\" in text or text.endswith((".yaml", ".yml"))
        if isinstance(name_or_path, str) and not is_file:
            return self.path(text)
        path = Path(name_or_path)
        if not path.is_file():
            raise RecipeError([f"{path}: does not exist"])
        return path


def read_document(path: Path) -> Node:
    """Parse a file strictly.

    Raises:
        RecipeError: It cannot be read, or all that is wrong with its YAML.
    """
    problems: list[str] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError([f"{path}: cannot be read: {error}"]) from None
    root = parse(text, lambda line: f"{path.name}:{line}", problems)
    if root is None or problems:
        raise RecipeError(problems)
    return root


def check_document(root: Node, schema: type[Model], path: Path, *, why_named: str = "") -> Model:
    """What a parsed file says, as its schema has it; its key `name` must be the file's name.

    Args:
        root: The whole file.
        schema: A pydantic model with a field `name`.
        path: Of the file.
        why_named: Ends the message about a wrong name.

    Raises:
        RecipeError: All that is wrong, each with its line.
    """
    data = plain(root)
    try:
        found = schema.model_validate(data)
    except ValidationError as error:
        raise RecipeError(
            [
                f"{follow(root, keys)[0].place}: {where}: {what}"
                for where, keys, what in explain(error, data, schema)
            ]
        ) from None
    name = getattr(found, "name", path.stem)
    if name != path.stem:
        place = follow(root, ("name",))[0].place
        raise RecipeError([f"{place}: name: is {name!r}, but the file is called {path.name}{why_named}"])
    return found
