"""Distillation: a small generator learns from what a big, trained one paints at the same poses."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.weighting import Background, Mask, weighted_mean


class Distillation:
    """L1 to the teacher's picture, and the distance of the attention of both inside.

    A picture that a network painted is easier to learn than a filmed one: it has no grain, and nothing that the pose
    does not tell (GAN Compression, Li et al., CVPR 2020, section 3.1). Attention is what a layer's features amount to
    over all channels, so layers of any width can be compared, without weights of their own (Zagoruyko and Komodakis,
    "Paying more attention to attention", ICLR 2017, section 3.1): the mean of the squares, of length 1 a frame.

    Args:
        teacher: The dancer file of the teacher, or its id in the zoo; of the same window, renderer and background.
        attention: Weight of the attention beside the picture; 0 for none.
        mask: `none` weighs every pixel alike; `person` weighs pixels outside of the person's mask by `background`.
        background: That weight, 0 to 1.
    """

    version = 1

    def __init__(
        self,
        *,
        teacher: str = "",
        attention: Annotated[float, Field(ge=0)] = 1.0,
        mask: Mask = "none",
        background: Background = 0.2,
    ) -> None:
        self.teacher = teacher
        self.attention = attention
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """A scalar.

        Raises:
            IncompatibleParts: There is no teacher.
        """
        if view.taught is None:
            raise IncompatibleParts(
                "the loss distillation has no teacher", hint="losses.distillation.teacher=DANCER.safetensors"
            )
        error = (view.fake - view.taught).abs()
        total = weighted_mean(error, view.mask, where=self.mask, background=self.background)
        if self.attention and view.attention is not None and view.taught_attention is not None:
            total = total + self.attention * attention_distance(view.attention, view.taught_attention)
        return total


def attention_of(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B, 1, H, W), not normalized."""
    return features.float().square().mean(1, keepdim=True)


def attention_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean distance of two batches of attention maps (B, 1, h, w), each made one of length 1; the finer is shrunk."""
    size = (min(one.shape[-2], other.shape[-2]), min(one.shape[-1], other.shape[-1]))
    maps = [F.normalize(F.adaptive_avg_pool2d(each, size).flatten(1), dim=1) for each in (one, other)]
    apart: Tensor = torch.linalg.vector_norm(maps[0] - maps[1], dim=1)
    return apart.mean()
