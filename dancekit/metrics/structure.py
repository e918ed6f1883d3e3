"""SSIM and MS-SSIM of single frames, everywhere or inside masks."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.frames import EVERYWHERE, Frames, Map, Mask, check_frames, check_size, score_regions

_PEAK = 255.0
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
# Of the scales from fine to coarse: Wang, Simoncelli and Bovik 2003, section 3.2.
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SMALLEST = _WINDOW * 2 ** (len(_EXPONENTS) - 1)


class SSIM:
    """Structural similarity: the mean of the SSIM map over the masked pixels and all channels.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", 2004: Gaussian window 11x11 of sigma 1.5, K1 = 0.01, K2 = 0.03, population variance, range
    255. Frames are continued by reflection under the window, as in torchmetrics, so that feet near the edge
    count (scikit-image leaves out the 5 outermost rows and columns). NaN where the mask is empty.
    """

    version: int = 1
    higher_is_better: bool = True
    unit: str = ""
    context: int = 0

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
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
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        check_size(fake, _WINDOW, "SSIM")
        return score_regions(_similarity, _mean, fake, real, masks, reach=_WINDOW // 2)


class MSSSIM:
    """Multi-scale structural similarity: contrast and structure at five scales, luminance at the coarsest.

    Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", 2003; scales
    are halved by averaging 2x2 pixels (an odd row or column is dropped), a negative mean counts as 0: both as
    in torchmetrics, whose means leave out the 5 outermost pixels of every scale. Here frames are continued by
    reflection, as in SSIM: at the coarsest scale those 5 pixels are 80 of the frame's, with the feet in them.

    A mask is averaged down with the frame and weighs each scale's map, so a region's number looks at what is
    around it, up to 80 pixels further at the coarsest scale. NaN where the mask is empty.
    """

    version: int = 1
    higher_is_better: bool = True
    unit: str = ""
    context: int = 0

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8, at least 176x176 pixels: the window has to fit at the coarsest scale.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) in [0, 1], 1 for equal frames.

        Raises:
            UsageError: Shapes or dtypes do not agree, or the frames are too small.
        """
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        check_frames(fake, real, masks)
        check_size(fake, _SMALLEST, "MS-SSIM")
        result = {region: np.full(len(fake), np.nan) for region in masks}
        for frame in range(len(fake)):
            weights = {
                region: None if mask is None else np.float32(mask[frame])
                for region, mask in masks.items()
                if mask is None or mask[frame].any()
            }
            if weights:
                for region, value in _multi_scale(fake[frame], real[frame], weights).items():
                    result[region][frame] = value
        return result


def _multi_scale(
    fake: Frames, real: Frames, weights: dict[str, NDArray[np.float32] | None]
) -> dict[str, float]:
    """MS-SSIM of one frame, per region; weights are (H, W), not all zero."""
    x, y = np.float32(fake) - _PEAK / 2, np.float32(real) - _PEAK / 2
    value = dict.fromkeys(weights, 1.0)
    for scale, exponent in enumerate(_EXPONENTS):
        last = scale == len(_EXPONENTS) - 1
        luminance, contrast = _components(x, y)
        values = (luminance * contrast if last else contrast).mean(-1)
        for region, weight in weights.items():
            value[region] *= max(_weighted_mean(values, weight), 0.0) ** exponent
        if not last:
            x, y = _halve(x), _halve(y)
            weights = {region: None if w is None else _halve(w) for region, w in weights.items()}
    return value


def _weighted_mean(values: NDArray[np.float32], weight: NDArray[np.float32] | None) -> float:
    if weight is None:
        return float(values.mean(dtype=np.float64))
    total = float(weight.sum(dtype=np.float64))
    # a mask in the dropped odd row or column alone has no weight left at a coarse scale
    return float((values * weight).sum(dtype=np.float64)) / total if total > 0 else float("nan")


def _halve(image: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    even = np.ascontiguousarray(image[: 2 * height, : 2 * width])
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _similarity(fake: Frames, real: Frames) -> Map:
    """(H, W, 3) SSIM map."""
    luminance, contrast = _components(np.float32(fake) - _PEAK / 2, np.float32(real) - _PEAK / 2)
    return luminance * contrast


def _components(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[Map, Map]:
    """Luminance term and contrast-structure term of SSIM, (H, W, 3) float32 each.

    `x` and `y` are images minus 127.5: variances do not feel it, and `E[x^2] - E[x]^2` of values four times
    as small in the square keeps single precision good for 1e-4 grey levels squared times 10, C2 being 58.
    """
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x + y * y) - (mean_x * mean_x + mean_y * mean_y)
    covariance = _blur(x * y) - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variances + _C2)
    mean_x += _PEAK / 2
    mean_y += _PEAK / 2
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    return luminance, contrast


def _blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(
        cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def _mean(values: Map) -> float:
    return float(values.mean(dtype=np.float64))
