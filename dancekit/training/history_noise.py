"""History noise: what the generator is shown of its own past is blurred, shifted and made noisy in training.

In a transfer every frame is painted from the one before it, so that what is wrong with one is handed on to the next.
Noise on the condition is the remedy of autoregressive generators (Ho et al., "Cascaded Diffusion Models", JMLR 2022,
section 4, for cascades; GameNGen, Valevski et al. 2024, section 3.2.1, for frames of a game).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dancekit.config.schema import HistoryNoise

_STREAM = 0x5EED
"""Keeps these draws apart from those of clips and of dropout."""

_STRIDE = 0x9E3779B97F4A7C15
"""From one batch's seed to the next: odd, so that none meets another (Weyl's sequence)."""


class Disturbance:
    """Disturbs painted frames of one step, each by strengths of its own; the same step, the same draws.

    Args:
        settings: How strongly at most.
        seed: The recipe's.
        step: Number of the step.
        scale: Pixels of this step's frames per pixel of the recipe's window.
    """

    def __init__(self, settings: HistoryNoise, *, seed: int, step: int, scale: float = 1.0) -> None:
        self._settings, self._scale = settings, scale
        self._seed = ((seed * 1_000_003 + step) * 65_537 + _STREAM) % 2**64
        self._rng = torch.Generator().manual_seed(self._seed)

    def begin(self, clip: int) -> None:
        """Draw for the batch that begins with that clip of the step, whichever process it is in."""
        self._rng.manual_seed((self._seed + clip * _STRIDE) % 2**64)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to the same, with gradient; one draw of strengths for the batch."""
        chance, sigma, right, down, loud = torch.rand(5, generator=self._rng, dtype=torch.float64).tolist()
        settings = self._settings
        if chance >= settings.p:
            return images
        reach = settings.shift * self._scale
        images = shift(images, (2 * right - 1) * reach, (2 * down - 1) * reach)
        images = blur(images, sigma * settings.blur * self._scale)
        if settings.noise:
            grain = torch.randn(images.shape, generator=self._rng).to(images)
            images = images + loud * settings.noise * grain
        return images


def is_idle(settings: HistoryNoise) -> bool:
    """Whether nothing is ever disturbed."""
    return settings.p == 0 or not (settings.blur or settings.shift or settings.noise)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (B, C, H, W), standard deviation in pixels; edges are reflected."""
    if sigma < 0.05:
        return images
    radius = min(max(1, math.ceil(3 * sigma)), min(images.shape[-2:]) - 1)
    at = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(images)
    channels = images.shape[1]
    for shape, padding in (((1, 1, 1, -1), (radius, radius, 0, 0)), ((1, 1, -1, 1), (0, 0, radius, radius))):
        weight = kernel.view(shape).repeat(channels, 1, 1, 1)
        images = F.conv2d(F.pad(images, padding, "reflect"), weight, groups=channels)
    return images


def shift(images: Tensor, right: float, down: float) -> Tensor:
    """Move (B, C, H, W) by parts of pixels, bilinearly; what comes in at an edge is the edge again."""
    if not right and not down:
        return images
    height, width = images.shape[-2:]
    for axis, amount, length in ((3, right, width), (2, down, height)):
        source = torch.arange(length, device=images.device, dtype=torch.float32) - amount
        low = source.floor()
        share = (source - low).to(images.dtype)
        first, second = (each.clamp(0, length - 1).long() for each in (low, low + 1))
        share = share.view(-1, 1) if axis == 2 else share
        images = images.index_select(axis, first) * (1 - share) + images.index_select(axis, second) * share
    return images
