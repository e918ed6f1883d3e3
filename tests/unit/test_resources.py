"""Data files are found in the wheel or the checkout, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

import dancekit.resources as resources
from dancekit.errors import DancekitError


def test_finds_the_checkout(root: Path) -> None:
    assert resources.data_path("recipes") == root / "recipes"
    assert resources.data_path("recipes/quick.yaml").read_text().count("schema: 1") == 1


def test_prefers_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "dancekit"
    (package / "_data" / "zoo").mkdir(parents=True)
    (package / "_data" / "zoo" / "index.json").write_text("{}")
    (tmp_path / "zoo").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.data_path("zoo/index.json") == package / "_data" / "zoo" / "index.json"


def test_a_folder_beside_an_installed_package_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()  # somebody else's, in site-packages
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "dancekit")
    with pytest.raises(DancekitError, match=r"has no data.*pip install"):
        resources.data_path("recipes")


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "recipes/../pyproject.toml", "dancekit", "recipes\\x", "zoo/../../x"]
)
def test_no_way_out(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path below recipes, protocols, ablations, zoo"):
        resources.data_path(path)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DancekitError, match=r"recipes/nothing\.yaml is not part of this installation"):
        resources.data_path("recipes/nothing.yaml")
