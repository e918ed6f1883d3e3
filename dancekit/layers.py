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


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """The layer of that name: `instance` (no parameters) or `batch` (affine, running statistics)."""
    if norm == "instance":
        return InstanceNorm2d(channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
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
    """

    def __init__(self, channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_norm(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        return x + self.conv_block(x)  # type: ignore[no-any-return]


def global_generator(
    *, in_channels: int, out_channels: int, ngf: int, n_down: int, n_blocks: int, norm: Norm
) -> nn.Sequential:
    """pix2pixHD's GlobalGenerator as one sequence; the indices are those of the original's state dict.

    7x7 convolution, `n_down` halvings that double the channels, `n_blocks` residual blocks, `n_down`
    transposed convolutions, 7x7 convolution, tanh. Every convolution has a bias. A height or width that is no
    multiple of 2**n_down comes out larger, rounded up.
    """
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3),
        nn.Conv2d(in_channels, ngf, 7),
        make_norm(norm, ngf),
        nn.ReLU(inplace=True),
    ]
    for level in range(n_down):
        wide = ngf * 2 ** (level + 1)
        layers += [
            nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1),
            make_norm(norm, wide),
            nn.ReLU(inplace=True),
        ]
    layers += [ResnetBlock(ngf * 2**n_down, norm) for _ in range(n_blocks)]
    for level in reversed(range(n_down)):
        narrow = ngf * 2**level
        layers += [
            nn.ConvTranspose2d(narrow * 2, narrow, 3, stride=2, padding=1, output_padding=1),
            make_norm(norm, narrow),
            nn.ReLU(inplace=True),
        ]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, out_channels, 7), nn.Tanh()]
    return nn.Sequential(*layers)


def channels_last(x: Tensor) -> Tensor:
    """The same image tensor in the memory layout in which convolutions run fastest here."""
    return x.contiguous(memory_format=torch.channels_last)
