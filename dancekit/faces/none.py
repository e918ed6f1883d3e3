"""No face refiner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dancekit.types import Skeleton


class NoFace(nn.Module):
    """Changes nothing and has no parameters.

    Args:
        condition_channels: C of the condition (wired, unused).
    """

    version = 1
    crop_size = 0

    def __init__(self, *, condition_channels: int) -> None:
        super().__init__()
        self.condition_channels = condition_channels

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """(T, 4) NaN: no face is looked for."""
        return np.full((len(xy), 4), np.nan, np.float32)

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 0, 0)."""
        return images[:, :, :0, :0]

    def forward(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """The image itself."""
        return image
