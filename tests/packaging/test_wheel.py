"""What is in wheel and sdist: the code, the data under `dancekit/_data`, the licence, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of this checkout, built without isolation (hatchling is a test dependency)."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("dancekit-*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def tracked(root: Path, folder: str) -> set[str]:
    """Files below a folder of the checkout that are not left over from running it, without `zoo/people`."""
    found = {
        path.relative_to(root).as_posix()
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return {name for name in found if not name.startswith("zoo/people/")}


def test_the_wheel_is_not_large(wheel: zipfile.ZipFile) -> None:
    assert sum(each.compress_size for each in wheel.infolist()) < 60_000_000


def test_the_sdist_can_build_and_test_itself(root: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (built,) = tmp_path.glob("dancekit-*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert built.stat().st_size < 60_000_000
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "mkdocs.yml"} <= names
    for folder in ("dancekit", "recipes", "zoo", "docs", "tests", "tools", "benchmarks"):
        assert tracked(root, folder) <= names
    assert not [name for name in names if name.endswith((".pyc", ".part", ".pkl", ".pt", ".pth"))]
    assert not [name for name in names if name.partition("/")[0] in (".git", "runs", "site", "demo", "venv")]
    assert not [name for name in names if name.startswith("zoo/people/")]  # as large as all the rest


def test_the_wheel_holds_all_code_and_data(wheel: zipfile.ZipFile, root: Path) -> None:
    names = set(wheel.namelist())
    folders = ("recipes", "protocols", "ablations", "zoo")
    data = {name for folder in folders for name in tracked(root, folder)}
    assert all(any(name.startswith(f"{folder}/") for name in data) for folder in folders)
    assert {f"dancekit/_data/{name}" for name in data} <= names
    assert not [name for name in names if "zoo/people/" in name]
    assert tracked(root, "dancekit") <= names
    assert "dancekit/py.typed" in names


def test_nothing_else_is_importable_or_shipped(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"dancekit"}
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".pth", ".pkl", ".part", ".pt"))]


def test_metadata_names_licence_and_command(wheel: zipfile.ZipFile) -> None:
    def read(end: str) -> str:
        (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{end}"))
        return wheel.read(name).decode()

    assert "License-Expression: Apache-2.0" in read("METADATA")
    assert "Apache License" in read("licenses/LICENSE")
    assert "dancekit = dancekit.cli.app:main" in read("entry_points.txt")


def test_the_unpacked_wheel_finds_its_own_data(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from dancekit.resources import data_path\n"
        "print(data_path('recipes')); print(data_path('zoo'))"
    )
    # -I: neither PYTHONPATH nor the current folder may stand in for the wheel
    found = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=tmp_path,
    ).stdout.split()
    assert [Path(line) for line in found] == [
        tmp_path / "dancekit/_data/recipes",
        tmp_path / "dancekit/_data/zoo",
    ]
