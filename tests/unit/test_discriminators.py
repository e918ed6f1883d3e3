"""Discriminators against a plain re-statement in functions, and the original networks' numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dancekit.discriminators.multiscale import MultiscaleDiscriminator
from dancekit.discriminators.none import NoDiscriminator
from dancekit.discriminators.patch import PatchDiscriminator


def plain_patch(layers, x):
    """PatchGAN from its (weight, bias) pairs: stride 2 up to the last two, instance norm in the middle."""
    maps = []
    for number, (weight, bias) in enumerate(layers):
        x = F.conv2d(x, weight, bias, stride=1 if number >= len(layers) - 2 else 2, padding=2)
        if 0 < number < len(layers) - 1:
            x = F.instance_norm(x)
        if number < len(layers) - 1:
            x = F.leaky_relu(x, 0.2)
        maps.append(x)
    return maps


def halve(x):
    """Mean of the 3x3 neighbourhood, every second pixel, pixels beyond the border not counted."""
    ones = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype)
    total = F.conv2d(x, ones, stride=2, padding=1, groups=x.shape[1])
    return total / F.conv2d(torch.ones_like(x), ones, stride=2, padding=1, groups=x.shape[1])


@pytest.mark.parametrize(("num_d", "n_layers", "batch"), [(1, 2, 1), (3, 3, 2)])
def test_multiscale_equals_the_plain_network(num_d, n_layers, batch):
    torch.manual_seed(num_d)
    network = MultiscaleDiscriminator(ndf=3, n_layers=n_layers, num_d=num_d, in_channels=5).double()
    state = network.state_dict()
    x = torch.randn(batch, 5, 40, 56, dtype=torch.float64)
    got, image = network(x), x
    assert len(got) == num_d
    for number, maps in enumerate(got):  # finest first, and the finest is called scale{num_d - 1}
        names = [f"scale{num_d - 1 - number}_layer{j}.0" for j in range(n_layers + 2)]
        true = plain_patch([(state[f"{n}.weight"], state[f"{n}.bias"]) for n in names], image)
        torch.testing.assert_close(maps, true, rtol=1e-9, atol=1e-11)
        image = halve(image)
    assert maps[-1].shape[1] == 1 and len(state) == 2 * num_d * (n_layers + 2)


def test_map_sizes_and_channels_are_those_of_the_original():
    """Padding 2: maps grow by one where the stride is 1 (../shared/fixtures/README.md 3.2)."""
    with torch.device("meta"):
        network = MultiscaleDiscriminator(in_channels=12)
        maps = network(torch.zeros(1, 12, 64, 128))
    assert [tuple(m.shape[1:]) for m in maps[0]] == [
        (64, 33, 65),
        (128, 17, 33),
        (256, 9, 17),
        (512, 10, 18),
        (1, 11, 19),
    ]
    assert sum(p.numel() for p in network.parameters()) == 5_547_906
    with torch.device("meta"):
        deep = PatchDiscriminator(ndf=64, n_layers=6, in_channels=3)
    assert max(p.shape[0] for p in deep.parameters()) == 512


@pytest.mark.parametrize("batch", [1, 2])
def test_patch_equals_the_plain_network(batch):
    torch.manual_seed(1)
    network = PatchDiscriminator(ndf=4, in_channels=6).double()
    state = network.state_dict()
    x = torch.randn(batch, 6, 48, 48, dtype=torch.float64)
    layers = [(state[f"model.{i}.weight"], state[f"model.{i}.bias"]) for i in (0, 2, 5, 8, 11)]
    (maps,) = network(x)
    torch.testing.assert_close(maps, plain_patch(layers, x), rtol=1e-9, atol=1e-11)
    assert len(state) == 10


def test_gradients_reach_the_view_and_every_parameter():
    torch.manual_seed(0)
    network = MultiscaleDiscriminator(ndf=4, in_channels=3)
    view = torch.randn(1, 3, 64, 64, requires_grad=True)
    sum(scale[-1].square().mean() for scale in network(view)).backward()
    assert view.grad is not None and view.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_none_judges_nothing():
    network = NoDiscriminator(in_channels=12)
    assert network(torch.zeros(1, 12, 8, 8)) == [] and not list(network.parameters())
