"""Means that look more closely at the person than at the background."""

from __future__ import annotations

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

Mask = Literal["none", "person"]
Background = Annotated[float, Field(ge=0.0, le=1.0)]


def weighted_mean(error: Tensor, mask: Tensor, *, where: Mask, background: float) -> Tensor:
    """The mean of an error map, weighted 1 on the person and `background` elsewhere.

    Weights are normalized for each sample, so that a small person counts as much as a large one, and a
    constant error gives the same number with and without a mask.

    Args:
        error: (B n, C, h, w), any resolution; n looks at each sample lie together.
        mask: (B, 1, H, W) in [0, 1], 1 = the person; averaged by area to (h, w).
        where: `none` for the plain mean, `person` for the weighted one.
        background: Weight outside of the mask. With 0, a sample without a person contributes 0.

    Returns:
        A scalar.
    """
    if where == "none":
        return error.mean()
    if error.shape[0] % mask.shape[0]:
        raise ValueError(f"{mask.shape[0]} masks do not fit {error.shape[0]} samples")
    if (looks := error.shape[0] // mask.shape[0]) > 1:
        mask = mask.repeat_interleave(looks, 0)
    small = F.adaptive_avg_pool2d(mask.to(error.dtype), (error.shape[-2], error.shape[-1]))
    weight = background + (1.0 - background) * small
    total = weight.sum((1, 2, 3)).clamp_min(1e-6) * error.shape[1]
    return ((error * weight).sum((1, 2, 3)) / total).mean()
