"""A small generator that keeps the full resolution."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec


class Dilated(nn.Module):
    """Context aggregation by dilated convolutions at full resolution (Yu and Koltun, ICLR 2016).

    Args:
        width: Channels of every layer.
        dilations: Dilation of each 3x3 convolution in turn.
        in_channels: C of the input (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        width: Annotated[int, Field(ge=1, le=512)] = 32,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 1),
        in_channels: int,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels=in_channels, out_channels=3, multiple_of=1)
        layers: list[nn.Module] = []
        channels = in_channels
        for dilation in dilations:
            layers += [
                nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation, padding_mode="replicate"),
                nn.LeakyReLU(0.2),
            ]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 3, 1), nn.Tanh())

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, 3, H, W) in [-1, 1]."""
        painted: Tensor = self.layers(condition)
        return painted
