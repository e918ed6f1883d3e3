"""Components that break the contract of a component."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field


def function() -> None:
    """Not a class."""


class NoVersion:
    """A component without a version."""


class Positional:
    """Takes a positional parameter."""

    version = 1

    def __init__(self, width: int = 3) -> None: ...


class Unannotated:
    """Has a parameter without an annotation."""

    version = 1

    def __init__(self, *, width=3) -> None: ...


class WrongDefault:
    """Has a default outside its own bounds."""

    version = 1

    def __init__(self, *, width: Annotated[int, Field(ge=8)] = 3) -> None: ...
