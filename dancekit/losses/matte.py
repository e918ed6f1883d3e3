"""The matte that the generator predicts is taught where the person is."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dancekit.contracts import LossView

DIFFERENT = 0.06
"""Of the values' range of 2 in [-1, 1], mean over the colours: a true pixel that differs so much from the clean plate
is something that the plate does not hold, a shadow say, and may be painted."""


class Matte:
    """Cross-entropy of the predicted matte against the person's mask, where the mask can be trusted.

    Through the image alone a matte learns little where the person looks like what is behind them: there it comes
    out half transparent, and specks of it stay in the background, which is seen before another background. Inside
    the mask the matte should be 1. Outside it should be 0, but only where the true frame shows the clean plate: what
    differs from it (shadows, what a mask has missed) is free. Masks are unsure at their edges, so a band there is
    free, and half-transparent pixels of a soft mask count by how sure they are.

    Args:
        band: Half the width of the free band along the mask's edge, as a fraction of the picture's shorter side.
        outside: Weight of the background against that of the person; both are means over their own pixels.
    """

    version = 1

    def __init__(
        self,
        *,
        band: Annotated[float, Field(ge=0, le=0.2)] = 0.012,
        outside: Annotated[float, Field(ge=0, le=10)] = 1.0,
    ) -> None:
        self.band, self.outside = band, outside

    def __call__(self, view: LossView) -> Tensor:
        """A scalar; 0 where the generator predicts no matte."""
        if view.matte is None or view.plate is None:
            return view.fake.new_zeros(())
        person, background = trusted(view.mask, view.real, view.plate, band=self.band)
        matte = view.matte.float().clamp(1e-4, 1 - 1e-4)
        total = _mean(-matte.log(), person)
        return total + self.outside * _mean(-(1 - matte).log(), background)


def trusted(mask: Tensor, real: Tensor, plate: Tensor, *, band: float) -> tuple[Tensor, Tensor]:
    """How surely each pixel is the person, and how surely it is the clean plate.

    Args:
        mask: (N, 1, H, W) in [0, 1].
        real: (N, 3, H, W) in [-1, 1].
        plate: (N, 3, H, W) in [-1, 1].
        band: As for `Matte`.

    Returns:
        Two (N, 1, H, W) in [0, 1]; both are 0 in the band along the mask's edge.
    """
    reach = round(band * min(mask.shape[-2:]))
    inner, outer = -_grown(-mask, reach), _grown(mask, reach)
    sure = (2 * inner - 1).clamp_min(0), (1 - 2 * outer).clamp_min(0)
    differs = (real - plate).abs().mean(1, keepdim=True)
    return sure[0], sure[1] * (1 - differs / DIFFERENT).clamp_min(0)


def _grown(mask: Tensor, reach: int) -> Tensor:
    """The largest value within a square."""
    return F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach) if reach else mask


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean of each sample, and their mean; a sample without weight counts 0."""
    total = weight.sum((1, 2, 3))
    return torch.where(total > 0, (error * weight).sum((1, 2, 3)) / total.clamp_min(1e-6), 0.0).mean()
