"""What is printed where: results on stdout, everything else on stderr, an error on one line."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from dancekit.errors import CheckpointError, DancekitError, RecipeError

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

_MEMORY = ("OutOfMemoryError", "MemoryError")
_USER_IO = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR}
_USER_IO |= {errno.ENOENT, errno.EEXIST, errno.EFBIG, errno.ENAMETOOLONG, errno.EIO}


class Terminal:
    """Where a command prints.

    Args:
        verbose: 0 warnings, 1 information, 2 everything, with tracebacks.
        quiet: Errors only.
        as_json: The result is one JSON document on stdout, nothing else is.
    """

    def __init__(self, *, verbose: int = 0, quiet: bool = False, as_json: bool = False) -> None:
        from rich.console import Console

        self.verbose, self.quiet, self.as_json = verbose, quiet, as_json
        self.err = Console(stderr=True, highlight=False)
        self._set_up_logging()
        _State.tracebacks = verbose > 1

    @property
    def silent(self) -> bool:
        """Whether there is to be no log: `-q`, or a program reads along."""
        return self.quiet or self.as_json

    def log(self, text: str) -> None:
        """Say what is going on: stderr, not with `-q` or `--json`."""
        if not self.silent:
            self.err.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say what the user should know: stderr, not with `-q`."""
        if not self.quiet:
            self.err.print(f"[yellow]warning:[/] {_escape(text)}", soft_wrap=True)

    def result(self, text: str) -> None:
        """The result for people: stdout, not with `--json`."""
        if not self.as_json:
            sys.stdout.write(f"{text}\n")

    def json(self, data: Any) -> None:
        """The result for programs: stdout, with `--json` only."""
        if self.as_json:
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
        """A table as result: drawn on a terminal, plain lines with two spaces between columns in a pipe."""
        if self.as_json:
            return
        lines = [list(map(str, row)) for row in rows]
        if not sys.stdout.isatty():
            _plain_table([list(head), *lines], title)
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*head, title=title or None, title_justify="left", box=None, padding=(0, 2, 0, 0))
        for column in table.columns[:1]:
            column.style, column.no_wrap = "cyan", True
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        Console(highlight=False).print(table)

    def _set_up_logging(self) -> None:
        from rich.logging import RichHandler

        levels = [logging.WARNING, logging.INFO, logging.DEBUG]
        logger = logging.getLogger("dancekit")
        for handler in [each for each in logger.handlers if isinstance(each, RichHandler)]:
            logger.removeHandler(handler)
        logger.addHandler(RichHandler(console=self.err, show_time=False, show_path=False, markup=False))
        logger.setLevel(logging.ERROR if self.quiet else levels[min(self.verbose, 2)])


class _State:
    """Of the process: whether unexpected errors are shown with their traceback."""

    tracebacks = False


def forget_verbosity() -> None:
    """A new command line begins: nothing is known of its -v yet."""
    _State.tracebacks = False


def report_failure(error: BaseException) -> int:
    """Print why a command failed, on one line (one each for the problems of a recipe or checkpoint).

    The traceback is shown with `-vv` or `DANCEKIT_TRACEBACK=1` only.

    Args:
        error: What was raised.

    Returns:
        The exit code.
    """
    if _State.tracebacks or os.environ.get("DANCEKIT_TRACEBACK", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    lines, code = explain_failure(error)
    for line in lines:
        _print_error(line)
    return code


def explain_failure(error: BaseException) -> tuple[list[str], int]:
    """What a failure is to be told in: lines without their prefix, and the exit code."""
    if isinstance(error, RecipeError | CheckpointError):
        return error.problems, error.exit_code
    if isinstance(error, DancekitError):
        return [str(error)], error.exit_code
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return ["stopped by Ctrl-C"], INTERRUPTED
    if hasattr(error, "format_message"):  # a usage error of Typer, whose class depends on Typer's version
        return [_usage(error)], 2
    if type(error).__name__ in _MEMORY or "DefaultCPUAllocator" in str(error):
        what = "the device's memory is full" if "CUDA" in str(error) else "the memory is full"
        return [f"{what} (a smaller size, train.batch or generator.ngf needs less)"], 1
    if isinstance(error, OSError) and error.errno in _USER_IO:
        place = f"{error.filename}: " if error.filename else ""
        return [f"{place}{error.strerror}"], 1
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return [f"{what} (this is a bug in dancekit; run again with -vv and report what it prints)"], 1


def _usage(error: Any) -> str:
    """`No such option: --foo` with the command to ask."""
    text = " ".join(str(error.format_message()).split())
    text = text[:1].lower() + text[1:].rstrip(".")
    path = getattr(getattr(error, "ctx", None), "command_path", "dancekit")
    return f"{text} (see: {path} --help)"


def _print_error(line: str) -> None:
    line = " ".join(line.split())
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        sys.stderr.write(f"\x1b[1;31merror:\x1b[0m {line}\n")
    else:
        sys.stderr.write(f"error: {line}\n")


def _plain_table(rows: list[list[str]], title: str) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if title:
        sys.stdout.write(f"{title}\n")
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
