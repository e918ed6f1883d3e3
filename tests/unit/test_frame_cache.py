"""Frames are cut once for all runs on a clip, belong to the run as well, and can be cleared."""

from __future__ import annotations

import errno
import logging
import os
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dancekit.data import frame_cache, training_set
from dancekit.data.cache import cache_folder
from dancekit.data.cache_entries import clear, list_entries
from dancekit.data.files import appearing_folder
from dancekit.data.poses import TrackedClip
from dancekit.errors import DancekitError
from dancekit.training.estimate import made_up_target
from dancekit.types import get_skeleton
from dancekit.video import VideoWriter


@pytest.fixture(autouse=True)
def _warnings_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever -q of a command before has made of the logger."""
    caplog.set_level(logging.WARNING, logger="dancekit")


SIZE = (64, 48)
FRAMES = 6
SETTINGS = {"pose": "made up", "size": [32, 32]}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "me.mp4"
    with VideoWriter(path, size=SIZE, time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
        for number in range(FRAMES):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 30 * number, np.uint8), number)
    return path


def prepare(clip: Path, folder: Path, settings: dict[str, Any] | None = SETTINGS) -> list[tuple[int, int]]:
    """Cut a clip; how far the cutting said it was."""
    poses = made_up_target(SIZE, get_skeleton("coco_17"), FRAMES).target
    said: list[tuple[int, int]] = []
    training_set.prepare(
        clip,
        TrackedClip(poses, None),
        filters=[],
        size=(32, 32),
        folder=folder,
        settings=settings,
        progress=lambda what, done, total: said.append((done, total or 0)),
    )
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_second_run_cuts_nothing_and_gets_the_same(clip: Path, tmp_path: Path) -> None:
    assert prepare(clip, tmp_path / "plain", None)[-1] == (FRAMES, FRAMES)
    assert not cache_folder("frames").exists(), "without settings nothing is shared"
    assert prepare(clip, tmp_path / "a")
    assert prepare(clip, tmp_path / "b") == []
    same = contents(tmp_path / "a")
    assert same == contents(tmp_path / "b") == contents(tmp_path / "plain")
    assert set(same) == {"frames.npy", "masks.npy", "plate.png", "target.npz", "window.json"}
    assert prepare(clip, tmp_path / "c", {**SETTINGS, "size": [16, 16]}), "other settings, another entry"


def test_runs_keep_their_frames_when_the_cache_is_cleared(clip: Path, tmp_path: Path) -> None:
    prepare(clip, tmp_path / "run" / "data")
    before = contents(tmp_path / "run" / "data")
    (entry,) = list_entries()
    assert (entry.kind, entry.what, entry.linked) == ("frames", f"me.mp4, {FRAMES} frames, 32x32", True)
    assert entry.size > FRAMES * 32 * 32 * 4
    os.utime(entry.paths[0] / frame_cache.NOTE, (0, time.time() - 1000))
    assert clear(older_than=2000) == []
    assert [e.key for e in clear(older_than=900)] == [entry.key]
    assert list_entries() == []
    assert contents(tmp_path / "run" / "data") == before
    assert len(training_set.load(tmp_path / "run" / "data")) == FRAMES
    assert prepare(clip, tmp_path / "again"), "cut again"


def test_using_an_entry_makes_it_young(clip: Path, tmp_path: Path) -> None:
    prepare(clip, tmp_path / "a")
    (entry,) = list_entries()
    os.utime(entry.paths[0] / frame_cache.NOTE, (0, 0))
    prepare(clip, tmp_path / "b")
    assert time.time() - list_entries()[0].used < 60


def test_on_another_file_system_the_run_gets_copies(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(frame_cache.os, "link", link)
    prepare(clip, tmp_path / "run")
    (entry,) = list_entries()
    assert not entry.linked
    assert (tmp_path / "run" / "frames.npy").stat().st_nlink == 1
    assert len(training_set.load(tmp_path / "run")) == FRAMES


@pytest.mark.parametrize("settings", [SETTINGS, None])
def test_too_little_space_is_said_before_anything_is_cut(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(frame_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    remedy = "cache clear" if settings else "another --out"
    with pytest.raises(DancekitError, match=rf"0\.0 GB free, the frames need .*{remedy}"):
        prepare(clip, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    assert list_entries() == []


def test_a_cache_that_cannot_be_written_is_done_without(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path / "file"))
    prepare(clip, tmp_path / "run")
    assert len(training_set.load(tmp_path / "run")) == FRAMES
    assert "DANCEKIT_CACHE" in caplog.text


def test_only_what_the_dead_left_is_swept_away(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)
    living, dead = tmp_path / f".x.{os.getpid()}.part", tmp_path / f".x.{process}.part"
    living.mkdir()
    dead.mkdir()
    frame_cache.remove_dead_parts(tmp_path)
    assert living.exists() and not dead.exists()


def test_of_two_that_make_one_entry_the_first_stays(tmp_path: Path) -> None:
    with appearing_folder(tmp_path / "entry", replace=False) as part:
        (part / "x").write_text("late")
        (tmp_path / "entry").mkdir()
        (tmp_path / "entry" / "x").write_text("early")
    assert contents(tmp_path / "entry") == {"x": b"early"}
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
