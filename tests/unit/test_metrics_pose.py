"""Pose metrics on planted errors: each metric against the number that was put in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import PoseMetric
from dancekit.errors import IncompatibleParts, UsageError
from dancekit.metrics.motion import Accents, FootSkating
from dancekit.metrics.pose import (
    PCK,
    AverageKeypointDistance,
    MissedJoints,
    PoseDistance,
    Swaps,
    torso_length,
)
from dancekit.types import PoseSequence, get_skeleton

TORSO = 50.0
# a standing figure, x to the image's right, pixels; the subject faces the camera
FIGURE = {
    "nose": (100, 40), "left_eye": (104, 36), "right_eye": (96, 36), "left_ear": (109, 40), "right_ear": (91, 40),
    "neck": (100, 60), "left_shoulder": (118, 60), "right_shoulder": (82, 60), "left_elbow": (128, 85),
    "right_elbow": (72, 85), "left_wrist": (132, 108), "right_wrist": (68, 108), "mid_hip": (100, 110),
    "left_hip": (118, 110), "right_hip": (82, 110), "left_knee": (116, 150), "right_knee": (84, 150),
    "left_ankle": (115, 190), "right_ankle": (85, 190),
}  # fmt: skip


def figure(frames: int = 6, skeleton: str = "coco_17", rate: int = 25) -> PoseSequence:
    layout = get_skeleton(skeleton)
    rng = np.random.default_rng(0)
    xy = np.array([FIGURE.get(name, tuple(rng.uniform(20, 180, 2))) for name in layout.joints], float)
    return PoseSequence(
        xy=np.repeat(xy[None], frames, 0),
        score=np.ones((frames, len(layout))),
        pts=np.arange(frames),
        time_base=Fraction(1, rate),
        size=(200, 220),
        skeleton=layout,
    )


def changed(poses: PoseSequence, **joints: object) -> PoseSequence:
    """Joints by name moved by (T, 2) or (2,), or lost where None."""
    xy, score = poses.xy.copy(), poses.score.copy()
    for name, step in joints.items():
        if step is None:
            score[:, poses.skeleton.index(name)] = 0
        else:
            xy[:, poses.skeleton.index(name)] += step
    return poses.replace(xy=xy, score=score)


ALL: list[PoseMetric] = [
    PoseDistance(), AverageKeypointDistance(), PCK(), MissedJoints(), Swaps(), FootSkating(), Accents(),
]  # fmt: skip
named = pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)


def waving(rate: int = 25, lag: int = 0, amplitude: float = 30.0) -> PoseSequence:
    """Both wrists swing; the fastest moments are a frame number each, `lag` frames later."""
    time = (np.arange(100) - lag) / rate
    swing = amplitude * np.sin(2 * np.pi * 0.75 * time)
    poses = figure(100, rate=rate)
    step = np.stack([swing, 0 * swing], 1)
    return changed(poses, left_wrist=step, right_wrist=step)


@named
def test_identity_is_perfect(metric: PoseMetric) -> None:
    poses = waving()
    value = metric(poses, poses)
    assert value.shape == (100,) and value.dtype == np.float64
    perfect = 100.0 if metric.higher_is_better else 0.0
    np.testing.assert_array_equal(value[np.isfinite(value)], perfect)
    assert np.isfinite(value).sum() > (1 if isinstance(metric, Accents) else 90)


@named
def test_nobody_found_is_nothing_to_compare(metric: PoseMetric) -> None:
    poses = waving()
    nobody = poses.replace(score=np.zeros_like(poses.score))
    assert np.isnan(metric(poses, nobody)).all()
    assert np.isnan(metric(nobody, nobody)).all()
    if type(metric) in (PCK, MissedJoints, Accents):  # these count what is missing
        value = metric(nobody, poses)
        assert np.nanmax(value) == (17 if isinstance(metric, MissedJoints) else 0)
    else:
        assert np.isnan(metric(nobody, poses)).all()


@named
def test_what_does_not_fit_is_refused(metric: PoseMetric) -> None:
    poses = figure()
    with pytest.raises(IncompatibleParts, match="body_25"):
        metric(poses.to("body_25"), poses)
    with pytest.raises(UsageError, match="5 of 200x220"):
        metric(poses[:5], poses)
    with pytest.raises(UsageError, match="99x99"):
        metric(poses.replace(size=(99, 99)), poses)


def test_distances_are_the_planted_ones() -> None:
    poses = figure()
    fake = changed(poses, left_wrist=(3, 4), nose=(0, -12), right_knee=None)
    np.testing.assert_allclose(PoseDistance()(fake, poses), (5 + 12) / 16, rtol=1e-5)
    np.testing.assert_allclose(AverageKeypointDistance()(fake, poses), (3.5 + 6) / 16, rtol=1e-5)
    np.testing.assert_array_equal(MissedJoints()(fake, poses), 1)
    # a joint that only the painted frame has is neither near nor missed
    np.testing.assert_array_equal(MissedJoints()(poses, fake), 0)


def test_parts_are_measured_apart() -> None:
    poses = figure(2, "wholebody_133")
    fake = changed(poses, left_hand_8=(0, 6), face_30=(8, 0), left_big_toe=(0, 2), right_hand_0=None)
    sizes = {part: len(joints) for part, joints in poses.skeleton.parts.items()}
    expected = {"body": 2 / (sizes["body"] + sizes["feet"]), "face": 8 / 68, "hands": 6 / 41, "all": 16 / 132}
    for part, value in expected.items():
        np.testing.assert_allclose(PoseDistance(part=part)(fake, poses), value, rtol=1e-4)  # type: ignore
        lost = MissedJoints(part=part)(fake, poses)  # type: ignore[arg-type]
        np.testing.assert_array_equal(lost, 1 if part in ("hands", "all") else 0)
    with pytest.raises(IncompatibleParts, match="coco_17@1 has no joints of the hands"):
        PoseDistance(part="hands")(figure(), figure())


def test_pck_counts_what_is_within_a_fifth_of_the_torso() -> None:
    poses = figure()
    assert torso_length(poses) == pytest.approx(TORSO)
    fake = changed(poses, left_wrist=(9.9, 0), right_wrist=(0, 10.1), nose=None)
    np.testing.assert_allclose(PCK()(fake, poses), 100 * 15 / 17)
    np.testing.assert_allclose(PCK(threshold=0.19)(fake, poses), 100 * 14 / 17)
    # joints that the truth has not got are not asked for
    np.testing.assert_allclose(PCK()(fake, changed(poses, nose=None)), 100 * 15 / 16)


def test_pck_is_not_stricter_with_a_dancer_who_bends_down() -> None:
    poses = figure(5)
    low = changed(poses, **{name: (0, 0) for name in FIGURE if name in poses.skeleton})
    xy = low.xy.copy()
    for side in ("left", "right"):
        xy[4, poses.skeleton.index(f"{side}_shoulder"), 1] = 100  # a torso of 10 pixels in one frame
    bent = poses.replace(xy=xy)
    np.testing.assert_allclose(PCK()(changed(bent, nose=(6, 0)), bent), 100)


def test_swapped_legs_are_counted_and_moved_ones_are_not() -> None:
    poses = figure()
    xy = poses.xy.copy()
    for joint in ("knee", "ankle"):
        left, right = (poses.skeleton.index(f"{side}_{joint}") for side in ("left", "right"))
        xy[2:, left], xy[2:, right] = poses.xy[2:, right], poses.xy[2:, left]
    noise = np.random.default_rng(0).normal(0, 1.5, xy.shape)
    np.testing.assert_array_equal(Swaps()(poses.replace(xy=xy + noise), poses), [0, 0, 2, 2, 2, 2])
    moved = poses.replace(xy=poses.xy + np.float32(25))  # far off, but no side confused
    np.testing.assert_array_equal(Swaps()(moved, poses), 0)


def test_limbs_that_only_come_nearer_are_not_swapped() -> None:
    """Crossed is shorter than straight here (0.8 to 1.2 of the width), but nothing like twice as well."""
    poses = figure()
    width = (
        poses.xy[0, poses.skeleton.index("left_knee"), 0] - poses.xy[0, poses.skeleton.index("right_knee"), 0]
    )
    near = changed(poses, left_knee=(-0.6 * width, 0), right_knee=(0.6 * width, 0))
    np.testing.assert_array_equal(Swaps()(near, poses), 0)
    gone = changed(poses, left_knee=(-0.7 * width, 0), right_knee=(0.7 * width, 0))
    np.testing.assert_array_equal(Swaps()(gone, poses), 1)


def test_pairs_that_lie_on_each_other_tell_no_side() -> None:
    poses = figure()
    profile = poses.replace(xy=np.stack([0.1 * poses.xy[..., 0] + 90, poses.xy[..., 1]], -1))
    assert np.isnan(Swaps()(profile, profile)).all()


@pytest.mark.parametrize("rate", [25, 50])
def test_a_sliding_foot_has_its_planted_speed(rate: int) -> None:
    poses = figure(20, rate=rate)
    slide = np.stack([np.arange(20) * TORSO * 0.4 / rate, np.zeros(20)], 1)  # 0.4 torso lengths a second
    fake = changed(poses, left_ankle=slide, right_ankle=slide)
    value = FootSkating()(fake, poses)
    assert np.isnan(value[0])
    np.testing.assert_allclose(value[1:], 0.4, rtol=1e-3)
    half = changed(poses, left_ankle=slide)
    np.testing.assert_allclose(FootSkating()(half, poses)[1:], 0.2, rtol=1e-3)


def test_a_foot_that_steps_is_not_planted() -> None:
    poses = figure(20)
    step = np.zeros((20, 2))
    step[8:12, 0] = [5, 10, 15, 20]
    step[12:, 0] = 20
    real = changed(poses, left_ankle=step, right_ankle=step)
    value = FootSkating()(real, real)
    assert np.isnan(value[7:12]).all()  # from the frame before the step to its last
    np.testing.assert_array_equal(value[[1, 2, 3, 4, 5, 6, 13, 14]], 0)
    # what a sliding foot of the result does is judged by the truth's feet, whatever the result looks like
    assert (FootSkating()(real, poses)[8:12] > 2).all()


@pytest.mark.parametrize(("lag", "kept"), [(0, 100), (1, 100), (-1, 100), (2, 0), (5, 0)])
def test_accents_may_be_a_frame_off(lag: int, kept: int) -> None:
    value = Accents()(waving(lag=lag), waving())
    there = np.flatnonzero(np.isfinite(value))
    # the fastest moments of a swing of 0.75 Hz: every 2/3 s, 16.7 frames
    np.testing.assert_allclose(there, np.arange(1, 6) * 25 / 1.5, atol=1)
    np.testing.assert_array_equal(value[there], kept)


def test_accents_lost_by_smoothing_and_by_one_wrist() -> None:
    poses = waving()
    assert np.nanmean(Accents()(waving(amplitude=5), poses)) == 0
    one = changed(poses, left_wrist=None)
    assert np.nanmean(Accents()(one, poses)) == 50
    gap = poses.score.copy()
    gap[40:60] = 0  # no accent at its edges
    value = Accents()(poses, poses.replace(score=gap))
    assert np.isnan(value[38:62]).all() and np.nanmean(value) == 100


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_growing_noise_makes_distances_worse(seed: int) -> None:
    poses = figure(8)
    noise = np.random.default_rng(seed).normal(size=poses.xy.shape)
    for metric in (PoseDistance(), AverageKeypointDistance(), PCK()):
        values = [
            float(np.nanmean(metric(poses.replace(xy=poses.xy + s * noise), poses))) for s in (0, 2, 6, 18)
        ]
        if metric.higher_is_better:
            values = [-value for value in values]
        assert values == sorted(values) and values[0] < values[-1]
