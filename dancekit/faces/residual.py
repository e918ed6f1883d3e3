"""The face refiner of Everybody Dance Now: a small network adds detail to the face of the painted image."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dancekit.boxes import face_boxes
from dancekit.layers import channels_last, global_generator, init_gan
from dancekit.types import Skeleton

FEATHER = 0.125
"""Width of the soft edge of a pasted residual, as a fraction of the box's side."""


class ResidualFace(nn.Module):
    """Cuts out the face, predicts a residual and pastes it back with a soft edge (Chan et al. 2019, section
    3.4).

    Other than in the original the box follows the size of the head and is resized to `crop_size`, every
    sample has its own box, the residual fades out towards the box's edge, the sum is clamped to [-1, 1], and
    the last layer starts at zero, so that an untrained refiner changes nothing.

    Args:
        crop_size: Side of the square that the network sees, in pixels.
        ngf: Channels of its first layer.
        n_down: How many times it halves the crop.
        n_blocks: Its residual blocks.
        widths: Side of the face box in head widths.
        condition_channels: C of the condition image (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        crop_size: Annotated[int, Field(ge=16, le=512, multiple_of=8)] = 64,
        ngf: Annotated[int, Field(ge=1, le=256)] = 32,
        n_down: Annotated[int, Field(ge=1, le=3)] = 2,
        n_blocks: Annotated[int, Field(ge=0, le=32)] = 4,
        widths: Annotated[float, Field(gt=0.5, le=10.0)] = 2.5,
        condition_channels: int,
    ) -> None:
        super().__init__()
        if crop_size % 2**n_down:
            raise ValueError(f"crop_size {crop_size} is no multiple of 2**n_down = {2**n_down}")
        self.crop_size = crop_size
        self.widths = widths
        self.model = global_generator(
            in_channels=condition_channels + 3,
            out_channels=3,
            ngf=ngf,
            n_down=n_down,
            n_blocks=n_blocks,
            norm="instance",
        )
        init_gan(self)
        last = self.model[-2]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """(T, K, 2) pixels and (T, K) scores to (T, 4) boxes, NaN where no face is; see `face_boxes`."""
        return face_boxes(xy, score, skeleton, widths=self.widths)

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 4) to (B, C, crop_size, crop_size); zeros where the box is NaN."""
        valid, safe = _without_nan(boxes, self.crop_size)
        return torch.where(valid, crop_boxes(images, safe, self.crop_size), 0.0)

    def forward(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """Refine, paste and clamp.

        Args:
            image: (B, 3, H, W) in [-1, 1].
            condition: (B, condition_channels, H, W).
            boxes: (B, 4) left, top, right, bottom in pixels, centres at integers; a sample whose box is NaN
                comes back as it is.

        Returns:
            (B, 3, H, W) in [-1, 1].
        """
        valid, safe = _without_nan(boxes, self.crop_size)
        crops = crop_boxes(torch.cat([condition.to(image.dtype), image], 1), safe, self.crop_size)
        residual = self.model(channels_last(crops)).to(image.dtype)
        refined = (image + paste_boxes(residual, safe, (image.shape[2], image.shape[3]))).clamp(-1.0, 1.0)
        return torch.where(valid, refined, image)


def crop_boxes(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut out square boxes and resize them with a triangle filter, widened where it shrinks (no aliasing).

    Resampling is separable, so it is two matrix products: differentiable and deterministic on every device.

    Args:
        images: (B, C, H, W); beyond its border the nearest pixel is repeated.
        boxes: (B, 4) finite edges, pixel centres at integers.
        size: Side of the result.

    Returns:
        (B, C, size, size) in the dtype of `images`.
    """
    across = _sampling(boxes[:, 0], boxes[:, 2], size, images.shape[3], images.dtype)
    down = _sampling(boxes[:, 1], boxes[:, 3], size, images.shape[2], images.dtype)
    return _resample(images, down, across)


def paste_boxes(crops: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Put crops back where they came from, faded out over the outer eighth of the box; zero elsewhere.

    Args:
        crops: (B, C, S, S).
        boxes: (B, 4) finite edges.
        size: (H, W) of the image.

    Returns:
        (B, C, H, W), to be added to the image.
    """
    across = _placing(boxes[:, 0], boxes[:, 2], size[1], crops.shape[3], crops.dtype)
    down = _placing(boxes[:, 1], boxes[:, 3], size[0], crops.shape[2], crops.dtype)
    return _resample(crops, down, across)


def _resample(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Multiply down @ images @ across^T, in single precision at least: half is too coarse for places."""
    with torch.autocast(images.device.type, enabled=False):
        return (down[:, None] @ images.to(down.dtype) @ across[:, None].mT).to(images.dtype)


def _sampling(low: Tensor, high: Tensor, size: int, length: int, dtype: torch.dtype) -> Tensor:
    """(B, size, length) weights that read `size` samples of the interval from a row of `length` pixels."""
    low, high = low.to(_exact(dtype)), high.to(_exact(dtype))
    scale = (high - low)[:, None, None] / size
    step = torch.arange(size, device=low.device, dtype=low.dtype)[None, :, None] + 0.5
    at = (low[:, None, None] + step * scale).clamp(0, length - 1)
    return _triangle(at, length, scale)


def _placing(low: Tensor, high: Tensor, length: int, size: int, dtype: torch.dtype) -> Tensor:
    """(B, length, size) weights that write a crop of `size` samples into a row of `length` pixels, faded."""
    low, high = low.to(_exact(dtype))[:, None, None], high.to(_exact(dtype))[:, None, None]
    extent = high - low
    pixel = torch.arange(length, device=low.device, dtype=low.dtype)[None, :, None]
    at = ((pixel - low) / extent * size - 0.5).clamp(0, size - 1)
    edge = (torch.minimum(pixel - low, high - pixel) / (FEATHER * extent)).clamp(0, 1)
    fade = edge * edge * (3 - 2 * edge)
    return _triangle(at, size, size / extent) * fade


def _triangle(at: Tensor, length: int, scale: Tensor) -> Tensor:
    """Triangle filter of half-width max(1, scale) around `at` (B, N, 1): (B, N, length), rows sum to 1."""
    grid = torch.arange(length, device=at.device, dtype=at.dtype)
    weight = (1 - (grid - at).abs() / scale.clamp_min(1)).clamp_min(0)
    return weight / weight.sum(-1, keepdim=True)


def _exact(dtype: torch.dtype) -> torch.dtype:
    """Coordinates need at least single precision."""
    return torch.promote_types(dtype, torch.float32)


def _without_nan(boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, 1, 1, 1) which boxes are there, and the boxes with a harmless one in place of the others."""
    valid = boxes.isfinite().all(1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    harmless = boxes.new_tensor([-0.5, -0.5, size - 0.5, size - 0.5])
    return valid[:, None, None, None], torch.where(valid[:, None], boxes, harmless)
