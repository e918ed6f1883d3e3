"""`dancekit zoo get` and `dancekit zoo verify`: files on this machine, and whether they are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose
from dancekit.errors import ChecksumError, DancekitError, UsageError


def get(
    identities: Annotated[list[str], typer.Argument(metavar="ID...", help="As dancekit zoo ls lists them.")],
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Fetch entries if they are not here, check their sha256, and print where their files are.

    A download that was cut off goes on where it stopped. DANCEKIT_OFFLINE=1
    forbids downloads, DANCEKIT_CACHE moves the cache.

    Examples:
      dancekit zoo get demo
      dancekit zoo get demo blazepose --json
    """
    from dancekit.cli.progress import show_progress
    from dancekit.zoo.index import Zoo
    from dancekit.zoo.locate import get_entry

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    zoo = Zoo()
    entries = [zoo.entry(identity) for identity in identities]  # a typo is said before anything is fetched
    found: dict[str, list[str]] = {}
    for entry in entries:
        terminal.log(f"{entry.id}: {entry.title}")
        with show_progress(terminal) as display:
            paths = get_entry(zoo, entry, progress=display)
        found[entry.id] = [str(path) for path in paths]
        for path in paths:
            terminal.result(str(path))
    terminal.json(found)


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID|LOCK.json...",
            help="Entries, or what dancekit zoo lock wrote. [dim]Default: all that is here[/]",
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Check files on this machine against their sha256; fetches nothing. Exit code 4 if one is wrong.

    Examples:
      dancekit zoo verify
      dancekit zoo verify demo
      dancekit zoo verify quick.lock.json
    """
    from dancekit.zoo.verify import verify_entries, verify_lock

    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    words = names or []
    locks = [Path(word) for word in words if Path(word).suffix == ".json"]
    for lock in locks:
        if not lock.is_file():
            raise UsageError(
                f"there is no file {lock}", hint="dancekit zoo lock RECIPE --out FILE writes one"
            )
    rows: list[dict[str, Any]] = []
    if not words or len(locks) < len(words):
        rows += verify_entries([word for word in words if Path(word) not in locks])
    for lock in locks:
        rows += verify_lock(lock)
    terminal.table(
        ["file", "what", "where"], [[row["file"], row["state"], row["path"] or row["place"]] for row in rows]
    )
    terminal.json(rows)
    wrong = [row for row in rows if row["state"] == "wrong"]
    if wrong:
        first = wrong[0]
        raise ChecksumError(
            f"{first['path']} has sha256 {first['found']}, expected {first['sha256']}"
            + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""),
            hint="get it again",
        )
    if missing := [row["file"] for row in rows if row["state"] == "missing" and words]:
        raise DancekitError(f"not on this machine: {', '.join(missing)}", hint="dancekit zoo get ID")
