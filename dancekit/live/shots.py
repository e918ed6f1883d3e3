"""What a camera gives, and the clock that says when: the newest frame, never a queue of old ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Clock(Protocol):
    """Tells the time; a test brings its own."""

    def now(self) -> float:
        """Seconds since some moment, never less than before."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The computer's."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame that was taken.

    Attributes:
        rgb: (H, W, 3) uint8.
        pts: When, in units of the source's time base; above that of the shot before.
        taken: The same moment on the clock, seconds: latency is counted from here.
    """

    rgb: NDArray[np.uint8]
    pts: int
    taken: float


class Source(Protocol):
    """Where shots come from. A context manager: open while its block lasts.

    Attributes:
        name: For people.
        size: (W, H) of the shots.
        time_base: Seconds per unit of pts.
        rate: Frames a second that it promises.
        sound: The file whose sound belongs to the shots, or None.
        dropped: Frames that were taken and that nobody has looked at, because newer ones came.
    """

    name: str
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    sound: Path | None
    dropped: int

    def newest(self) -> Shot | None:
        """The newest frame that was not given yet; waits for one, if need be.

        Returns:
            None at the end of a film, or after `stop`.

        Raises:
            VideoError: The camera is gone, or the film damaged.
        """
        ...

    def stop(self) -> None:
        """Let `newest` return None, in whatever thread it waits."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
