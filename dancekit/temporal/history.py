"""What temporal strategies share: a view of consecutive frames, and how long a clip is."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_view(conditions: Tensor, images: Tensor, frames: int) -> Tensor:
    """All conditions, then all images: (B, T, C, H, W) and (B, T, 3, H, W) to (B, T (C + 3), H, W).

    Raises:
        ValueError: T is not `frames`.
    """
    if conditions.shape[1] != frames or images.shape[1] != frames:
        raise ValueError(
            f"a view has {frames} frame{'s' * (frames > 1)}, got {conditions.shape[1]} conditions "
            f"and {images.shape[1]} images"
        )
    return torch.cat([conditions.flatten(1, 2), images.flatten(1, 2)], 1)


def no_image(condition: Tensor) -> Tensor:
    """The image before the first one: (B, 3, H, W) zeros, mid-grey."""
    batch, _, height, width = condition.shape
    return condition.new_zeros(batch, 3, height, width)
