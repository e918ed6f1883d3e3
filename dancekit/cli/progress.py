"""How far work is: a bar with the time left on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from dancekit.cli.console import Terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import TaskID

LABELS = {
    "files": "reading files",
    "takes": "joining takes",
    "poses": "finding poses",
    "people": "finding everybody",
    "true poses": "finding poses in the true frames",
    "training frames": "reading the training clip",
    "frames": "cutting frames",
    "steps": "training",
    "painting": "painting",
    "scoring": "scoring",
}
"""What the library calls its work, and what people call it."""

LINE_EVERY = 30.0
"""Seconds between two lines of a log."""


class Display(Protocol):
    """A `dancekit.data.progress.Progress` that is shown while its block lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen as it should stay."""
        ...

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` units of `what` are ready."""
        ...

    def note(self, record: Mapping[str, Any]) -> None:
        """A line of a run's metrics.jsonl: losses, speed, memory."""
        ...


def show_progress(terminal: Terminal) -> Display:
    """The display that suits: nothing with `-q` or `--json`, bars on a terminal, else lines."""
    if terminal.silent:
        return NoDisplay()
    if terminal.err.is_terminal and not terminal.err.is_dumb_terminal:
        return Bars(terminal.err)
    return Lines(terminal.log)


class NoDisplay:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Tell nobody."""

    def note(self, record: Mapping[str, Any]) -> None:
        """Tell nobody."""


class Bars:
    """One bar for each kind of work, with how many, how long, and the time left.

    Args:
        console: Where to draw; log lines printed to the same console appear above the bars.
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}", style="cyan"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            TimeRemainingColumn(),
            auto_refresh=False,  # drawn by the live display, with the line below
            # a GAN's step takes seconds; with rich's 30 s the estimate would jump about
            speed_estimate_period=120.0,
        )
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._line = ""
        self._live = Live(console=console, redirect_stdout=False, get_renderable=self._shown)

    def _shown(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        # cut off, not wrapped: a line more or less would make the bars jump
        line = Text(self._line, style="dim", no_wrap=True, overflow="ellipsis")
        return Group(self._bars, line) if self._line else self._bars

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, record: Mapping[str, Any]) -> None:
        """Show it below the bars."""
        self._line = describe(record)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Move the bar of `what`."""
        again = what in self._tasks and done < self._done[what]  # the poses of the second clip
        if what not in self._tasks or again:
            # `completed` here, not in an update: what a resumed run has behind it is no speed
            self._tasks[what] = self._bars.add_task(LABELS.get(what, what), total=total, completed=done)
        else:
            self._bars.update(self._tasks[what], completed=done, total=total)
        self._done[what] = done


class Lines:
    """A line when work begins and ends, and every `LINE_EVERY` seconds between.

    Args:
        write: Takes a line.
        clock: Seconds, for tests.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._what = ""
        self._done = self._first = 0
        self._began = self._last = 0.0
        self._note = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Write a line if it is time to."""
        now = self._clock()
        label = LABELS.get(what, what)
        if what != self._what or done < self._done:
            self._what, self._first, self._began, self._last = what, done, now, now
            if total is None or done < total:
                self._write(f"{label} ...")
        elif total is not None and done >= total > self._done:
            self._write(f"{label}: {done} in {duration(now - self._began)}")
        elif now - self._last >= LINE_EVERY:
            self._last = now
            note = f" ({self._note})" if self._note and what == "steps" else ""
            self._write(f"{label}: {done}{self._of(done, total, now)}{note}")
        self._done = done

    def note(self, record: Mapping[str, Any]) -> None:
        """Add it to the next line."""
        self._note = describe(record)

    def _of(self, done: int, total: int | None, now: float) -> str:
        if total is None:
            return ""
        since = done - self._first
        left = (now - self._began) / since * (total - done) if since else 0.0
        return f" of {total}" + (f", {duration(left)} left" if since else "")


def describe(record: Mapping[str, Any]) -> str:
    """A line of metrics.jsonl for people: the losses, frames a second, memory."""
    known = ("step", "stage", "seconds_per_step", "frames_per_second", "memory_mb", "lr")
    parts = [f"{key} {value:.3g}" for key, value in record.items() if key not in known]
    speed = [f"{record['frames_per_second']:.3g} frames/s"] if "frames_per_second" in record else []
    memory = [f"{record['memory_mb'] / 1000:.1f} GB"] if record.get("memory_mb") else []
    return ", ".join([*speed, *memory, *parts])


def duration(seconds: float) -> str:
    """Seconds as people say them: `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 59.5:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
