"""Shared building blocks against torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dancekit.layers import InstanceNorm2d, ResnetBlock, init_gan, make_norm


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_gives_the_numbers_and_gradients_of_torchs(batch, layout):
    generator = torch.Generator().manual_seed(0)
    # means of ten deviations are what E[x^2] - E[x]^2 would stumble over in single precision
    scale, shift = 10 ** torch.linspace(-2, 2, 8), torch.linspace(-10, 10, 8)
    x = (torch.randn(batch, 8, 130, 120, generator=generator) + shift[:, None, None]) * scale[:, None, None]
    x = x.contiguous(memory_format=layout)
    cotangent = torch.randn(x.shape, generator=generator)

    def run(norm, dtype):
        leaf = x.to(dtype).requires_grad_()
        y = norm(leaf)
        assert y.dtype == dtype
        return y, torch.autograd.grad(y, leaf, cotangent.to(dtype))[0].double() * scale[:, None, None]

    true, true_gradient = run(nn.InstanceNorm2d(8), torch.float64)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        got, gradient = run(InstanceNorm2d(8), dtype)
        assert got.is_contiguous(memory_format=layout)
        torch.testing.assert_close(got.double(), true, rtol=0, atol=tolerance)
        torch.testing.assert_close(gradient, true_gradient, rtol=0, atol=tolerance)


def test_instance_norm_has_no_state_and_says_what_it_is():
    assert not InstanceNorm2d(4).state_dict()
    assert "4" in repr(InstanceNorm2d(4))


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="'layer'"):
        make_norm("layer", 4)  # type: ignore[arg-type]


def test_initialisation_is_that_of_the_original():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(64), nn.ConvTranspose2d(64, 16, 3))
    default = network[0].bias.detach().clone()
    init_gan(network)
    for layer in (network[0], network[2]):
        assert abs(layer.weight.std().item() - 0.02) < 1e-3 and abs(layer.weight.mean().item()) < 1e-3
    assert torch.equal(network[0].bias, default) and default.abs().max() > 0
    assert abs(network[1].weight.mean().item() - 1) < 0.02 and not network[1].bias.any()
    init_gan(network, zero_bias=True)
    assert not network[0].bias.any() and not network[2].bias.any()


def test_a_residual_block_is_x_plus_its_two_convolutions():
    torch.manual_seed(0)
    block = ResnetBlock(4).double()
    x = torch.randn(2, 4, 7, 9, dtype=torch.float64)
    first, second = block.conv_block[1], block.conv_block[5]
    reflect, norm = nn.ReflectionPad2d(1), nn.InstanceNorm2d(4)
    y = norm(nn.functional.conv2d(reflect(x), first.weight, first.bias)).relu()
    y = norm(nn.functional.conv2d(reflect(y), second.weight, second.bias))
    torch.testing.assert_close(block(x), x + y, rtol=0, atol=1e-12)
    assert set(block.state_dict()) == {f"conv_block.{i}.{w}" for i in (1, 5) for w in ("weight", "bias")}
