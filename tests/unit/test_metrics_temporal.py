"""Metrics over time on planted motion, noise and sinusoids, against closed formulas and SciPy's FFT."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, ndimage

from dancekit.errors import UsageError
from dancekit.metrics.temporal import Drift, Flicker, FrameDifference, Freeze
from dancekit.metrics.warping import WarpingError, excess

Video = np.ndarray
RATE = 30.0


def texture(size: tuple[int, int], seed: int = 0) -> Video:
    """(H, W, 3) float with detail at many scales, mean 128, standard deviation 30, far from the range's ends."""
    noise = np.random.default_rng(seed).normal(size=(*size, 3))
    flat = sum(ndimage.gaussian_filter(noise, (s, s, 0)) * s for s in (0.7, 2, 6, 18))
    return np.asarray((128 + 30 * (flat - flat.mean()) / flat.std()).clip(30, 225))


def panned(step: tuple[int, int], frames: int = 4, size: tuple[int, int] = (96, 112)) -> tuple[Video, Video]:
    """A texture that moves by `step` (x, y) pixels a frame, and the exact backward flow."""
    reach = frames * max(abs(step[0]), abs(step[1]))
    wide = texture((size[0] + 2 * reach, size[1] + 2 * reach))
    clip = [wide[reach - t * step[1] :, reach - t * step[0] :][: size[0], : size[1]] for t in range(frames)]
    flow = np.broadcast_to(-np.array(step, np.float32), (frames, *size, 2))
    return np.rint(np.stack(clip)).astype(np.uint8), flow


def noisy(real: Video, sigma: float, seed: int = 0) -> Video:
    noise = np.random.default_rng(seed).normal(0, sigma, real.shape)
    return np.rint(real + noise).clip(0, 255).astype(np.uint8)


# ---- warping error -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [(0, 0), (3, -2), (-5, 4)])
def test_the_flow_is_the_planted_motion(step: tuple[int, int]) -> None:
    real, exact = panned(step)
    flow, visible = WarpingError().flow(real[0], real[1])
    inner = np.s_[8:-8, 8:-8]
    assert visible[inner].mean() > 0.97
    assert np.quantile(np.linalg.norm(flow - exact[1], axis=-1)[inner][visible[inner]], 0.95) < 0.25


@pytest.mark.parametrize(("flow", "left"), [("fast", 0.45), ("accurate", 0.2)])
def test_what_was_hidden_is_not_visible(flow: str, left: float) -> None:
    room, dancer = texture((160, 200), 1), texture((100, 60), 2)
    before, now = room.copy(), room.copy()
    before[30:130, 70:130], now[30:130, 78:138] = dancer, dancer
    _, visible = WarpingError(flow=flow).flow(before.astype(np.uint8), now.astype(np.uint8))  # type: ignore
    uncovered, both = np.zeros((160, 200), bool), np.ones((160, 200), bool)
    uncovered[32:128, 71:77] = True  # room that the dancer hid, but for the edge
    both[:, 66:82] = False
    assert visible[uncovered].mean() < left
    assert visible[both].mean() > 0.95


def test_exact_flow_against_the_closed_form_for_noise() -> None:
    """Independent noise differs from frame to frame by a normal of sqrt(2) its sigma: mean 2 sigma / sqrt(pi)."""
    real, flow = panned((3, -2), frames=5)
    visible = np.ones(real.shape[:3], bool)
    found = excess(noisy(real, 6), real, flow, visible, {"frame": None})["frame"]
    assert np.isnan(found[0])
    # what is uncovered at the borders has no pixel before it and must not count, or the truth would not be 0
    np.testing.assert_allclose(found[1:], 2 * 6 / np.sqrt(np.pi), rtol=0.02)
    np.testing.assert_array_equal(excess(real, real, flow, visible, {"frame": None})["frame"][1:], 0)


@pytest.mark.parametrize(("quality", "tolerance"), [("fast", 0.15), ("accurate", 0.08)])
def test_estimated_flow_agrees_with_the_exact_one(quality: str, tolerance: float) -> None:
    real, flow = panned((3, -2), frames=5)
    fake = noisy(real, 8)
    visible = np.ones(real.shape[:3], bool)
    mask = np.zeros_like(visible)
    mask[:, 10:-10, 10:-10] = True
    exact = excess(fake, real, flow, visible, {"mask": mask})["mask"]
    found = WarpingError(flow=quality)(fake, real, mask)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[1:], exact[1:], rtol=tolerance)


