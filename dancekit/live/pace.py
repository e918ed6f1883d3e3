"""When to look at the next frame, while one is painted: so late that its result is ready just when it is wanted.

A look that begins at once is ready long before a slow painter takes it, and its frame has aged by then. One that
begins too late keeps the painter waiting.
"""

from __future__ import annotations

from collections import deque
from statistics import median

RECENT = 9
"""Frames whose times count."""

SPARE = 0.25
"""Part of the time of a look that is kept in reserve: looks take longer now and then."""


class Pace:
    """Learns how long both take."""

    def __init__(self) -> None:
        self._looks: deque[float] = deque(maxlen=RECENT)
        self._paints: deque[float] = deque(maxlen=RECENT)

    def took(self, look: float, paint: float) -> None:
        """Seconds of the last look, and of painting and showing its result."""
        self._looks.append(look)
        self._paints.append(paint)

    @property
    def wait(self) -> float:
        """Seconds that the next look can wait from when the painter begins."""
        if not self._looks:
            return 0.0
        return max(median(self._paints) - (1 + SPARE) * median(self._looks), 0.0)
