"""torch.compile: the network as one C++ program, its weights frozen into it."""

from __future__ import annotations

import shutil
import warnings

import torch
from torch import Tensor, nn

from dancekit.errors import UsageError
from dancekit.runners.agreement import Forward, checked, one_by_one


class Compiled:
    """torch.compile with frozen weights. The first frame waits for a C++ compiler: half a minute a network.

    Args:
        threads: Of a computation (wired; torch has one setting for the whole process).
    """

    version = 1
    name = "compiled"
    devices = ("cpu", "cuda")

    def __init__(self, *, threads: int) -> None:
        self.threads = threads

    def prepare(self, network: nn.Module, example: Tensor) -> Forward:
        """Compile for one sample of the example's size.

        Raises:
            UsageError: There is no C++ compiler.
            DancekitError: The numbers are not torch's.
        """
        if example.device.type == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            raise UsageError(
                "runner compiled needs a C++ compiler and there is none",
                hint="install g++, or use another --runner",
            )
        program = torch.compile(network, options={"freezing": True})

        @torch.no_grad()
        def single(sample: Tensor) -> object:
            # programs are kept by layout; inference tensors would be compiled once more
            with torch.inference_mode(False):
                return program(sample.detach().clone(memory_format=torch.contiguous_format))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own parts, about each other
            return checked("compiled", network, one_by_one(single), example)
