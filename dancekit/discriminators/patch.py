"""PatchGAN: judges overlapping patches of an image, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from dancekit.convolutions import Conv2d
from dancekit.layers import Norm, channels_last, init_gan, make_norm

Layout = Literal["pix2pixhd", "pix2pix"]

WIDEST = 512
"""pix2pixHD: most channels; pix2pix has 8 * ndf."""


def patch_layers(
    *, in_channels: int, ndf: int, n_layers: int, norm: Norm, layout: Layout = "pix2pixhd"
) -> list[nn.Sequential]:
    """The layers of a PatchGAN, kernel 4.

    `n_layers` convolutions of stride 2 (the first one not normalized), one of stride 1, and one of stride 1
    to a single channel of logits. pix2pixHD: padding 2 (maps grow by one pixel where the stride is 1),
    channels double up to 512, every convolution has a bias. pix2pix: padding 1 (they shrink by one), channels
    double up to 8 * ndf, no bias before batch norm.

    Returns:
        n_layers + 2 modules; the last gives the logits.
    """
    padding, widest = (2, WIDEST) if layout == "pix2pixhd" else (1, 8 * ndf)
    bias = layout == "pix2pixhd" or norm == "instance"
    layers = [
        nn.Sequential(Conv2d(in_channels, ndf, 4, stride=2, padding=padding), nn.LeakyReLU(0.2, inplace=True))
    ]
    width = ndf
    for number in range(1, n_layers + 1):
        wide = min(width * 2, widest)
        stride = 2 if number < n_layers else 1
        layers.append(
            nn.Sequential(
                Conv2d(width, wide, 4, stride=stride, padding=padding, bias=bias),
                make_norm(norm, wide),
                nn.LeakyReLU(0.2, inplace=True),
            )
        )
        width = wide
    layers.append(nn.Sequential(Conv2d(width, 1, 4, stride=1, padding=padding)))
    return layers


class PatchDiscriminator(nn.Module):
    """PatchGAN on one scale (Isola et al. 2017): for faces, or a whole frame.

    State dict keys are `model.<index>` of one flat sequence, as in pix2pix. Everybody Dance Now's face
    discriminator is `ndf=64, norm="batch"`; it says `facemodel.<index>`, and `dancekit zoo convert` renames.

    Args:
        ndf: Channels of the first layer; they double with every layer.
        n_layers: Convolutions of stride 2; more of them judge larger patches (3: 70x70 pixels).
        norm: `instance` or `batch`.
        layout: `pix2pixhd` (padding 2, up to 512 channels) or `pix2pix` (padding 1, up to 8 * ndf channels).
        in_channels: C of the view (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        ndf: Annotated[int, Field(ge=1, le=512)] = 32,
        n_layers: Annotated[int, Field(ge=1, le=6)] = 3,
        norm: Norm = "instance",
        layout: Layout = "pix2pixhd",
        in_channels: int,
    ) -> None:
        super().__init__()
        layers = patch_layers(in_channels=in_channels, ndf=ndf, n_layers=n_layers, norm=norm, layout=layout)
        self.model = nn.Sequential(*(part for layer in layers for part in layer))
        self.lengths = tuple(len(layer) for layer in layers)
        init_gan(self, zero_bias=layout == "pix2pix")

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, in_channels, H, W) to one scale of n_layers + 2 maps; the last is (B, 1, h, w) logits."""
        return [run_in_parts(self.model, channels_last(view), self.lengths)]


def run_in_parts(sequence: nn.Sequential, x: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Run a flat sequence and keep what comes out after each group of so many layers."""
    maps, start = [], 0
    for length in lengths:
        for part in sequence[start : start + length]:
            x = part(x)
        maps.append(x)
        start += length
    return maps
