"""`global_linear` with `mode: edn_compat`: the published code's numbers, and what it did not survive."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import PoseError
from dancekit.normalizers import edn_compat
from dancekit.normalizers.edn_compat import Line
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.types import PoseSequence, get_skeleton

LAYOUTS = ("body_18", "body_23", "body_25", "body_23_face_hands", "coco_17")


def standing(rows, heights, *, x=960.0, layout="body_23", size=(1920, 1080)) -> PoseSequence:
    """Ankles together at each row, the head `heights` above; all else between."""
    skeleton = get_skeleton(layout)
    rows, heights = np.asarray(rows, np.float64), np.asarray(heights, np.float64)
    up = np.array([0.0 if "ankle" in name else 1.0 if name == "nose" else 0.5 for name in skeleton.joints])
    xy = np.empty((len(rows), len(skeleton), 2))
    xy[..., 0] = x
    xy[..., 1] = rows[:, None] - up * heights[:, None]
    return PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2]),
        pts=np.arange(len(rows)),
        time_base=Fraction(1, 30),
        size=size,
        skeleton=skeleton,
    )


def golden(layout: str) -> tuple[PoseSequence, PoseSequence]:
    steps = np.arange(21)
    return (
        standing(600 + 10 * steps, 300 + 2 * steps, layout=layout),
        standing(700 + 10 * steps, 450 + 4 * steps, layout=layout),
    )


def without(poses: PoseSequence, frames, *joints: str) -> PoseSequence:
    score = poses.score.copy()
    score[np.ix_(np.atleast_1d(frames), [poses.skeleton.index(joint) for joint in joints])] = 0
    return poses.replace(score=score)


# ---- the published numbers (edn.md 3.1) --------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_golden_vector_holds_for_every_layout(layout):
    source, target = golden(layout)
    normalizer = GlobalLinear(mode="edn_compat")
    fitted = normalizer.fit(source, target)
    assert (fitted["s_close"], fitted["s_far"], fitted["t_close"], fitted["t_far"]) == (800, 660, 900, 760)
    assert fitted["c_close"] == pytest.approx(1.558824, abs=1e-6)
    assert fitted["c_far"] == pytest.approx(1.519231, abs=1e-6)
    shift, scale = edn_compat.shift_and_scale(fitted, np.array([600.0]))
    assert scale[0] == pytest.approx(1.502262, abs=1e-6) and shift[0] == pytest.approx(100)
    assert json.loads(json.dumps(fitted, allow_nan=False)) == fitted == normalizer.fit(source, target)


def test_the_anchor_is_the_first_frames_ankle_so_feet_slide():
    """The original's defect B1, kept in this mode: only the first frame's ankles land where they should."""
    source, target = golden("body_25")
    normalizer = GlobalLinear(mode="edn_compat")
    fitted = normalizer.fit(source, target)
    assert fitted["anchor"] == [960, 600]
    moved = normalizer.apply(fitted, source)
    ankle = source.skeleton.index("right_ankle")
    assert moved.xy[0, ankle, 1] == pytest.approx(700, abs=1e-3)
    wanted = 900  # of the closest frame: c = 1.558824 about row 600 puts it elsewhere
    assert moved.xy[-1, ankle, 1] == pytest.approx(1.558824 * 200 + 600 + 100, abs=1e-2) != wanted
    paper = GlobalLinear(mode="paper", median_fraction=0.5)
    assert paper.apply(paper.fit(source, target), source).xy[-1, ankle, 1] == pytest.approx(wanted, abs=1e-2)


@pytest.mark.parametrize("fraction", [0.5, 0.7])
def test_a_clip_fitted_to_itself_does_not_move(fraction):
    source, _ = golden("body_23")
    normalizer = GlobalLinear(mode="edn_compat", median_fraction=fraction)
    fitted = normalizer.fit(source, source)
    assert fitted["c_close"] == fitted["c_far"] == fitted["slope"] == 1
    assert np.array_equal(normalizer.apply(fitted, source).xy, source.xy)


def test_both_published_fractions_and_their_defaults():
    source, target = golden("body_18")
    far = {
        fraction: GlobalLinear(mode="edn_compat", median_fraction=fraction).fit(source, target)["s_far"]
        for fraction in (None, 0.5, 0.7)
    }
    assert far == {None: 660, 0.5: 660, 0.7: 640}
    assert GlobalLinear().median_fraction == 0.7


def test_rules_of_the_range_the_bands_and_the_reset():
    # graph_posenorm.get_minmax_scales of the reference cases: figures that are tallest away from the front
    target, source = Line(1000.5, 650.25), Line(930.75, 540.125)
    toes, heights = np.array([1000.0, 655.0, 800.0, 800.0]), np.array([500.0, 400.0, 800.0, 900.0])
    warnings: list[str] = []
    t = edn_compat.band_heights(toes, heights, target, warnings, "target")
    assert t == (800, 400)  # the first entry of the largest list, not the largest height
    toes = np.array([541.0, 541.0, 545.0, 700.0, 925.0, 930.0])
    s = edn_compat.band_heights(toes, np.array([305.0, 290, 300, 430, 555, 560]), source, warnings, "source")
    assert s == (560, 305) and not warnings
    assert edn_compat.guard_range(Line(800, 660), Line(900, 620)) == Line(830, 690)
    assert edn_compat.guard_range(Line(800, 660), Line(700, 620)) == Line(700, 620)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS))
def test_moving_is_a_similarity_about_the_anchor_and_a_shift(seed, layout):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(500, 900, 40)
    source = standing(rows, rng.uniform(200, 400, 40), layout=layout, x=rng.uniform(300, 1500))
    target = standing(rng.uniform(600, 1000, 40), rng.uniform(300, 600, 40), layout=layout)
    normalizer = GlobalLinear(mode="edn_compat")
    fitted = normalizer.fit(source, target)
    moved = normalizer.apply(fitted, source)
    shift, scale = edn_compat.shift_and_scale(fitted, source.xy[:, source.skeleton.index("left_ankle"), 1])
    middle = np.array(fitted["anchor"])
    back = (moved.xy - middle - np.stack([0 * shift, shift], 1)[:, None]) / scale[:, None, None] + middle
    assert np.allclose(back, source.xy, atol=0.05 / np.abs(scale).min())
    assert np.array_equal(moved.score, source.score)


# ---- slips that are kept -----------------------------------------------------------------------------------


def test_the_left_ear_decides_where_the_left_ankle_was_meant():
    source, _ = golden("body_23")
    lost = without(source, [3, 4], "left_ankle")
    seen = edn_compat.pose_statistics(np.nan_to_num(lost.xy).astype(float), lost.score, lost.skeleton)
    assert seen.valid.all() and seen.higher[3] == 0  # measured at (0, 0)
    assert seen.height[3] != seen.height[2]
    profile = without(source, [3, 4], "left_ear")
    seen = edn_compat.pose_statistics(np.nan_to_num(profile.xy).astype(float), profile.score, lost.skeleton)
    assert np.flatnonzero(~seen.valid).tolist() == [3, 4]


def test_frames_that_cannot_be_measured_go_with_the_last_one_and_leading_ones_are_lost():
    source, target = golden("body_23")
    holes = without(source, [0, 1, 7, 8], "right_ankle")
    normalizer = GlobalLinear(mode="edn_compat")
    fitted = normalizer.fit(source, target)
    moved = normalizer.apply(fitted, holes)
    assert np.flatnonzero(~moved.found).tolist() == [0, 1]
    shift, scale = edn_compat.shift_and_scale(fitted, np.array([660.0]))  # row of frame 6
    nose = source.skeleton.index("nose")
    wanted = scale[0] * (holes.xy[8, nose, 1] - 600) + 600 + shift[0]
    assert moved.xy[8, nose, 1] == pytest.approx(wanted, abs=1e-2)


# ---- what the original does not survive --------------------------------------------------------------------


def test_nobody_is_an_error_and_no_endless_loop():
    source, target = golden("body_25")
    everywhere = np.arange(len(source))
    for who, clips in (
        ("source", (without(source, everywhere, "left_ear"), target)),
        ("target", (source, without(target, everywhere, "right_ankle"))),
    ):
        with pytest.raises(PoseError, match=f"the {who} cannot be measured: none of 21"):
            GlobalLinear(mode="edn_compat").fit(*clips)


def test_a_band_without_a_frame_takes_the_nearest():
    source, _ = golden("body_23")
    # the guard moves the target's rows to 690 and 830, where nobody stands: the original's scale is 0
    target = standing([500, 505, 900, 905, 895, 890, 500, 505], np.full(8, 450.0))
    fitted = GlobalLinear(mode="edn_compat").fit(source, target)
    assert fitted["c_far"] == pytest.approx(450 / 312) and any(
        "nowhere near" in w for w in fitted["warnings"]
    )


def test_without_depth_there_is_one_scale():
    still = standing(np.full(12, 800.0), np.full(12, 300.0))
    _, target = golden("body_23")
    for source, other in ((still, still), (still, target), (target, still)):
        normalizer = GlobalLinear(mode="edn_compat")
        fitted = normalizer.fit(source, other)
        assert np.isfinite(normalizer.apply(fitted, source).xy).all()
        assert fitted["c_close"] > 0 and fitted["c_far"] > 0
    fitted = GlobalLinear(mode="edn_compat").fit(still, still)
    assert (fitted["c_close"], fitted["slope"]) == (1, 1)


def test_a_body_of_no_height_is_refused():
    flat = standing(np.arange(600, 620), np.zeros(20))
    with pytest.raises(PoseError, match="in one place"):
        GlobalLinear(mode="edn_compat").fit(flat, flat)


def test_the_originals_parameter_file():
    source, target = golden("body_23")
    fitted = GlobalLinear(mode="edn_compat").fit(source, target)
    text = f"{fitted['c_close']} {fitted['c_far']}\n900.0 760.0 800.0 660.0\n"
    read = edn_compat.from_norm_params(text, source, target.size)
    assert read["slope"] == fitted["slope"] and read["anchor"] == fitted["anchor"]
    normalizer = GlobalLinear(mode="edn_compat")
    assert np.array_equal(normalizer.apply(read, source).xy, normalizer.apply(fitted, source).xy)
    for wrong in ("", "1 2 3", "1 2\n3 4", "a b\n1 2 3 4"):
        with pytest.raises(PoseError, match="no normalization parameters"):
            edn_compat.from_norm_params(wrong, source, target.size)
