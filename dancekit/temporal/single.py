"""Every frame on its own."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from dancekit.contracts import State
from dancekit.temporal.history import clip_view


class Single:
    """No history: the generator sees the condition only, the discriminator one frame with its condition."""

    version = 1
    clip_length = 1
    warm_up = 0

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input."""
        return condition_channels

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view."""
        return condition_channels + 3

    def start(self, condition: Tensor) -> State:
        """Nothing is remembered."""
        return {}

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Paint one frame from (B, C, H, W); the state is always None."""
        return generator(condition), None

    def remember(self, image: Tensor, state: State | None) -> State | None:
        """Nothing."""
        return None

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, 1, C, H, W) and (B, 1, 3, H, W) to (B, C + 3, H, W): condition, image."""
        return clip_view(conditions, images, 1)
