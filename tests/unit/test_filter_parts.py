"""Filters with other settings for parts of the body: each part is filtered as by a filter of its own."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dancekit.build import build_filters
from dancekit.config import load_recipe
from dancekit.errors import UsageError
from dancekit.filters.gaps import FillGaps
from dancekit.filters.hold import Hold
from dancekit.filters.median import Median
from dancekit.filters.one_euro import OneEuro
from dancekit.filters.outliers import Outliers
from dancekit.filters.report import compare_filtered, compare_parts
from dancekit.filters.savgol import SavitzkyGolay
from dancekit.filters.window_mean import WindowMean
from dancekit.types import PoseSequence, get_skeleton

WHOLE = get_skeleton("wholebody_133")
FACE, LEFT, RIGHT = (list(WHOLE.parts[part]) for part in ("face", "left_hand", "right_hand"))
REST = sorted(set(range(len(WHOLE))) - set(FACE) - set(LEFT) - set(RIGHT))
EVERY = {  # another value of one parameter
    SavitzkyGolay: {"window": 15},
    Median: {"window": 3},
    WindowMean: {"window": 2},
    FillGaps: {"longest": 2},
    Hold: {"longest": 0.05},
    Outliers: {"least": 0.5},
    OneEuro: {"cutoff": 0.5},
}


def clip(frames: int = 60) -> PoseSequence:
    """Noise, spikes and gaps everywhere."""
    rng = np.random.default_rng(0)
    xy = np.linspace(100, 400, 2 * len(WHOLE)).reshape(1, -1, 2) + rng.normal(0, 2, (frames, len(WHOLE), 2))
    xy[rng.random(xy.shape[:2]) < 0.03] += 60
    return PoseSequence(
        xy=xy.astype(np.float32),
        score=np.where(rng.random(xy.shape[:2]) < 0.2, 0, 0.9),
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=(512, 512),
        skeleton=WHOLE,
    )


def same(one: PoseSequence, other: PoseSequence, joints: list[int]) -> bool:
    return np.array_equal(one.xy[:, joints], other.xy[:, joints], equal_nan=True) and np.array_equal(
        one.score[:, joints], other.score[:, joints]
    )


@pytest.mark.parametrize(("make", "other"), EVERY.items(), ids=[make.__name__ for make in EVERY])
def test_each_part_is_filtered_as_by_a_filter_of_its_own(make, other) -> None:
    poses = clip()
    mixed = make(parts={"face": other, "hands": False, "right_hand": other})(poses)
    plain, changed = make()(poses), make(**other)(poses)
    assert not same(plain, changed, FACE) and not same(plain, poses, LEFT)
    assert same(mixed, changed, FACE)
    assert same(mixed, poses, LEFT)
    assert same(mixed, changed, RIGHT)  # a hand's own settings win over those of both
    assert same(mixed, plain, REST)


def test_the_order_of_parts_does_not_matter() -> None:
    poses = clip()
    one = SavitzkyGolay(parts={"right_hand": {"window": 15}, "hands": False})(poses)
    other = SavitzkyGolay(parts={"hands": False, "right_hand": {"window": 15}})(poses)
    assert same(one, other, [*range(len(WHOLE))])


def test_what_is_not_changed_stays_as_the_filter_has_it() -> None:
    poses = clip()
    mixed = SavitzkyGolay(window=9, order=1, parts={"face": {"window": 15}})(poses)
    assert same(mixed, SavitzkyGolay(window=15, order=1)(poses), FACE)


def test_a_skeleton_without_the_part_is_filtered_as_ever() -> None:
    poses = clip().to("coco_17")
    assert same(Median(parts={"left_hand": {"window": 3}})(poses), Median()(poses), [*range(17)])


@pytest.mark.parametrize(
    ("make", "parts", "said"),
    [
        (SavitzkyGolay, {"nose": {"window": 5}}, "nose"),
        (SavitzkyGolay, {"face": {"longest": 5}}, "parts.face has no parameter 'longest'"),
        (SavitzkyGolay, {"face": {"window": 1}}, "parts.face.window is 1"),
        (SavitzkyGolay, {"face": {"window": 8}}, "must be an odd number"),
        (Median, {"hands": {"window": 2.5}}, "parts.hands.window is 2.5"),
        (Outliers, {"feet": {"limit": 0}}, "greater than 0"),
        (FillGaps, {"body": {"longest": 0}}, "greater than or equal to 1"),
        (OneEuro, {"body": {"parts": 1}}, "no parameter 'parts'"),
    ],
)
def test_wrong_parts_are_refused(make, parts, said) -> None:
    with pytest.raises(UsageError, match=said):
        make(parts=parts)


def test_recipes_take_them() -> None:
    asked = "filters=[{name: savgol, params: {parts: {face: {window: 15}, hands: false}}}, {name: median}]"
    poses = clip()
    savgol, median = build_filters(load_recipe("quick", [asked]))
    assert same(savgol(poses), SavitzkyGolay(parts={"face": {"window": 15}, "hands": False})(poses), FACE)
    assert same(median(poses), Median()(poses), FACE)


def test_the_report_says_it_part_by_part() -> None:
    poses = clip()
    after = SavitzkyGolay(parts={"face": False})(poses)
    parts = compare_parts(poses, after)
    assert set(parts) == set(WHOLE.parts)
    assert parts["face"].jitter_removed == 0 and parts["face"].accents_lost == 0
    assert parts["body"].jitter_removed > 0.3
    assert parts["left_hand"] == compare_filtered(poses, after, "left_hand")
    assert parts["face"].jitter_before == pytest.approx(compare_filtered(poses, after).jitter_before, rel=0.2)
    assert compare_parts(poses.to("coco_17"), after.to("coco_17")) == {}


def test_the_report_says_how_long_the_longest_gap_is() -> None:
    poses = clip()
    score = np.ones_like(poses.score)
    score[10:15, 3], score[20:30, LEFT[0]], score[50:, FACE[0]] = 0, 0, 0
    poses = PoseSequence(
        xy=np.where(score[..., None] > 0, np.nan_to_num(poses.xy), np.nan),
        score=score,
        pts=poses.pts,
        time_base=poses.time_base,
        size=poses.size,
        skeleton=WHOLE,
    )
    filled = FillGaps(longest=6)(poses)
    assert compare_filtered(poses, poses).longest_gap == pytest.approx(11 / 25)
    parts = compare_parts(poses, filled)
    assert parts["body"].longest_gap == 0 and parts["left_hand"].longest_gap == pytest.approx(11 / 25)
    assert parts["face"].longest_gap == 0  # what ends is no gap
