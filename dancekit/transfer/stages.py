"""A pipeline: each stage in a thread of its own, with a short queue to the next, so that all work at once.

Order is kept, and a stage has one thread, so results are those of plain loops. An error in a stage comes out where
its results are taken. Leaving the block stops every stage, whatever the reason: an error, Ctrl-C, or enough.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Results that wait between two stages at most."""

POLL = 1.0
"""Seconds after which a waiting thread looks up: on Windows Ctrl-C is not seen before."""

Observer = Callable[[str, float], None]
"""Told (stage, seconds) for every item: how long the stage itself worked on it."""


class Pipeline:
    """Stages that run while its block lasts.

    Args:
        ahead: Results that wait between two stages at most; 0: no threads, everything when it is asked for.
        observe: Told how long each stage worked on each item; called in the stage's thread.
    """

    def __init__(self, *, ahead: int = AHEAD, observe: Observer | None = None) -> None:
        self._ahead, self._observe = ahead, observe
        self._stages: list[_Stage[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stage in self._stages:
            stage.stop()
        for stage in self._stages:
            stage.join()

    def run(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """A stage that gives what an iterable gives.

        Args:
            name: Of the stage.
            items: Its work is done in the stage's thread, up to `ahead` items before they are taken. It may take
                from another stage.

        Returns:
            The items, in order.
        """
        timed = _timed(name, iter(items), self._observe) if self._observe else iter(items)
        if not self._ahead:
            return timed
        stage = _Stage(name, timed, self._ahead)
        self._stages.append(stage)
        return stage

    def map(self, name: str, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """A stage that works on each result of another."""
        return self.run(name, map(work, items))


_waited = threading.local()


def _timed(name: str, items: Iterator[T], observe: Observer) -> Iterator[T]:
    """Measure each item; time spent waiting for another stage is not this one's."""
    try:
        while True:
            began, _waited.seconds = time.perf_counter(), 0.0
            item = next(items, _END)
            if item is _END:
                return
            observe(name, time.perf_counter() - began - _waited.seconds)
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


_END: Any = object()


class _Stage(Generic[T]):
    """One thread that fills a bounded queue."""

    def __init__(self, name: str, items: Iterator[T], ahead: int) -> None:
        self._items, self._ahead = items, ahead
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._finished = self._stopped = False
        self._thread = threading.Thread(target=self._work, name=f"dancekit-{name}", daemon=True)
        self._started = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        began = time.perf_counter()
        with self._changed:
            if not self._started:  # not before: an iterator that nobody asks does nothing
                self._started = True
                self._thread.start()
            while not self._queue and not self._finished and not self._stopped:
                self._changed.wait(POLL)
            _waited.seconds = getattr(_waited, "seconds", 0.0) + time.perf_counter() - began
            if self._queue and not self._stopped:
                item = self._queue.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def _work(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    while len(self._queue) >= self._ahead and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        break
                    self._queue.append(item)
                    self._changed.notify_all()
        except BaseException as error:  # comes out in the thread that takes the results
            self._error = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def stop(self) -> None:
        """Let the thread end after its item; what waits in the queue is dropped, and nothing is given any more."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._started:
            self._thread.join()
