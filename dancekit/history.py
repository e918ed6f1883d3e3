"""What each frame is painted from: the past frame whose age is that of training, whatever the frame rate is.

A generator that was trained on 25 frames a second knows its past as it was 40 ms ago. Of a source with 50 frames a
second that is the frame before the last one; with 12.5 the last one is the nearest that there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

S = TypeVar("S")

TIE = 1e-3
"""Of the age: candidates that are so near to each other are equally good, and the later one is taken."""


class History(Generic[S]):
    """The states of the frames painted last, with their times; as many as may still be asked for.

    Args:
        age: Seconds from the frame that one was told of in training to that one; None: the last frame is told of,
            however old it is.
        entries: What was kept before, as `entries` gives it.
    """

    def __init__(self, age: float | None, entries: Iterable[tuple[float, S]] = ()) -> None:
        self.age = age
        self._entries = list(entries)

    def recall(self, seconds: float) -> S | None:
        """The state that the frame at this time is told; None at the start and after `forget`.

        Times must not go back: what is too old for this frame is dropped.
        """
        if not self._entries:
            return None
        best = len(self._entries) - 1
        if self.age is not None:
            apart = [abs(seconds - then - self.age) for then, _ in self._entries]
            nearest = min(apart)
            best = max(n for n, each in enumerate(apart) if each <= nearest + TIE * self.age)
        del self._entries[:best]
        return self._entries[0][1]

    def remember(self, seconds: float, state: S) -> None:
        """The frame at this time is painted."""
        if self.age is None:
            self._entries.clear()
        self._entries.append((seconds, state))

    def forget(self) -> None:
        """After a cut nothing is known."""
        self._entries.clear()

    @property
    def entries(self) -> list[tuple[float, S]]:
        """Times and states, oldest first."""
        return list(self._entries)
