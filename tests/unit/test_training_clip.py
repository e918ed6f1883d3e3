"""Baselines made of the training clip, and poses that it never showed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dancekit.errors import PoseError
from dancekit.evaluate.frames import ArrayFrames
from dancekit.evaluate.training_clip import MEDIAN_FRAMES, TrainingClip, out_of_range, static_baselines
from dancekit.metrics.baselines import nearest_neighbour, temporal_median
from dancekit.types import PoseSequence, get_skeleton

COCO = get_skeleton("coco_17")


def poses(xy: np.ndarray) -> PoseSequence:
    return PoseSequence(
        xy=xy.astype(np.float32),
        score=np.ones(xy.shape[:2], np.float32),
        pts=np.arange(len(xy)),
        time_base=Fraction(1, 25),
        size=(200, 200),
        skeleton=COCO,
    )


def walk(frames: int, rng: np.random.Generator) -> np.ndarray:
    """A person who swings to and fro: (T, 17, 2)."""
    body = rng.uniform(60, 140, (17, 2))
    swing = 30 * np.sin(np.arange(frames) / 9)[:, None, None] * np.array([1.0, 0.0])
    return body + swing + rng.normal(0, 0.5, (frames, 17, 2))


def test_they_are_those_of_the_metrics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (40, 12, 16, 3), np.uint8)
    train, query = poses(walk(40, rng)), poses(walk(9, rng))
    clip = TrainingClip(ArrayFrames("clip", frames, Fraction(25)), train, np.arange(40))
    nearest, median = static_baselines(clip, query, tmp_path)
    np.testing.assert_array_equal(np.stack(list(nearest)), frames[nearest_neighbour(train, query)])
    np.testing.assert_array_equal(median, temporal_median(frames))


def test_poses_of_some_frames_only(tmp_path: Path) -> None:
    """A dancer file keeps evenly spaced poses of a long clip: the frame shown is the pose's own."""
    rng = np.random.default_rng(0)
    frames = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    numbers = np.linspace(0, 49, 11).round().astype(int)
    train = poses(walk(50, rng))[numbers]
    clip = TrainingClip(ArrayFrames("clip", frames, None), train, numbers)
    nearest, median = static_baselines(clip, train, tmp_path, median=False)
    assert [int(frame[0, 0, 0]) for frame in nearest] == numbers.tolist()
    assert median is None


def test_the_median_of_a_long_clip_is_of_evenly_spaced_frames(tmp_path: Path) -> None:
    count = MEDIAN_FRAMES + 500
    frames = np.zeros((count, 4, 4, 3), np.uint8)
    frames[: count // 2 - 100] = 10  # a bit less than half of it
    frames[count // 2 - 100 :] = 200
    clip = TrainingClip(ArrayFrames("clip", frames, None), poses(np.ones((2, 17, 2))), np.arange(2))
    _, median = static_baselines(clip, None, tmp_path)
    assert (median == 200).all()
    assert np.load(tmp_path / "median.npy", mmap_mode="r").shape == (MEDIAN_FRAMES, 4, 4, 3)


def test_poses_within_the_training_range_raise_no_warning() -> None:
    rng = np.random.default_rng(0)
    train = walk(300, rng)
    query = train[::7] + rng.normal(0, 0.5, (43, 17, 2))
    assert len(out_of_range(poses(train), poses(query))) <= 3


def test_a_pose_that_was_never_shown_is_named() -> None:
    rng = np.random.default_rng(0)
    train = walk(300, rng)
    query = train[:20].copy()
    query[5:8, 9] -= (0, 120)  # an arm goes up
    found = out_of_range(poses(train), poses(query))
    assert {5, 6, 7} <= set(found) <= {*range(20)}
    assert "outside of the training range" in found[5]
    assert found[5] == found[6] and "px from every training pose" in found[5]


def test_a_clip_too_short_to_tell() -> None:
    rng = np.random.default_rng(0)
    train = walk(20, rng)  # within a second of each other: no pose has another to be near to
    assert out_of_range(poses(train), poses(train + 500)) == {}


def test_training_never_starts_where_frames_are_held_out() -> None:
    from dancekit.data.training_set import TrainingSet
    from dancekit.types import Window

    frames = np.zeros((20, 8, 8, 3), np.uint8)
    clip = TrainingSet(
        frames,
        frames[..., 0],
        poses(np.ones((20, 17, 2))),
        Window.full((8, 8)),
        np.zeros((8, 8, 3), np.uint8),
    )
    assert clip.starts(3).tolist() == list(range(18))
    assert clip.shown(0.25) == 15
    assert clip.starts(3, hold_out=0.25).tolist() == list(range(13)), "the last one ends with frame 14"
    with pytest.raises(PoseError, match=r"no 3 consecutive frames.*train\.hold_out"):
        clip.starts(3, hold_out=0.9)
