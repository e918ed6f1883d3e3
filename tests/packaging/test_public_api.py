"""The public surface is what is pinned in public_api.txt: no name, option or parameter changes unnoticed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def tool(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("public_api", root / "tools" / "public_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_surface_is_the_pinned_one(tool: ModuleType) -> None:
    different = tool.changes(tool.surface(), tool.FILE.read_text(encoding="utf-8").splitlines())
    assert not different, (
        "the public surface changed; if that is meant, say so in CHANGELOG.md and run "
        "`python tools/public_api.py --write`:\n" + "\n".join(different)
    )


def test_what_is_pinned_is_what_people_use(tool: ModuleType) -> None:
    pinned = tool.FILE.read_text(encoding="utf-8").splitlines()
    for line in (
        "class dancekit.types.PoseSequence",
        "field dancekit.types.PoseSequence.cuts: tuple[int, ...] = ...",
        "def dancekit.contracts.Animator.animate(self, reference: NDArray[np.uint8], poses: PoseSequence)"
        " -> Iterator[NDArray[np.uint8]]",
        "command dancekit zoo ls",
        "option dancekit train --resume",
        "component generator/pix2pixhd@1",
        "parameter filter/savgol window: int, >= 3, <= 101 = 7",
    ):
        assert any(each.startswith(line) for each in pinned), line


def test_a_change_is_noticed(tool: ModuleType) -> None:
    pinned = ["def a(x: int) -> int", "def b()", "def c()"]
    assert tool.changes(["def a(x: str) -> int", "def b()", "def d()"], pinned) == [
        "-def a(x: int) -> int",
        "+def a(x: str) -> int",
        "-def c()",
        "+def d()",
    ]
