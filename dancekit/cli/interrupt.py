"""Ctrl-C: once to stop where nothing is lost, twice to stop at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from dancekit.data.progress import Progress


class StopOnInterrupt:
    """While its block lasts, the first Ctrl-C asks training to stop after the running step.

    Before the first step there is nothing to keep, so Ctrl-C ends the program at once, as the second one
    always does.

    Args:
        progress: Where the reports go on to; steps are recognised by them.
        announce: Told, once, that training is going to stop.

    Attributes:
        stopped: Whether Ctrl-C was pressed.
    """

    def __init__(self, progress: Progress, announce: Callable[[str], None]) -> None:
        self.stopped = False
        self._stepping = False
        self._progress, self._announce = progress, announce
        self._before: Any = None

    def __enter__(self) -> Self:
        # Only the main thread can have a handler; elsewhere (a notebook's worker) Ctrl-C is not ours.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def should_stop(self) -> bool:
        """Whether training is to end now; asked after every step."""
        return self.stopped

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Pass a report on, and notice when steps begin."""
        self._stepping = self._stepping or what == "steps"
        self._progress(what, done, total)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.stopped or not self._stepping:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        self.stopped = True
        with contextlib.suppress(RuntimeError):  # the signal came in the middle of another write to stderr
            self._announce("stopping after this step, to keep what is trained; Ctrl-C again stops at once")
