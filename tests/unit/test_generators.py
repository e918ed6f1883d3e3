"""Generators against independent references: written out by hand here, and the original networks' numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dancekit.errors import IncompatibleParts
from dancekit.generators.pix2pixhd import Pix2PixHD
from dancekit.generators.unet import UNet


def plain_global(state, x, n_down, n_blocks):
    """pix2pixHD's generator in functions and NCHW, from the index rule of its state dict."""
    norm = F.instance_norm

    def layer(name):
        return state[f"model.{name}.weight"], state[f"model.{name}.bias"]

    x = norm(F.conv2d(F.pad(x, (3,) * 4, "reflect"), *layer("1"))).relu()
    for i in range(n_down):
        x = norm(F.conv2d(x, *layer(str(4 + 3 * i)), stride=2, padding=1)).relu()
    for i in range(n_blocks):
        name = f"{4 + 3 * n_down + i}.conv_block"
        y = norm(F.conv2d(F.pad(x, (1,) * 4, "reflect"), *layer(f"{name}.1"))).relu()
        x = x + norm(F.conv2d(F.pad(y, (1,) * 4, "reflect"), *layer(f"{name}.5")))
    for i in range(n_down):
        name = str(4 + 3 * n_down + n_blocks + 3 * i)
        x = norm(F.conv_transpose2d(x, *layer(name), stride=2, padding=1, output_padding=1)).relu()
    return F.conv2d(F.pad(x, (3,) * 4, "reflect"), *layer(str(5 + 6 * n_down + n_blocks))).tanh()


def plain_unet(state, x, depth):
    """pix2pix's U-Net as a recursion, instance norm."""

    def descend(x, level, prefix):
        def layer(index):
            return state[f"{prefix}.{index}.weight"], state[f"{prefix}.{index}.bias"]

        innermost = level == depth - 1
        down = 0 if level == 0 else 1
        y = F.conv2d(x if level == 0 else F.leaky_relu(x, 0.2), *layer(down), stride=2, padding=1)
        if not innermost:
            y = y if level == 0 else F.instance_norm(y)
            y = descend(y, level + 1, f"{prefix}.{down + 1 if level == 0 else down + 2}.model")
        up = 3 if level == 0 or innermost else 5
        y = F.conv_transpose2d(y.relu(), *layer(up), stride=2, padding=1)
        return y.tanh() if level == 0 else torch.cat([x, F.instance_norm(y)], 1)

    return descend(x, 0, "model.model")


def with_gradient(function, x):
    leaf = x.clone().requires_grad_()
    y = function(leaf)
    y.square().mean().backward()
    return y.detach(), leaf.grad


@pytest.mark.parametrize(("n_down", "n_blocks", "batch"), [(1, 0, 1), (2, 3, 1), (3, 1, 2)])
def test_pix2pixhd_equals_the_plain_network(n_down, n_blocks, batch):
    torch.manual_seed(n_down)
    network = Pix2PixHD(ngf=4, n_down=n_down, n_blocks=n_blocks, in_channels=5).double()
    x = torch.randn(batch, 5, 32, 48, dtype=torch.float64)
    got = with_gradient(network, x)
    true = with_gradient(lambda x: plain_global(network.state_dict(), x, n_down, n_blocks), x)
    torch.testing.assert_close(got, true, rtol=1e-7, atol=1e-11)
    assert network.spec.multiple_of == 2**n_down and network.spec.in_channels == 5


@pytest.mark.parametrize(("depth", "batch"), [(2, 1), (5, 2)])
def test_unet_equals_the_plain_network(depth, batch):
    torch.manual_seed(depth)
    network = UNet(ngf=3, depth=depth, in_channels=4).double()
    x = torch.randn(batch, 4, 64, 96, dtype=torch.float64)
    got = with_gradient(network, x)
    true = with_gradient(lambda x: plain_unet(network.state_dict(), x, depth), x)
    torch.testing.assert_close(got, true, rtol=1e-7, atol=1e-11)
    assert network.spec.multiple_of == 2**depth


