"""A plugin of every kind is written and passes its own tests; one is installed by pip and trained with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_metadata import register

from dancekit.plugins.template import name_plugin, write_plugin
from dancekit.registry import kinds

FIRST = "acme"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plugin of every kind, named after its kind."""
    folder = tmp_path_factory.mktemp("plugins")
    for kind in kinds():
        plugin = name_plugin(f"{FIRST}_{kind}", kind)
        write_plugin(plugin, folder / plugin.distribution)
    return folder


def environment(root: Path, *more: Path) -> dict[str, str]:
    """The checkout and some folders on the path; nothing else of this process."""
    path = os.pathsep.join(map(str, [*more, root]))
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {**kept, "PYTHONPATH": path, "DANCEKIT_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, timeout=500, check=False
    )


def test_every_kind_passes_its_own_tests(written: Path, tmp_path: Path, root: Path) -> None:
    packages = sorted(written.iterdir())
    for package in packages:
        register(package, tmp_path / "metadata")
    env = environment(root, tmp_path / "metadata", *(package / "src" for package in packages))
    tests = [package / "tests" for package in packages]
    done = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
        *("-W", "error", "--junitxml", tmp_path / "junit.xml", "--rootdir", written, *tests),
        cwd=written,
        env=env,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    report = (tmp_path / "junit.xml").read_text()
    for kind in kinds():
        assert f"dancekit-{FIRST}-{kind}.tests.test_{FIRST}_{kind}" in report, kind
        assert f"dancekit-{FIRST}-{kind}.tests.test_contract" in report, kind


def test_what_is_written_is_tidy(written: Path, tmp_path: Path, root: Path) -> None:
    env = environment(root)
    chosen = ("--isolated", "--no-cache", "--line-length", "120")
    rules = ("--select", "E,F,W,I,B,UP,SIM,PTH,RUF,C4")
    for package in written.iterdir():  # each from its own folder, as its author would
        lint = run(sys.executable, "-m", "ruff", "check", *chosen, *rules, cwd=package, env=env)
        assert lint.returncode == 0, lint.stdout
        layout = run(sys.executable, "-m", "ruff", "format", "--diff", *chosen, cwd=package, env=env)
        assert layout.returncode == 0, layout.stdout
        for file in package.rglob("*"):
            text = file.read_text() if file.is_file() else ""
            assert "{{" not in text and "{%" not in text, file
            assert file.name == "py.typed" or file.is_dir() or text.endswith("\n"), file


def test_a_plugin_is_installed_by_pip_and_trained_with(
    written: Path, tmp_path: Path, root: Path, short_clips: dict[str, Path]
) -> None:
    """In a fresh virtual environment that sees this one's packages through a `.pth` file."""
    package, venv = written / f"dancekit-{FIRST}-generator", tmp_path / "venv"
    outer = [path for path in sys.path if path.endswith("site-packages")]
    made = run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path, env=dict(os.environ))
    assert made.returncode == 0, made.stderr
    (site,) = venv.glob("lib/python*/site-packages") if os.name != "nt" else [venv / "Lib/site-packages"]
    (site / "outer.pth").write_text("\n".join(outer) + "\n")
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    env = environment(root)
    installed = run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--disable-pip-version-check", package),
        cwd=tmp_path,
        env=env,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (site / f"dancekit_{FIRST}_generator" / f"{FIRST}_generator.py").is_file()

    listed = run(python, "-m", "dancekit", "plugins", "--json", cwd=tmp_path, env=env)
    (plugin,) = json.loads(listed.stdout)["plugins"]
    assert listed.returncode == 0 and plugin["usable"]
    assert (plugin["distribution"], plugin["version"]) == (f"dancekit-{FIRST}-generator", "0.1.0")

    trained = run(
        *(python, "-m", "dancekit", "train", "--target", short_clips["target"], "--out", "run", "-q"),
        *("--recipe", package / "recipes" / f"{FIRST}_generator.yaml", "--device", "cpu"),
        *("size=[64,64]", "pose.model=lite", "generator.width=4", "discriminator.ndf=4", "face.ngf=4"),
        *("face.crop_size=32", "train.steps=2", "train.checkpoint_every=2", "train.preview_every=2"),
        cwd=tmp_path,
        env=env,
    )
    assert trained.returncode == 0, trained.stderr
    shown = run(python, "-m", "dancekit", "show", "run/dancer.safetensors", "--json", cwd=tmp_path, env=env)
    facts = json.loads(shown.stdout)
    assert facts["components"]["generator"] == f"{FIRST}_generator@1"
    assert facts["training"]["steps"] == 2
