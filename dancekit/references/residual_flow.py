"""What field morphing leaves: a small smooth flow that the generator predicts, by which a reference is moved on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dancekit.warping import warp

CELLS = 32
"""Of the flow, over the picture's height: it is smooth, so that what is moved is bent and not torn."""


def moved(pictures: Tensor, said: Tensor, reach: float) -> Tensor:
    """Move pictures of persons.

    Args:
        pictures: (B, 4, H, W) colours in [-1, 1] times the mask, and the mask.
        said: (B, 2, H, W) in [-1, 1]: along x and y, from nothing to all of the reach.
        reach: How far a pixel may be fetched from, in picture heights.

    Returns:
        (B, 4, H, W) the same, looked up bicubically: what is copied should stay sharp.
    """
    height, width = pictures.shape[-2:]
    cell = max(1, height // CELLS)
    coarse = F.avg_pool2d(said.float(), cell, ceil_mode=True, count_include_pad=False)
    flow = F.interpolate(coarse, scale_factor=float(cell), mode="bilinear", align_corners=False)
    flow = flow[..., :height, :width] * (reach * height)
    found = warp(pictures.to(flow.dtype), flow, mode="bicubic")
    mask = found[:, 3:].clamp(0, 1)  # no colour may outshine what its mask allows: resampling overshoots
    return torch.cat([torch.minimum(torch.maximum(found[:, :3], -mask), mask), mask], 1)
