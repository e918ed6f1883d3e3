"""Savitzky-Golay smoothing and gap filling."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import Filter
from dancekit.errors import UsageError
from dancekit.filters.gaps import FillGaps
from dancekit.filters.savgol import SavitzkyGolay
from dancekit.types import PoseSequence, get_skeleton

COCO = get_skeleton("coco_17")


def sequence(xy: np.ndarray, score: np.ndarray | None = None, pts: np.ndarray | None = None) -> PoseSequence:
    """(T, 2) for all joints alike, or (T, 17, 2)."""
    xy = np.asarray(xy, np.float64)
    xy = np.repeat(xy[:, None], 17, 1) if xy.ndim == 2 else xy
    return PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2]) if score is None else score,
        pts=np.arange(len(xy)) if pts is None else pts,
        time_base=Fraction(1, 25),
        size=(512, 512),
        skeleton=COCO,
    )


def with_holes(seed: int, frames: int = 40, share: float = 0.3) -> PoseSequence:
    rng = np.random.default_rng(seed)
    xy = 200 + np.cumsum(rng.normal(0, 3, (frames, 17, 2)), 0)
    return sequence(xy, np.where(rng.random((frames, 17)) < share, 0, rng.uniform(0.2, 1, (frames, 17))))


def test_both_are_filters():
    assert isinstance(SavitzkyGolay(), Filter) and isinstance(FillGaps(), Filter)


# ---- Savitzky-Golay ----------------------------------------------------------------------------------------


def test_savgol_is_the_least_squares_polynomial_at_the_centre():
    # independent oracle: fit each window by numpy
    poses = with_holes(0, share=0.0)
    smooth = SavitzkyGolay(window=9, order=3)(poses)
    offset = np.arange(-4, 5)
    for frame in (4, 17, 35):
        window = poses.xy[frame - 4 : frame + 5, 5].astype(np.float64)
        fitted = [np.polyval(np.polyfit(offset, window[:, axis], 3), 0) for axis in (0, 1)]
        assert np.allclose(smooth.xy[frame, 5], fitted, atol=1e-3)


def test_savgol_keeps_parabolas_and_removes_noise():
    time = np.arange(60.0)
    path = np.stack([100 + 2 * time, 300 - 0.1 * (time - 30) ** 2], 1)
    clean = sequence(path)
    assert np.allclose(SavitzkyGolay()(clean).xy, clean.xy, atol=1e-3)
    noisy = sequence(path[:, None] + np.random.default_rng(1).normal(0, 2, (60, 17, 2)))
    before, after = (
        np.sqrt(np.mean((poses.xy - clean.xy) ** 2)) for poses in (noisy, SavitzkyGolay()(noisy))
    )
    assert after < 0.75 * before


def test_savgol_does_not_look_across_a_gap():
    xy = np.zeros((21, 17, 2))
    xy[11:] = 400
    score = np.ones((21, 17))
    score[10] = 0
    smooth = SavitzkyGolay()(sequence(xy, score))
    assert np.allclose(smooth.xy[:10], 0, atol=1e-3) and np.allclose(smooth.xy[11:], 400, atol=1e-3)
    assert np.isnan(smooth.xy[10]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 7, 15]), st.integers(0, 2), st.floats(0, 1))
def test_savgol_never_fills_never_drops_and_keeps_scores(seed, window, order, share):
    poses = with_holes(seed, share=share)
    smooth = SavitzkyGolay(window=window, order=order)(poses)
    assert np.array_equal(smooth.valid, poses.valid)
    assert np.array_equal(smooth.score, poses.score) and np.array_equal(smooth.pts, poses.pts)
    moved = smooth.replace(xy=SavitzkyGolay(window=window, order=order)(poses.replace(xy=poses.xy + 10)).xy)
    assert np.allclose(moved.xy, smooth.xy + 10, atol=1e-2, equal_nan=True)


def test_savgol_shrinks_for_short_runs_and_leaves_shorter_ones():
    xy = np.random.default_rng(0).uniform(0, 100, (9, 17, 2))
    score = np.ones((9, 17))
    score[2] = score[8] = 0  # runs of 2 and 5 frames
    poses = sequence(xy, score)
    smooth = SavitzkyGolay(window=7, order=2)(poses)
    assert np.array_equal(smooth.xy[:2], poses.xy[:2])
    five = SavitzkyGolay(window=5, order=2)(poses[3:8])
    assert np.allclose(smooth.xy[3:8], five.xy, atol=1e-5) and not np.allclose(five.xy, poses.xy[3:8])


@pytest.mark.parametrize(
    ("parameters", "what"), [({"window": 6}, "odd"), ({"window": 3, "order": 3}, "order 3")]
)
def test_savgol_refuses_impossible_windows(parameters, what):
    with pytest.raises(UsageError, match=what):
        SavitzkyGolay(**parameters)


# ---- gaps --------------------------------------------------------------------------------------------------


def test_short_gaps_are_filled_on_the_line_and_long_ones_are_not():
    time = np.arange(30.0)
    path = np.stack([3 * time, 100 - time], 1)
    score = np.full((30, 17), 0.8)
    score[5:9] = score[15:20] = score[:2] = score[28:] = 0  # 4, 5, and both ends
    score[4] = 0.5
    filled = FillGaps(longest=4)(sequence(path, score))
    assert np.allclose(filled.xy[5:9, 0], path[5:9], atol=1e-4)
    assert np.allclose(filled.score[5:9], 0.25)  # half of the smaller neighbour
    for missing in (slice(15, 20), slice(0, 2), slice(28, 30)):
        assert np.isnan(filled.xy[missing]).all() and not filled.score[missing].any()


def test_gaps_are_interpolated_over_time_not_frames():
    pts = np.array([0, 1, 7, 8])  # variable frame rate: frame 1 is close to frame 0
    xy = np.array([[0.0, 0], [0, 0], [0, 0], [80, 8]])
    score = np.ones((4, 17))
    score[1:3] = 0
    filled = FillGaps()(sequence(xy, score, pts))
    assert np.allclose(filled.xy[1:3, 0], [[10, 1], [70, 7]])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0, 1))
def test_filling_keeps_what_was_seen_and_is_bounded(seed, longest, share):
    poses = with_holes(seed, share=share)
    filled = FillGaps(longest=longest)(poses)
    assert np.array_equal(filled.xy[poses.valid], poses.xy[poses.valid])
    assert np.array_equal(filled.score[poses.valid], poses.score[poses.valid])
    for joint in range(17):
        seen = np.flatnonzero(poses.valid[:, joint])
        for before, after in pairwise(seen):
            inside = filled.valid[before + 1 : after, joint]
            assert inside.all() if after - before - 1 <= longest else not inside.any()
            ends = poses.xy[[before, after], joint]
            if inside.size and inside.all():  # between its ends
                between = filled.xy[before + 1 : after, joint]
                assert (between >= ends.min(0) - 1e-3).all() and (between <= ends.max(0) + 1e-3).all()
        outside = np.ones(40, bool)
        if len(seen):
            outside[seen[0] : seen[-1] + 1] = False
        assert not filled.valid[outside, joint].any()


def test_filters_pass_an_empty_clip():
    empty = sequence(np.zeros((0, 17, 2)))
    assert len(SavitzkyGolay()(empty)) == len(FillGaps()(empty)) == 0
