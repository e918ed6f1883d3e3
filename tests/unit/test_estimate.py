"""How long it will take: the arithmetic by hand, the measurement against a clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dancekit.config import Recipe, load_recipe
from dancekit.contracts import PoseSpec
from dancekit.training import estimate
from dancekit.training.estimate import Speeds, made_up_target, measure_speeds, time_poses
from dancekit.types import Detections, get_skeleton, skeleton_names
from dancekit.video import VideoWriter


class Sleeper:
    """A pose backend that takes 20 ms a frame."""

    version = 1
    spec = PoseSpec(
        skeleton=get_skeleton("coco_17"), max_people=1, gives_mask=False, licence="Apache-2.0", weights={}
    )

    def __init__(self) -> None:
        self.frames = 0

    def detect(self, frames: Iterable[Any]) -> Iterator[Detections]:
        for _ in frames:
            time.sleep(0.02)
            self.frames += 1
            yield Detections.nobody(17)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "grey.mp4"
    with VideoWriter(path, size=(32, 32), time_base=Fraction(1, 25), rate=Fraction(25)) as writer:
        for number in range(30):
            writer.write(np.full((32, 32, 3), 4 * number, np.uint8), number)
    return path


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("tiny", ["train.steps=10"])


@pytest.mark.parametrize(
    ("done", "seconds"), [(0, 8 * 1.0 + 2 * 3.0), (5, 3 * 1.0 + 2 * 3.0), (9, 3.0), (10, 0.0), (50, 0.0)]
)
def test_what_is_left_counts_each_stage_at_its_own_speed(done: int, seconds: float) -> None:
    stages = "[{name: a, share: 0.8, modules: [generator]}, {name: b, share: 0.2, modules: [face]}]"
    recipe = load_recipe("tiny", ["train.steps=10", f"train.stages={stages}"])
    assert Speeds(pose=0.1, steps=(1.0, 3.0), paint=0.1).training(recipe, done) == pytest.approx(seconds)


def test_poses_are_timed_on_the_clip_itself(clip: Path) -> None:
    backend = Sleeper()
    assert 0.02 <= time_poses(backend, clip) < 0.2
    assert backend.frames < 20, "only the beginning is looked at"


def test_a_slow_machine_is_not_measured_for_long(
    recipe: Recipe, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "PATIENCE", 0.0)
    backend = Sleeper()
    speeds = measure_speeds(recipe, backend, clip, "cpu")
    assert backend.frames == 2 + 1
    assert all(seconds > 0 for seconds in (*speeds.steps, speeds.paint, speeds.pose))


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    with VideoWriter(
        tmp_path / "one.mp4", size=(32, 32), time_base=Fraction(1, 25), rate=Fraction(25)
    ) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8), 0)
    assert time_poses(Sleeper(), tmp_path / "one.mp4") >= 0.02


def test_every_stage_and_painting_are_measured(recipe: Recipe, clip: Path) -> None:
    began = time.perf_counter()
    speeds = measure_speeds(recipe, Sleeper(), clip, "cpu")
    spent = time.perf_counter() - began
    assert len(speeds.steps) == len(recipe.train.stages)
    assert all(0 < seconds < spent for seconds in (*speeds.steps, speeds.paint, speeds.pose))
    assert 2 * sum(speeds.steps) < spent


@pytest.mark.parametrize("name", skeleton_names())
def test_somebody_stands_in_the_picture_whatever_the_skeleton(name: str) -> None:
    data = made_up_target((96, 64), get_skeleton(name))
    assert data.target.found.all()
    seen = data.target.xy[data.target.valid]
    assert np.all((seen >= 0) & (seen < np.array([96, 64])))
    assert data.target.valid[0].sum() >= 8
    assert len(data.starts(2)) == len(data) - 1
