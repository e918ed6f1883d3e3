"""Whether a runner gives what torch gives: asked once, before anything is painted with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dancekit.errors import DancekitError

TOLERANCE = 1e-3
"""Largest difference from torch, over the largest value of that output (1 at least)."""

Forward = Callable[[Tensor], Any]
"""A forward pass: (B, C, H, W) to a tensor, or to a (named) tuple of them."""


def tensors_of(output: Any) -> list[Tensor]:
    """The tensors of an output, in order; what it leaves out is None in it."""
    return [output] if isinstance(output, Tensor) else [each for each in output if each is not None]


def like(output: Any, tensors: Sequence[Tensor]) -> Any:
    """Tensors in the form of another output: one alone, a tuple, or a named tuple, None where that has None."""
    if isinstance(output, Tensor):
        return tensors[0]
    given = iter(tensors)
    whole = [None if each is None else next(given) for each in output]
    return type(output)(*whole) if hasattr(output, "_fields") else tuple(whole)


def difference(found: Any, expected: Any) -> float:
    """The largest difference of two outputs, over the largest value expected of each tensor, or 1."""
    worst = 0.0
    for one, other in zip(tensors_of(found), tensors_of(expected), strict=True):
        if one.shape != other.shape:
            return float("inf")
        apart = float((one - other).abs().max()) / max(1.0, float(other.abs().max()))
        worst = apart if apart > worst or apart != apart else worst  # a NaN counts as a difference
    return worst


def checked(name: str, network: nn.Module, forward: Forward, example: Tensor) -> Forward:
    """The forward pass itself, after it was compared with torch's.

    Args:
        name: The runner's, for messages.
        network: What it computes.
        forward: How.
        example: An input.

    Raises:
        DancekitError: It gives other numbers.
    """
    with torch.inference_mode():
        apart = difference(forward(example), network(example))
    if not apart <= TOLERANCE:
        raise DancekitError(
            f"runner {name}: {type(network).__name__} comes out {apart:.2g} away from torch "
            f"(at most {TOLERANCE:g} is allowed)",
            hint="use --runner torch, and report this",
        )
    return forward


def one_by_one(single: Forward) -> Forward:
    """A forward pass for batches, from one that is made for a single sample: on CPUs a batch gains little."""

    def forward(batch: Tensor) -> Any:
        if len(batch) == 1:
            return single(batch)
        outputs = [single(sample) for sample in batch.tensor_split(len(batch))]
        columns = zip(*(tensors_of(output) for output in outputs), strict=True)
        return like(outputs[0], [torch.cat(column) for column in columns])

    return forward
