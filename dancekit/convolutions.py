"""Convolutions that are faster on CPUs than torch's: the same layers, the same numbers but for rounding.

Two things (figures: docs/training.md, `benchmarks/train_step.py`):

- On CPUs without AVX-512 oneDNN has no kernel for the gradient of the weights in channels_last and falls back to
  one that takes three to five times as long, while all else is as fast or faster in that layout. So that one
  product is taken of contiguous copies.
- Winograd's algorithm (Lavin & Gray, CVPR 2016) needs a fraction of the multiplications of a 3x3 convolution.
  oneDNN has none for AVX2; NNPACK, which comes with torch, has one. It rounds differently: a hundred-thousandth
  of the largest value. It has to be asked for (`use_winograd`).
"""

from __future__ import annotations

import functools
import time
from typing import Any

import torch
from torch import Tensor, nn

FEWEST_CHANNELS, SMALLEST_SIDE = 48, 14
"""Below, the transforms cost more than the multiplications that they save."""

_Strides = tuple[Any, Any, Any, bool, Any, int]


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, faster on CPUs."""

    winograd = False

    def forward(self, input: Tensor) -> Tensor:
        """As the parent."""
        if self.winograd and self.suits_winograd() and _plain_cpu(input, self.weight) and _is_large(input):
            return _Winograd.apply(input, self.weight, self.bias, self.padding)  # type: ignore[no-any-return]
        if (
            self.padding_mode == "zeros"
            and not isinstance(self.padding, str)
            and copies_pay(input, self.weight)
        ):
            strides = (self.stride, self.padding, self.dilation, False, (0, 0), self.groups)
            return _Convolution.apply(input, self.weight, self.bias, strides)  # type: ignore[no-any-return]
        return super().forward(input)

    def suits_winograd(self) -> bool:
        """Whether it is a plain 3x3 convolution with enough channels."""
        return (
            self.kernel_size == (3, 3)
            and self.stride == self.dilation == (1, 1)
            and self.groups == 1
            and self.padding in ((0, 0), (1, 1), (2, 2))
            and self.padding_mode == "zeros"
            and min(self.in_channels, self.out_channels) >= FEWEST_CHANNELS
        )


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d`, faster on CPUs."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As the parent."""
        if _plain_cpu(input, self.weight) and slow_weight_gradients():
            # it gains most of all by channels_last, and may come after convolutions by Winograd's algorithm
            input = input.contiguous(memory_format=torch.channels_last)
        if output_size is not None or not copies_pay(input, self.weight):
            return super().forward(input, output_size)
        strides = (self.stride, self.padding, self.dilation, True, self.output_padding, self.groups)
        return _Convolution.apply(input, self.weight, self.bias, strides)  # type: ignore[no-any-return]


def use_winograd(network: nn.Module, wanted: bool = True) -> int:
    """Let the convolutions of a network that suit it run by Winograd's algorithm; how many there are.

    Where torch comes without NNPACK they stay as they are.
    """
    found = [each for each in network.modules() if isinstance(each, Conv2d) and each.suits_winograd()]
    for module in found:
        module.winograd = wanted and has_winograd()
    return len(found)


@functools.cache
def has_winograd() -> bool:
    """Whether this torch has NNPACK and the CPU suits it; asking also starts it up."""
    return bool(torch.backends.nnpack.is_available())  # type: ignore[no-untyped-call]


def winograd_used(network: nn.Module) -> bool:
    """Whether any convolution of a network runs by it."""
    return any(isinstance(each, Conv2d) and each.winograd for each in network.modules())


@functools.cache
def winograd_pays() -> bool:
    """Whether it is there and clearly faster on this machine; measured once, for a fifth of a second."""
    if not has_winograd():
        return False
    x, weight = torch.ones(1, 256, 64, 64), torch.ones(256, 256, 3, 3)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    best = {}
    with torch.inference_mode():
        for name, way in (("usual", _usual), ("winograd", _by_nnpack)):
            seconds = []
            for _ in range(3):
                began = clock()
                way(x, weight, None, (1, 1))
                seconds.append(clock() - began)
            best[name] = min(seconds)
    return best["usual"] > 1.2 * best["winograd"]


def copies_pay(x: Tensor, weight: Tensor) -> bool:
    """Whether the weight gradient of a convolution is better taken of contiguous copies."""
    return (
        torch.is_grad_enabled()
        and weight.requires_grad
        and _plain_cpu(x, weight)
        and x.shape[1] > 1
        and x.is_contiguous(memory_format=torch.channels_last)
        and slow_weight_gradients()
    )


@functools.cache
def slow_weight_gradients() -> bool:
    """Whether this CPU's convolutions have slow weight gradients in channels_last."""
    return "AVX512" not in torch.backends.cpu.get_cpu_capability()


