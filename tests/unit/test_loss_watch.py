"""Training that makes no sense any more is stopped, with a reason; swings are left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dancekit.training.watch import FEWEST, PATIENCE, Diverged, LossWatch, remedies


def fed(values: list[float], name: str = "lsgan") -> int:
    """How many steps are let pass."""
    watch = LossWatch()
    for step, value in enumerate(values):
        try:
            watch.check(step, {"l1": 0.1, name: value})
        except Diverged as error:
            assert error.diagnosis["term"] == name
            return step
    return len(values)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_stops_at_once_and_names_the_term(bad: float) -> None:
    with pytest.raises(Diverged, match=r"step 7: d_lsgan is (nan|inf|-inf): .*lr_discriminator") as caught:
        LossWatch().check(7, {"l1": 0.1, "d_lsgan": bad})
    assert caught.value.diagnosis["step"] == 7
    assert caught.value.diagnosis["record"] == {"l1": "0.1", "d_lsgan": str(bad)}


def test_an_explosion_stops_and_the_diagnosis_holds_what_came_before() -> None:
    calm = list(np.random.default_rng(0).uniform(0.2, 0.4, 50))
    assert fed(calm + [1e5] * 100) == 50 + PATIENCE - 1
    watch = LossWatch()
    with pytest.raises(Diverged) as caught:
        for step, value in enumerate(calm + [1e5] * 100):
            watch.check(step, {"lsgan": value})
    assert caught.value.diagnosis["last_values"]["lsgan"] == pytest.approx(calm[-10:], rel=1e-4)


def test_what_swings_or_shrinks_goes_on() -> None:
    rng = np.random.default_rng(0)
    swings = list(10 ** rng.uniform(-4, 1.5, 400))
    assert fed(swings) == 400
    assert fed([1e-4] * 100 + [0.9] * 300) == 400, "a discriminator that had won begins to lose"
    assert fed(([0.3] * 50 + [1e6] * (PATIENCE - 1)) * 5) == 5 * (50 + PATIENCE - 1), "it came back"
    assert fed([-5000.0] * 300, "wgan_gp") == 300, "large from the start is its usual size"
    assert FEWEST < 50


def test_advice_fits_the_term() -> None:
    assert "lr_discriminator" in remedies("face_d_lsgan")[0]
    assert remedies("l1")[0].endswith("train.optimizer.lr")
    assert any("perceptual" in text for text in remedies("perceptual"))
    assert any("lsgan" in text for text in remedies("d_wgan_gp"))
