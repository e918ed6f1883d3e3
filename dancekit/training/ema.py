"""Exponential moving average of weights: what is painted with, previewed and published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """A shadow copy of a module's floating-point weights.

    The decay is warmed up, min(decay, (1 + n) / (10 + n)) after n updates, so that early averages are not
    dominated by the initial weights (as in TensorFlow's ExponentialMovingAverage).

    Args:
        module: The module to follow.
        decay: Share of the old average that is kept each update; 0 follows exactly.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.shadow = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's weights; buffers are copied."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1 - decay)
            else:
                self.shadow[name].copy_(value)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Within the block the module has the averaged weights."""
        kept = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.shadow)
        try:
            yield
        finally:
            module.load_state_dict(kept)

    def load(self, shadow: dict[str, Tensor], updates: int) -> None:
        """Continue from saved numbers."""
        for name, value in shadow.items():
            self.shadow[name].copy_(value)
        self.updates = updates
