"""L1 and MS-SSIM, strips and regions of the image metrics; what all of them do under noise and blur."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dancekit.contracts import Metric
from dancekit.errors import UsageError
from dancekit.metrics.image import L1, PSNR, Sharpness
from dancekit.metrics.structure import MSSSIM, SSIM

Video = np.ndarray
METRICS: list[Metric] = [L1(), PSNR(), SSIM(), MSSSIM(), Sharpness()]
named = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)


def texture(seed: int, size: tuple[int, int] = (181, 190), frames: int = 1) -> Video:
    """Frames with detail at many scales, as pictures have."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(frames, *size, 3))
    layers = [ndimage.gaussian_filter(noise, (0, s, s, 0)) * s for s in (0.7, 2, 6, 18)]
    real = sum(layers)
    return (40 + 175 * (real - real.min()) / np.ptp(real)).astype(np.uint8)


def spoil(real: Video, *, noise: float = 0.0, blur: float = 0.0, seed: int = 0) -> Video:
    moved = ndimage.gaussian_filter(real.astype(np.float64), (0, blur, blur, 0)) if blur else real
    return (
        np.rint(moved + np.random.default_rng(seed).normal(0, noise, real.shape))
        .clip(0, 255)
        .astype(np.uint8)
    )


@pytest.fixture(scope="module")
def pair() -> tuple[Video, Video, Video]:
    real = texture(0, frames=2)
    mask = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=real.shape[:3]), (0, 9, 9)) > 0.004
    return spoil(real, noise=8, blur=1), real, mask


