"""Scene cuts: found where they are, and nowhere else; what they do to poses, filters, clips and painting."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dancekit.data.cuts import find_cuts
from dancekit.data.poses import apply_filters
from dancekit.data.training_set import TrainingSet
from dancekit.filters.gaps import FillGaps
from dancekit.filters.savgol import SavitzkyGolay
from dancekit.types import PoseSequence, Window, get_skeleton
from dancekit.video import read_frames

Frames = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def rooms(root: Path) -> dict[str, Frames]:
    """Two dancers in two rooms, and another moment of one of them."""
    samples = root / "zoo" / "samples"

    def read(name: str, start: int, count: int) -> Frames:
        return [frame.rgb for frame in read_frames(samples / name, start=start, stop=start + count)]

    return {
        "one": read("source.mp4", 0, 40),
        "other": read("target.mp4", 0, 30),
        "later": read("target.mp4", 150, 20),
    }


def test_cuts_between_rooms_moments_and_black(rooms: dict[str, Frames]) -> None:
    one, other, later = rooms["one"], rooms["other"], rooms["later"]
    black = [np.zeros_like(one[0])] * 9
    clip = [*one[:20], *other[:12], *later[:15], *black, *one[20:32]]
    assert find_cuts(clip) == [20, 32, 47, 56]
    assert find_cuts([*one[:1], *other[:1]]) == [1]
    assert find_cuts([*one[:12], *other[:2]]) == [12]


@pytest.mark.parametrize("flash", [1, 2, 3])
def test_a_flash_is_no_cut(rooms: dict[str, Frames], flash: int) -> None:
    clip = [frame.copy() for frame in rooms["one"]]
    for number in range(20, 20 + flash):
        clip[number] = np.clip(clip[number] * 2.5 + 80, 0, 255).astype(np.uint8)
    assert find_cuts(clip) == []


@pytest.mark.parametrize("light", [(0.5, 0.5, 0.5), (1.1, 0.8, 0.6)], ids=["darker", "warmer"])
def test_the_light_that_changes_is_no_cut(
    rooms: dict[str, Frames], light: tuple[float, float, float]
) -> None:
    clip = rooms["one"][:15] + [
        np.clip(f * np.array(light), 0, 255).astype(np.uint8) for f in rooms["one"][15:]
    ]
    assert find_cuts(clip) == []


def test_dancing_a_fast_pan_and_shaking_are_no_cuts(rooms: dict[str, Frames]) -> None:
    one, rng = rooms["one"], np.random.default_rng(0)
    assert find_cuts(one) == []
    wide = cv2.copyMakeBorder(one[0], 0, 0, 512, 512, cv2.BORDER_REFLECT_101)
    for speed in (60, 170):
        lefts = [0 if n < 12 else min((n - 12) * speed, 1000) for n in range(32)]
        assert find_cuts([wide[:, left : left + 512] for left in lefts]) == []
    shifts = rng.normal(0, 6, (40, 2)).round().astype(int)
    assert find_cuts([np.roll(f, tuple(shift), (0, 1)) for f, shift in zip(one, shifts, strict=True)]) == []


def test_nothing_and_one_frame(rooms: dict[str, Frames]) -> None:
    assert find_cuts([]) == [] and find_cuts(rooms["one"][:1]) == []


# ---- what they do ------------------------------------------------------------------------------------------


def walking(frames: int, cuts: tuple[int, ...] = ()) -> PoseSequence:
    """Everybody's joints step by a pixel a frame, and jump by 1000 at a cut."""
    scene = np.zeros(frames)
    scene[list(cuts)] = 1
    at = np.arange(frames) + 1000 * np.cumsum(scene)
    return PoseSequence(
        xy=np.repeat(at[:, None, None], 17, 1).repeat(2, 2),
        score=np.ones((frames, 17)),
        pts=np.arange(frames) * 3,
        time_base=Fraction(1, 75),
        size=(640, 360),
        skeleton=get_skeleton("coco_17"),
        cuts=cuts,
    )


def test_cuts_are_kept_in_files_and_old_files_have_none(tmp_path: Path) -> None:
    poses = walking(20, (5, 12))
    assert PoseSequence.load(poses.save(tmp_path / "cut.npz")).cuts == (5, 12)
    whole = walking(20).save(tmp_path / "whole.npz")
    with np.load(whole) as data:
        assert "cuts" not in str(data["header"])  # the bytes are those of versions that knew no cuts
    assert PoseSequence.load(whole).cuts == ()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_part_of_a_clip_has_its_part_of_the_cuts(data: st.DataObject) -> None:
    cuts = tuple(sorted(data.draw(st.sets(st.integers(1, 29), max_size=6))))
    poses = walking(30, cuts)
    keep = np.array(sorted(data.draw(st.sets(st.integers(0, 29), min_size=1))))
    part = poses[keep]
    same = part.scene[1:] == part.scene[:-1]
    np.testing.assert_array_equal(same, poses.scene[keep][1:] == poses.scene[keep][:-1])
    start, stop = sorted(data.draw(st.tuples(st.integers(0, 30), st.integers(0, 30))))
    assert poses[start:stop].cuts == tuple(cut - start for cut in cuts if start < cut < stop)


@pytest.mark.parametrize("cuts", [(0,), (3, 3), (5, 4), (20,)])
def test_impossible_cuts(cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cuts"):
        walking(20).replace(cuts=cuts)


def test_filters_do_not_reach_over_a_cut() -> None:
    poses = walking(30, (11,))
    smooth = apply_filters(poses, [SavitzkyGolay(window=7)])
    np.testing.assert_allclose(smooth.xy, poses.xy, atol=1e-3)  # a straight line stays, on both sides
    assert smooth.cuts == (11,)
    blurred = apply_filters(poses.replace(cuts=()), [SavitzkyGolay(window=7)])
    assert np.abs(blurred.xy - poses.xy).max() > 50
    score = np.array(poses.score)
    score[9:13] = 0
    lost = poses.replace(score=score)
    assert not apply_filters(lost, [FillGaps(longest=8)]).valid[9:13].any()
    assert apply_filters(lost.replace(cuts=()), [FillGaps(longest=8)]).valid.all()


def test_no_training_clip_spans_a_cut() -> None:
    poses = walking(12, (5,))
    empty = np.zeros((12, 8, 8), np.uint8)
    frames = np.zeros((12, 8, 8, 3), np.uint8)
    data = TrainingSet(frames, empty, poses, Window.full((8, 8)), frames[0])
    assert data.starts(2).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert data.starts(5).tolist() == [0, 5, 6, 7]
