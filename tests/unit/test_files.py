"""Files appear whole or not at all: on a disk that is really full, which a limit on the size of files stands for."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from dancekit.data.files import write_png, write_whole
from dancekit.errors import DancekitError, PoseError
from dancekit.types import PoseSequence, get_skeleton

NOISE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can become larger than `size` bytes: writes fail half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_text_and_bytes_in_a_new_folder(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.json", "größe")
    assert (tmp_path / "new" / "a.json").read_bytes() == "größe".encode()
    write_whole(tmp_path / "new" / "a.json", b"other")
    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [b"other"]


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    with room_for(1000), pytest.raises(DancekitError, match=r"a\.json cannot be written: .*free some space"):
        write_whole(path, "x" * 2000)
    assert [path] == list(tmp_path.iterdir()) and path.read_text() == "before"


def test_a_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DancekitError, match="cannot be written"):
        write_whole(tmp_path / "folder" / "a.json", "x")


def test_png(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", NOISE)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_COLOR_RGB), NOISE)


def test_png_on_a_full_disk(tmp_path: Path) -> None:
    with room_for(1000), pytest.raises(DancekitError, match=r"a\.png cannot be written"):
        write_png(tmp_path / "a.png", NOISE)
    assert not list(tmp_path.iterdir())


def test_poses_on_a_full_disk(tmp_path: Path) -> None:
    skeleton = get_skeleton("coco_17")
    random = np.random.default_rng(0)
    poses = PoseSequence(
        xy=random.uniform(0, 99, (50, 17, 2)).astype(np.float32),
        score=np.ones((50, 17), np.float32),
        pts=np.arange(50),
        time_base=Fraction(1, 25),
        size=(100, 100),
        skeleton=skeleton,
    )
    with room_for(1000), pytest.raises(PoseError, match=r"a\.npz cannot be written"):
        poses.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
