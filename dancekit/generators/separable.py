"""A small generator for painting in real time on a CPU: depthwise-separable convolutions, none at full size."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.layers import Norm, channels_last, init_gan, make_norm

MULTIPLE = 8
"""Four pixels become channels, then two halvings."""


class Separable(nn.Module):
    """pix2pixHD's global generator made small: a third to one and a half GMAC at 256x256 where that has ten and more.

    Its residual blocks hold most of the work; here each 3x3 convolution is one of each channel alone and a 1x1
    (MobileNet, Howard et al. 2017), as GAN Compression (Li et al., CVPR 2020) found it for pix2pix's generators. The
    first and the last layer work at half the size, on the pixels of 2x2 squares as channels (Shi et al., CVPR 2016),
    and are as thin: whole 3x3 convolutions there cost as much as all blocks. Skips carry limbs past the coarse levels.

    Args:
        ngf: Channels at half the size; twice as many at a quarter, four times at an eighth.
        n_blocks: Residual blocks at an eighth of the size.
        norm: `instance` (right at batch 1), or `batch`, which costs nothing when it paints.
        in_channels: C of the input (wired).
        out_channels: C of the output (wired).
    """

    version = 2

    def __init__(
        self,
        *,
        ngf: Annotated[int, Field(ge=4, le=256)] = 32,
        n_blocks: Annotated[int, Field(ge=0, le=64)] = 6,
        norm: Norm = "instance",
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=MULTIPLE)
        self.stem = SeparableConv(4 * in_channels, ngf, norm)
        self.down_4 = SeparableConv(ngf, 2 * ngf, norm, stride=2)
        self.down_8 = SeparableConv(2 * ngf, 4 * ngf, norm, stride=2)
        self.blocks = nn.Sequential(*(SeparableBlock(4 * ngf, norm) for _ in range(n_blocks)))
        self.lift_4 = nn.Conv2d(4 * ngf, 2 * ngf, 1)
        self.up_4 = SeparableConv(2 * ngf, 2 * ngf, norm)
        self.lift_2 = nn.Conv2d(2 * ngf, ngf, 1)
        self.up_2 = SeparableConv(ngf, ngf, norm)
        self.to_pixels = nn.Conv2d(ngf, 4 * out_channels, 1)
        init_gan(self)
        for module in self.modules():  # nine inputs a channel: N(0, 0.02) would silence them
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                nn.init.kaiming_normal_(module.weight)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W), sides multiples of 8, to (B, out_channels, H, W) in [-1, 1]."""
        half = self.stem(channels_last(F.pixel_unshuffle(condition, 2)))
        quarter = self.down_4(half)
        eighth = self.blocks(self.down_8(quarter))
        # a 1x1 convolution and enlarging commute: before it costs a quarter
        quarter = self.up_4(_double(self.lift_4(eighth)) + quarter)
        half = self.up_2(_double(self.lift_2(quarter)) + half)
        return F.pixel_shuffle(self.to_pixels(half), 2).tanh()


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel alone, a 1x1 convolution, normalization; ReLU unless told otherwise.

    Args:
        in_channels: C.
        out_channels: C'.
        norm: After the 1x1 convolution.
        stride: 2 halves the size.
        activate: Whether a ReLU follows.
    """

    def __init__(
        self, in_channels: int, out_channels: int, norm: Norm, *, stride: int = 1, activate: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.norm = make_norm(norm, out_channels)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        y: Tensor = self.norm(self.pointwise(self.depthwise(x)))
        return F.relu(y, inplace=True) if self.activate else y


class SeparableBlock(nn.Module):
    """x + two separable convolutions; no activation after the sum.

    Args:
        channels: C in and out.
        norm: After each 1x1 convolution.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.first = SeparableConv(channels, channels, norm)
        self.second = SeparableConv(channels, channels, norm, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.second(self.first(x))  # type: ignore[no-any-return]


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
