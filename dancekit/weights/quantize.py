"""Weights in half or a quarter of their size: how floats are stored as fp16 or int8, and read back as float32.

int8 is symmetric, one scale a channel (as in Krishnamoorthi, "Quantizing deep convolutional networks", 2018,
section 3.1.1): w = q * scale with q in -127..127. The channels are those of the first or the second axis,
whichever rounds less: a convolution's output channels lie on the first, a transposed convolution's on the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from dancekit.errors import DancerError

if TYPE_CHECKING:
    from torch import Tensor

Storage = Literal["fp32", "fp16", "int8"]
STORAGES: tuple[Storage, ...] = ("fp32", "fp16", "int8")

SCALE = "scale."
"""Prefix of a quantized tensor's scales: `scale.<name of the tensor>`."""

SMALLEST = 1024
"""Elements below which a tensor stays fp16: biases and norms are few, and matter more than their size."""

_LEVELS = 127


def pack(tensors: Mapping[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    """Tensors as they are stored; integers and booleans as they are.

    Args:
        tensors: By name; none begins with `scale.`.
        storage: `fp32`, `fp16`, or `int8`: large tensors as int8 beside float32 scales, small ones as fp16.

    Raises:
        DancerError: A weight is not finite, or too large for fp16.
    """
    import torch

    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu()
        if not plain.is_floating_point():
            packed[name] = plain
            continue
        if not bool(torch.isfinite(plain).all()):
            raise DancerError(f"the weights {name} are not finite", hint="the training has diverged")
        if storage == "fp32":
            packed[name] = plain.float()
        elif storage == "int8" and plain.dim() > 1 and plain.numel() >= SMALLEST:
            packed[name], packed[SCALE + name] = _quantize(plain.float())
        else:
            packed[name] = plain.half()
            if not bool(torch.isfinite(packed[name]).all()):
                raise DancerError(f"the weights {name} are too large for fp16", hint="store them as fp32")
    return packed


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reverse of `pack`: floats are float32, int8 tensors with scales are multiplied by them.

    Raises:
        DancerError: Scales without their tensor, or of a shape or type that does not go with it.
    """
    import torch

    unpacked = {}
    for name, tensor in tensors.items():
        if name.startswith(SCALE):
            if name.removeprefix(SCALE) not in tensors:
                raise DancerError(f"there are scales for {name.removeprefix(SCALE)}, which is missing")
            continue
        scale = tensors.get(SCALE + name)
        if scale is None:
            unpacked[name] = tensor.float() if tensor.is_floating_point() else tensor
            continue
        channel = [side == size for side, size in zip(scale.shape, tensor.shape, strict=False)]
        fits = scale.dim() == tensor.dim() and all(
            same or side == 1 for same, side in zip(channel, scale.shape, strict=True)
        )
        if tensor.dtype != torch.int8 or scale.dtype != torch.float32 or not fits:
            raise DancerError(
                f"the scales of {name} ({scale.dtype}, {list(scale.shape)}) do not go with it "
                f"({tensor.dtype}, {list(tensor.shape)})"
            )
        unpacked[name] = tensor.float() * scale
    return unpacked


def _quantize(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """int8 values and float32 scales that broadcast over them."""
    import torch

    best: tuple[float, Tensor] | None = None
    for axis in (0, 1):
        others = [each for each in range(tensor.dim()) if each != axis]
        scale = tensor.abs().amax(others, keepdim=True) / _LEVELS
        # uniform rounding: the mean squared error of a channel is scale^2 / 12
        error = float(scale.double().square().mean())
        if best is None or error < best[0]:
            best = error, scale
    assert best is not None
    scale = torch.where(best[1] > 0, best[1], torch.ones_like(best[1]))
    return (tensor / scale).round().clamp(-_LEVELS, _LEVELS).to(torch.int8), scale
