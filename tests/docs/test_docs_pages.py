"""Generated pages are what the program and its data say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def maker(root: Path) -> ModuleType:
    """`tools/docs_pages.py`."""
    spec = importlib.util.spec_from_file_location("docs_pages", root / "tools" / "docs_pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["reference/cli.md", "reference/components.md", "reference/recipe.md", "benchmarks.md"]
)
def test_up_to_date(root: Path, maker: ModuleType, name: str) -> None:
    made = maker.PAGES[f"docs/{name}"]()
    given = (root / "docs" / name).read_text("utf-8")
    assert given == made.rstrip() + "\n", "run: python tools/docs_pages.py"


def test_every_page_has_a_test(maker: ModuleType) -> None:
    (mark,) = test_up_to_date.pytestmark
    assert {f"docs/{name}" for name in mark.args[1]} == set(maker.PAGES)


def test_nothing_is_left_out(maker: ModuleType) -> None:
    from dancekit.cli.app import COMMANDS
    from dancekit.config.schema import TrainConfig
    from dancekit.registry.builtin import BUILTIN

    commands, components, recipe = maker.cli_page(), maker.components_page(), maker.recipe_page()
    assert all(f"## dancekit {name}\n" in commands for name in COMMANDS)
    assert "### dancekit zoo publish\n" in commands and "`--consent " in commands
    assert all(f"### {kind}/{name}\n" in components for kind, table in BUILTIN.items() for name in table)
    assert all(f"| `{key}` |" in recipe for key in TrainConfig.model_fields)


def test_angles_and_bars_survive_in_tables(maker: ModuleType) -> None:
    assert maker.cell("a|b <name> `<c>`") == "a\\|b &lt;name> `<c>`"
    assert maker.code("NAME|<FILE>") == "<code>NAME&#124;&lt;FILE&gt;</code>"
    assert maker.code("") == ""
