"""The confidence-aware median and the window mean of the original."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.build import create
from dancekit.contracts import Filter
from dancekit.errors import UsageError
from dancekit.filters.median import Median, running_median
from dancekit.filters.window_mean import WindowMean
from dancekit.types import PoseSequence, get_skeleton

BODY = get_skeleton("body_23")


def poses(xy, score) -> PoseSequence:
    xy, score = np.asarray(xy, float), np.asarray(score, float)
    return PoseSequence(
        xy=xy,
        score=score,
        pts=np.arange(len(xy)),
        time_base=Fraction(1, 120),
        size=(1920, 1080),
        skeleton=BODY,
    )


def random_poses(seed: int, frames: int) -> PoseSequence:
    rng = np.random.default_rng(seed)
    score = np.where(rng.random((frames, 23)) < 0.35, 0, rng.uniform(0.05, 1, (frames, 23)))
    return poses(rng.uniform(0, 1000, (frames, 23, 2)), score)


def published_median(frames: list[list[tuple[float, float, float]]]) -> list[tuple[float, float, float]]:
    """edn.md 2.2, joint by joint, plainly."""
    out = []
    for joint in zip(*frames, strict=True):
        median = np.median(np.array(joint), axis=0)
        if median[2] > 0:
            median = np.median(np.array([one for one in joint if one[2] > 0]), axis=0)
        out.append(tuple(median))
    return out


def as_frames(clip: PoseSequence) -> list[list[tuple[float, float, float]]]:
    triples = np.concatenate([np.nan_to_num(clip.xy), clip.score[..., None]], -1).astype(float)
    return [[tuple(joint) for joint in frame] for frame in triples]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 7]), st.integers(1, 12))
def test_median_by_its_definition(seed, window, frames):
    clip = random_poses(seed, frames)
    result = Median(window=window)(clip)
    half, plain = window // 2, as_frames(clip)
    for number in range(frames):
        wanted = published_median(plain[max(number - half, 0) : number + half + 1])
        for joint, (x, y, score) in enumerate(wanted):
            assert result.score[number, joint] == pytest.approx(score)
            if score > 0:
                assert result.xy[number, joint] == pytest.approx((x, y), rel=1e-6)
            else:
                assert np.isnan(result.xy[number, joint]).all()
    assert np.array_equal(result.pts, clip.pts)


def test_median_removes_a_flicker_and_fills_a_short_hole():
    score = np.zeros((9, 23))
    score[4, 0] = 0.9  # once
    score[:, 1] = 0.5
    score[3:6, 1] = 0  # lost for three of seven
    xy = np.full((9, 23, 2), 5.0)
    result = Median(window=7)(poses(xy, score))
    assert not result.valid[:, 0].any()
    assert result.valid[:, 1].all() and np.allclose(result.xy[:, 1], 5)


def test_running_median_keeps_the_places_of_dropped_joints():
    """As the reference cases have them: the plain median, score 0."""
    xy = np.zeros((3, 1, 2))
    xy[2] = 8
    median, score = running_median(xy, np.array([[0.0], [0.0], [0.5]]), 3)
    assert median.tolist() == [[[0, 0]]] and score.tolist() == [[0]]
    median, score = running_median(xy, np.array([[0.0], [0.4], [0.5]]), 3)
    assert median.tolist() == [[[4, 4]]] and score.tolist() == [[0.45]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 14))
def test_window_mean_by_its_definition(seed, window, frames):
    clip = random_poses(seed, frames)
    result = WindowMean(window=window)(clip)
    xy, score = np.nan_to_num(clip.xy).astype(float), clip.score.astype(float)
    for number in range(frames):
        first = number - window // 2
        part = slice(max(first, 0), first + window)
        there = (score[part] > 0).all(0)
        assert np.array_equal(result.valid[number], there)
        assert np.allclose(result.xy[number][there], xy[part].mean(0)[there], rtol=1e-6)
        assert np.allclose(result.score[number][there], score[part].mean(0)[there], rtol=1e-6)


def test_every_so_manieth_frame_is_what_the_original_keeps():
    clip = random_poses(3, 14)
    kept = WindowMean(window=4)(clip)[2::4]
    assert kept.pts.tolist() == [2, 6, 10]
    for number, start in enumerate((0, 4, 8)):
        score = clip.score[start : start + 4]
        there = (score > 0).all(0)
        assert np.array_equal(kept.valid[number], there)
        assert np.allclose(kept.xy[number][there], clip.xy[start : start + 4].mean(0)[there], rtol=1e-6)


def test_they_are_components():
    for name, params in (("median", {"window": 5}), ("window_mean", {"window": 3})):
        assert isinstance(create("filter", name, **params), Filter)
    with pytest.raises(UsageError, match="odd"):
        Median(window=4)
    with pytest.raises(UsageError):
        create("filter", "window_mean", window=0)