def test_pix2pixhd_has_the_keys_and_shapes_of_the_original():
    """The list of Everybody Dance Now's global stage, written out (../shared/reference/edn.md section 5)."""
    with torch.device("meta"):
        network = Pix2PixHD(in_channels=6)
    shapes = {1: (64, 6, 7, 7), 4: (128, 64, 3, 3), 7: (256, 128, 3, 3), 10: (512, 256, 3, 3)}
    shapes |= {13: (1024, 512, 3, 3), 25: (1024, 512, 3, 3), 28: (512, 256, 3, 3)}
    shapes |= {31: (256, 128, 3, 3), 34: (128, 64, 3, 3), 38: (3, 64, 7, 7)}
    expected = {f"model.{index}.weight": shape for index, shape in shapes.items()}
    for block in range(16, 25):
        expected |= {f"model.{block}.conv_block.{i}.weight": (1024, 1024, 3, 3) for i in (1, 5)}
    got = network.state_dict()
    assert {k: tuple(v.shape) for k, v in got.items() if k.endswith("weight")} == expected
    assert set(got) == set(expected) | {key.replace("weight", "bias") for key in expected}
    assert sum(p.numel() for p in network.parameters()) == 182_452_675


def test_unet_has_the_keys_and_shapes_of_the_original():
    """Everybody Dance Now's face U-Net: five levels, batch norm (../shared/reference/edn.md section 5)."""
    with torch.device("meta"):
        network = UNet(ngf=64, depth=5, norm="batch", in_channels=6)
    got = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    inner = "model.model.1.model.3.model.3.model.3"
    for key, shape in {
        "model.model.0.weight": (64, 6, 4, 4),
        "model.model.1.model.1.weight": (128, 64, 4, 4),
        "model.model.1.model.3.model.3.model.2.weight": (512,),
        f"{inner}.model.1.weight": (512, 512, 4, 4),
        f"{inner}.model.3.weight": (512, 512, 4, 4),
        f"{inner}.model.4.running_mean": (512,),
        "model.model.1.model.3.model.3.model.5.weight": (1024, 256, 4, 4),
        "model.model.1.model.5.weight": (256, 64, 4, 4),
        "model.model.3.weight": (128, 3, 4, 4),
        "model.model.3.bias": (3,),
    }.items():
        assert got[key] == shape, key
    assert len(got) == 46
    assert sum(p.numel() for p in network.parameters()) == 16_662_147


def test_sizes_that_do_not_divide():
    x = torch.zeros(1, 3, 54, 70)
    assert Pix2PixHD(ngf=2, n_down=2, n_blocks=1, in_channels=3)(x).shape == (1, 3, 56, 72)
    with pytest.raises(IncompatibleParts, match=r"multiples of 8, got 70x54"):
        UNet(ngf=2, depth=3, in_channels=3)(x)


@pytest.mark.parametrize("make", [Pix2PixHD, UNet])
def test_samples_of_a_batch_do_not_touch_each_other_and_runs_repeat_bit_for_bit(make):
    torch.manual_seed(0)
    parameters = {"n_down": 2, "n_blocks": 1} if make is Pix2PixHD else {"depth": 4}
    network = make(ngf=4, in_channels=3, **parameters)
    x = torch.randn(2, 3, 32, 32)
    one, two = with_gradient(network, x), with_gradient(network, x)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    alone = torch.cat([network(sample) for sample in x.split(1)])
    torch.testing.assert_close(network(x), alone, rtol=0, atol=1e-5)
    assert one[0].abs().max() <= 1


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_unet_may_shrink_the_image_to_one_pixel(norm):
    network = UNet(ngf=2, depth=4, norm=norm, in_channels=3)
    assert network(torch.randn(1, 3, 16, 16)).isfinite().all()


def test_mixed_precision_runs():
    network = Pix2PixHD(ngf=4, n_down=2, n_blocks=1, in_channels=3)
    x = torch.randn(2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        y = network(x)
    torch.testing.assert_close(y.float(), network(x), rtol=0, atol=0.1)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network = UNet(ngf=2, depth=6, dropout=True, in_channels=3)
    assert sum(isinstance(module, torch.nn.Dropout) for module in network.modules()) == 1
    x = torch.randn(1, 3, 64, 64)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
