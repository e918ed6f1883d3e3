"""How a batch goes: a table on a terminal, a line for each change in a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from dancekit.cli.console import Terminal
from dancekit.cli.progress import duration

if TYPE_CHECKING:
    from rich.console import Console

    from dancekit.batch.run import Progress

ROWS = 30
"""Jobs that the table shows, those that are at work first."""

_STYLES = {"done": "green", "skipped": "green", "running": "cyan", "stopped": "yellow"}
_STYLES |= {"failed": "red", "not run": "red"}
_FIRST = ["running", "failed", "queued", "waiting", "not run", "stopped", "done", "skipped"]


class JobsDisplay(Protocol):
    """Shows where jobs are while its block lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen as it should stay."""
        ...

    def __call__(self, jobs: Mapping[str, Progress]) -> None:
        """The jobs are there now."""
        ...


def show_jobs(terminal: Terminal) -> JobsDisplay:
    """The display that suits: nothing with `-q` or `--json`, a table on a terminal, else lines."""
    if terminal.err.is_terminal and not terminal.err.is_dumb_terminal and not terminal.silent:
        return JobsTable(terminal.err)
    return JobsLines(terminal.log)  # which says nothing where it should not


class JobsTable:
    """A table that changes in place.

    Args:
        console: Where.
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, redirect_stdout=False, transient=True, refresh_per_second=2)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, jobs: Mapping[str, Progress]) -> None:
        """Draw it anew."""
        self._live.update(table_of(jobs))


def table_of(jobs: Mapping[str, Progress]) -> Any:
    """A rich table: the jobs at work first, and how many there are in each state."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), caption=summary(jobs), caption_justify="left")
    for head in ("job", "command", "state", "attempt", "time"):
        table.add_column(head, no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    shown = sorted(jobs.values(), key=lambda each: _FIRST.index(each.state))
    for each in shown[:ROWS]:
        table.add_row(
            each.job.name,
            each.job.command,
            Text(each.state, style=_STYLES.get(each.state, "dim")),
            str(each.attempt or ""),
            duration(each.seconds) if each.seconds else "",
            Text(each.message, style="dim"),
        )
    return table


def summary(jobs: Mapping[str, Progress]) -> str:
    """`2 running, 3 done`."""
    counts = {state: sum(each.state == state for each in jobs.values()) for state in _FIRST}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


class JobsLines:
    """A line whenever a job changes its state.

    Args:
        write: Takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._told: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, jobs: Mapping[str, Progress]) -> None:
        """Tell what has changed."""
        for name, each in jobs.items():
            now = (each.state, each.attempt)
            before = self._told.get(name)
            self._told[name] = now
            if before == now or (each.state in ("waiting", "queued") and not each.message):
                continue
            if each.state == "running":
                self._write(f"{name}: running, attempt {each.attempt}")
            elif each.state == "waiting":
                self._write(f"{name}: attempt {each.attempt} failed, tried again: {each.message}")
            elif each.state != "queued":
                took = f" in {duration(each.seconds)}" if each.seconds else ""
                self._write(f"{name}: {each.state}{took}" + (f": {each.message}" if each.message else ""))
