"""pix2pix's pixel discriminator: judges every pixel on its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.convolutions import Conv2d
from dancekit.discriminators.patch import run_in_parts
from dancekit.layers import Norm, channels_last, init_gan, make_norm


class PixelDiscriminator(nn.Module):
    """PixelGAN, the 1x1 patch of Isola et al. (CVPR 2017, section 3.2.2): colours, no structure.

    State dict keys and numbers are those of junyanz/pytorch-CycleGAN-and-pix2pix (`net.<index>`).

    Args:
        ndf: Channels of the first layer; the second has twice as many.
        norm: `instance` or `batch` (the original's default).
        in_channels: C of the view (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        ndf: Annotated[int, Field(ge=1, le=512)] = 64,
        norm: Norm = "instance",
        in_channels: int,
    ) -> None:
        super().__init__()
        bias = norm == "instance"
        self.net = nn.Sequential(
            Conv2d(in_channels, ndf, 1),
            nn.LeakyReLU(0.2, inplace=True),
            Conv2d(ndf, ndf * 2, 1, bias=bias),
            make_norm(norm, ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            Conv2d(ndf * 2, 1, 1, bias=bias),
        )
        init_gan(self, zero_bias=True)

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, in_channels, H, W) to one scale of three maps; the last is (B, 1, H, W) logits."""
        return [run_in_parts(self.net, channels_last(view), (2, 3, 1))]
