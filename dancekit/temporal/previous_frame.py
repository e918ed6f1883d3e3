"""Temporal smoothing of Everybody Dance Now: each frame is painted knowing the one before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class PreviousFrame:
    """Conditions on the previous painted frame and shows the discriminator pairs (Chan et al. 2019, section
    3.2).

    The first frame of a clip gets a zero image (mid-grey) as its previous one. In training the gradient of
    the second frame runs through the first one as well, as in the original.

    Args:
        detach: Stop that gradient: less memory, and the first frame is trained for its own sake only.
    """

    version = 1
    clip_length = 2

    def __init__(self, *, detach: bool = False) -> None:
        self.detach = detach

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input: condition and previous image."""
        return condition_channels + 3

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view: two conditions, two images."""
        return 2 * condition_channels + 6

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Paint one frame from (B, C, H, W) and the previous image (None: zeros); the state is the image."""
        if state is None:
            batch, _, height, width = condition.shape
            state = condition.new_zeros(batch, 3, height, width)
        image = generator(torch.cat([condition, state.to(condition.dtype)], 1))
        return image, self.remember(image, state)

    def remember(self, image: Tensor, state: Tensor | None) -> Tensor | None:
        """The image, final now, is what the next frame is told of."""
        return image.detach() if self.detach else image

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, 2, C, H, W) and (B, 2, 3, H, W) to (B, 2 C + 6, H, W): s0, s1, I0, I1."""
        if conditions.shape[1] != 2 or images.shape[1] != 2:
            raise ValueError(
                f"a view has 2 frames, got {conditions.shape[1]} conditions and {images.shape[1]} images"
            )
        return torch.cat([conditions.flatten(1, 2), images.flatten(1, 2)], 1)
