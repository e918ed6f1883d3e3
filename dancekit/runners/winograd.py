"""PyTorch with 3x3 convolutions by Winograd's algorithm."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from dancekit.convolutions import has_winograd, use_winograd
from dancekit.errors import UsageError
from dancekit.runners.agreement import Forward, checked


class Winograd:
    """PyTorch, its large 3x3 convolutions by Winograd's algorithm: a fraction of the multiplications.

    Faster than everything else in single precision on CPUs without AVX-512, where no other runner has it (NNPACK,
    which comes with torch); slower on those with it. Networks without such convolutions stay as they are.

    Args:
        threads: Of a computation (wired; torch has one setting for the whole process).
    """

    version = 1
    name = "winograd"
    devices = ("cpu",)

    def __init__(self, *, threads: int) -> None:
        self.threads = threads

    def prepare(self, network: nn.Module, example: Tensor) -> Forward:
        """A copy of the network that shares its weights.

        Raises:
            UsageError: This torch has no NNPACK.
            DancekitError: The numbers are not torch's.
        """
        if not has_winograd():
            raise UsageError(
                "runner winograd needs a torch with NNPACK, this one has none", hint="--runner torch"
            )
        shared = {id(value): value for value in (*network.parameters(), *network.buffers())}
        twin = copy.deepcopy(network, shared)
        return checked("winograd", network, twin, example) if use_winograd(twin) else network
