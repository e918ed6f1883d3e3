"""Ctrl-C and SIGTERM: once to stop where nothing is lost, twice to stop at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from dancekit.cli.console import INTERRUPTED
from dancekit.data.progress import Progress
from dancekit.launch import launched, leads

TERMINATED = 128 + signal.SIGTERM
"""Exit code after SIGTERM, as shells have it."""

ECHO = 5.0
"""Seconds within which a launcher's copy of a signal follows the signal itself."""


class StopOnInterrupt:
    """While its block lasts, the first Ctrl-C or SIGTERM asks training to stop after the running step.

    Before the first step there is nothing to keep, so the signal ends the program at once, as the second one
    always does. SIGTERM is what clusters, `kill` and a shutdown send.

    In a training that several processes share, only the leading one has something to keep before the first step;
    the others may be waiting for it in code that no handler can interrupt. And their launcher passes a signal on that
    they may have got already, so that a second one that follows at once is the first one's echo.

    Args:
        progress: Where the reports go on to; steps are recognised by them.
        announce: Told, once, that training is going to stop.

    Attributes:
        stopped: Whether a signal came.
        exit_code: What the process returns then: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, progress: Progress, announce: Callable[[str], None]) -> None:
        self.stopped = False
        self.exit_code = INTERRUPTED
        self._stepping = False
        self._progress, self._announce = progress, announce
        self._before: dict[int, Any] = {}
        self._echo = ECHO if launched() > 1 else 0.0
        self._since = 0.0

    def __enter__(self) -> Self:
        if leads():
            self._install()
        return self

    def _install(self) -> None:
        # Only the main thread can have a handler; elsewhere (a notebook's worker) signals are not ours.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def should_stop(self) -> bool:
        """Whether training is to end now; asked after every step."""
        return self.stopped

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Pass a report on, and notice when steps begin."""
        if what == "steps" and not self._stepping:
            self._stepping = True
            if not self._before:
                self._install()
        self._progress(what, done, total)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        terminated = number == signal.SIGTERM
        if self.stopped and time.monotonic() - self._since < self._echo:
            return
        if self.stopped or not self._stepping:
            for each in self._before:
                signal.signal(each, signal.SIG_DFL if each == signal.SIGTERM else signal.default_int_handler)
            if terminated:
                raise SystemExit(TERMINATED)  # unwinds: nothing half-written stays, the run's lock goes
            raise KeyboardInterrupt
        self.stopped, self._since = True, time.monotonic()
        self.exit_code = TERMINATED if terminated else INTERRUPTED
        again = "SIGTERM" if terminated else "Ctrl-C"
        with contextlib.suppress(RuntimeError):  # the signal came in the middle of another write to stderr
            self._announce(f"stopping after this step, to keep what is trained; {again} again stops at once")
