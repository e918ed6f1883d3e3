"""The cache of poses saves work; it never stands in the way, and never hands out half of what was found."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.config import Component
from dancekit.contracts import PoseSpec
from dancekit.data.cache import cache_folder
from dancekit.data.poses import TrackedClip, track_person
from dancekit.types import Detections, get_skeleton
from dancekit.video import VideoWriter

COMPONENT = Component(name="blazepose", params={})


class Everywhere:
    """One person in every frame, and how often it was asked."""

    version = 1
    spec = PoseSpec(get_skeleton("coco_17"), 1, True, "MIT")

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        self.calls += 1
        for frame in frames:
            xy = np.linspace([[8, 4]], [[20, 40]], 17, axis=1).astype(np.float32)
            mask = np.zeros((1, *frame.shape[:2]), np.uint8)
            mask[:, 4:40, 8:20] = 255
            yield Detections(
                xy=xy,
                score=np.ones((1, 17), np.float32),
                box=np.array([[8, 4, 20, 40]], np.float32),
                mask=mask,
            )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, size=(32, 48), time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
        for number in range(12):
            writer.write(np.full((48, 32, 3), number, np.uint8), number)
    return path


def same(one: TrackedClip, other: TrackedClip) -> bool:
    assert one.masks is not None and other.masks is not None
    poses = np.array_equal(one.poses.xy, other.poses.xy, equal_nan=True)
    return poses and all(np.array_equal(one.masks[n], other.masks[n]) for n in range(12))


def test_the_second_time_nothing_is_computed(clip: Path) -> None:
    backend = Everywhere()
    first, second = (track_person(clip, backend, COMPONENT) for _ in range(2))
    assert backend.calls == 1 and same(first, second)


def test_lost_masks_are_found_again(clip: Path) -> None:
    backend = Everywhere()
    first = track_person(clip, backend, COMPONENT)
    (masks,) = cache_folder("poses").glob("*.masks.npz")
    masks.unlink()
    assert same(first, track_person(clip, backend, COMPONENT)) and backend.calls == 2


def test_a_cache_that_cannot_be_written_to(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "dancekit"):
        found = track_person(clip, Everywhere(), COMPONENT)
    assert found.poses.found.all()
    assert "not kept" in caplog.text and "DANCEKIT_CACHE" in caplog.text
