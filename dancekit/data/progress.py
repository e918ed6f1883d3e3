"""How long work tells how far it is: a function that takes (what, done, total)."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often; must be cheap."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` units of `what` are ready; `total` is None where nobody knows."""
        ...


def silent(what: str, done: int, total: int | None) -> None:
    """Tell nobody."""