def _plain_cpu(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _is_large(x: Tensor) -> bool:
    return x.dtype == torch.float32 and min(x.shape[-2:]) >= SMALLEST_SIDE


def _usual(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    return nn.functional.conv2d(x, weight, bias, padding=padding)


def _by_nnpack(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    """One sample at a time: NNPACK's way for batches is up to five times as slow."""
    samples = x.contiguous().tensor_split(len(x))
    painted = [torch._nnpack_spatial_convolution(sample, weight, bias, padding) for sample in samples]
    return torch.cat(painted) if len(painted) > 1 else painted[0]


class _Winograd(torch.autograd.Function):
    """A 3x3 convolution and its gradient to the input by NNPACK, that to the weights by matrix products.

    Made of torch's own operators, so that the backward pass can be differentiated again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.biased = padding, bias is not None
        return _by_nnpack(x, weight, bias, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        dx = dw = db = None
        if wants_x:  # the same convolution with the weights turned round
            turned = weight.flip(2, 3).transpose(0, 1).contiguous()
            dx = _by_nnpack(gradient, turned, None, (2 - ctx.padding[0], 2 - ctx.padding[1]))
        if wants_weight:
            dw = winograd_weight_gradient(gradient, x, ctx.padding)
        if wants_bias and ctx.biased:
            db = gradient.sum((0, 2, 3))
        return dx, dw, db, None


def winograd_weight_gradient(gradient: Tensor, x: Tensor, padding: tuple[int, int]) -> Tensor:
    """The gradient of a 3x3 convolution's weights by F(3x3, 4x4): a quarter of the multiplications.

    What NNPACK does not offer. Tiles of 4x4 outputs and the 6x6 inputs that they saw are transformed, multiplied
    and summed over all tiles as 36 matrix products, and transformed back.

    Args:
        gradient: (B, O, H, W) of the outputs.
        x: (B, I, h, w) the inputs, h + 2 * padding = H + 2.
        padding: Rows and columns of zeros around them.

    Returns:
        (O, I, 3, 3).
    """
    batch, outputs, height, width = gradient.shape
    inputs, rows, columns = x.shape[1], -(-height // 4), -(-width // 4)
    below, right = 4 * rows - height, 4 * columns - width  # zeros that add nothing
    gradient = nn.functional.pad(gradient, (0, right, 0, below))
    x = nn.functional.pad(x, (padding[1], padding[1] + right, padding[0], padding[0] + below))
    from_tile, from_input, to_weight = (matrix.to(x.dtype) for matrix in _transforms())
    # channels innermost: the copies and the products are fastest so
    tiles = gradient.reshape(batch, outputs, rows, 4, columns, 4).permute(3, 5, 0, 2, 4, 1)
    seen = x.unfold(2, 6, 4).unfold(3, 6, 4).permute(4, 5, 0, 2, 3, 1)
    u = (from_tile @ tiles.reshape(16, -1)).view(36, -1, outputs)
    v = (from_input @ seen.reshape(36, -1)).view(36, -1, inputs)
    products = torch.bmm(u.mT, v).view(36, -1)
    return (to_weight @ products).view(3, 3, outputs, inputs).permute(2, 3, 0, 1).contiguous()


@functools.cache
def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Toom-Cook's matrices for the points 0, 1, -1, 2, -2 and infinity, in two dimensions: (36, 16), (36, 36), (9, 36).

    Lavin & Gray give those of F(4x4, 3x3) (section 4.2, appendix); here tiles and filter change places.
    """
    points = [(0, 1 / 4), (1, -1 / 6), (-1, -1 / 6), (2, 1 / 24), (-2, 1 / 24)]
    tile = [[scale * point**power for power in range(4)] for point, scale in points] + [[0, 0, 0, 1]]
    weight = [[float(point**power) for point, _ in points] + [float(power == 2)] for power in range(3)]
    image = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    found = [torch.tensor(each, dtype=torch.float64) for each in (tile, image, weight)]
    once, twice, thrice = (torch.kron(each, each) for each in found)
    return once, twice, thrice


class _Convolution(torch.autograd.Function):
    """A convolution in channels_last whose weight gradient is taken of contiguous copies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, strides: _Strides) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.strides, ctx.biased = strides, bias is not None
        return torch.convolution(x, weight, bias, *strides)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias, _ = ctx.needs_input_grad
        dx = dw = db = None
        if wants_x:
            back = torch.ops.aten.convolution_backward
            dx = back(gradient, x, weight, None, *ctx.strides, (True, False, False))[0]
        if wants_weight:
            dw = _weight_gradient(gradient, x, weight, ctx.strides)
        if wants_bias and ctx.biased:
            db = gradient.sum((0, 2, 3))
        return dx, dw, db, None


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, strides: _Strides) -> Tensor:
    back = torch.ops.aten.convolution_backward
    found: Tensor = back(gradient.contiguous(), x.contiguous(), weight, None, *strides, (False, True, False))[
        1
    ]
    return found
