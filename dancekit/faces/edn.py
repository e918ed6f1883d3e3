"""The face refiner of Everybody Dance Now as published: a crop of fixed size, a residual, no resampling."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dancekit.errors import IncompatibleParts
from dancekit.faces.edn_boxes import refiner_boxes
from dancekit.layers import channels_last, global_generator, init_gan, use_batch_statistics
from dancekit.types import Skeleton
from dancekit.unet_layers import unet_body


class EDNFace(nn.Module):
    """Adds a residual to a fixed square around the nose (Chan et al. 2019, section 3.4).

    State dict keys are those of the original's `Gface`. `residual` is what to use for a new dancer: its box
    follows the size of the head. This one is for checkpoints of the original, and to compare with it.

    Args:
        network: `global` (pix2pixHD's generator: the paper's), or `unet` (five levels, batch norm by each
            batch's own statistics: the default of the original's code; `n_down` and `n_blocks` do not matter).
        crop_size: Side of the square, pixels.
        ngf: Channels of the network's first layer.
        n_down: How many times it halves the crop.
        n_blocks: Its residual blocks.
        clamp: Keep the sum of image and residual in [-1, 1]. The original does not, and feeds what lies
            outside to the discriminators and into the next frame.
        condition_channels: C of the condition image (wired).
        size: (W, H) of the images (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        network: Literal["global", "unet"] = "global",
        crop_size: Annotated[int, Field(ge=16, le=512, multiple_of=8)] = 128,
        ngf: Annotated[int, Field(ge=1, le=256)] = 64,
        n_down: Annotated[int, Field(ge=1, le=5)] = 3,
        n_blocks: Annotated[int, Field(ge=0, le=32)] = 5,
        clamp: bool = True,
        condition_channels: int,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        multiple = 32 if network == "unet" else 2**n_down
        if crop_size % multiple:
            raise IncompatibleParts(
                f"face.crop_size {crop_size} is no multiple of {multiple}", hint="change it, or face.n_down"
            )
        if crop_size > min(size):
            raise IncompatibleParts(
                f"face.crop_size {crop_size} is larger than the image, {size[0]}x{size[1]}",
                hint=f"at most {min(size)}",
            )
        self.crop_size = crop_size
        self.size = size
        self.clamp = clamp
        channels = condition_channels + 3
        self.model: nn.Module
        if network == "unet":
            self.model = unet_body(
                in_channels=channels, out_channels=3, ngf=ngf, depth=5, norm="batch", dropout=False
            )
            use_batch_statistics(self.model)
        else:
            self.model = global_generator(
                in_channels=channels,
                out_channels=3,
                ngf=ngf,
                n_down=n_down,
                n_blocks=n_blocks,
                norm="instance",
            )
        init_gan(self)

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """Squares of `crop_size` around the nose, else the ears, inside of the image.

        Args:
            xy: (T, K, 2) pixels of the image.
            score: (T, K), 0 where missing.
            skeleton: What the K joints are.

        Returns:
            (T, 4) float32 edges left, top, right, bottom (whole pixels: each ends in .5), NaN where neither
            nose nor an ear is seen. (There the original takes the corner of the image.)
        """
        return refiner_boxes(xy, score, skeleton, size=self.size, side=self.crop_size)

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 4) to (B, C, crop_size, crop_size); zeros where the box is NaN."""
        size = self.crop_size
        crops = []
        for image, box in zip(images, boxes.detach().cpu(), strict=True):
            if not box.isfinite().all():
                crops.append(image.new_zeros(image.shape[0], size, size))
                continue
            left, top = _corner(box)
            crops.append(image[:, top : top + size, left : left + size])
        return torch.stack(crops)

    def forward(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """Refine and paste.

        Args:
            image: (B, 3, H, W) in [-1, 1].
            condition: (B, condition_channels, H, W).
            boxes: (B, 4) as `boxes` gives them; a sample whose box is NaN comes back as it is.

        Returns:
            (B, 3, H, W); in [-1, 1] if `clamp`.
        """
        there = boxes.isfinite().all(1)
        if not bool(there.any()):
            return image
        crops = self.crop(torch.cat([condition.to(image.dtype), image], 1)[there], boxes[there])
        residuals = iter(self.model(channels_last(crops)).to(image.dtype))
        refined = []
        for sample, box in zip(image, boxes.detach().cpu(), strict=True):
            if not box.isfinite().all():
                refined.append(sample)
                continue
            left, top = _corner(box)
            right, bottom = sample.shape[2] - left - self.crop_size, sample.shape[1] - top - self.crop_size
            whole = sample + F.pad(next(residuals), (left, right, top, bottom))
            refined.append(whole.clamp(-1, 1) if self.clamp else whole)
        return torch.stack(refined)


def _corner(box: Tensor) -> tuple[int, int]:
    """Column and row of a box's first pixel."""
    left, top = (box[:2] + 0.5).round().tolist()
    return int(left), int(top)
