"""What says how good a result is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence


class Metric(Protocol):
    """Compares painted frames with true ones, frame by frame.

    A long clip is scored in chunks: a metric sees each frame together with the `context` frames before it, so
    that memory does not grow with the clip.

    Optional: `regions(fake, real, masks: Mapping[str, mask | None]) -> dict[str, (T,)]`, the same numbers for
    several masks at once, for a metric that can look at each frame once for all of them.
    """

    version: int
    higher_is_better: bool
    unit: str
    """"dB", "px", "%", ... or "" for a plain number."""
    context: int
    """Frames before the one scored that it must see: 0 for images, 1 for differences of frames."""

    def __call__(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) where to measure; None for everywhere.

        Returns:
            (T,) one number a frame, NaN where there is nothing to measure (the first `context` frames too).
        """
        ...


class ClipMetric(Protocol):
    """One number for a whole clip (a spectrum over time, a distance of distributions), seen chunk by chunk.

    An instance measures one clip: make a new one for the next.
    """

    version: int
    higher_is_better: bool
    unit: str

    def update(
        self, fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> None:
        """See the next frames: (T, H, W, 3), (T, H, W, 3), (T, H, W) or None; in constant memory."""
        ...

    def result(self) -> float:
        """The number; NaN where nothing could be measured."""
        ...


class PoseMetric(Protocol):
    """Compares the poses found in painted frames with those found (or known) in the true ones."""

    version: int
    higher_is_better: bool
    unit: str

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) one number a frame, NaN where there is nothing to compare; both in pixels of the same frame."""
        ...
