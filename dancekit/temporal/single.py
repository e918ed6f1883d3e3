"""Every frame on its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Single:
    """No history: the generator sees the condition only, the discriminator one frame with its condition."""

    version = 1
    clip_length = 1

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input."""
        return condition_channels

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view."""
        return condition_channels + 3

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Paint one frame from (B, C, H, W); the state is always None."""
        return generator(condition), None

    def remember(self, image: Tensor, state: Tensor | None) -> Tensor | None:
        """Nothing."""
        return None

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, 1, C, H, W) and (B, 1, 3, H, W) to (B, C + 3, H, W): condition, image."""
        if conditions.shape[1] != 1 or images.shape[1] != 1:
            raise ValueError(
                f"a view has 1 frame, got {conditions.shape[1]} conditions and {images.shape[1]} images"
            )
        return torch.cat([conditions[:, 0], images[:, 0]], 1)
