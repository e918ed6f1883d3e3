"""Finds the reference cases, and says which test checks which of them.

A case is a folder with a `meta.json`, or a bare JSON file, in the folder that `DANCEKIT_FIXTURES` names (default
`../shared/fixtures`). A test says which kinds it checks by patterns of their names:

    @checks("edn_render", "edn_graph_*")
    def test_drawing(case: Case) -> None: ...

`test_discovery.py` fails for a case that no test checks, or two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(
    os.environ.get("DANCEKIT_FIXTURES") or Path(__file__).resolve().parents[2].parent / "shared" / "fixtures"
)
CHECKED: dict[str, str] = {}
"""Which test checks the names that match a pattern."""


@dataclass(frozen=True)
class Case:
    """One reference case.

    Attributes:
        name: Of its folder, or of its JSON file without the suffix.
        path: The folder or the file.
    """

    name: str
    path: Path

    def __str__(self) -> str:
        return self.name

    @cached_property
    def meta(self) -> dict[str, Any]:
        """`meta.json`, or the JSON file itself."""
        file = self.path / "meta.json" if self.path.is_dir() else self.path
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    @cached_property
    def io(self) -> dict[str, Any]:
        """The tensors of `io.safetensors`."""
        from safetensors.torch import load_file

        return load_file(self.path / "io.safetensors")

    def weights(self, name: str = "weights") -> dict[str, Any]:
        """A state dict, `<name>.pth`."""
        import torch

        found: dict[str, Any] = torch.load(self.path / f"{name}.pth", weights_only=True)
        return found


def find_cases(folder: Path = FOLDER) -> list[Case]:
    """Every case; a folder without `meta.json` counts, so that it fails and is not overlooked."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() or path.suffix == ".json"]
    return sorted((Case(path.stem if path.is_file() else path.name, path) for path in found), key=str)


def matching(case: Case, patterns: dict[str, str] | tuple[str, ...]) -> list[str]:
    """The patterns that a case's name matches."""
    return [pattern for pattern in patterns if fnmatchcase(case.name, pattern)]


def checks(*patterns: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for every case whose name matches a pattern; skipped where the folder is absent."""

    def wrap(test: Callable[..., None]) -> Callable[..., None]:
        for pattern in patterns:
            CHECKED[pattern] = f"{test.__module__}.{test.__name__}"
        cases = [case for case in find_cases() if matching(case, patterns)]
        return pytest.mark.parity(pytest.mark.parametrize("case", cases, ids=str)(test))

    return wrap
