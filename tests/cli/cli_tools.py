"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TINY = ("--recipe", "tiny", "--device", "cpu")
"""Train in a second."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def left_in(folder: Path) -> list[str]:
    """Every file and folder below."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
