"""What a generator promises: images of the shape and range its spec says, from conditions alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dancekit.contracts import GeneratorSpec
from dancekit.testing.checks import require
from dancekit.testing.networks import Probe, make, network_checks
from dancekit.testing.subject import CHANNELS, Subject


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a generator."""
    return (its_spec_is_true, it_paints_images, *network_checks(_PROBE))


def its_spec_is_true(subject: Subject) -> None:
    """`spec` repeats the channels that it was built for and names a divisor of height and width."""
    for inside, outside in ((CHANNELS, 3), (6, 4)):
        if outside != 3 and not subject.takes("out_channels"):
            continue
        spec = make(subject, in_channels=inside, out_channels=outside).spec
        require(isinstance(spec, GeneratorSpec), f"spec is a {type(spec).__name__}, not a GeneratorSpec")
        require(
            spec.in_channels == inside, f"built for {inside} channels, spec.in_channels is {spec.in_channels}"
        )
        require(
            spec.out_channels == outside,
            f"asked for {outside} channels, spec.out_channels is {spec.out_channels}",
        )
        require(spec.multiple_of >= 1, f"spec.multiple_of is {spec.multiple_of}")


def it_paints_images(subject: Subject) -> None:
    """(B, in_channels, H, W) becomes (B, out_channels, H, W) float32 in [-1, 1], at every size that is allowed."""
    network = make(subject)
    step = network.spec.multiple_of
    width, height = _size(step)
    for shape in ((height, width), (height + step, width), (width, height)):
        with torch.no_grad():
            image = network(torch.rand(2, CHANNELS, *shape) * 2 - 1)
        expected = (2, network.spec.out_channels, *shape)
        require(tuple(image.shape) == expected, f"{shape} gave {tuple(image.shape)}, expected {expected}")
        require(image.dtype == torch.float32, f"images are {image.dtype}")
        require(bool(image.isfinite().all()), "images are not finite")
        low, high = float(image.min()), float(image.max())
        require(low >= -1 and high <= 1, f"images lie in [{low:.3f}, {high:.3f}] and not in [-1, 1]")
        if not subject.takes("size"):
            continue
        return  # built for one size


def _size(step: int) -> tuple[int, int]:
    least = -(-32 // step) * step
    return least + step, least


def _inputs(subject: Subject, network: Any) -> tuple[Tensor, ...]:
    width, height = _size(network.spec.multiple_of)
    drawn = torch.rand(2, CHANNELS, height, width, generator=torch.Generator().manual_seed(3))
    return (drawn * 2 - 1,)


def _run(network: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [network(*inputs)]


_PROBE = Probe(_inputs, _run)
