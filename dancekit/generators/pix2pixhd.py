"""pix2pixHD's global generator: the network of Everybody Dance Now."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.layers import Norm, channels_last, global_generator, init_gan


class Pix2PixHD(nn.Module):
    """GlobalGenerator of pix2pixHD (Wang et al. 2018): downsampling, residual blocks, upsampling, tanh.

    State dict keys and numbers are those of NVIDIA/pix2pixHD, so its checkpoints (and those of Everybody
    Dance Now, global stage) load.

    Args:
        ngf: Channels of the first layer; they double with every halving.
        n_down: How many times the image is halved; its sides must be multiples of 2**n_down.
        n_blocks: Residual blocks at the coarsest level.
        norm: `instance` (as in the paper; right at batch 1) or `batch`.
        in_channels: C of the input (wired).
        out_channels: C of the output.
    """

    version = 1

    def __init__(
        self,
        *,
        ngf: Annotated[int, Field(ge=1, le=512)] = 64,
        n_down: Annotated[int, Field(ge=1, le=6)] = 4,
        n_blocks: Annotated[int, Field(ge=0, le=64)] = 9,
        norm: Norm = "instance",
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=2**n_down)
        self.model = global_generator(
            in_channels=in_channels,
            out_channels=out_channels,
            ngf=ngf,
            n_down=n_down,
            n_blocks=n_blocks,
            norm=norm,
        )
        init_gan(self)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]; odd sides are rounded up."""
        return self.model(channels_last(condition))  # type: ignore[no-any-return]