def test_texture_that_sticks_to_the_screen_is_found_out() -> None:
    """The truth's picture with a pattern that does not move along: no single frame shows it."""
    real, _ = panned((4, 0))
    pattern = 12 * np.sign(np.sin(np.arange(real.shape[2]) * np.pi / 4))[:, None]  # 4 on, 4 off
    sticking = np.rint(real + pattern).clip(0, 255).astype(np.uint8)
    moving = np.stack([np.rint(frame + np.roll(pattern, 4 * t, 0)) for t, frame in enumerate(real)])
    stuck = WarpingError()(sticking, real, None)[1:]
    along = WarpingError()(moving.clip(0, 255).astype(np.uint8), real, None)[1:]
    assert (stuck > 15).all()  # the pattern moves by half its period against the flow: 24 grey levels at best
    assert (np.abs(along) < 3).all()


def test_regions_of_the_warping_error() -> None:
    real, _ = panned((2, 1))
    fake, mask = real.copy(), np.zeros(real.shape[:3], bool)
    mask[:, 20:60, 20:60] = True
    fake[:, 70:] = noisy(real[:, 70:], 30)
    found = WarpingError().regions(fake, real, {"frame": None, "mask": mask, "none": np.zeros_like(mask)})
    assert (found["frame"][1:] > 1).all()
    np.testing.assert_allclose(found["mask"][1:], 0, atol=1e-6)
    assert np.isnan(found["none"]).all()
    np.testing.assert_allclose(found["frame"], WarpingError()(fake, real, None))
    with pytest.raises(UsageError, match="32x32"):
        WarpingError()(fake[:, :20], real[:, :20], None)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**16), x=st.integers(-4, 4), y=st.integers(-4, 4))
def test_a_copy_is_perfect_and_noise_makes_worse(seed: int, x: int, y: int) -> None:
    real, _ = panned((x, y), frames=2, size=(64, 64))
    for metric in (WarpingError(), FrameDifference()):
        found = [metric(fake, real, None)[1] for fake in (real, *(noisy(real, s, seed) for s in (3, 9, 27)))]
        assert found[0] == 0
        assert found == sorted(found) and len(set(found)) == 4


# ---- difference of frames ----------------------------------------------------------------------------------


def test_frame_difference_against_its_formula() -> None:
    real, _ = panned((2, 1), frames=5)
    fake = noisy(real, 7)
    mask = np.random.default_rng(3).random(real.shape[:3]) > 0.5
    apart = np.abs(np.diff(fake.astype(float), axis=0) - np.diff(real.astype(float), axis=0)).mean(-1)
    np.testing.assert_allclose(FrameDifference()(fake, real, None)[1:], apart.mean((1, 2)), rtol=1e-6)
    expected = [apart[t - 1][mask[t]].mean() for t in range(1, 5)]
    np.testing.assert_allclose(FrameDifference()(fake, real, mask)[1:], expected, rtol=1e-5)
    assert np.isnan(FrameDifference()(fake, real, mask)[0])


def test_a_constant_error_of_colour_is_no_difference_over_time() -> None:
    real, _ = panned((2, 1))
    np.testing.assert_array_equal(FrameDifference()(real + np.uint8(20), real, None)[1:], 0)


def test_a_chunk_with_its_context_gives_the_same_numbers() -> None:
    real, _ = panned((2, 1), frames=6)
    fake = noisy(real, 7)
    for metric in (WarpingError(), FrameDifference()):
        assert metric.context == 1
        np.testing.assert_allclose(
            metric(fake[2:], real[2:], None)[1:], metric(fake, real, None)[3:], rtol=1e-6
        )


# ---- flicker -----------------------------------------------------------------------------------------------


def waves(*parts: tuple[float, float], frames: int = 300, size: int = 12) -> Video:
    """Grey frames: 128 plus sinusoids (Hz, amplitude), each pixel with its own phase."""
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(parts), size, size))
    time = np.arange(frames)[:, None, None] / RATE
    wave = sum(a * np.sin(2 * np.pi * f * time + p) for (f, a), p in zip(parts, phase, strict=True))
    return np.repeat(np.rint(128 + wave)[..., None], 3, -1).astype(np.uint8)


def flicker(fake: Video, real: Video, mask: Video | None = None, chunk: int = 64, **params: float) -> float:
    metric = Flicker(rate=RATE, **params)
    for start in range(0, len(fake), chunk):
        part = slice(start, start + chunk)
        metric.update(fake[part], real[part], None if mask is None else mask[part])
    return metric.result()


def fft_flicker(clip: Video) -> float:
    """Root mean square of what a clip holds above 4 Hz, by the whole clip's FFT."""
    spectrum = np.abs(fft.rfft(clip[..., 0].astype(float), axis=0)) ** 2
    high = fft.rfftfreq(len(clip), 1 / RATE) > 4
    return float(np.sqrt(2 * spectrum[high].sum(0).mean()) / len(clip))


