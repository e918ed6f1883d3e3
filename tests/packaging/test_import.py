"""`import dancekit` is cheap: asserted on what it imports, not on a clock (benchmarks time it)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numpy", "scipy", "cv2", "av", "kornia", "timm", "onnxruntime", "pydantic", "rich", "typer")


def modules_after(code: str, cwd: Path) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        check=True,
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_import_dancekit_imports_nothing_heavy(root: Path) -> None:
    loaded = modules_after("import dancekit", root)
    assert "dancekit" in loaded
    assert not loaded & set(HEAVY)


def test_types_and_contracts_import_no_torch(root: Path) -> None:
    loaded = modules_after(
        "import dancekit.types, dancekit.contracts, dancekit.registry, dancekit.config", root
    )
    assert "numpy" in loaded
    assert not loaded & {"torch", "kornia", "timm", "cv2"}


def test_every_public_name_is_there() -> None:
    import dancekit

    assert set(dir(dancekit)) == set(dancekit.__all__)
    for name in dancekit.__all__:
        assert getattr(dancekit, name) is not None


@pytest.mark.parametrize("command", [["--help"], ["ls"]])
def test_help_and_ls_start_without_torch(root: Path, command: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dancekit", *command],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
    )
    assert result.returncode == 0, result.stderr.splitlines()[-1]
    assert result.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "dancekit" in imported
    assert not imported & {"torch", "kornia", "timm", "cv2", "av", "onnxruntime"}
