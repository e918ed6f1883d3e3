"""pix2pix's U-Net generator."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.errors import IncompatibleParts
from dancekit.layers import Norm, channels_last, init_gan, make_norm


class UNet(nn.Module):
    """U-Net of pix2pix (Isola et al., CVPR 2017): an encoder and a decoder joined by skips at every level.

    State dict keys and numbers are those of junyanz/pytorch-CycleGAN-and-pix2pix (`unet_128` is depth 7,
    `unet_256` depth 8) and of Everybody Dance Now's U-Net face generator (depth 5).

    Args:
        ngf: Channels of the first level; they double with every level up to 8 * ngf.
        depth: How many times the image is halved; its sides must be multiples of 2**depth.
        norm: `instance` (right at batch 1) or `batch` (the original's default).
        dropout: Drop half of the channels' values in the innermost decoder levels while training, as pix2pix.
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
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=2**depth)
        widths = [ngf * min(2**level, 8) for level in range(depth)]
        block = _Level(widths[-2], widths[-1], None, norm=norm, dropout=False)
        for level in range(depth - 2, 0, -1):
            # pix2pix drops out only where the channels no longer grow
            drop = dropout and widths[level] == widths[level - 1]
            block = _Level(widths[level - 1], widths[level], block, norm=norm, dropout=drop)
        self.model = _Outermost(in_channels, widths[0], out_channels, block, norm=norm)
        init_gan(self, zero_bias=True)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1].

        Raises:
            IncompatibleParts: A side is not a multiple of 2**depth.
        """
        height, width = condition.shape[-2:]
        if height % self.spec.multiple_of or width % self.spec.multiple_of:
            raise IncompatibleParts(
                f"this U-Net needs sides that are multiples of {self.spec.multiple_of}, got {width}x{height}",
                hint="lower generator.depth or change size",
            )
        return self.model(channels_last(condition))  # type: ignore[no-any-return]


def _biased(norm: Norm) -> bool:
    """Batch norm has a shift of its own: with it, only the last convolution has a bias in pix2pix."""
    return norm == "instance"


class _Outermost(nn.Module):
    """First convolution, everything below, last convolution and tanh."""

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, below: nn.Module, *, norm: Norm
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(in_channels, inner, 4, stride=2, padding=1, bias=_biased(norm)),
            below,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner * 2, out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]


class _Level(nn.Module):
    """Down, everything below, up; the input is handed on beside the result (the skip)."""

    def __init__(self, outer: int, inner: int, below: nn.Module | None, *, norm: Norm, dropout: bool) -> None:
        super().__init__()
        bias = _biased(norm)
        layers: list[nn.Module] = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
        ]
        if below is not None:
            layers += [make_norm(norm, inner), below]
        above = inner if below is None else inner * 2
        layers += [
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(above, outer, 4, stride=2, padding=1, bias=bias),
            make_norm(norm, outer),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)
