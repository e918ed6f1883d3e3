"""Networks that each break one promise of their contract, for `test_contract_suites.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from dancekit.contracts import GeneratorSpec
from dancekit.discriminators.patch import PatchDiscriminator
from dancekit.faces.residual import ResidualFace


class Net(nn.Module):
    """A generator that keeps its contract.

    Args:
        width: Channels.
    """

    version = 1

    def __init__(self, *, width: int = 4, in_channels: int, out_channels: int = 3) -> None:
        super().__init__()
        self.spec = GeneratorSpec(in_channels, out_channels, 1)
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, out_channels, 1)

    def forward(self, condition):
        return self.last(self.first(condition).relu()).tanh()


class NoVersion(Net):
    """Has none."""

    version = 0


class Anything(Net):
    """Takes any keyword.

    Args:
        width: Channels.
    """

    def __init__(self, *, width: int = 4, in_channels: int, **more: Any) -> None:
        super().__init__(width=width, in_channels=in_channels)


class Silent(Net):
    """Says nothing of its parameter."""


class Wants(Net):
    """Wants what nobody gives.

    Args:
        width: Channels.
    """

    def __init__(self, *, width: int = 4, in_channels: int, moon: int) -> None:
        super().__init__(width=width, in_channels=in_channels)


class LyingSpec(Net):
    """Another spec."""

    def __init__(self, *, in_channels: int) -> None:
        super().__init__(in_channels=in_channels)
        self.spec = GeneratorSpec(1, 3, 1)


class Loud(Net):
    """Leaves [-1, 1]."""

    def forward(self, condition):
        return super().forward(condition) * 3


class Restless(Net):
    """Noise, even in eval mode."""

    def forward(self, condition):
        return (super().forward(condition) + 0.1 * torch.randn(len(condition), 1, 1, 1)).clamp(-1, 1)


class Numpy(Net):
    """Draws weights from numpy."""

    def __init__(self, *, in_channels: int) -> None:
        super().__init__(in_channels=in_channels)
        drawn = np.random.default_rng().normal(size=tuple(self.last.weight.shape))
        with torch.no_grad():
            self.last.weight.add_(torch.as_tensor(drawn, dtype=torch.float32, device=self.last.weight.device))


class Mixes(Net):
    """Takes the mean of the batch away."""

    def forward(self, condition):
        return super().forward(condition - condition.mean())


class Idle(Net):
    """Has a layer that is never used."""

    def __init__(self, *, in_channels: int) -> None:
        super().__init__(in_channels=in_channels)
        self.unused = nn.Linear(2, 2)


class Detached(Net):
    """Stops the gradient to its input."""

    def forward(self, condition):
        return super().forward(condition.detach() + 0 * condition)


class Forgets(Net):
    """Keeps a number outside of its state dict."""

    def __init__(self, *, in_channels: int) -> None:
        super().__init__(in_channels=in_channels)
        self.register_buffer("shift", torch.randn(1), persistent=False)

    def forward(self, condition):
        return super().forward(condition + self.shift)


class Constant(Net):
    """Computes something when it is built, outside of its state dict: lost under the meta device."""

    def __init__(self, *, in_channels: int) -> None:
        super().__init__(in_channels=in_channels)
        self.register_buffer("half", torch.full((1,), 0.5), persistent=False)

    def forward(self, condition):
        return super().forward(condition * self.half)


_SHARED = nn.Conv2d(4, 3, 1)


class Shares(Net):
    """Copies share a layer."""

    def __deepcopy__(self, memo):
        return self


class Untraceable(Net):
    """Behaves differently when it is traced."""

    def forward(self, condition):
        return super().forward(condition) * (0.5 if torch.compiler.is_compiling() else 1.0)


class Overflows(Net):
    """Is only right in single precision."""

    def forward(self, condition):
        hidden = self.first(condition)
        return super().forward(condition) * (1.0 if hidden.dtype == torch.float32 else float("nan"))


class OneChannelTooMany(PatchDiscriminator):
    """Logits of two channels."""

    def forward(self, view):
        return [[*scale[:-1], scale[-1].expand(-1, 2, -1, -1)] for scale in super().forward(view)]


class PaintsOver(ResidualFace):
    """Changes what is outside of the box."""

    def forward(self, image, condition, boxes):
        return (super().forward(image, condition, boxes) * 0.99).clamp(-1, 1)


class Oblong(ResidualFace):
    """Boxes that are not square."""

    def boxes(self, xy, score, skeleton):
        return super().boxes(xy, score, skeleton) + np.array([0, 0, 5, 0], np.float32)


class SeesGhosts(ResidualFace):
    """A box where nobody is."""

    def boxes(self, xy, score, skeleton):
        return np.nan_to_num(super().boxes(xy, score, skeleton), nan=1.0)


class CropsNaN(ResidualFace):
    """A crop of NaN."""

    def crop(self, images, boxes):
        return super().crop(images, boxes) + 0 * boxes[:, :1, None, None]
