"""pix2pixHD's multi-scale discriminator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from dancekit.discriminators.patch import patch_layers
from dancekit.errors import IncompatibleParts
from dancekit.layers import Norm, channels_last, init_gan, shrink


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs on a pyramid of the view (Wang et al. 2018).

    State dict keys are the original's: `scale{s}_layer{j}.0.weight` (`layer{s}.{index}.weight` without
    `features`), where s = num_d - 1 sees the full size and s = 0 the coarsest.

    Args:
        ndf: Channels of the first layer; they double with every layer up to 512.
        n_layers: Convolutions of stride 2 in each PatchGAN.
        num_d: Number of scales; each has half the size of the one before.
        norm: `instance` or `batch`.
        features: Hand out all intermediate maps, as feature matching needs it; else the last one alone.
        sigmoid: Squash the last map to probabilities, for the loss `vanilla` with `logits: false` (pix2pixHD's
            `no_lsgan`). Logits train more stably. Only without `features`: with them the original loses it.
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
        features: bool = True,
        sigmoid: bool = False,
        in_channels: int,
    ) -> None:
        super().__init__()
        if sigmoid and features:
            raise IncompatibleParts(
                "discriminator multiscale has no sigmoid where it hands out features",
                hint="sigmoid=false (the loss vanilla takes logits), or features=false",
            )
        self.num_d = num_d
        self.n_layers = n_layers
        self.features = features
        for scale in range(num_d):
            layers = patch_layers(in_channels=in_channels, ndf=ndf, n_layers=n_layers, norm=norm)
            if features:
                for number, layer in enumerate(layers):
                    self.add_module(f"scale{scale}_layer{number}", layer)
            else:
                flat = [part for layer in layers for part in layer]
                self.add_module(f"layer{scale}", nn.Sequential(*flat, *([nn.Sigmoid()] if sigmoid else [])))
        init_gan(self)

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, in_channels, H, W) to num_d scales, finest first, of n_layers + 2 maps; the last is logits.

        Without `features` each scale has that last map alone (probabilities with `sigmoid`).
        """
        view = channels_last(view)
        scales = []
        for scale in reversed(range(self.num_d)):
            scales.append(self._judge(scale, view))
            if scale:
                view = shrink(view)
        return scales

    def _judge(self, scale: int, x: Tensor) -> list[Tensor]:
        if not self.features:
            return [self.get_submodule(f"layer{scale}")(x)]
        maps = []
        for number in range(self.n_layers + 2):
            x = self.get_submodule(f"scale{scale}_layer{number}")(x)
            maps.append(x)
        return maps
