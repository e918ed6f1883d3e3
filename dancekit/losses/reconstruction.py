"""Losses that compare the painted frame with the true one, pixel by pixel."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dancekit.contracts import LossView
from dancekit.losses.weighting import Background, Mask, weighted_mean


class L1:
    """Mean absolute difference of painted and true frames, images in [-1, 1].

    Args:
        mask: `none` weighs every pixel alike; `person` weighs pixels outside of the person's mask by
            `background`.
        background: That weight, 0 to 1.
        frames: `all` of a clip, or only the `last`, as Everybody Dance Now's `use_l1`.
    """

    version = 1

    def __init__(
        self,
        *,
        mask: Mask = "none",
        background: Background = 0.2,
        frames: Literal["all", "last"] = "all",
    ) -> None:
        self.mask: Mask = mask
        self.background = background
        self.frames: Literal["all", "last"] = frames

    def __call__(self, view: LossView) -> Tensor:
        """A scalar."""
        fake, real, mask = view.fake, view.real, view.mask
        if self.frames == "last":
            fake, real, mask = (each[view.frames - 1 :: view.frames] for each in (fake, real, mask))
        return weighted_mean((fake - real).abs(), mask, where=self.mask, background=self.background)
