"""pix2pixHD's multi-scale discriminator."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dancekit.discriminators.patch import patch_layers
from dancekit.layers import Norm, channels_last, init_gan


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs on a pyramid of the view (Wang et al. 2018), all intermediate maps handed out.

    State dict keys are the original's: `scale{s}_layer{j}.0.weight`, where `scale{num_d - 1}` sees the full
    size and `scale0` the coarsest.

    Args:
        ndf: Channels of the first layer; they double with every layer up to 512.
        n_layers: Convolutions of stride 2 in each PatchGAN.
        num_d: Number of scales; each has half the size of the one before.
        norm: `instance` or `batch`.
        in_channels: C of the view (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        ndf: Annotated[int, Field(ge=1, le=512)] = 64,
        n_layers: Annotated[int, Field(ge=1, le=6)] = 3,
        num_d: Annotated[int, Field(ge=1, le=5)] = 2,
        norm: Norm = "instance",
        in_channels: int,
    ) -> None:
        super().__init__()
        self.num_d = num_d
        self.n_layers = n_layers
        for scale in range(num_d):
            layers = patch_layers(in_channels=in_channels, ndf=ndf, n_layers=n_layers, norm=norm)
            for number, layer in enumerate(layers):
                self.add_module(f"scale{scale}_layer{number}", layer)
        init_gan(self)

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, in_channels, H, W) to num_d scales, finest first, of n_layers + 2 maps; the last is logits."""
        view = channels_last(view)
        scales = []
        for scale in reversed(range(self.num_d)):
            x, maps = view, []
            for number in range(self.n_layers + 2):
                x = self.get_submodule(f"scale{scale}_layer{number}")(x)
                maps.append(x)
            scales.append(maps)
            if scale:
                view = F.avg_pool2d(view, 3, stride=2, padding=1, count_include_pad=False)
        return scales