def test_l1_against_its_formula(pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    apart = np.abs(fake.astype(int) - real)
    np.testing.assert_allclose(L1()(fake, real, None), apart.mean((1, 2, 3)) / 255, rtol=1e-6)
    inside = [apart[t][mask[t]].mean() / 255 for t in range(2)]
    np.testing.assert_allclose(L1()(fake, real, mask), inside, rtol=1e-6)


def plain_ms_ssim(x: Video, y: Video, weight: Video) -> float:
    """MS-SSIM in double precision, with SciPy; `weight` (H, W)."""
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def blur(image: Video) -> Video:
        for axis in (0, 1):
            image = ndimage.correlate1d(image, kernel, axis, mode="mirror")
        return image

    def halve(image: Video) -> Video:
        even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4

    product, c1, c2 = 1.0, (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        similarity = (2 * cov + c2) / (vx + vy + c2)
        if scale == 4:
            similarity = similarity * (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        product *= np.average(similarity.mean(-1), weights=weight) ** exponent
        x, y, weight = halve(x), halve(y), halve(weight)
    return product


@pytest.mark.parametrize("masked", [False, True])
def test_ms_ssim_against_double_precision(pair: tuple[Video, Video, Video], masked: bool) -> None:
    fake, real, mask = pair
    weights = mask.astype(float) if masked else np.ones(mask.shape)
    expected = [plain_ms_ssim(fake[t].astype(float), real[t].astype(float), weights[t]) for t in range(2)]
    np.testing.assert_allclose(MSSSIM()(fake, real, mask if masked else None), expected, atol=2e-6)


@pytest.mark.filterwarnings("ignore")  # what torchmetrics warns of while it is imported is its own affair
def test_ms_ssim_is_near_torchmetrics_which_leaves_out_the_border() -> None:
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    real = texture(3, (256, 256))
    fake = spoil(real, noise=10, blur=1)
    x, y = (torch.from_numpy(frames).permute(0, 3, 1, 2).float() for frames in (fake, real))
    expected = multiscale_structural_similarity_index_measure(
        x, y, data_range=255.0, kernel_size=11, sigma=1.5
    )
    np.testing.assert_allclose(MSSSIM()(fake, real, None), float(expected), atol=2e-3)


def test_ssim_against_scikit_image(pair: tuple[Video, Video, Video]) -> None:
    from skimage.metrics import structural_similarity

    fake, real, mask = pair
    inner = mask.copy()
    inner[:, :5], inner[:, -5:], inner[:, :, :5], inner[:, :, -5:] = (False,) * 4
    for t in range(2):
        _, similarity = structural_similarity(
            fake[t].astype(float), real[t].astype(float), full=True, channel_axis=-1, data_range=255.0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )  # fmt: skip
        found = SSIM()(fake[t : t + 1], real[t : t + 1], inner[t : t + 1])[0]
        assert found == pytest.approx(similarity[inner[t]].mean(), abs=1e-6)


def test_ssim_of_one_bright_flat_pixel_keeps_four_digits() -> None:
    """The worst case for single precision: variances that are small beside the squares they come from."""
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    real = rng.integers(250, 256, (1, 80, 80, 3)).astype(np.uint8)
    fake = rng.integers(250, 256, (1, 80, 80, 3)).astype(np.uint8)
    mask = np.zeros((1, 80, 80), bool)
    mask[0, 40, 40] = True
    _, similarity = structural_similarity(
        fake[0].astype(float), real[0].astype(float), full=True, channel_axis=-1, data_range=255.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert SSIM()(fake, real, mask)[0] == pytest.approx(similarity[40, 40].mean(), abs=1e-4)


@named
def test_regions_are_the_same_numbers(metric: Metric, pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    small = np.zeros_like(mask)
    small[0, 60:90, 100:120] = True  # nothing in the second frame
    masks = {"frame": None, "mask": mask, "small": small, "none": np.zeros_like(mask)}
    found = metric.regions(fake, real, masks)  # type: ignore[attr-defined]
    assert list(found) == list(masks)
    for region, each in masks.items():
        np.testing.assert_allclose(found[region], metric(fake, real, each), rtol=1e-5)
    assert np.isnan(found["none"]).all() and np.isnan(found["small"][1]) and np.isfinite(found["small"][0])
    only = metric.regions(fake, real, {"mask": mask, "small": small})  # type: ignore[attr-defined]
    np.testing.assert_allclose(only["small"], found["small"], rtol=1e-5)


@named
def test_a_mask_of_everything_is_everywhere(metric: Metric, pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    np.testing.assert_allclose(metric(fake, real, np.ones_like(mask)), metric(fake, real, None), rtol=1e-5)


def test_ms_ssim_refuses_frames_smaller_than_its_coarsest_window() -> None:
    with pytest.raises(UsageError, match="176x176"):
        MSSSIM()(np.zeros((1, 175, 300, 3), np.uint8), np.zeros((1, 175, 300, 3), np.uint8), None)
    small = texture(0, (176, 176))
    assert MSSSIM()(small, small, None)[0] == pytest.approx(1, abs=1e-6)


def test_metrics_say_what_they_are() -> None:
    assert [metric.unit for metric in METRICS] == ["", "dB", "", "", ""]
    assert {metric.context for metric in METRICS} == {0}


def badness(metric: Metric, value: float) -> float:
    if isinstance(metric, Sharpness):
        return abs(np.log(value))
    return -value if metric.higher_is_better else value


@named
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_identity_is_perfect_and_noise_and_blur_make_worse(metric: Metric, seed: int) -> None:
    real = texture(seed)
    noisy = [spoil(real, noise=sigma, seed=seed) for sigma in (3, 9, 27)]
    blurred = [spoil(real, blur=sigma) for sigma in (0.6, 1.5, 4)]
    for row in (noisy, blurred):
        found = [badness(metric, float(metric(fake, real, None)[0])) for fake in (real, *row)]
        assert found == sorted(found) and len(set(found)) == 4
    best = {L1: 0.0, PSNR: np.inf}.get(type(metric), 1.0)  # type: ignore[call-overload]
    assert metric(real, real, None)[0] == pytest.approx(best, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), shift=st.integers(-1, 1))
def test_a_truth_blurred_by_two_pixels_fails_the_sharpness_gate(seed: int, shift: int) -> None:
    wide = texture(seed, (96, 102))
    real, moved = wide[:, :, 3:99], wide[:, :, 3 + shift : 99 + shift]
    low, high = Sharpness.gate
    assert (low, high) == (0.7, 1.2)
    assert Sharpness()(spoil(real, blur=2), real, None)[0] < low
    assert low <= Sharpness()(moved, real, None)[0] <= high  # in another place, but as sharp
