"""Images moved along an optical flow, in torch: what temporal strategies do and losses check."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

# Forward-backward check: Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large
# displacement optical flow", 2010, equation 5.
CHECK_SHARE, CHECK_FLOOR = 0.01, 0.5


def warp(images: Tensor, flow: Tensor, *, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Fetch each pixel from where the flow says that it was; beyond the border the nearest pixel.

    Args:
        images: (B, C, H, W) the frame before.
        flow: (B, 2, H, W) pixels, x and y: the result at p is `images` at p + flow[p].
        mode: How it is looked up between pixels.

    Returns:
        (B, C, H, W) in the dtype of `images`, with gradients to both.
    """
    height, width = images.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device, dtype=flow.dtype),
        torch.arange(width, device=flow.device, dtype=flow.dtype),
        indexing="ij",
    )
    # from pixels to [-1, 1], first to last pixel centre
    at = torch.stack(
        [(x + flow[:, 0]) * (2 / max(width - 1, 1)) - 1, (y + flow[:, 1]) * (2 / max(height - 1, 1)) - 1], -1
    )
    return F.grid_sample(images, at.to(images.dtype), mode, padding_mode="border", align_corners=True)


def seen_before(back: Tensor, there: Tensor) -> Tensor:
    """Where a backward flow can be trusted: what is there was in the frame before, and not hidden.

    Args:
        back: (B, 2, H, W) flow from a frame to the one before, pixels.
        there: (B, 2, H, W) flow from that one to the frame.

    Returns:
        (B, 1, H, W) bool: the place lies within the frame, and the flow there leads back.
    """
    height, width = back.shape[-2:]
    forth = warp(there, back)
    size = back.square().sum(1, keepdim=True) + forth.square().sum(1, keepdim=True)
    near = (back + forth).square().sum(1, keepdim=True) <= CHECK_SHARE * size + CHECK_FLOOR
    x = torch.arange(width, device=back.device) + back[:, :1]
    y = torch.arange(height, device=back.device)[:, None] + back[:, 1:]
    return near & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
