"""Building blocks that several roles share: instance norm, residual block, initialisation, pix2pixHD's body.

Source of the design: NVIDIA/pix2pixHD (Wang et al., "High-Resolution Image Synthesis and Semantic
Manipulation with Conditional GANs", CVPR 2018), rebuilt from its description; names of parameters are the
original's, so that checkpoints of that family load.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancekit.convolutions import Conv2d, ConvTranspose2d

Norm = Literal["instance", "batch"]


class InstanceNorm2d(nn.Module):
    """Instance normalization without parameters: the numbers of `nn.InstanceNorm2d(affine=False)`, sooner.

    `F.instance_norm` copies a channels_last tensor to NCHW; normalizing each sample by its batch statistics
    is the same function and keeps the layout (`benchmarks/generator.py` has the times). Group norm with one
    channel a group keeps it too, but its channels_last kernel takes the variance as E[x^2] - E[x]^2 and loses
    three digits where the mean is far from zero.

    Args:
        channels: C.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape, dtype and memory format; H * W must be more than 1."""
        if x.shape[0] == 1:
            return F.batch_norm(x, None, None, training=True, eps=self.eps)
        if x.device.type != "cpu":  # one launch, not one a sample
            return F.instance_norm(x, eps=self.eps)
        samples = [
            F.batch_norm(sample, None, None, training=True, eps=self.eps)
            for sample in x.tensor_split(x.shape[0])
        ]
        return torch.cat(samples)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.channels}, eps={self.eps}"


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalization that can be told to use the batch's statistics when it does not train as well.

    The scripts of Everybody Dance Now, pix2pixHD and pix2pix never leave training mode when they paint, so
    what their networks with batch norm give depends on the batch. `use_batch_statistics` does the same, but
    leaves the running statistics alone.
    """

    batch_statistics = False

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape; B * H * W must be more than 1 where the batch is measured."""
        if self.batch_statistics and not self.training:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return super().forward(x)


def use_batch_statistics(network: nn.Module) -> None:
    """Let every batch norm of a network measure each batch, in evaluation too."""
    for module in network.modules():
        if isinstance(module, BatchNorm2d):
            module.batch_statistics = True


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """The layer of that name: `instance` (no parameters) or `batch` (affine, running statistics)."""
    if norm == "instance":
        return InstanceNorm2d(channels)
    if norm == "batch":
        return BatchNorm2d(channels)
    raise ValueError(f"norm is {norm!r}; it can be 'instance' or 'batch'")


def init_gan(network: nn.Module, *, zero_bias: bool = False) -> None:
    """Initialise in place as pix2pixHD does: convolutions N(0, 0.02), batch norm N(1, 0.02) and bias 0.

    Args:
        network: What to initialise.
        zero_bias: Set the biases of convolutions to 0 (pix2pix) in place of torch's default (pix2pixHD).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if zero_bias and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


class ResnetBlock(nn.Module):
    """x + conv(relu(conv(x))) with reflection padding, normalized; no activation after the sum.

    Args:
        channels: C in and out.
        norm: The normalization after each convolution.
        bias: Whether the convolutions have one.
        dropout: Drop half of the values between the convolutions while training (pix2pix).
    """

    def __init__(
        self, channels: int, norm: Norm = "instance", *, bias: bool = True, dropout: bool = False
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        if self.conv_block[
            1
        ].winograd:  # it works in the plain layout: once, not before and after every layer
            x = x.contiguous()
        return x + self.conv_block(x)  # type: ignore[no-any-return]


class Segmented(nn.Sequential):
    """A sequence that can trade time for memory: gradient checkpointing (Chen et al. 2016).

    With `segments` > 0 and while gradients are needed, only what lies between so many segments is kept for the
    backward pass; the rest is computed again then. The numbers are the same.
    """

    segments = 0

    def forward(self, input: Tensor) -> Tensor:
        """Through all layers."""
        if not (self.segments and self.training and torch.is_grad_enabled()):
            return super().forward(input)  # type: ignore[no-any-return,no-untyped-call]
        from torch.utils.checkpoint import checkpoint

        layers = list(self)
        length = -(-len(layers) // self.segments)
        for start in range(0, len(layers), length):
            input = checkpoint(nn.Sequential(*layers[start : start + length]), input, use_reentrant=False)
        return input


def use_gradient_checkpointing(network: nn.Module) -> bool:
    """Let all sequences of a network that can do so keep less for the backward pass; whether there is one.

    Raises:
        ValueError: It has batch norm, whose running statistics the second pass would move again.
    """
    found = [module for module in network.modules() if isinstance(module, Segmented)]
    if found and any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        raise ValueError("batch norm would see every batch twice")
    for module in found:
        module.segments = max(2, round(len(module) ** 0.5))
    return bool(found)


def global_generator(
    *,
    in_channels: int,
    out_channels: int,
    ngf: int,
    n_down: int,
    n_blocks: int,
    norm: Norm,
    bias: bool = True,
    dropout: bool = False,
) -> Segmented:
    """pix2pixHD's GlobalGenerator as one sequence; the indices are those of the original's state dict.

    7x7 convolution, `n_down` halvings that double the channels, `n_blocks` residual blocks, `n_down`
    transposed convolutions, 7x7 convolution, tanh. A height or width that is no multiple of 2**n_down comes
    out larger, rounded up. pix2pix's ResnetGenerator is the same with `n_down=2`, where batch norm takes the
    place of biases (`bias=False`; the last convolution keeps its own).
    """
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3),
        Conv2d(in_channels, ngf, 7, bias=bias),
        make_norm(norm, ngf),
        nn.ReLU(inplace=True),
    ]
    for level in range(n_down):
        layers += halving(ngf * 2**level, norm, bias=bias)
    layers += [ResnetBlock(ngf * 2**n_down, norm, bias=bias, dropout=dropout) for _ in range(n_blocks)]
    for level in reversed(range(n_down)):
        layers += doubling(ngf * 2**level, norm, bias=bias)
    layers += to_image(ngf, out_channels)
    return Segmented(*layers)


def halving(channels: int, norm: Norm, *, bias: bool = True) -> list[nn.Module]:
    """Half the size, twice the channels: C to 2 C; an odd side is rounded up."""
    return [
        Conv2d(channels, channels * 2, 3, stride=2, padding=1, bias=bias),
        make_norm(norm, channels * 2),
        nn.ReLU(inplace=True),
    ]


def doubling(channels: int, norm: Norm, *, bias: bool = True) -> list[nn.Module]:
    """Twice the size, half the channels: 2 C to C."""
    return [
        ConvTranspose2d(channels * 2, channels, 3, stride=2, padding=1, output_padding=1, bias=bias),
        make_norm(norm, channels),
        nn.ReLU(inplace=True),
    ]


def to_image(channels: int, out_channels: int) -> list[nn.Module]:
    """Features to an image in [-1, 1]."""
    return [nn.ReflectionPad2d(3), Conv2d(channels, out_channels, 7), nn.Tanh()]


def shrink(x: Tensor) -> Tensor:
    """The next level of pix2pixHD's pyramids: mean of 3x3, every second pixel, the border not counted."""
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def channels_last(x: Tensor) -> Tensor:
    """The same image tensor in the memory layout in which convolutions run fastest here."""
    return x.contiguous(memory_format=torch.channels_last)


def at_least_single(x: Tensor) -> Tensor:
    """The same numbers in single precision if they come from a network in half; others as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
