"""pix2pix's U-Net generator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.errors import IncompatibleParts
from dancekit.layers import Norm, channels_last, init_gan, use_batch_statistics
from dancekit.unet_layers import unet_body


class UNet(nn.Module):
    """U-Net of pix2pix (Isola et al., CVPR 2017): an encoder and a decoder joined by skips at every level.

    State dict keys and numbers are those of junyanz/pytorch-CycleGAN-and-pix2pix (`unet_128` is depth 7,
    `unet_256` depth 8) and of Everybody Dance Now's U-Net face generator (depth 5).

    Args:
        ngf: Channels of the first level; they double with every level up to 8 * ngf.
        depth: How many times the image is halved; its sides must be multiples of 2**depth.
        norm: `instance` (right at batch 1) or `batch` (the original's default).
        dropout: Drop half of the channels' values in the innermost decoder levels while training, as pix2pix.
        batch_statistics: Normalize by each batch's own statistics when painting too, as the originals' test
            scripts do (with `norm: batch`).
        in_channels: C of the input (wired).
        out_channels: C of the output.
    """

    version = 1

    def __init__(
        self,
        *,
        ngf: Annotated[int, Field(ge=1, le=512)] = 64,
        depth: Annotated[int, Field(ge=2, le=10)] = 8,
        norm: Norm = "instance",
        dropout: bool = False,
        batch_statistics: bool = False,
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=2**depth)
        self.model = unet_body(
            in_channels=in_channels,
            out_channels=out_channels,
            ngf=ngf,
            depth=depth,
            norm=norm,
            dropout=dropout,
        )
        init_gan(self, zero_bias=True)
        if batch_statistics:
            use_batch_statistics(self)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1].

        One row or column more than a multiple of 2**depth is lost, as in the original: its first level has no
        skip.

        Raises:
            IncompatibleParts: A side is not a multiple of 2**depth, nor one more.
        """
        height, width = condition.shape[-2:]
        half = self.spec.multiple_of // 2
        if height // 2 % half or width // 2 % half:
            raise IncompatibleParts(
                f"this U-Net needs sides that are multiples of {self.spec.multiple_of}, got {width}x{height}",
                hint="lower generator.depth or change size",
            )
        return self.model(channels_last(condition))  # type: ignore[no-any-return]
