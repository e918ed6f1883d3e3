"""PatchGAN: judges overlapping patches of an image, on one scale."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.layers import Norm, channels_last, init_gan, make_norm

WIDEST = 512


def patch_layers(*, in_channels: int, ndf: int, n_layers: int, norm: Norm) -> list[nn.Sequential]:
    """The layers of a PatchGAN in pix2pixHD's layout, kernel 4, padding 2.

    `n_layers` convolutions of stride 2 (the first one not normalized), one of stride 1, and one of stride 1
    to a single channel of logits; channels double up to 512. Maps grow by one pixel where the stride is 1.

    Returns:
        n_layers + 2 modules; the last gives the logits.
    """
    layers = [
        nn.Sequential(nn.Conv2d(in_channels, ndf, 4, stride=2, padding=2), nn.LeakyReLU(0.2, inplace=True))
    ]
    width = ndf
    for number in range(1, n_layers + 1):
        wide = min(width * 2, WIDEST)
        stride = 2 if number < n_layers else 1
        layers.append(
            nn.Sequential(
                nn.Conv2d(width, wide, 4, stride=stride, padding=2),
                make_norm(norm, wide),
                nn.LeakyReLU(0.2, inplace=True),
            )
        )
        width = wide
    layers.append(nn.Sequential(nn.Conv2d(width, 1, 4, stride=1, padding=2)))
    return layers


class PatchDiscriminator(nn.Module):
    """PatchGAN on one scale (Isola et al. 2017, in pix2pixHD's layout): for faces, or a whole frame.

    State dict keys are `model.<index>` of one flat sequence, as in Everybody Dance Now's face discriminator
    (there `facemodel.<index>`, with `norm="batch"` and `ndf=64`).

    Args:
        ndf: Channels of the first layer; they double with every layer up to 512.
        n_layers: Convolutions of stride 2; more of them judge larger patches (3: 70x70 pixels).
        norm: `instance` or `batch`.
        in_channels: C of the view (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        ndf: Annotated[int, Field(ge=1, le=512)] = 32,
        n_layers: Annotated[int, Field(ge=1, le=6)] = 3,
        norm: Norm = "instance",
        in_channels: int,
    ) -> None:
        super().__init__()
        layers = patch_layers(in_channels=in_channels, ndf=ndf, n_layers=n_layers, norm=norm)
        self.model = nn.Sequential(*(part for layer in layers for part in layer))
        self.lengths = tuple(len(layer) for layer in layers)
        init_gan(self)

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, in_channels, H, W) to one scale of n_layers + 2 maps; the last is (B, 1, h, w) logits."""
        x, maps, start = channels_last(view), [], 0
        for length in self.lengths:
            for part in self.model[start : start + length]:
                x = part(x)
            maps.append(x)
            start += length
        return [maps]
