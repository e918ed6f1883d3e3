"""L1, PSNR and sharpness of single frames, everywhere or inside masks. SSIM is in `structure.py`.

Frames go through one at a time, so memory does not grow with the length of a clip. All of this is OpenCV and
numpy on the CPU, whatever the device of the networks: a number does not depend on the machine, and one core
is fast enough (PyTorch's CPU convolutions take ten times as long as OpenCV for the same blur).
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.frames import EVERYWHERE, Frames, Map, Mask, mean, score_regions

_PEAK = 255.0
_SUM = np.ones((1, 3), np.float32)
_MEAN = _SUM / 3
# BT.601, as grey is everywhere in image processing. In thousandths: a Laplacian of such luma is a whole number
# below 2^24, so float32 holds it exactly, and an 8-bit luma's own rounding noise stays out.
_LUMA = np.array([[299, 587, 114]], np.float32)
_FLAT = 1e-3  # variance of that Laplacian which is rounding; one pixel off by one grey level gives more


class L1:
    """Mean absolute difference over the masked pixels and all channels, of images in [0, 1].

    The range is that of the motion transfer papers' tables (Siarohin et al., "First order motion model", 2019,
    and who compares with it); times 255 it is grey levels. NaN where the mask is empty.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = ""
    context: int = 0

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) in [0, 1], 0 for equal frames.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        return score_regions(_absolute_error, mean, fake, real, masks, reach=0)


class PSNR:
    """Peak signal-to-noise ratio in dB, from the mean squared error over the masked pixels and all channels.

    Infinite for equal frames; NaN where the mask is empty. `10 log10(255^2 / MSE)`.
    """

    version: int = 1
    higher_is_better: bool = True
    unit: str = "dB"
    context: int = 0

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
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
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        return score_regions(_squared_error, _decibels, fake, real, masks, reach=0)


class Sharpness:
    """How sharp the painted frame is against the true one: 1 is as sharp, less is blurred, more is noisy.

    The variance of the Laplacian (4 neighbours) of the luma over the masked pixels, painted over true; that
    as a measure of focus is Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. NaN
    where the mask is empty or the true frame is flat there. Noise scores above 1: what is wanted is near 1.

    Attributes:
        gate: Within it a painted person counts as sharp. A truth blurred by 2 pixels is far below.
    """

    version: int = 1
    higher_is_better: bool = True
    gate: tuple[float, float] = (0.7, 1.2)
    unit: str = ""
    context: int = 0

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
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
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        return score_regions(_laplacians, _ratio_of_variances, fake, real, masks, reach=1)


def _absolute_error(fake: Frames, real: Frames) -> Map:
    return np.asarray(cv2.transform(cv2.absdiff(fake, real).astype(np.float32), _MEAN / _PEAK))


def _squared_error(fake: Frames, real: Frames) -> Map:
    """(H, W) summed over channels: whole numbers, exact in float32."""
    error = cv2.absdiff(fake, real).astype(np.float32)
    return np.asarray(cv2.transform(error * error, _SUM))


def _decibels(errors: Map, where: NDArray[np.uint8] | None) -> float:
    error = mean(errors, where) / 3
    return float(10 * np.log10(_PEAK**2 / error)) if error > 0 else float("inf")


def _laplacians(fake: Frames, real: Frames) -> Map:
    """(H, W, 2): of the painted luma and of the true one."""
    return np.asarray(cv2.merge([_laplacian(fake), _laplacian(real)]), np.float32)


def _laplacian(image: Frames) -> Map:
    luma = cv2.transform(image.astype(np.float32), _LUMA)
    return np.asarray(cv2.Laplacian(luma, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REFLECT_101))


def _ratio_of_variances(laplacians: Map, where: NDArray[np.uint8] | None) -> float:
    sharp, reference = (
        float(deviation) ** 2 for deviation in cv2.meanStdDev(laplacians, mask=where)[1][:, 0]
    )
    return sharp / reference if reference > _FLAT else float("nan")
