"""L1, PSNR and sharpness of single frames, everywhere or inside masks. SSIM is in `structure.py`.

Frames go through one at a time, so memory does not grow with the length of a clip. All of this is OpenCV and
numpy on the CPU: it is faster there than the frames can be read (PyTorch's CPU convolutions take ten times as
long for the same blur), and a number does not depend on the device.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.frames import EVERYWHERE, Frames, Map, Mask, score_regions

_PEAK = 255.0
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
        return score_regions(cv2.absdiff, _mean_of_range, fake, real, masks, reach=0)


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
        return score_regions(cv2.absdiff, _decibels, fake, real, masks, reach=0)


class Sharpness:
    """How sharp the painted frame is against the true one: 1 is as sharp, less is blurred, more is noisy.

    The variance of the Laplacian (4 neighbours) of the luma over the masked pixels, painted over true; that
    as a measure of focus is Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. NaN
    where the mask is empty or the true frame is flat there. Noise scores above 1: what is wanted is near 1.
    """

    version: int = 1
    higher_is_better: bool = True
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


def _mean_of_range(differences: Map) -> float:
    return float(differences.mean()) / _PEAK


def _decibels(differences: Map) -> float:
    error = float(np.square(differences, dtype=np.uint16).mean())
    return float(10 * np.log10(_PEAK**2 / error)) if error > 0 else float("inf")


def _laplacians(fake: Frames, real: Frames) -> Map:
    """(H, W, 2): of the painted luma and of the true one."""
    return np.stack([_laplacian(fake), _laplacian(real)], -1)


def _laplacian(image: Frames) -> NDArray[np.float32]:
    luma = cv2.transform(np.float32(image), _LUMA)
    return np.asarray(cv2.Laplacian(luma, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REFLECT_101))


def _ratio_of_variances(laplacians: Map) -> float:
    sharp, reference = laplacians.var(0, dtype=np.float64)
    return float(sharp / reference) if reference > _FLAT else float("nan")
