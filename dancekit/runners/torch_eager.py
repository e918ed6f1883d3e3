"""PyTorch itself, layer by layer."""

from __future__ import annotations

from torch import Tensor, nn

from dancekit.runners.agreement import Forward


class TorchEager:
    """PyTorch as it is: works everywhere, on every device, and is what all others are compared with.

    Args:
        threads: Of a computation on the CPU (wired; torch has one setting for the whole process).
    """

    version = 1
    name = "torch"
    devices = ("cpu", "cuda", "mps")

    def __init__(self, *, threads: int) -> None:
        self.threads = threads

    def prepare(self, network: nn.Module, example: Tensor) -> Forward:
        """The network itself."""
        return network
