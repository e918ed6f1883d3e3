"""Metrics against torchmetrics, SciPy and formulas; baselines against planted answers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import ndimage

from dancekit.contracts import Metric
from dancekit.errors import IncompatibleParts, PoseError, UsageError
from dancekit.metrics import baselines
from dancekit.metrics.baselines import nearest_neighbour, pose_distances, temporal_median
from dancekit.metrics.image import PSNR, Sharpness
from dancekit.metrics.structure import SSIM
from dancekit.types import PoseSequence, get_skeleton

Video = np.ndarray
COCO = get_skeleton("coco_17")


@pytest.fixture(scope="module")
def pair() -> tuple[Video, Video, Video]:
    """Smooth true frames, noisy blurred copies of them, and an irregular mask."""
    rng = np.random.default_rng(0)
    real = ndimage.gaussian_filter(rng.uniform(0, 255, (4, 41, 53, 3)), (0, 2, 2, 0))
    real = (real - real.min()) / np.ptp(real) * 255
    fake = ndimage.gaussian_filter(real, (0, 1, 1, 0)) + rng.normal(0, 6, real.shape)
    mask = ndimage.gaussian_filter(rng.normal(size=real.shape[:3]), (0, 4, 4)) > 0
    return fake.clip(0, 255).astype(np.uint8), real.astype(np.uint8), mask


@pytest.mark.filterwarnings("ignore")  # what torchmetrics warns of while it is imported is its own affair
def test_psnr_and_ssim_agree_with_torchmetrics(pair: tuple[Video, Video, Video]) -> None:
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    fake, real, mask = pair
    x, y = (torch.from_numpy(frames).permute(0, 3, 1, 2).double() for frames in (fake, real))
    psnr = peak_signal_noise_ratio(x, y, data_range=255.0, reduction="none", dim=(1, 2, 3))
    np.testing.assert_allclose(PSNR()(fake, real, None), psnr.numpy(), rtol=1e-6)
    # the map itself: releases of torchmetrics differ in whether its outermost pixels count in their mean
    _, similarity = structural_similarity_index_measure(
        x, y, gaussian_kernel=True, sigma=1.5, data_range=255.0, reduction="none", return_full_image=True
    )
    similarity = similarity.numpy()
    np.testing.assert_allclose(SSIM()(fake, real, None), similarity.mean((1, 2, 3)), atol=1e-6)
    masked = [image[:, where].mean() for image, where in zip(similarity, mask, strict=True)]
    np.testing.assert_allclose(SSIM()(fake, real, mask), masked, atol=1e-6)


def test_masked_psnr_against_its_formula(pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    for frame, value in enumerate(PSNR()(fake, real, mask)):
        error = np.mean(
            [
                (float(a) - float(b)) ** 2
                for a, b in zip(
                    fake[frame][mask[frame]].ravel(), real[frame][mask[frame]].ravel(), strict=True
                )
            ]
        )
        assert value == pytest.approx(10 * np.log10(255**2 / error), rel=1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_sharpness_agrees_with_scipy(pair: tuple[Video, Video, Video], masked: bool) -> None:
    fake, real, mask = pair
    where = mask if masked else np.ones_like(mask)
    expected = []
    for frame in range(len(fake)):
        variances = [
            ndimage.laplace(image.astype(np.float64) @ [0.299, 0.587, 0.114], mode="mirror")[
                where[frame]
            ].var()
            for image in (fake[frame], real[frame])
        ]
        expected.append(variances[0] / variances[1])
    np.testing.assert_allclose(Sharpness()(fake, real, mask if masked else None), expected, rtol=1e-4)


def test_sharpness_tells_blur_from_noise(pair: tuple[Video, Video, Video]) -> None:
    _, real, _ = pair
    blurred = ndimage.gaussian_filter(real, (0, 2, 2, 0))
    noisy = (real + np.random.default_rng(0).normal(0, 20, real.shape)).clip(0, 255).astype(np.uint8)
    assert (Sharpness()(blurred, real, None) < 0.5).all()
    assert (Sharpness()(noisy, real, None) > 1.5).all()


@pytest.mark.parametrize(("metric", "best"), [(PSNR(), np.inf), (SSIM(), 1.0), (Sharpness(), 1.0)])
def test_equal_frames(metric: Metric, best: float, pair: tuple[Video, Video, Video]) -> None:
    _, real, mask = pair
    for where in (None, mask):
        np.testing.assert_allclose(metric(real, real, where), np.full(4, best), rtol=1e-12)


@pytest.mark.parametrize("metric", [PSNR(), SSIM(), Sharpness()])
def test_nothing_to_measure_is_nan_and_only_there(metric: Metric, pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    holes = mask.copy()
    holes[[0, 2]] = False
    value = metric(fake, real, holes)
    assert value.dtype == np.float64
    assert np.isnan(value[[0, 2]]).all()
    np.testing.assert_array_equal(value[[1, 3]], metric(fake, real, mask)[[1, 3]])


@pytest.mark.parametrize("metric", [PSNR(), SSIM(), Sharpness()])
def test_pixels_outside_the_mask_do_not_count(metric: Metric, pair: tuple[Video, Video, Video]) -> None:
    fake, real, _ = pair
    mask = np.zeros(fake.shape[:3], bool)
    mask[:, 15:30, 15:30] = True
    # what the windows of SSIM (5 pixels) and of the Laplacian (1 pixel) reach is left alone
    spoilt = np.where(ndimage.binary_dilation(mask, np.ones((1, 11, 11)))[..., None], fake, 255 - fake)
    assert (spoilt != fake).any()
    np.testing.assert_allclose(metric(spoilt, real, mask), metric(fake, real, mask), rtol=1e-9)


def test_sharpness_of_a_flat_truth_is_nan(pair: tuple[Video, Video, Video]) -> None:
    fake, _, _ = pair
    assert np.isnan(Sharpness()(fake, np.full_like(fake, 90), None)).all()


@pytest.mark.parametrize("metric", [PSNR(), SSIM(), Sharpness()])
def test_what_does_not_fit_is_refused(metric: Metric, pair: tuple[Video, Video, Video]) -> None:
    fake, real, mask = pair
    with pytest.raises(UsageError, match="cannot be compared"):
        metric(fake[:2], real, None)
    with pytest.raises(UsageError, match="true frames are float"):
        metric(fake, real / 255.0, None)
    with pytest.raises(UsageError, match="mask is uint8"):
        metric(fake, real, mask.astype(np.uint8))
    with pytest.raises(UsageError, match="mask is bool"):
        metric(fake, real, mask[:, :-1])


def test_ssim_refuses_frames_smaller_than_its_window() -> None:
    with pytest.raises(UsageError, match="20x10"):
        SSIM()(np.zeros((1, 10, 20, 3), np.uint8), np.zeros((1, 10, 20, 3), np.uint8), None)


def test_no_frames_give_no_numbers() -> None:
    none = np.zeros((0, 16, 16, 3), np.uint8)
    assert SSIM()(none, none, None).shape == (0,)


# ---- baselines ---------------------------------------------------------------------------------------------


def test_temporal_median_finds_the_room_behind_a_passing_dancer(monkeypatch: pytest.MonkeyPatch) -> None:
    room = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    frames = np.repeat(room[None], 9, 0)
    for frame in range(9):
        frames[frame, :, 2 * frame : 2 * frame + 3] = 255
    np.testing.assert_array_equal(temporal_median(frames), room)
    monkeypatch.setattr(baselines, "_CHUNK", 1)  # one row at a time
    np.testing.assert_array_equal(temporal_median(frames), room)


def test_temporal_median_of_an_even_number_is_the_rounded_middle() -> None:
    frames = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (0, 10, 13, 255)])
    assert (temporal_median(frames) == 12).all()  # 11.5, half to even
    with pytest.raises(UsageError, match="median"):
        temporal_median(frames[:0])


def poses(xy: np.ndarray, score: np.ndarray | None = None, skeleton: str = "coco_17") -> PoseSequence:
    score = np.ones(xy.shape[:2], np.float32) if score is None else score
    return PoseSequence(
        xy=xy,
        score=score,
        pts=np.arange(len(xy)),
        time_base=Fraction(1, 25),
        size=(256, 256),
        skeleton=get_skeleton(skeleton),
    )


@pytest.fixture(scope="module")
def clips() -> tuple[PoseSequence, PoseSequence]:
    rng = np.random.default_rng(1)
    train, query = rng.uniform(0, 256, (50, 17, 2)), rng.uniform(0, 256, (30, 17, 2))
    seen = [(rng.random((len(clip), 17)) > 0.3).astype(np.float32) for clip in (train, query)]
    return poses(train, seen[0]), poses(query, seen[1])


def test_pose_distances_against_plain_loops(
    clips: tuple[PoseSequence, PoseSequence], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, query = clips
    expected = np.full((len(query), len(train)), np.inf)
    for t in range(len(query)):
        for n in range(len(train)):
            common = [k for k in range(17) if query.valid[t, k] and train.valid[n, k]]
            if common and 2 * len(common) >= query.valid[t].sum():
                apart = [np.hypot(*(query.xy[t, k] - train.xy[n, k])) for k in common]
                expected[t, n] = np.mean(apart)
    assert np.isinf(expected).any() and np.isfinite(expected).any()
    np.testing.assert_allclose(pose_distances(train, query), expected, rtol=1e-5)
    monkeypatch.setattr(baselines, "_CHUNK", 1)  # one query at a time
    np.testing.assert_allclose(pose_distances(train, query), expected, rtol=1e-5)


def test_nearest_neighbour_finds_planted_frames(clips: tuple[PoseSequence, PoseSequence]) -> None:
    train, _ = clips
    order = np.random.default_rng(2).permutation(len(train))
    moved = train.replace(xy=train.xy[order] + np.float32(0.5), score=train.score[order])
    np.testing.assert_array_equal(nearest_neighbour(train, moved), order)


def test_a_frame_without_a_pose_takes_the_answer_of_the_nearest_in_time() -> None:
    xy = np.random.default_rng(3).uniform(0, 256, (6, 17, 2))
    score = np.ones((6, 17), np.float32)
    score[[0, 3, 5]] = 0
    found = nearest_neighbour(poses(xy), poses(xy, score))
    np.testing.assert_array_equal(found, [1, 1, 2, 2, 4, 4])


def test_baselines_refuse_what_cannot_be_compared(clips: tuple[PoseSequence, PoseSequence]) -> None:
    train, query = clips
    with pytest.raises(IncompatibleParts, match="body_25"):
        nearest_neighbour(train, query.to("body_25"))
    with pytest.raises(PoseError, match="none of 30 poses"):
        nearest_neighbour(train, query.replace(score=np.zeros_like(query.score)))
    with pytest.raises(PoseError, match="any of 0 training"):
        nearest_neighbour(train[:0], query)
