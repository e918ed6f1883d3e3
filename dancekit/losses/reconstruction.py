"""Losses that compare the painted frame with the true one, pixel by pixel."""

from __future__ import annotations

from torch import Tensor

from dancekit.contracts import LossView
from dancekit.losses.weighting import Background, Mask, weighted_mean


class L1:
    """Mean absolute difference of painted and true frames, images in [-1, 1].

    Args:
        mask: `none` weighs every pixel alike; `person` weighs pixels outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
    """

    version = 1

    def __init__(self, *, mask: Mask = "none", background: Background = 0.2) -> None:
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """A scalar."""
        error = (view.fake - view.real).abs()
        return weighted_mean(error, view.mask, where=self.mask, background=self.background)
