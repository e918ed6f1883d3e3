"""No discriminator: training without an adversary."""

from __future__ import annotations

from torch import Tensor, nn


class NoDiscriminator(nn.Module):
    """Judges nothing and has no parameters; losses that need a discriminator refuse to work with it.

    Args:
        in_channels: C of the view (wired, unused).
    """

    version = 1

    def __init__(self, *, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """No scales at all."""
        return []
