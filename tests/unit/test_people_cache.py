"""Everybody in a clip, kept: masks are found when they are wanted, and not before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.config import Component
from dancekit.contracts import PoseSpec
from dancekit.data.people import find_people
from dancekit.types import Detections, get_skeleton
from dancekit.video import VideoWriter

FRAMES = 12
JOINTS = 33


class Two:
    """Two people who stand still."""

    version = 1

    def __init__(self, *, masks: bool) -> None:
        self.spec = PoseSpec(get_skeleton("blazepose_33"), None, masks, "Apache-2.0")
        self.seen = 0

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        body = np.random.default_rng(0).uniform((4, 8), (24, 48), (JOINTS, 2)).astype(np.float32)
        for frame in frames:
            self.seen += 1
            xy = np.stack([body, body + np.float32([66, 0])])
            box = np.concatenate([xy.min(1), xy.max(1)], 1)
            mask = np.full((2, *frame.shape[:2]), 255, np.uint8) if self.spec.gives_mask else None
            yield Detections(xy, np.ones((2, JOINTS), np.float32), box, mask)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "two.mp4"
    with VideoWriter(path, size=(96, 64), time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
        for number in range(FRAMES):
            writer.write(np.full((64, 96, 3), 90, np.uint8), number)
    return path


def test_masks_are_found_when_they_are_wanted(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANCEKIT_CACHE", str(tmp_path / "cache"))
    bare, whole, component = Two(masks=False), Two(masks=True), Component(name="two")
    for _ in range(2):  # the second time from the cache
        found = find_people(clip, bare, component)
        assert len(found.persons) == 2 and all(person.masks is None for person in found.persons)
    assert bare.seen == FRAMES
    for _ in range(2):
        found = find_people(clip, whole, component)
        assert all(person.masks is not None for person in found.persons)
    assert whole.seen == FRAMES
    find_people(clip, bare, component)
    assert bare.seen == FRAMES  # what was found with masks does for those who want none
