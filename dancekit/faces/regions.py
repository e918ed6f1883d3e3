"""Face and hands get critics and losses of their own, and no network paints them anew."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dancekit.faces.crops import Part, Weighting, crop_valid, region_rows, regions_of
from dancekit.types import Skeleton


class Regions(nn.Module):
    """Refines nothing: what the generator paints of face and hands is judged by discriminators of their own.

    As the discriminators of face and hands of NVlabs/imaginaire's `dancing` recipe. Train it with a stage
    `{modules: [generator, face], judge: frame}`: crops of the painted frame are compared with those of the true one
    by `face_losses` and a discriminator for faces, and one for hands, and what they say teaches the generator. A
    dancer is as fast as without.

    Args:
        crop_size: Side of the square that the discriminators see, in pixels.
        widths: Side of the face box in head widths.
        parts: What is judged: `face`, `hands`, or both.
        lengths: Side of a hand's box in lengths of an open hand.
        weighting: `confidence`: the less sure the pose is of a region, the less it counts; `none`.
        condition_channels: C of the condition image (wired, unused).
    """

    version = 1

    def __init__(
        self,
        *,
        crop_size: Annotated[int, Field(ge=16, le=512, multiple_of=8)] = 64,
        widths: Annotated[float, Field(gt=0.5, le=10.0)] = 2.5,
        parts: tuple[Part, ...] = ("face", "hands"),
        lengths: Annotated[float, Field(gt=0.5, le=10.0)] = 1.2,
        weighting: Weighting = "confidence",
        condition_channels: int,
    ) -> None:
        super().__init__()
        self.crop_size = crop_size
        self.widths = widths
        self.lengths = lengths
        self.weighting: Weighting = weighting
        self.regions = regions_of(parts)
        self.condition_channels = condition_channels

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """(T, K, 2) pixels and (T, K) scores to (T, R, 5), see `region_rows`."""
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
        """The image itself."""
        return image
