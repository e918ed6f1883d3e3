"""pix2pixHD's coarse-to-fine generator: local enhancers around a global network."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import GeneratorSpec
from dancekit.convolutions import Conv2d
from dancekit.errors import IncompatibleParts
from dancekit.layers import (
    Norm,
    ResnetBlock,
    channels_last,
    doubling,
    global_generator,
    halving,
    init_gan,
    make_norm,
    shrink,
    to_image,
)


class Pix2PixHDLocal(nn.Module):
    """LocalEnhancer of pix2pixHD (Wang et al. 2018, section 3.1): the second stage of Everybody Dance Now.

    A global generator sees the image at a fraction of its size and hands on features, not an image; each
    enhancer doubles the size. State dict keys and numbers are those of NVIDIA/pix2pixHD: `model.*` the inner
    generator, `model<k>_1.*` and `model<k>_2.*` what enhancer k, counted from coarse to fine, does before and
    after the sum.

    Args:
        ngf: Channels of the finest enhancer's first layer; the inner generator has ngf * 2**n_enhancers.
        n_down: How many times the inner generator halves its image.
        n_blocks: Residual blocks of the inner generator.
        n_enhancers: How many times the size is doubled around it.
        n_blocks_local: Residual blocks of each enhancer.
        norm: `instance` (as in the paper; right at batch 1) or `batch`.
        in_channels: C of the input (wired).
        out_channels: C of the output.
    """

    version = 1

    def __init__(
        self,
        *,
        ngf: Annotated[int, Field(ge=1, le=512)] = 32,
        n_down: Annotated[int, Field(ge=1, le=6)] = 4,
        n_blocks: Annotated[int, Field(ge=0, le=64)] = 9,
        n_enhancers: Annotated[int, Field(ge=1, le=4)] = 1,
        n_blocks_local: Annotated[int, Field(ge=0, le=64)] = 3,
        norm: Norm = "instance",
        in_channels: int,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, multiple_of=2 ** (n_down + n_enhancers))
        self.n_enhancers = n_enhancers
        inner = global_generator(
            in_channels=in_channels,
            out_channels=out_channels,
            ngf=ngf * 2**n_enhancers,
            n_down=n_down,
            n_blocks=n_blocks,
            norm=norm,
        )
        self.model = inner[:-3]  # without padding, last convolution and tanh: features
        for number in range(1, n_enhancers + 1):
            width = ngf * 2 ** (n_enhancers - number)
            before = [
                nn.ReflectionPad2d(3),
                Conv2d(in_channels, width, 7),
                make_norm(norm, width),
                nn.ReLU(inplace=True),
                *halving(width, norm),
            ]
            after = [*(ResnetBlock(width * 2, norm) for _ in range(n_blocks_local)), *doubling(width, norm)]
            if number == n_enhancers:
                after += to_image(width, out_channels)
            self.add_module(f"model{number}_1", nn.Sequential(*before))
            self.add_module(f"model{number}_2", nn.Sequential(*after))
        init_gan(self)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W) in [-1, 1]; odd sides are rounded up.

        Raises:
            IncompatibleParts: A side for which the sizes of the levels do not meet.
        """
        pyramid = [channels_last(condition)]
        for _ in range(self.n_enhancers):
            pyramid.append(shrink(pyramid[-1]))
        features: Tensor = self.model(pyramid[-1])
        for number in range(1, self.n_enhancers + 1):
            local = self.get_submodule(f"model{number}_1")(pyramid[self.n_enhancers - number])
            if local.shape != features.shape:
                height, width = condition.shape[-2:]
                raise IncompatibleParts(
                    f"local enhancers do not meet at {width}x{height}: {tuple(local.shape[-2:])} and "
                    f"{tuple(features.shape[-2:])}",
                    hint=f"use sides that are multiples of {self.spec.multiple_of}",
                )
            features = self.get_submodule(f"model{number}_2")(local + features)
        return features
