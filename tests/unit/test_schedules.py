"""The courses of the learning rate."""

from __future__ import annotations

import pytest

from dancekit.config.schema import Optimizer
from dancekit.training.schedules import pix2pix, pix2pix_cosine, pix2pix_step, pix2pixhd, rate_factor


def test_pix2pixhd_stays_one_epoch_longer_and_never_reaches_zero() -> None:
    assert [pix2pixhd(epoch, 2, 4) for epoch in range(1, 7)] == [1, 1, 1, 0.75, 0.5, 0.25]


def test_pix2pix_and_what_its_scripts_make_of_it() -> None:
    assert [pix2pix(epoch, 2, 4) for epoch in range(1, 7)] == pytest.approx([1, 1, 0.8, 0.6, 0.4, 0.2])
    early = [pix2pix(epoch, 2, 4, early=True) for epoch in range(1, 7)]
    assert early == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
    assert [pix2pix_step(epoch, 2) for epoch in range(1, 6)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert [pix2pix_cosine(epoch, 4) for epoch in (1, 3, 5)] == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize("steps", [10, 13, 1000])
def test_epochs_are_equal_shares_of_a_stage(steps: int) -> None:
    settings = Optimizer(schedule="pix2pixhd", epochs=10, decay_from=0.5)
    factors = [rate_factor(settings, step / steps) for step in range(steps)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == 1 and factors[-1] == pytest.approx(0.2)
    if steps % 10 == 0:
        assert factors[:: steps // 10] == pytest.approx([pix2pixhd(epoch, 5, 5) for epoch in range(1, 11)])


def test_the_default_falls_with_every_step() -> None:
    settings = Optimizer(decay_from=0.5)
    assert [rate_factor(settings, p) for p in (0, 0.5, 0.75, 0.99)] == pytest.approx([1, 1, 0.5, 0.02])
    assert rate_factor(Optimizer(decay_from=1.0), 0.999) == 1
