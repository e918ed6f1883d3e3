"""Networks whose weights ship with dancekit: onto a device, and frames into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dancekit.contracts import Runner, WeightFile
from dancekit.errors import UsageError
from dancekit.resources import data_path
from dancekit.weights.header import file_sha256, read_tensors

_Net = TypeVar("_Net", bound=nn.Module)


def usable_device(device: str) -> torch.device:
    """The device, tried.

    Raises:
        UsageError: It cannot be used.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"device {device!r} cannot be used: {reason}", hint="--device cpu always works"
        ) from None
    return torch.device(device)


def load_network(net: _Net, name: str, device: torch.device) -> tuple[_Net, str]:
    """The network with the weights that ship with dancekit (fp16 there, float32 here), and their sha256."""
    path = data_path(f"zoo/weights/{name}.safetensors")
    net.load_state_dict({key: value.float() for key, value in read_tensors(path).items()}, strict=True)
    # channels last: three times as fast on a CPU
    net = net.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
    return net, file_sha256(path)


class Prepared:
    """A network that takes square pictures, as a runner computes it; made ready when it is first asked.

    Args:
        net: With `size`, the side of its pictures.
        runner: None: torch.

    Attributes:
        size: Side of the pictures.
    """

    def __init__(self, net: nn.Module, runner: Runner | None) -> None:
        self.size = int(net.size)  # type: ignore[arg-type]
        self._net, self._runner = net, runner
        self._forward: Callable[[Tensor], Any] | None = net if runner is None else None

    def __call__(self, images: Tensor) -> Any:
        """(B, 3, size, size) to what the network gives."""
        if self._forward is None:
            assert self._runner is not None
            example = torch.rand(1, 3, self.size, self.size, generator=torch.Generator().manual_seed(0))
            example = example.to(images.device, memory_format=torch.channels_last)
            self._forward = self._runner.prepare(self._net, example)
        return self._forward(images)


def embedded_files(*names: str) -> tuple[WeightFile, ...]:
    """Networks of MediaPipe that ship with dancekit, for a component's `weight_files`."""
    return tuple(
        WeightFile(f"{name}.safetensors", "Apache-2.0", None, (f"package:zoo/weights/{name}.safetensors",))
        for name in names
    )


def to_images(crops: Sequence[NDArray[np.uint8]], device: torch.device) -> Tensor:
    """Equally large (H, W, 3) crops to (B, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float() / 255
