"""Filters that run live: a clip in pieces is the clip as a whole, to the bit; nothing depends on what is to come."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import CausalFilter, Filter
from dancekit.filters.gaps import FillGaps
from dancekit.filters.hold import Hold
from dancekit.filters.median import Median
from dancekit.filters.one_euro import OneEuro
from dancekit.filters.savgol import SavitzkyGolay
from dancekit.types import PoseSequence, get_skeleton

WHOLE = get_skeleton("wholebody_133")
FILTERS = [
    OneEuro(),
    OneEuro(cutoff=0.5, parts={"face": {"cutoff": 4.0}, "hands": False}, strength={"feet": 0}),
    Hold(),
    Hold(longest=0.08, parts={"left_hand": {"longest": 0.5}, "face": False}),
]
IDS = ["one_euro", "one_euro by parts", "hold", "hold by parts"]


def clip(seed: int, frames: int = 24) -> PoseSequence:
    """A walk with gaps, at a variable rate, from any moment on."""
    rng = np.random.default_rng(seed)
    xy = 200 + np.cumsum(rng.normal(0, 3, (frames, len(WHOLE), 2)), 0)
    return PoseSequence(
        xy=xy.astype(np.float32),
        score=np.where(rng.random(xy.shape[:2]) < 0.3, 0, rng.uniform(0.2, 1, xy.shape[:2])),
        pts=rng.integers(0, 10**9) + np.cumsum(rng.integers(1, 9000, frames)),
        time_base=Fraction(1, 90_000),
        size=(512, 512),
        skeleton=WHOLE,
    )


def joined(pieces: list[PoseSequence]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([each.xy for each in pieces]), np.concatenate([each.score for each in pieces])


@pytest.mark.parametrize("smooth", FILTERS, ids=IDS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 24), max_size=6))
def test_in_pieces_it_is_the_whole(smooth: CausalFilter, seed: int, cuts: list[int]) -> None:
    poses, stream = clip(seed), smooth.stream()
    bounds = [0, *sorted(cuts), len(poses)]
    xy, score = joined([stream(poses[a:b]) for a, b in pairwise(bounds)])
    whole = smooth(poses)
    assert np.array_equal(xy, whole.xy, equal_nan=True)
    assert np.array_equal(score, whole.score)
    assert not np.array_equal(whole.xy, poses.xy, equal_nan=True)


@pytest.mark.parametrize("smooth", FILTERS, ids=IDS)
def test_nothing_depends_on_what_is_to_come(smooth: CausalFilter) -> None:
    one, other = clip(1), clip(2)
    xy, score = one.xy.copy(), one.score.copy()
    xy[12:], score[12:] = other.xy[12:], other.score[12:]
    changed = one.replace(xy=xy, score=score)
    assert np.array_equal(smooth(one).xy[:12], smooth(changed).xy[:12], equal_nan=True)
    assert not np.array_equal(smooth(one).xy[12:], smooth(changed).xy[12:], equal_nan=True)


@pytest.mark.parametrize("smooth", FILTERS, ids=IDS)
def test_streams_do_not_share_what_they_remember(smooth: CausalFilter) -> None:
    poses = clip(3)
    first, second = smooth.stream(), smooth.stream()
    first(poses[:10])
    assert np.array_equal(second(poses[:10]).xy, smooth(poses[:10]).xy, equal_nan=True)


def test_which_filters_can_run_live() -> None:
    assert all(isinstance(each, CausalFilter) and isinstance(each, Filter) for each in (OneEuro(), Hold()))
    assert not any(isinstance(each, CausalFilter) for each in (SavitzkyGolay(), FillGaps(), Median()))


# ---- hold ----


def moving(frames: int, missing: dict[int, range]) -> PoseSequence:
    """Everything goes 2 px right and 1 px down a frame, at 25 frames a second; some joints are missing in some."""
    xy = np.random.default_rng(0).uniform(100, 400, (1, 17, 2)) + np.arange(frames)[:, None, None] * [
        2.0,
        1.0,
    ]
    score = np.full((frames, 17), 0.8)
    for joint, when in missing.items():
        score[when, joint] = 0
    return PoseSequence(
        xy=xy,
        score=score,
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=(512, 512),
        skeleton=get_skeleton("coco_17"),
    )


def test_a_lost_joint_moves_with_the_body_for_a_while() -> None:
    truth = moving(40, {})
    held = Hold(longest=0.3)(moving(40, {3: range(10, 40), 5: range(20, 23)}))
    # 0.3 s are seven frames after the one in which it was seen last
    assert list(np.flatnonzero(~held.valid[:, 3])) == list(range(17, 40))
    assert np.allclose(held.xy[10:17, 3], truth.xy[10:17, 3], atol=1e-3)
    assert np.allclose(held.xy[20:23, 5], truth.xy[20:23, 5], atol=1e-3)
    assert held.score[10:17, 3] == pytest.approx(0.4)
    seen = moving(40, {3: range(10, 40), 5: range(20, 23)}).valid
    assert np.array_equal(held.xy[seen], truth.xy[seen])
    assert (held.score[seen] == np.float32(0.8)).all()


def test_where_nobody_is_seen_the_body_stands_still_and_then_is_gone() -> None:
    poses = moving(40, {joint: range(10, 40) for joint in range(17)})
    held = Hold(longest=0.2)(poses)
    assert list(np.flatnonzero(held.found)) == list(range(15))
    assert np.allclose(held.xy[10:15], poses.xy[9])


def test_a_joint_never_seen_is_not_invented() -> None:
    held = Hold()(moving(20, {2: range(20), 4: range(5)}))
    assert not held.valid[:, 2].any()
    assert not held.valid[:5, 4].any()
    assert len(Hold()(moving(20, {})[:0])) == 0
