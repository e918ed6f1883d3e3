"""pix2pix's generator of residual blocks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.layers import Norm, channels_last, global_generator, init_gan, use_batch_statistics


class ResNet(nn.Module):
    """ResnetGenerator of pix2pix and CycleGAN: two halvings, residual blocks, two doublings, tanh.

    State dict keys and numbers are those of junyanz/pytorch-CycleGAN-and-pix2pix (`resnet_6blocks`,
    `resnet_9blocks`): as pix2pixHD's, but batch norm takes the place of biases, and biases start at 0.

    Args:
        ngf: Channels of the first layer; they double with both halvings.
        n_blocks: Residual blocks.
        norm: `instance` (right at batch 1) or `batch` (the original's default).
        dropout: Drop half of the values in every block while training.
        batch_statistics: Normalize by each batch's own statistics when painting too, as the original's test
            script does (with `norm: batch`).
        in_channels: C of the input (wired).
        out_channels: C of the output.
    """

    version = 1

    def __init__(
        self,
        *,
        ngf: Annotated[int, Field(ge=1, le=512)] = 64,
        n_blocks: Annotated[int, Field(ge=0, le=64)] = 9,
        norm: Norm = "instance",
        dropout: bool = False,
        batch_statistics: bool = False,
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=4)
        self.model = global_generator(
            in_channels=in_channels,
            out_channels=out_channels,
            ngf=ngf,
            n_down=2,
            n_blocks=n_blocks,
            norm=norm,
            bias=norm == "instance",
            dropout=dropout,
        )
        init_gan(self, zero_bias=True)
        if batch_statistics:
            use_batch_statistics(self)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]; odd sides are rounded up."""
        return self.model(channels_last(condition))  # type: ignore[no-any-return]
