"""How a generator is computed; and models that paint without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence

if TYPE_CHECKING:
    from torch import Tensor, nn


class Runner(Protocol):
    """Another program than plain torch that computes a network's forward pass, with the same numbers.

    Chosen for a machine, not by a recipe. Wired: `threads: int`, and `cache: Path | None`, a folder for what is made
    once a network.
    """

    version: int
    name: str
    """What it is registered as."""
    devices: tuple[str, ...]
    """Where it works: cpu, cuda, mps."""

    def prepare(self, network: nn.Module, example: Tensor) -> Callable[[Tensor], Any]:
        """Make a forward pass ready.

        Args:
            network: In eval mode, on a device of `devices`; takes one tensor, and gives one or a (named) tuple.
            example: (B, C, H, W) an input; the sides of later ones are the same, their batches may differ.

        Returns:
            What computes the same, each number within 1e-3 of torch's (of the output's largest, if that is above 1).

        Raises:
            DancekitError: It does not, or the machine lacks what it needs.
        """
        ...


@runtime_checkable
class GraphRunner(Protocol):
    """A runner that opens graphs, an int8 one too."""

    def open(self, graph: bytes, network: nn.Module, example: Tensor) -> Callable[[Tensor], Any]:
        """A forward pass by a serialized ONNX graph with one input.

        Args:
            graph: What `network` computes, or about that.
            network: Gives outputs of the wanted form.
            example: (1, C, H, W).
        """
        ...


@runtime_checkable
class Animator(Protocol):
    """Reserved: a model that paints a person whom one picture shows, without being trained on them (one-shot).

    There is no registry kind for it yet; what is written to this contract will fit the one that comes. Poses are
    in pixels of the reference picture: fit them with a `Normalizer` first.
    """

    version: int

    def animate(self, reference: NDArray[np.uint8], poses: PoseSequence) -> Iterator[NDArray[np.uint8]]:
        """Paint a clip, lazily and in order.

        Args:
            reference: (H, W, 3) uint8 RGB, the person.
            poses: T frames of size (W, H); a missing joint is NaN with score 0.

        Yields:
            T frames (H, W, 3) uint8 RGB.
        """
        ...
