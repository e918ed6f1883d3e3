"""pix2pix's U-Net as building block: the generator `unet` and the original's face refiner use it.

Source of the design: junyanz/pytorch-CycleGAN-and-pix2pix (Isola et al., CVPR 2017), rebuilt from its
description; names of parameters are the original's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dancekit.convolutions import Conv2d, ConvTranspose2d
from dancekit.layers import Norm, make_norm


def unet_body(
    *, in_channels: int, out_channels: int, ngf: int, depth: int, norm: Norm, dropout: bool
) -> nn.Module:
    """A U-Net of `depth` halvings with tanh at its end; channels double up to 8 * ngf."""
    widths = [ngf * min(2**level, 8) for level in range(depth)]
    block = _Level(widths[-2], widths[-1], None, norm=norm, dropout=False)
    for level in range(depth - 2, 0, -1):
        # pix2pix drops out only where the channels no longer grow
        drop = dropout and widths[level] == widths[level - 1]
        block = _Level(widths[level - 1], widths[level], block, norm=norm, dropout=drop)
    return _Outermost(in_channels, widths[0], out_channels, block, norm=norm)


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
            Conv2d(in_channels, inner, 4, stride=2, padding=1, bias=_biased(norm)),
            below,
            nn.ReLU(inplace=True),
            ConvTranspose2d(inner * 2, out_channels, 4, stride=2, padding=1),
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
            Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
        ]
        if below is not None:
            layers += [make_norm(norm, inner), below]
        above = inner if below is None else inner * 2
        layers += [
            nn.ReLU(inplace=True),
            ConvTranspose2d(above, outer, 4, stride=2, padding=1, bias=bias),
            make_norm(norm, outer),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)
