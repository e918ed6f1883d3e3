"""A dance that stays in the picture: what leaves it is moved back, smoothly, and nothing else is changed."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_dancer import dance
from retargeting_clips import DANCE, EVERY, TARGET, TRAINING, clip, hidden

from dancekit.config import load_recipe
from dancekit.live.calibration import FADE, Calibration
from dancekit.normalizers.affine import Affine
from dancekit.normalizers.keep_in import (
    REACH,
    Follower,
    bounds_of,
    kept_in,
    needs,
    shifted,
    shifts,
    with_bounds,
)
from dancekit.types import PoseSequence, get_skeleton

NAMES = [name for name in EVERY if name != "identity"]
SETTLED = dance((512, 512))[:200]


def walked(
    path, *, rate: int = 25, size: tuple[int, int] = (400, 300), cuts: tuple[int, ...] = ()
) -> PoseSequence:
    """A body of 40 x 160 px whose middle follows a path of columns."""
    skeleton, path = get_skeleton("coco_17"), np.asarray(path, float)
    body = np.stack([np.linspace(-20, 20, 17), np.linspace(-80, 80, 17)], -1)
    xy = body + np.stack([path, np.full(len(path), 150.0)], -1)[:, None]
    return PoseSequence(
        xy=xy,
        score=np.ones((len(path), 17)),
        pts=np.arange(len(path)),
        time_base=Fraction(1, rate),
        size=size,
        skeleton=skeleton,
        cuts=cuts,
    )


BOUNDS = [10.0, 0.0, 389.0, 299.0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("within", ["frame", "filmed"])
def test_a_dance_that_fits_is_the_same_to_the_bit(name: str, within: str) -> None:
    """And the fitted numbers say that nothing is moved."""
    source, target = clip(TRAINING, TARGET), clip(TRAINING, TARGET)
    plain, kept = EVERY[name](), EVERY[name](keep_in=within)
    numbers, more = plain.fit(source, target), kept.fit(source, target)
    assert more["keep_in"]["moved_px"] == [0.0, 0.0]
    assert not any("moved" in text for text in more["warnings"])
    for key in numbers.keys() - {"warnings"}:
        assert more[key] == numbers[key]
    assert np.array_equal(plain.apply(numbers, source).xy, kept.apply(more, source).xy, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_who_walks_out_of_the_targets_picture_is_kept_in(name: str) -> None:
    source, target = clip(DANCE), clip(TRAINING, TARGET)
    across = np.linspace(-1, 1, len(source), dtype=np.float32) * np.float32(source.size[0])
    source = source.replace(xy=source.xy + across[:, None, None] * np.array([1, 0], np.float32))
    free = EVERY[name]()
    numbers = free.fit(source, target)
    out = np.nanmax(free.apply(numbers, source).xy[..., 0]) - target.size[0]
    assert any("normalizer.keep_in=frame" in text for text in numbers["warnings"])
    kept = EVERY[name](keep_in="frame")
    fitted = json.loads(json.dumps(kept.fit(source, target), allow_nan=False))
    moved = kept.apply(fitted, source)
    left, _, right, _ = fitted["keep_in"]["bounds_px"]
    assert np.nanmin(moved.xy[..., 0]) >= left - 1e-3
    assert np.nanmax(moved.xy[..., 0]) <= right + 1e-3
    said = fitted["keep_in"]["moved_px"][0]
    assert said > 20
    assert said >= out - 1
    assert any(
        f"moved by up to {max(fitted['keep_in']['moved_px']):.0f} pixels" in text
        for text in fitted["warnings"]
    )


@given(st.lists(st.floats(-300, 700), min_size=2, max_size=8), st.integers(10, 60))
@settings(max_examples=30, deadline=None)
def test_the_body_is_inside_and_the_move_is_smooth(places: list[float], rate: int) -> None:
    """Property: inside in every frame, the body unbent, and the move as smooth as its window."""
    frames = 4 * rate
    path = np.interp(np.linspace(0, len(places) - 1, frames), np.arange(len(places)), places)
    before = walked(path, rate=rate)
    move = shifts(before, BOUNDS)
    after = shifted(before, move)
    assert after.xy[..., 0].min() >= BOUNDS[0] - 1e-3
    assert after.xy[..., 0].max() <= BOUNDS[2] + 1e-3
    assert np.ptp(after.xy - before.xy, axis=1).max() < 1e-3
    assert not move[:, 1].any()
    if np.ptp(path) <= 339:  # no need for two sides at once: then it is as smooth as its window
        reach = max(1, round(REACH * rate))
        assert np.abs(np.diff(move[:, 0])).max() <= 2 * np.abs(move).max() / (reach + 1) + 1e-6


def test_frames_far_from_any_need_are_the_same_to_the_bit() -> None:
    path = np.full(300, 200.0)
    path[140:160] = 500.0
    before = walked(path)
    after = kept_in({"keep_in": {"bounds_px": BOUNDS}}, before)
    far = np.r_[0 : 140 - 2 * 25 - 2, 160 + 2 * 25 + 2 : 300]
    assert np.array_equal(after.xy[far], before.xy[far])
    assert after.xy[150, :, 0].max() == pytest.approx(389)
    assert kept_in({}, before) is before
    assert kept_in({"keep_in": {"bounds_px": [None] * 4}}, before) is before


def test_a_cut_ends_a_shift() -> None:
    path = np.r_[np.full(50, 500.0), np.full(50, 200.0)]
    assert not shifts(walked(path, cuts=(50,)), BOUNDS)[50:].any()
    assert shifts(walked(path), BOUNDS)[50:70].any()


def test_raised_arms_do_not_push_anybody_down_and_close_ups_stay() -> None:
    poses = clip(TRAINING, TARGET)
    wrist = poses.skeleton.index("left_wrist")
    xy = poses.xy.copy()
    xy[:, wrist, 1] = -200
    assert not shifts(poses.replace(xy=xy), bounds_of(poses, "frame")[0])[:, 1].any()
    close = hidden(poses, "left_ankle", "right_ankle")
    assert bounds_of(close, "frame")[0][3] is None
    assert bounds_of(poses, "frame")[0][3] is not None


def test_a_body_larger_than_the_bounds_is_put_into_their_middle() -> None:
    low, high = needs(walked([100.0, 300.0]), [180.0, 0.0, 200.0, 299.0])
    assert np.array_equal(low[:, 0], high[:, 0])
    assert low[:, 0] == pytest.approx([90.0, -110.0])


def test_who_stays_in_the_picture_and_leaves_what_was_filmed_by_far_is_told_of_the_other_option() -> None:
    target = walked(np.full(60, 120.0))
    for to, words in ((330, ["normalizer.keep_in=filmed"]), (140, []), (500, ["normalizer.keep_in=frame"])):
        source = walked(np.linspace(100, to, 60))
        fitted = with_bounds({"warnings": []}, "off", lambda _, poses: poses, source, target)
        assert fitted.keys() == {"warnings"}
        assert [word for text in fitted["warnings"] for word in words if word in text] == words
        assert len(fitted["warnings"]) == len(words)


def test_nobody_is_no_need() -> None:
    before = walked(np.full(60, 500.0))
    score = before.score.copy()
    score[20:40] = 0
    after = shifted(before.replace(score=score), shifts(before.replace(score=score), BOUNDS))
    assert np.isnan(after.xy[20:40]).all()
    assert after.xy[[19, 40], :, 0].max() <= 389.001


def test_live_looks_at_no_later_frame() -> None:
    """Causal: what comes later changes nothing. Inside at once, never a jump, and free again after a while."""
    path = np.r_[np.linspace(200, 600, 80), np.linspace(600, 200, 40), np.full(260, 200.0)]
    poses = walked(path)
    one, two = Follower(BOUNDS), Follower(BOUNDS)
    whole = [one(poses[n : n + 1]) for n in range(len(poses))]
    part = [two(poses[n : n + 1]) for n in range(90)]
    assert all(np.array_equal(a.xy, b.xy) for a, b in zip(whole, part, strict=False))
    columns = np.stack([each.xy[0, :, 0] for each in whole])
    assert columns.max() <= 389.001
    assert np.abs(np.diff(columns, axis=0)).max() <= np.abs(np.diff(path)).max() + 10
    assert np.array_equal(whole[-1].xy, poses.xy[-1:])


def test_a_show_keeps_the_dancer_in_the_picture() -> None:
    """`Calibration`: as off line where nothing leaves; where something does, it is inside too."""
    source = SETTLED.replace(xy=SETTLED.xy * np.float32(0.5) + np.float32(60), size=(640, 480))
    narrow = SETTLED.replace(size=(430, 512))  # the target was filmed in a narrower picture
    shown = {}
    for within in ("off", "frame"):
        calibration = Calibration(Affine(keep_in=within), narrow, seconds=3.0, threads=False)
        shown[within] = [calibration(source[n : n + 1]) for n in range(len(source))]
    walk = SETTLED.replace(xy=source.xy + np.linspace(0, 150, 200, dtype=np.float32)[:, None, None] * [1, 0])
    calibration = Calibration(Affine(keep_in="frame"), narrow, seconds=1.0, threads=False)
    moved = [calibration(walk[n : n + 1]) for n in range(len(walk))]
    late = 26 + round(FADE * 25) + 1
    right = calibration.fitted["keep_in"]["bounds_px"][2]
    assert max(np.nanmax(each.xy[..., 0]) for each in moved[late:]) <= right + 1e-2
    free = Affine().apply({k: v for k, v in calibration.fitted.items() if k != "keep_in"}, walk)
    assert np.nanmax(free.xy[late:, :, 0]) > right + 50
    unmoved = 0
    bounds = calibration.fitted["keep_in"]["bounds_px"]
    for a, b in zip(shown["off"], shown["frame"], strict=True):
        assert (a is None) == (b is None)
        if (
            a is not None
            and (np.clip(0, *needs(a, bounds)) == 0).all()
            and np.array_equal(a.xy, b.xy, equal_nan=True)
        ):
            unmoved += 1
    assert unmoved > 20


def test_the_recipe_hash_does_not_know_of_it() -> None:
    """Training does not look at it: a dancer's recipe keeps its hash whatever it says."""
    hashes = {
        load_recipe("quick", [f"normalizer.keep_in={each}"]).hash for each in ("off", "frame", "filmed")
    }
    assert len(hashes) == 1
    assert load_recipe("quick", ["normalizer.ankle=mean"]).hash not in hashes
