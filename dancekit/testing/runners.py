"""What a runner promises: the numbers of torch, to a thousandth, for any batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dancekit.testing.checks import require
from dancekit.testing.subject import Subject

TOLERANCE = 1e-3
"""Of a contract: the largest difference, over the largest value that is expected, or 1."""

SHAPE = (4, 48, 64)


class Two(NamedTuple):
    """Outputs by name."""

    image: Tensor
    map: Tensor


class Painting(nn.Module):
    """Convolutions, a normalization and a transposed convolution, as generators have them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(SHAPE[0], 16, 3, stride=2, padding=1), nn.InstanceNorm2d(16), nn.ReLU()
        )
        self.middle = nn.Conv2d(16, 16, 3, padding=1)
        self.last = nn.ConvTranspose2d(16, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, condition: Tensor) -> Tensor:
        """(B, 4, H, W) to (B, 3, H, W)."""
        painted: Tensor = self.last(self.middle(self.first(condition)).relu()).tanh()
        return painted


class Looking(Painting):
    """The same with a second output."""

    def forward(self, condition: Tensor) -> Any:
        """(B, 4, H, W) to an image and a map."""
        hidden = self.middle(self.first(condition))
        return Two(self.last(hidden.relu()).tanh(), hidden)


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a runner."""
    return (
        it_says_where_it_works,
        its_numbers_are_those_of_torch,
        outputs_keep_their_names,
        it_leaves_the_network_alone,
    )


def it_says_where_it_works(subject: Subject) -> None:
    """`name` is what it is registered as, `devices` are among cpu, cuda and mps."""
    runner = subject.build()
    require(isinstance(runner.name, str) and bool(runner.name), f"name is {runner.name!r}")
    unknown = set(runner.devices) - {"cpu", "cuda", "mps"}
    require(bool(runner.devices) and not unknown, f"devices is {runner.devices}")


def its_numbers_are_those_of_torch(subject: Subject) -> None:
    """A forward pass gives what torch gives, for the batch that it was prepared with and for others."""
    network = _network(Painting)
    forward = subject.build().prepare(network, _conditions(1))
    for batch in (1, 3):
        _same(forward, network, _conditions(batch))


def outputs_keep_their_names(subject: Subject) -> None:
    """A network that gives a named tuple still does."""
    network = _network(Looking)
    forward = subject.build().prepare(network, _conditions(1))
    _same(forward, network, _conditions(1))
    with torch.inference_mode():
        found = forward(_conditions(1))
    require(
        hasattr(found, "image") and hasattr(found, "map"), f"it gives a {type(found).__name__} without names"
    )


def it_leaves_the_network_alone(subject: Subject) -> None:
    """The network that was prepared keeps its weights and what it computes."""
    network = _network(Painting)
    with torch.inference_mode():
        before = network(_conditions(1))
    state = {key: value.clone() for key, value in network.state_dict().items()}
    subject.build().prepare(network, _conditions(1))
    with torch.inference_mode():
        after = network(_conditions(1))
    require(torch.equal(before, after), "the network computes something else afterwards")
    require(
        all(torch.equal(state[k], v) for k, v in network.state_dict().items()), "its weights were changed"
    )


def _network(cls: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cls().eval().requires_grad_(False)


def _conditions(batch: int) -> Tensor:
    return torch.rand(batch, *SHAPE, generator=torch.Generator().manual_seed(batch)) * 2 - 1


def _same(forward: Callable[[Tensor], Any], network: nn.Module, conditions: Tensor) -> None:
    with torch.inference_mode():
        pairs = zip(_tensors(forward(conditions)), _tensors(network(conditions)), strict=True)
        for found, expected in pairs:
            require(
                found.shape == expected.shape, f"it gives {tuple(found.shape)}, torch {tuple(expected.shape)}"
            )
            apart = float((found - expected).abs().max()) / max(1.0, float(expected.abs().max()))
            require(apart <= TOLERANCE, f"its numbers are {apart:.2g} away from those of torch")


def _tensors(output: Any) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else list(output)
