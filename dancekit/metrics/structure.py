"""SSIM and MS-SSIM of single frames, everywhere or inside masks."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.metrics.frames import (
    EVERYWHERE,
    Frames,
    Map,
    Mask,
    check_frames,
    check_size,
    mean,
    score_regions,
)

_PEAK = 255.0
_WINDOW, _SIGMA = 11, 1.5
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_STRIP = 64
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
        return score_regions(_ssim_map, mean, fake, real, masks, reach=_WINDOW // 2)


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
                region: None if mask is None else mask[frame].astype(np.float32)
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
    x, y = _centred(fake), _centred(real)
    value = dict.fromkeys(weights, 1.0)
    for scale, exponent in enumerate(_EXPONENTS):
        last = scale == len(_EXPONENTS) - 1
        values = _similarity(x, y, luminance=last)
        for region, weight in weights.items():
            value[region] *= max(_weighted_mean(values, weight), 0.0) ** exponent
        if not last:
            x, y = _halve(x), _halve(y)
            weights = {region: None if w is None else _halve(w) for region, w in weights.items()}
    return value


def _weighted_mean(values: Map, weight: Map | None) -> float:
    if weight is None:
        return mean(values, None)
    total = mean(weight, None)
    # of a mask in a dropped odd row or column alone, nothing is left at a coarse scale
    return mean(values * weight, None) / total if total > 0 else float("nan")


def _halve(image: Map) -> Map:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    even = np.ascontiguousarray(image[: 2 * height, : 2 * width])
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _ssim_map(fake: Frames, real: Frames) -> Map:
    return _similarity(_centred(fake), _centred(real), luminance=True)


def _centred(image: Frames) -> Map:
    """Minus 127.5: variances do not feel it, and in `E[x^2] - E[x]^2` smaller squares lose less.

    Single precision then errs by some 1e-3 in the variance of the brightest flat area, against C2 = 58.
    """
    return np.asarray(image.astype(np.float32) - np.float32(_PEAK / 2))


def _similarity(x: Map, y: Map, *, luminance: bool) -> Map:
    """(H, W) mean over channels of the contrast-structure term, times the luminance term if asked for.

    In strips of rows, so that what is computed on the way stays in the processor's cache: three times as fast.
    """
    result = np.empty(x.shape[:2], np.float32)
    for top in range(0, len(x), _STRIP):
        above, below = min(top, _WINDOW // 2), min(len(x) - top, _STRIP + _WINDOW // 2)
        part = slice(top - above, top + below)
        strip = cv2.transform(_strip_similarity(x[part], y[part], luminance), _MEAN)
        result[top : top + _STRIP] = strip[above : above + _STRIP]
    return result


def _strip_similarity(x: Map, y: Map, luminance: bool) -> Map:
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x + y * y) - (mean_x * mean_x + mean_y * mean_y)
    covariance = _blur(x * y) - mean_x * mean_y
    similarity = (2 * covariance + _C2) / (variances + _C2)
    if luminance:
        mean_x += _PEAK / 2
        mean_y += _PEAK / 2
        similarity *= 2 * mean_x * mean_y + _C1
        similarity /= mean_x * mean_x + mean_y * mean_y + _C1
    return similarity


def _blur(image: Map) -> Map:
    return np.asarray(
        cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
