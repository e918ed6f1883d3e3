"""No reference frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from dancekit.types import Skeleton


class NoReference:
    """The generator remembers what the target looks like, as in the paper."""

    version = 1
    bank = 0
    gap = 0
    generator_channels = 0
    parts: tuple[str, ...] = ()

    def channels(self, condition_channels: int) -> int:
        """No further channels."""
        return 0

    def choose(
        self,
        cost: NDArray[np.floating],
        before: NDArray[np.intp] | None,
        parts: Sequence[NDArray[np.floating]] = (),
    ) -> NDArray[np.intp]:
        """(T, N) to (T, 0)."""
        return np.zeros((len(cost), 0), np.intp)

    def compose(self, output: Tensor, references: Tensor) -> Tensor:
        """The output as it is."""
        return output

    def draw(
        self,
        pictures: Tensor,
        there: tuple[NDArray[np.float32], NDArray[np.float32]],
        wanted: tuple[NDArray[np.float32], NDArray[np.float32]],
        skeleton: Skeleton,
        renderer: Callable[[NDArray[np.float32], NDArray[np.float32]], Tensor],
        parts: Mapping[
            str, tuple[Tensor, tuple[NDArray[np.float32], NDArray[np.float32]]]
        ] = MappingProxyType({}),
    ) -> Tensor:
        """(0, 4, H, W) to (0, H, W)."""
        return pictures.new_zeros((0, *pictures.shape[-2:]))
