"""Intervals over time: against the obvious slow way, and against noise of which the true mean is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.evaluate.bootstrap import _resampled_means, block_bootstrap


def ar1(frames: int, hold: float, rng: np.random.Generator) -> np.ndarray:
    """Noise that remembers: x_t = hold x_(t-1) + e_t, mean 0, variance 1."""
    noise = rng.standard_normal(frames + 200) * np.sqrt(1 - hold**2)
    values = np.zeros_like(noise)
    for t in range(1, len(noise)):
        values[t] = hold * values[t - 1] + noise[t]
    return values[200:]


@pytest.mark.parametrize("frames", [30, 31, 44])
def test_means_are_those_of_blocks_put_together(frames: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(frames)
    known = rng.random(frames) > 0.3
    block = 7
    found = _resampled_means(np.where(known, values, 0), known.astype(float), block, 50, seed=3)
    starts = np.random.default_rng(3).integers(0, frames, (50, frames // block + 1))
    for mean, row in zip(found, starts, strict=True):
        index = np.concatenate([(start + np.arange(block)) % frames for start in row])[:frames]
        assert mean == pytest.approx(values[index][known[index]].mean())


@pytest.mark.parametrize("frames", [100, 300])
@pytest.mark.parametrize("hold", [0.0, 0.8])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(frames: int, hold: float) -> None:
    """300 clips, blocks of 25: near the nominal 95 %, even where a clip is four blocks long."""
    rng = np.random.default_rng(1)
    hits = 0
    for number in range(300):
        found = block_bootstrap(ar1(frames, hold, rng), block=25, samples=300, seed=number)
        hits += found.low <= 0 <= found.high
    assert 0.9 <= hits / 300 <= 0.99


def test_single_frames_would_promise_too_much() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for number in range(200):
        found = block_bootstrap(ar1(600, 0.8, rng), block=1, samples=300, seed=number)
        hits += found.low <= 0 <= found.high
    assert hits / 200 < 0.7


@given(st.integers(0, 2**31), st.floats(-100, 100), st.floats(0.1, 10))
def test_it_moves_and_scales_with_the_values(seed: int, shift: float, scale: float) -> None:
    values = np.random.default_rng(seed).standard_normal(60)
    one = block_bootstrap(values, block=5, samples=100, seed=4)
    other = block_bootstrap(values * scale + shift, block=5, samples=100, seed=4)
    for name in ("mean", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * scale + shift, abs=1e-6)
    assert one.low <= one.mean + 1e-12
    assert one.mean <= one.high + 1e-12


def test_frames_without_a_number_do_not_count() -> None:
    values = np.full(90, 2.0)
    values[::3] = np.nan
    found = block_bootstrap(values, block=6, samples=100)
    assert (found.mean, found.low, found.high, found.frames) == (2.0, 2.0, 2.0, 60)


def test_what_cannot_be_told_is_not_told() -> None:
    nothing = block_bootstrap(np.full(50, np.nan), block=5)
    assert nothing.frames == 0
    assert np.isnan([nothing.mean, nothing.low, nothing.high]).all()
    short = block_bootstrap(np.arange(20.0), block=10)
    assert short.mean == 9.5
    assert np.isnan([short.low, short.high]).all()
    with pytest.raises(ValueError, match="positive block"):
        block_bootstrap(np.zeros(9), block=0)


def test_the_seed_decides() -> None:
    values = np.random.default_rng(0).standard_normal(100)
    one, same, other = (block_bootstrap(values, block=5, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other
