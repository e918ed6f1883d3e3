"""What holds of every normalizer, whoever dances and whatever is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retargeting_clips import (
    EVERY,
    SOURCE,
    TARGET,
    clip,
    flipped,
    scaled,
)
from synthetic_dancer import Dance

from dancekit.errors import PoseError
from dancekit.normalizers.affine import Affine
from dancekit.normalizers.bones import Bones
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.normalizers.identity import Identity
from dancekit.normalizers.relative import Relative
from dancekit.types import PoseSequence

FACTORS = st.floats(0.4, 3.0)
SHIFTS = st.floats(-300, 300)
PLAIN = {
    "global_linear": lambda: GlobalLinear(center="track"),
    "affine": Affine,
    "relative": Relative,
    "bones": lambda: Bones(center="track"),
}
SHORT = clip(Dance(frames=60, seed=1)), clip(Dance(frames=80, seed=2), TARGET)


def near(a: PoseSequence, b: PoseSequence, size: float) -> bool:
    """Equal but for the rounding of float32, in parts of a picture."""
    return bool(np.abs(a.xy - b.xy)[a.valid].max() < 2e-3 * size)


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
@settings(max_examples=8, deadline=None)
@given(factor=FACTORS)
def test_scale_of_the_sources_picture_does_not_matter(make, factor):
    source, target = SHORT
    plain = make().apply(make().fit(source, target), source)
    big = scaled(source, factor)
    assert near(make().apply(make().fit(big, target), big), plain, 512)


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
@settings(max_examples=8, deadline=None)
@given(factor=FACTORS)
def test_scale_of_the_targets_picture_scales_the_result(make, factor):
    source, target = SHORT
    plain = make().apply(make().fit(source, target), source)
    moved = make().apply(make().fit(source, scaled(target, factor)), source)
    assert near(moved, scaled(plain, factor), 512 * factor)


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
@settings(max_examples=8, deadline=None)
@given(x=SHIFTS, y=SHIFTS)
def test_shift_of_the_source_does_not_matter_and_of_the_target_shifts(make, x, y):
    source, target = SHORT
    plain = make().apply(make().fit(source, target), source)
    by = np.array([x, y], np.float32)
    aside = source.replace(xy=source.xy + by)
    assert near(make().apply(make().fit(aside, target), aside), plain, 512)
    moved = make().apply(make().fit(source, target.replace(xy=target.xy + by)), source)
    assert near(moved, plain.replace(xy=plain.xy + by), 512)


@pytest.mark.parametrize(
    "make", [*PLAIN.values(), Bones, GlobalLinear], ids=[*PLAIN, "bones auto", "global_linear auto"]
)
def test_flip_twice_is_no_flip(make):
    source, target = SHORT
    plain = make().apply(make().fit(source, target), source)
    moved = make().apply(make().fit(flipped(source), flipped(target)), flipped(source))
    assert near(flipped(moved), plain, 512)


def pierced(seed: int, lost: float, *clips: PoseSequence) -> list[PoseSequence]:
    """Clips without a share of their joints: single ones, some for good, and all of some frames."""
    rng = np.random.default_rng(seed)
    out = []
    for poses in clips:
        gone = rng.random(poses.score.shape) < lost
        gone[:, rng.random(gone.shape[1]) < lost / 2] = True
        gone[rng.random(len(gone)) < lost / 2] = True
        out.append(poses.replace(score=np.where(gone, 0, poses.score * rng.uniform(0.1, 1, gone.shape))))
    return out


VARIANTS = {
    **EVERY,
    "global_linear lower": lambda: GlobalLinear(ankle="lower", center="track"),
    "relative first": lambda: Relative(reference="first"),
}


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), lost=st.floats(0, 0.98))
def test_missing_joints_give_no_nan_and_no_infinity(make, seed, lost):
    clips = pierced(seed, lost, *SHORT)
    try:
        fitted = make().fit(*clips)
        moved = make().apply(fitted, clips[0])
    except PoseError as refused:
        assert lost > (0.3 if make is Bones else 0.02) and str(refused)
        return
    json.dumps(fitted, allow_nan=False)
    assert np.array_equal(moved.valid, clips[0].valid)
    assert np.isfinite(moved.xy[moved.valid]).all()
    assert np.abs(moved.xy[moved.valid]).max(initial=0) < 1e5


WITH_FEET = tuple(
    clip(Dance(frames=frames, seed=seed), who, skeleton="body_25")
    for frames, seed, who in ((50, 1, SOURCE), (60, 2, TARGET))
)


@pytest.mark.parametrize(
    "make",
    [Bones, lambda: GlobalLinear(mode="edn_compat")],
    ids=["bones, held by toes", "edn_compat"],
)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), lost=st.floats(0, 0.98))
def test_missing_toes_ears_and_ankles_give_no_nan_and_no_infinity(make, seed, lost):
    clips = pierced(seed, lost, *WITH_FEET)
    try:
        fitted = make().fit(*clips)
        moved = make().apply(fitted, clips[0])
    except PoseError as refused:
        assert lost > 0.02 and str(refused)
        return
    json.dumps(fitted, allow_nan=False)
    assert not (moved.valid & ~clips[0].valid).any()  # edn_compat loses frames before the first measurable
    assert np.isfinite(moved.xy[moved.valid]).all()
    assert np.abs(moved.xy[moved.valid]).max(initial=0) < 1e5


@settings(max_examples=10, deadline=None)
@given(factor=FACTORS, x=SHIFTS, y=SHIFTS)
def test_identity_moves_with_the_picture(factor, x, y):
    source, target = SHORT
    other = source.replace(xy=source.xy * factor + np.array([x, y], np.float32))
    moved = Identity().apply(Identity().fit(other, target), other)
    assert np.array_equal(moved.xy, other.xy) and moved.size == target.size


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_nobody_at_all_is_refused_or_nothing(make):
    empty = SHORT[0].replace(score=np.zeros_like(SHORT[0].score))
    if make is Identity:
        assert not make().apply(make().fit(empty, empty), empty).valid.any()
        return
    with pytest.raises(PoseError):
        make().fit(empty, SHORT[1])