@pytest.mark.parametrize(
    "parts", [[(6, 10)], [(9, 5), (12, 8)], [(1, 30), (2, 20), (7, 6)], [(5, 12)]], ids=lambda p: str(len(p))
)
def test_flicker_against_the_fft(parts: list[tuple[float, float]]) -> None:
    fake = waves(*parts)
    found = flicker(fake, np.full_like(fake, 128))
    tolerance = 0.06 if parts == [(5, 12)] else 0.03  # the filter is not a wall: 97 % of 5 Hz passes
    assert found == pytest.approx(fft_flicker(fake), rel=tolerance)
    assert found == pytest.approx(np.sqrt(sum(a**2 / 2 for f, a in parts if f > 4)), rel=tolerance)


def test_slow_changes_are_no_flicker() -> None:
    fake = waves((1, 40), (2, 20))
    assert flicker(fake, np.full_like(fake, 128)) < 0.75  # 8-bit rounding alone is 0.25


def test_flicker_takes_the_noise_of_the_truth_off() -> None:
    real = noisy(np.full((120, 12, 12, 3), 128, np.uint8), 2)
    assert flicker(real, real) == 0
    assert flicker(noisy(real, 6, 1), real) > 2
    assert flicker(np.full_like(real, 128), real) < 0  # calmer than the camera


def test_flicker_looks_only_where_the_truth_stands_still() -> None:
    real = np.full((90, 12, 12, 3), 128, np.uint8)
    fake = real.copy()
    real[30:60, :, 6:] = 200  # the dancer passes
    fake[:, :, 6:] = waves((9, 40), frames=90)[:, :, 6:]
    assert flicker(fake, real) == pytest.approx(0, abs=1e-3)
    fake[:, :, :4] = waves((9, 10), frames=90)[:, :, :4]  # the box of 3x3 reaches over the fifth column
    mask = np.zeros(real.shape[:3], bool)
    mask[:, :, :4] = True
    assert flicker(fake, real, mask) == pytest.approx(10 / np.sqrt(2), rel=0.05)
    real[:, :, :] = np.linspace(60, 200, 90).astype(np.uint8)[:, None, None, None]
    assert np.isnan(flicker(fake, real))


def test_flicker_does_not_depend_on_the_chunks() -> None:
    fake = noisy(waves((7, 6), frames=100), 3)
    real = np.full_like(fake, 128)
    assert flicker(fake, real, chunk=1) == pytest.approx(flicker(fake, real, chunk=100), rel=1e-4)


def test_flicker_refuses_a_rate_that_cannot_show_it() -> None:
    with pytest.raises(UsageError, match="8 frames a second"):
        Flicker(rate=8.0)
    assert np.isnan(Flicker(rate=25.0).result())


# ---- freeze and drift --------------------------------------------------------------------------------------


def test_freeze_is_what_moves_after_the_start() -> None:
    clip = np.full((75, 16, 16, 3), 100, np.uint8)
    clip[:10] = noisy(clip[:10], 40)  # while a strategy with history settles
    assert freeze(clip) == 0
    clip[11::2, :8] += 6  # half of the picture alternates
    assert freeze(clip) == pytest.approx(3)
    mask = np.zeros(clip.shape[:3], bool)
    mask[:, :8] = True
    assert freeze(clip, mask) == pytest.approx(6)
    assert np.isnan(freeze(clip[:16]))
    assert freeze(clip[:17]) == pytest.approx(3)


def freeze(clip: Video, mask: Video | None = None) -> float:
    results = set()
    for chunk in (7, 75):
        metric = Freeze()
        for start in range(0, len(clip), chunk):
            part = slice(start, start + chunk)
            metric.update(clip[part], clip[part], None if mask is None else mask[part])
        results.add(metric.result())
    assert len(results) == 1 or all(np.isnan(list(results)))
    return results.pop()


def test_drift_is_the_distance_of_two_loops() -> None:
    first, _ = panned((2, 1), frames=6)
    assert drift(first, first) == 0
    assert drift(first + np.uint8(5), first) == pytest.approx(5)
    last, mask = first.copy(), np.zeros(first.shape[:3], bool)
    mask[2:4, 10:30, 10:30] = True
    last[:, 10:30, 10:30] += 4
    assert drift(last, first, mask) == pytest.approx(4)
    assert np.isnan(Drift().result())


def drift(last: Video, first: Video, mask: Video | None = None) -> float:
    metric = Drift()
    for part in (slice(0, 2), slice(2, None)):
        metric.update(last[part], first[part], None if mask is None else mask[part])
    return metric.result()


@pytest.mark.parametrize("metric", [Flicker(rate=RATE), Freeze(), Drift()], ids=lambda m: type(m).__name__)
def test_clip_metrics_refuse_what_does_not_fit(metric: Flicker | Freeze | Drift) -> None:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="mask"):
        metric.update(frames, frames, np.ones((2, 8, 9), bool))
    if not isinstance(metric, Freeze):
        with pytest.raises(UsageError, match="cannot be compared"):
            metric.update(frames, frames[:1], None)
