"""PSNR, SSIM and sharpness of single frames, everywhere or inside a mask.

Frames go through one at a time, so memory does not grow with the length of a clip.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UsageError

_PEAK = 255.0
_WINDOW, _SIGMA = 11, 1.5
_FLAT = 1e-9  # variance of the Laplacian that is rounding; one pixel off by one grey level gives more
_LUMA = np.array([0.299, 0.587, 0.114])  # BT.601, as grey is everywhere in image processing
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2

_Score = Callable[[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]], float]


class PSNR:
    """Peak signal-to-noise ratio in dB, from the mean squared error over the masked pixels and all channels.

    Infinite for equal frames; NaN where the mask is empty. `10 log10(255^2 / MSE)`.
    """

    version: int = 1
    higher_is_better: bool = True

    def __call__(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) dB.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        return _frame_by_frame(_psnr, fake, real, mask)


class SSIM:
    """Structural similarity: the mean of the SSIM map over the masked pixels and all channels.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", 2004: Gaussian window 11x11 of sigma 1.5, K1 = 0.01, K2 = 0.03, population variance, range
    255. Frames are continued by reflection under the window, as in torchmetrics, so that feet near the edge
    count (scikit-image leaves out the 5 outermost rows and columns). NaN where the mask is empty.
    """

    version: int = 1
    higher_is_better: bool = True

    def __call__(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8, at least 11x11 pixels.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) in [-1, 1], 1 for equal frames.

        Raises:
            UsageError: Shapes or dtypes do not agree, or the frames are smaller than the window.
        """
        if fake.ndim == 4 and min(fake.shape[1:3]) < _WINDOW:
            raise UsageError(
                f"frames of {fake.shape[2]}x{fake.shape[1]} are too small for SSIM",
                hint=f"at least {_WINDOW}x{_WINDOW} pixels",
            )
        return _frame_by_frame(_ssim, fake, real, mask)


class Sharpness:
    """How sharp the painted frame is against the true one: 1 is as sharp, less is blurred, more is noisy.

    The variance of the Laplacian (4 neighbours) of the luma over the masked pixels, painted over true; that
    as a measure of focus is Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. NaN
    where the mask is empty or the true frame is flat there. Noise scores above 1: what is wanted is near 1.
    """

    version: int = 1
    higher_is_better: bool = True

    def __call__(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) ratio, 1 for equal frames.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        return _frame_by_frame(_sharpness, fake, real, mask)


def _frame_by_frame(
    score: _Score, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Check what came in and score each frame that has a masked pixel."""
    if fake.shape != real.shape or fake.ndim != 4 or fake.shape[-1] != 3:
        raise UsageError(
            f"painted frames {fake.shape} and true frames {real.shape} cannot be compared",
            hint="both (T, H, W, 3), with the same numbers",
        )
    for name, frames in (("painted", fake), ("true", real)):
        if frames.dtype != np.uint8:
            raise UsageError(f"{name} frames are {frames.dtype}", hint="uint8 RGB, 0 to 255")
    if mask is not None and (mask.shape != fake.shape[:3] or mask.dtype != np.bool_):
        raise UsageError(f"mask is {mask.dtype} {mask.shape}", hint=f"bool {fake.shape[:3]}, or None")
    everywhere = np.ones(fake.shape[1:3], np.bool_)
    result = np.full(len(fake), np.nan)
    for frame in range(len(fake)):
        where = everywhere if mask is None else mask[frame]
        if where.any():
            part = _around(where)
            result[frame] = score(fake[frame][part], real[frame][part], where[part])
    return result


def _around(where: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the masked pixels and of all that a score looks at around them."""
    reach = _WINDOW // 2 + 1
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(where.any(axis))
        spans.append(slice(max(0, int(hit[0]) - reach), int(hit[-1]) + 1 + reach))
    return spans[0], spans[1]


def _psnr(fake: NDArray[np.uint8], real: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    difference = fake[where].astype(np.float64) - real[where]
    error = float(np.mean(difference**2))
    return float(10 * np.log10(_PEAK**2 / error)) if error > 0 else float("inf")


def _ssim(fake: NDArray[np.uint8], real: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    # float64: E[x^2] - E[x]^2 loses 4 digits on bright flat areas, and C2 is only 58
    x, y = fake.astype(np.float64), real.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    similarity /= (mean_x**2 + mean_y**2 + _C1) * (variances + _C2)
    return float(similarity[where].mean())


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101), np.float64
    )


def _sharpness(fake: NDArray[np.uint8], real: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    sharp, reference = (float(_laplacian(image)[where].var(dtype=np.float64)) for image in (fake, real))
    return sharp / reference if reference > _FLAT else float("nan")


def _laplacian(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    luma = image @ _LUMA  # in floats: an 8-bit luma would add its own rounding noise
    return np.asarray(cv2.Laplacian(luma, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REFLECT_101))
