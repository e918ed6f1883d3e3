"""Frame rate and latency: of the last moment for the screen, of the whole for the report."""

from __future__ import annotations

from collections import Counter, deque
from statistics import median

RECENT = 2.0
"""Seconds that the numbers on the screen are of."""


class Meter:
    """Counts shown frames; memory does not grow with time: latencies are kept to a millisecond."""

    def __init__(self) -> None:
        self.frames = 0
        self._recent: deque[tuple[float, float]] = deque()
        self._milliseconds: Counter[int] = Counter()
        self._first = self._last = 0.0

    def shown(self, now: float, latency: float) -> None:
        """A frame was shown.

        Args:
            now: Seconds, on any clock.
            latency: Seconds since it was taken.
        """
        if not self.frames:
            self._first = now
        self.frames += 1
        self._last = now
        self._milliseconds[round(1000 * latency)] += 1
        self._recent.append((now, latency))
        while self._recent[0][0] < now - RECENT:
            self._recent.popleft()

    @property
    def rate_now(self) -> float:
        """Frames a second lately; 0 before there are two."""
        return _rate(len(self._recent), self._recent[0][0], self._recent[-1][0]) if self._recent else 0.0

    @property
    def latency_now(self) -> float:
        """Median seconds from taken to shown lately."""
        return median(latency for _, latency in self._recent) if self._recent else 0.0

    @property
    def rate(self) -> float:
        """Frames a second from the first to the last frame."""
        return _rate(self.frames, self._first, self._last)

    def latency(self, part: float) -> float:
        """The latency in seconds, to a millisecond, that this part of all frames stays within."""
        seen = 0
        for milliseconds, count in sorted(self._milliseconds.items()):
            seen += count
            if seen >= part * self.frames:
                return milliseconds / 1000
        return 0.0


def _rate(frames: int, first: float, last: float) -> float:
    return (frames - 1) / (last - first) if last > first else 0.0
