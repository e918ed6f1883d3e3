"""What every test gets: a cache of its own, no network, two threads at most, one where there are several workers."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, chromium  # noqa: F401
from parity_count import ParityCount
from plugin_metadata import register
from workers import WholeFiles, choose_workers, longest_first

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    choose_workers(config)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ParityCount())


@pytest.hookimpl(optionalhook=True)  # -p no:xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles | None:
    return WholeFiles(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.fixture(scope="session", autouse=True)
def common_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What fixtures of modules fill, which come before those of a test: never the user's cache; none downloads."""
    folder = tmp_path_factory.mktemp("common")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(folder))
        patch.setenv("DANCEKIT_OFFLINE", "1")
        yield folder


@pytest.fixture(autouse=True)
def _own_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with an empty cache."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def poses_known(common_cache: Path, _own_world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are not about poses: those of the short clips are found once."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(common_cache))


@pytest.fixture(autouse=True)
def _own_logger() -> None:
    """What a command line that ran in this process has set (`--quiet`, `-v`) is nothing to the next test."""
    logger = logging.getLogger("dancekit")
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `../shared` with test data; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}")
    return SHARED


@pytest.fixture
def install(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put packages of tests/plugins on the path with the metadata that pip would write; no network needed."""

    def _install(*folders: str | Path) -> None:
        for folder in folders:
            package = root / "tests" / "plugins" / folder
            register(package, tmp_path / "metadata")
            monkeypatch.syspath_prepend(str(package / "src"))
        monkeypatch.syspath_prepend(str(tmp_path / "metadata"))
        importlib.invalidate_caches()

    yield _install
    for module in [name for name in sys.modules if name.startswith("dancekit_")]:
        del sys.modules[module]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared") and not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED}")


@pytest.fixture(scope="session")
def short_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first second of the shipped target and source, as files of their own."""
    from dancekit.video import VideoWriter, probe, read_frames

    folder = tmp_path_factory.mktemp("clips")
    clips = {}
    for name in ("target", "source"):
        original, clip = ROOT / "zoo" / "samples" / f"{name}.mp4", folder / f"{name}.mp4"
        info = probe(original)
        sound = original if info.audio else None
        with VideoWriter(
            clip, size=info.size, time_base=info.time_base, rate=info.rate, sound_from=sound
        ) as writer:
            for frame in read_frames(original, stop=25):
                writer.write(frame.rgb, frame.pts)
        clips[name] = clip
    return clips
