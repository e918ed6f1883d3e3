"""`dancekit cache`: what is kept so that it need not be computed again, and clearing it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose
from dancekit.errors import UsageError

if TYPE_CHECKING:
    from dancekit.data.cache_entries import Entry

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}

OlderThan = Annotated[
    str | None,
    typer.Option(
        "--older-than",
        metavar="AGE",
        help="Only what was not used for so long: 12h, 30d, 8w.",
        show_default=False,
    ),
]


@app.callback()
def cache() -> None:
    """What is kept so that it need not be computed again.

    Poses of clips, and the frames that runs on one clip share. A run keeps
    its own frames: it can be resumed after the cache was cleared.

    Examples:
      dancekit cache ls
      dancekit cache clear --older-than 30d
    """


@app.command("ls", short_help="List what is in the cache.")
def ls(as_json: Json = False, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """List what is in the cache.

    Examples:
      dancekit cache ls
      dancekit cache ls --json
    """
    from dancekit.data.cache import cache_folder
    from dancekit.data.cache_entries import list_entries

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    entries, root = list_entries(), cache_folder("").resolve()
    if entries:
        rows = [[e.kind, e.key[:12], megabytes(e.size), age(e.used), _what(e)] for e in entries]
        terminal.table(["kind", "key", "size", "used", "what"], rows)
    total = sum(entry.size for entry in entries)
    terminal.result(f"{root}: {len(entries)} entries, {megabytes(total)}")
    terminal.json({"folder": str(root), "bytes": total, "entries": [facts(e) for e in entries]})


@app.command("clear", short_help="Delete what is in the cache.")
def clear(
    older_than: OlderThan = None, as_json: Json = False, verbose: Verbose = 0, quiet: Quiet = False
) -> None:
    """Delete what is in the cache; it is computed again when it is needed.

    Frames that a run holds too stay with the run, and their room is freed
    when the run is deleted.

    Examples:
      dancekit cache clear
      dancekit cache clear --older-than 30d
    """
    from dancekit.data import cache_entries

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    gone = cache_entries.clear(older_than=read_age(older_than) if older_than else 0.0)
    freed = sum(entry.size for entry in gone if not entry.linked)
    held = sum(entry.size for entry in gone if entry.linked)
    still = f"; {megabytes(held)} stay with the runs that use them" if held else ""
    terminal.result(f"deleted {len(gone)} entries, {megabytes(freed)} freed{still}")
    terminal.json({"deleted": [facts(entry) for entry in gone], "freed": freed, "held_by_runs": held})


def facts(entry: Entry) -> dict[str, Any]:
    """An entry as plain data."""
    return {
        "kind": entry.kind,
        "key": entry.key,
        "what": entry.what,
        "bytes": entry.size,
        "used": round(entry.used, 1),
        "held_by_a_run": entry.linked,
        "paths": [str(path) for path in entry.paths],
    }


def read_age(text: str) -> float:
    """`12h`, `30d`, `8w` or `90m` in seconds.

    Raises:
        UsageError: It is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text} is no age", hint="a number and m, h, d or w, such as 30d")
    return float(match[1]) * _UNITS[match[2]]


def age(moment: float) -> str:
    """How long ago, for people."""
    from dancekit.cli.progress import duration

    seconds = max(time.time() - moment, 0.0)
    days = round(seconds / 86400)
    return f"{days} days ago" if days > 1 else f"{duration(seconds)} ago"


def megabytes(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _what(entry: Entry) -> str:
    return entry.what + (" (a run holds it)" if entry.linked else "")
