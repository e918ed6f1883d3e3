"""Global pose normalization: the published numbers, the paper's rule, and inputs that used to break it."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import Normalizer
from dancekit.errors import PoseError, UsageError
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.normalizers.identity import Identity
from dancekit.types import PoseSequence, get_skeleton, skeleton_names

COCO = get_skeleton("coco_17")
ANKLES = [COCO.index("left_ankle"), COCO.index("right_ankle")]


def clip(rows, heights, *, x=256.0, size=(512, 512), skeleton=COCO) -> PoseSequence:
    """A rigid standing person: feet together at each row, the nose `heights` above them."""
    rows, heights = np.asarray(rows, np.float64), np.asarray(heights, np.float64)
    up = {"ankle": 0.0, "heel": 0.0, "toe": 0.0, "index": 0.5, "knee": 0.28, "hip": 0.55, "shoulder": 0.85}
    xy = np.empty((len(rows), len(skeleton), 2))
    for number, name in enumerate(skeleton.joints):
        part = next((level for key, level in up.items() if key in name), 1.0)
        side = {"left": 0.1, "right": -0.1, None: 0.0}[skeleton.side(number)]
        xy[:, number, 0] = x + side * heights * (0.0 if "ankle" in name else 1.0)
        xy[:, number, 1] = rows - part * heights
    return PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2]),
        pts=np.arange(len(rows)),
        time_base=Fraction(1, 25),
        size=size,
        skeleton=skeleton,
    )


def rows_of(poses: PoseSequence) -> np.ndarray:
    return poses.xy[:, ANKLES, 1].mean(1)


def heights_of(poses: PoseSequence) -> np.ndarray:
    return rows_of(poses) - poses.xy[:, 0, 1]


def scene(seed: int, frames: int = 300) -> tuple[PoseSequence, PoseSequence]:
    """A person who walks in depth, and another under another camera: heights linear in the row."""
    rng = np.random.default_rng(seed)
    clips = []
    for first in (400.0, 380.0):
        walk = np.cumsum(rng.normal(0, 1.5, frames))
        walk = (walk - walk.min()) / np.ptp(walk)
        rows = first + 60 * rng.uniform(0.7, 1.3) * walk
        heights = rng.uniform(2.0, 4.0) * (rows - first) + rng.uniform(180, 260)
        clips.append(clip(rows, heights, x=256 + 80 * np.sin(np.arange(frames) / 30)))
    return clips[0], clips[1]


@pytest.fixture
def golden() -> tuple[PoseSequence, PoseSequence]:
    steps = np.arange(21)
    return (
        clip(600 + 10 * steps, 300 + 2 * steps, x=960, size=(1920, 1080)),
        clip(700 + 10 * steps, 450 + 4 * steps, x=960, size=(1920, 1080)),
    )


# ---- the published numbers (edn.md 3.1) --------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["edn_compat", "paper"])
def test_golden_vector_of_the_published_code(golden, mode):
    source, target = golden
    normalizer = GlobalLinear(mode=mode, median_fraction=0.5)
    fitted = normalizer.fit(source, target)
    assert (fitted["s_close"], fitted["s_far"]) == (800, 660)
    assert (fitted["t_close"], fitted["t_far"]) == (900, 760)
    assert fitted["c_close"] == pytest.approx(530 / 340, abs=1e-6)
    assert fitted["c_far"] == pytest.approx(474 / 312, abs=1e-6)
    moved = normalizer.apply(fitted, source)
    # y = 600: p = -0.428571, c = 1.502262, and the ankles move by 100
    assert rows_of(moved)[0] == pytest.approx(700, abs=1e-3)
    assert heights_of(moved)[0] == pytest.approx(300 * 1.502262, abs=1e-3)


@pytest.mark.parametrize("mode", ["edn_compat", "paper"])
def test_a_clip_fitted_to_itself_does_not_move(golden, mode):
    source, _ = golden
    normalizer = GlobalLinear(mode=mode)
    fitted = normalizer.fit(source, source)
    assert fitted["c_close"] == fitted["c_far"] == 1
    assert np.allclose(normalizer.apply(fitted, source).xy, source.xy, atol=1e-3)


def test_edn_takes_the_lower_ankle_and_paper_the_mean(golden):
    source, target = golden
    xy = source.xy.copy()
    xy[:, ANKLES[0], 1] -= 20
    lifted = source.replace(xy=xy)
    assert GlobalLinear(mode="edn_compat").fit(lifted, target)["s_close"] == 800
    assert GlobalLinear(mode="paper", median_fraction=0.5).fit(lifted, target)["s_close"] == 790


# ---- the paper's rule --------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_ankles_land_on_the_line_and_the_body_scales_about_them(seed):
    source, target = scene(seed)
    normalizer = GlobalLinear()
    fitted = normalizer.fit(source, target)
    moved = normalizer.apply(fitted, source)
    p = (rows_of(source) - fitted["s_far"]) / (fitted["s_close"] - fitted["s_far"])
    wanted = fitted["t_far"] + p * (fitted["t_close"] - fitted["t_far"])
    assert np.allclose(rows_of(moved), wanted, atol=0.01)
    scale = fitted["c_far"] + p * (fitted["c_close"] - fitted["c_far"])
    scale = np.clip(scale, fitted["c_min"], fitted["c_max"])
    assert np.allclose(heights_of(moved), scale * heights_of(source), atol=0.02)
    # a similarity: every limb is scaled alike, in x and y
    limb = [COCO.index("left_shoulder"), COCO.index("right_hip")]
    assert np.allclose(
        np.diff(moved.xy[:, limb], axis=1),
        scale[:, None, None] * np.diff(source.xy[:, limb], axis=1),
        atol=0.02,
    )
    assert np.array_equal(moved.score, source.score) and np.array_equal(moved.pts, source.pts)


def test_close_and_far_of_the_source_get_the_targets_rows_and_heights():
    source, target = scene(3)
    normalizer = GlobalLinear()
    fitted = normalizer.fit(source, target)
    moved = normalizer.apply(fitted, source)
    for end in ("close", "far"):
        frame = int(np.argmin(np.abs(rows_of(source) - fitted[f"s_{end}"])))
        assert rows_of(moved)[frame] == pytest.approx(fitted[f"t_{end}"], abs=0.01)
        near = np.abs(rows_of(target) - fitted[f"t_{end}"]) < 2
        assert heights_of(moved)[frame] == pytest.approx(heights_of(target)[near].mean(), rel=0.04)


def test_median_fraction_sets_how_far_is_far():
    source, target = scene(5)
    far = [GlobalLinear(median_fraction=a).fit(source, target)["s_far"] for a in (0.3, 0.5, 0.7)]
    assert far[0] > far[1] > far[2]


def test_x_goes_from_track_to_track_or_from_frame_to_frame():
    rows, heights = np.linspace(400, 460, 50), np.linspace(200, 230, 50)
    source = clip(rows, heights, x=100 + np.linspace(-20, 20, 50))
    target = clip(rows, heights * 2, x=700.0, size=(1280, 720))
    for center, wanted in (("track", 700.0), ("frame", 639.5 + 2 * (100 - 255.5))):
        normalizer = GlobalLinear(center=center)
        moved = normalizer.apply(normalizer.fit(source, target), source)
        assert moved.size == (1280, 720)
        assert np.median(moved.xy[:, ANKLES, 0]) == pytest.approx(wanted, abs=2)
        assert np.ptp(moved.xy[:, ANKLES, 0]) == pytest.approx(2 * 40, abs=1)


@pytest.mark.parametrize("name", skeleton_names())
def test_every_skeleton_fits(name):
    skeleton = get_skeleton(name)
    rows, heights = np.linspace(400, 460, 50), np.linspace(200, 230, 50)
    source, target = clip(rows, heights, skeleton=skeleton), clip(rows - 20, heights * 1.5, skeleton=skeleton)
    normalizer = GlobalLinear()
    moved = normalizer.apply(normalizer.fit(source, target), source)
    ankle, nose = skeleton.index("left_ankle"), skeleton.index("nose")
    assert np.allclose(moved.xy[:, ankle, 1], rows - 20, atol=0.5)
    assert np.allclose(moved.xy[:, ankle, 1] - moved.xy[:, nose, 1], heights * 1.5, rtol=0.02)


def test_fitted_is_plain_json_and_deterministic():
    source, target = scene(1)
    for normalizer in (GlobalLinear(), Identity()):
        assert isinstance(normalizer, Normalizer)
        fitted = normalizer.fit(source, target)
        back = json.loads(json.dumps(fitted, allow_nan=False))
        assert back == fitted == normalizer.fit(source, target)
        assert np.array_equal(normalizer.apply(back, source).xy, normalizer.apply(fitted, source).xy)


# ---- what real clips do ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["source", "target"])
def test_without_depth_there_is_one_scale(who):
    moving, _ = scene(2)
    still = clip(np.full(80, 410.0), 200 + 5 * np.sin(np.arange(80)))
    source, target = (still, moving) if who == "source" else (moving, still)
    normalizer = GlobalLinear()
    fitted = normalizer.fit(source, target)
    assert any(who in warning and "one scale" in warning for warning in fitted["warnings"])
    middle = np.interp(np.median(rows_of(moving)), *sorted_by_row(moving))
    wanted = middle / 205 if who == "source" else 205 / middle
    assert (
        fitted["c_close"] == fitted["c_far"] == pytest.approx(wanted, rel=0.03)
    )  # the band around the row is that wide
    moved = normalizer.apply(fitted, source)
    assert np.isfinite(moved.xy).all()
    assert np.median(rows_of(moved)) == pytest.approx(np.median(rows_of(target)), abs=0.1)


def sorted_by_row(poses: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(rows_of(poses))
    return rows_of(poses)[order], heights_of(poses)[order]


def test_who_crouches_more_is_not_shorter():
    """On the spot, the scale comes from standing heights; the medians would say 0.75."""
    row = np.full(100, 410.0)
    upright, crouching = np.full(100, 200.0), np.where(np.arange(100) < 70, 150.0, 200.0)
    fitted = GlobalLinear().fit(clip(row, upright), clip(row, crouching))
    assert fitted["c_close"] == pytest.approx(1, abs=1e-6)


def test_a_lifted_foot_is_no_step_back():
    source, target = scene(4)
    xy = source.xy.copy()
    xy[40:60, COCO.index("left_ankle"), 1] -= 40
    lifted, down = source.replace(xy=xy), COCO.index("right_ankle")
    for ankle, moves in (("lower", False), ("mean", True)):
        normalizer = GlobalLinear(ankle=ankle)
        fitted = normalizer.fit(source, target)
        rows = [normalizer.apply(fitted, poses).xy[:, down, 1] for poses in (source, lifted)]
        assert (np.abs(rows[0] - rows[1]).max() > 1) == moves, ankle


def test_dancing_on_the_spot_does_not_become_leaping():
    _, target = scene(4)
    steps = clip(400 + 4 * np.sin(np.arange(100) / 3), np.full(100, 210.0))
    fitted = GlobalLinear().fit(steps, target)
    scale = (fitted["c_close"] + fitted["c_far"]) / 2
    assert fitted["slope"] <= 1.6 * scale
    assert any("more in depth" in warning for warning in fitted["warnings"])
    wild = GlobalLinear(amplify=100).fit(steps, target)
    assert wild["slope"] > 3 * scale and not wild["warnings"]


def test_a_few_wrong_detections_change_little():
    source, target = scene(6)
    clean = GlobalLinear().fit(source, target)
    rng = np.random.default_rng(0)
    xy = target.xy.copy()
    for joint in (0, *ANKLES):  # 2 % of the frames have it anywhere
        wrong = rng.random(len(xy)) < 0.02
        xy[wrong, joint] = rng.uniform(0, 511, (int(wrong.sum()), 2))
    fitted = GlobalLinear().fit(source, target.replace(xy=xy))
    for key in ("t_close", "t_far"):
        assert fitted[key] == pytest.approx(clean[key], abs=3)
    for key in ("c_close", "c_far"):
        assert fitted[key] == pytest.approx(clean[key], rel=0.03)


def test_crouching_and_raised_legs_do_not_shrink_anybody():
    _, target = scene(7)
    rows = 430 + 30 * np.sin(np.arange(300) / 11)
    source = clip(rows, 200 + 2 * (rows - 400))
    clean = GlobalLinear().fit(source, target)
    xy = source.xy.copy()
    crouching = np.arange(300) % 50 < 20
    xy[crouching, 0, 1] += 60
    fitted = GlobalLinear().fit(source.replace(xy=xy), target)
    assert fitted["c_close"] == pytest.approx(clean["c_close"], rel=0.03)
    assert fitted["c_far"] == pytest.approx(clean["c_far"], rel=0.03)


def test_crouching_whenever_close_is_noticed():
    # nobody is taller than at their closest
    rows = 430 + 30 * np.sin(np.arange(300) / 11)
    source = clip(rows, np.where(rows > 450, 150, 260))
    assert GlobalLinear().fit(source, source)["s_height_close"] == pytest.approx(260, abs=0.1)


def test_missing_ankles_take_their_row_from_their_time():
    source, target = scene(8)
    normalizer = GlobalLinear()
    fitted = normalizer.fit(source, target)
    whole = normalizer.apply(fitted, source)
    score = source.score.copy()
    score[100:104, ANKLES] = 0  # both, for a moment
    score[150:200, ANKLES[0]] = 0  # one, for long
    score[:3, ANKLES] = score[-3:, ANKLES] = 0  # nothing before, nothing after
    moved = normalizer.apply(fitted, source.replace(score=score))
    hip = COCO.index("left_hip")
    error = np.abs(moved.xy[:, hip] - whole.xy[:, hip]).max(1)
    assert error[3:-3].max() < 4 and np.isfinite(moved.xy[:, hip]).all()
    assert np.isnan(moved.xy[100:104, ANKLES]).all() and error[150:200].max() < 0.01


def test_one_ankle_keeps_its_offset_to_the_middle():
    source, target = scene(9)
    xy = source.xy.copy()
    xy[:, ANKLES[0], 1] += 12  # the left foot stands 12 px nearer
    spread = source.replace(xy=xy)
    normalizer = GlobalLinear()
    fitted = normalizer.fit(spread, target)
    whole = normalizer.apply(fitted, spread)
    score = spread.score.copy()
    score[100:160, ANKLES[1]] = 0
    moved = normalizer.apply(fitted, spread.replace(score=score))
    assert np.allclose(moved.xy[100:160, 0], whole.xy[100:160, 0], atol=0.01)


def test_the_head_may_be_the_ears():
    source, target = scene(10)
    score = source.score.copy()
    score[:, 0] = 0
    whole, ears = GlobalLinear().fit(source, target), GlobalLinear().fit(source.replace(score=score), target)
    assert ears["c_close"] == pytest.approx(whole["c_close"], rel=1e-3)


@pytest.mark.parametrize(
    ("joints", "said"), [(["left_ankle"], "left ankle in 0"), (["nose", "left_ear"], "ears\\) in 0")]
)
@pytest.mark.parametrize("who", ["source", "target"])
def test_says_what_was_never_seen(joints, said, who):
    clips = dict(zip(("source", "target"), scene(0), strict=True))
    score = clips[who].score.copy()
    score[:, [COCO.index(joint) for joint in joints]] = 0
    clips[who] = clips[who].replace(score=score)
    with pytest.raises(PoseError, match=f"the {who} cannot be measured.*{said}"):
        GlobalLinear().fit(**clips)


def test_too_short_a_clip_and_no_ankle_to_apply_to():
    source, target = scene(0)
    with pytest.raises(PoseError, match="in 4 of 4 frames, 5 are needed"):
        GlobalLinear().fit(source[:4], target)
    fitted = GlobalLinear().fit(source, target)
    score = source.score.copy()
    score[:, ANKLES] = 0
    with pytest.raises(PoseError, match="no ankle"):
        GlobalLinear().apply(fitted, source.replace(score=score))


def test_absurd_scales_are_clamped_and_said():
    source, target = clip([300.0] * 20, [2.0] * 20), clip([300.0] * 20, [280.0] * 20)
    fitted = GlobalLinear().fit(source, target)
    assert fitted["c_close"] == 10 and any("cannot be right" in warning for warning in fitted["warnings"])


@pytest.mark.parametrize("parameters", [{"median_fraction": 0}, {"median_fraction": 1.5}, {"amplify": 0.5}])
def test_refuses_parameters_out_of_range(parameters):
    with pytest.raises(UsageError):
        GlobalLinear(**parameters)


def test_identity_changes_the_size_only():
    source = clip([400.0] * 6, [200.0] * 6)
    target = clip([400.0] * 6, [200.0] * 6, size=(1280, 720))
    moved = Identity().apply(Identity().fit(source, target), source)
    assert moved.size == (1280, 720) and np.array_equal(moved.xy, source.xy)


@pytest.mark.shared
def test_two_rendered_people_with_the_right_answer(shared):
    # the same dance by both people, true keypoints: the rest is what the method cannot know
    def load(name: str) -> PoseSequence:
        with np.load(shared / "data/dancefloor" / f"{name}.npz") as data:
            xy = data["keypoints"][:, :17]
        return PoseSequence(
            xy=xy,
            score=np.ones(xy.shape[:2]),
            pts=np.arange(len(xy)),
            time_base=Fraction(1, 25),
            size=(512, 512),
            skeleton=COCO,
        )

    source, target, truth = load("source_dance"), load("target_train"), load("target_truth")
    normalizer = GlobalLinear()
    moved = normalizer.apply(normalizer.fit(source, target), source)
    error, before = (np.hypot(*np.moveaxis(poses.xy - truth.xy, -1, 0)).mean() for poses in (moved, source))
    assert before > 19  # px of 512; the person is 250 px tall
    assert error < 9.5
    feet = np.hypot(*np.moveaxis(moved.xy - truth.xy, -1, 0))[:, ANKLES]
    assert np.median(feet) < 4
