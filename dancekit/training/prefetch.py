"""The next batches are made ready in another thread while a step runs; which they are does not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Makes what a step needs a few steps ahead.

    Args:
        make: What a step needs: a function of the step's number alone.
        depth: How many steps ahead; 0 makes each when it is asked for, in the caller's thread.
        end: No step from this one on is made ahead.
    """

    def __init__(self, make: Callable[[int], T], *, depth: int, end: int) -> None:
        self._make, self._depth, self._end = make, depth, end
        self._ready: dict[int, Future[T]] = {}
        self._thread: ThreadPoolExecutor | None = None

    def get(self, step: int) -> T:
        """What `make(step)` gives, or raises; the steps after it are begun."""
        if self._depth == 0:
            return self._make(step)
        if self._thread is None:  # one thread: the batches are made in order
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="dancekit-prefetch")
        for other in [number for number in self._ready if not step <= number <= step + self._depth]:
            self._ready.pop(other).cancel()
        for ahead in range(step, max(step + 1, min(step + self._depth + 1, self._end))):
            if ahead not in self._ready:
                self._ready[ahead] = self._thread.submit(self._make, ahead)
        return self._ready.pop(step).result()

    def close(self) -> None:
        """Wait for what is being made, drop the rest."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
        self._thread = None
        self._ready.clear()
