"""The face refiner of Everybody Dance Now: a small network adds detail to the face of the painted image."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dancekit.boxes import face_boxes
from dancekit.faces.crops import (
    Part,
    Weighting,
    by_region,
    crop_boxes,
    crop_valid,
    refine,
    region_rows,
    regions_of,
    residual_network,
)
from dancekit.types import Skeleton


class ResidualFace(nn.Module):
    """Cuts out the face, predicts a residual and pastes it back with a soft edge (Chan et al. 2019, section
    3.4); hands too, if asked.

    Other than in the original the box follows the size of the head and is resized to `crop_size`, every
    sample has its own box, the residual fades out towards the box's edge, the sum is clamped to [-1, 1], and
    the last layer starts at zero, so that an untrained refiner changes nothing.

    Hands have a network of their own; it sees right hands mirrored.

    Args:
        crop_size: Side of the square that the network sees, in pixels.
        ngf: Channels of its first layer.
        n_down: How many times it halves the crop.
        n_blocks: Its residual blocks.
        widths: Side of the face box in head widths.
        parts: What is refined: `face`, `hands`, or both.
        lengths: Side of a hand's box in lengths of an open hand.
        weighting: `confidence`: the less sure the pose is of a region, the less it counts in training; `none`.
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
        parts: tuple[Part, ...] = ("face",),
        lengths: Annotated[float, Field(gt=0.5, le=10.0)] = 1.2,
        weighting: Weighting = "none",
        condition_channels: int,
    ) -> None:
        super().__init__()
        if crop_size % 2**n_down:
            raise ValueError(f"crop_size {crop_size} is no multiple of 2**n_down = {2**n_down}")
        self.crop_size = crop_size
        self.widths = widths
        self.lengths = lengths
        self.weighting: Weighting = weighting
        self.regions = regions_of(parts)
        shape = {
            "condition_channels": condition_channels,
            "ngf": ngf,
            "n_down": n_down,
            "n_blocks": n_blocks,
        }
        if "face" in parts:
            self.model = residual_network(**shape)
        if "hands" in parts:
            self.hand_model = residual_network(**shape)

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """(T, K, 2) pixels and (T, K) scores to boxes, NaN where nothing is: see `face_boxes` and `hand_boxes`.

        Returns:
            (T, 4) of the face; with hands or confidence (T, R, 5), see `region_rows`.
        """
        if self.regions == ("face",) and self.weighting == "none":
            return face_boxes(xy, score, skeleton, widths=self.widths)
        return region_rows(
            xy,
            score,
            skeleton,
            regions=self.regions,
            widths=self.widths,
            lengths=self.lengths,
            weighting=self.weighting,
        )

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) and (B, D) rows of one region to (B, C, crop_size, crop_size); zeros where a box is NaN."""
        return crop_valid(images, boxes, self.crop_size)

    def region_condition(self, condition: Tensor, boxes: Tensor) -> Tensor:
        """What the region's discriminator is told of the pose: its crop of the condition."""
        return self.crop(condition, boxes)

    def forward(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """Refine, paste and clamp.

        Args:
            image: (B, 3, H, W) in [-1, 1].
            condition: (B, condition_channels, H, W).
            boxes: (B, 4) left, top, right, bottom of faces in pixels, centres at integers, or (B, R, 5); where a
                box is NaN nothing changes.

        Returns:
            (B, 3, H, W) in [-1, 1].
        """

        def look(image: Tensor, boxes: Tensor) -> Tensor:
            return crop_boxes(torch.cat([condition.to(image.dtype), image], 1), boxes, self.crop_size)

        for region, rows in by_region(boxes, self.regions):
            network = self.model if region == "face" else self.hand_model
            image = refine(image, rows, look, network, self.crop_size, mirror=region == "right_hand")
        return image
