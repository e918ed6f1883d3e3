"""Whether the files on this machine are those that the index, or a lock, says; nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dancekit.errors import DancekitError
from dancekit.resources import data_root
from dancekit.weights.fetch import weights_folder
from dancekit.weights.header import file_sha256
from dancekit.zoo.index import Zoo
from dancekit.zoo.locate import find_here


def verify_entries(identities: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One row a file: `state` is ok, wrong or missing.

    Args:
        identities: Entries; all if empty.
    """
    zoo = Zoo()
    entries = [zoo.entry(identity) for identity in identities] or zoo.entries
    rows = []
    for entry in entries:
        for file in entry.files:
            place, path = find_here(zoo, entry, file)
            rows.append(_row(file.name, place, path, file.sha256))
    return rows


def verify_lock(lock: Path) -> list[dict[str, Any]]:
    """The same of the files that `lock_recipe` listed.

    Raises:
        DancekitError: It is no lock.
    """
    try:
        files = json.loads(lock.read_text())["files"]
        rows = []
        for file in files:
            place, path = _find(file["name"], file["sources"])
            rows.append(_row(file["name"], place, path, file["sha256"]))
        return rows
    except OSError as error:
        raise DancekitError(f"{lock} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DancekitError(
            f"{lock} is no lock: {type(error).__name__}: {error}", hint="dancekit zoo lock RECIPE"
        ) from None


def _find(name: str, sources: Sequence[str]) -> tuple[str, Path | None]:
    for source in sources:
        if source.startswith("package:"):
            path = data_root() / source.removeprefix("package:")
        elif source.startswith("https://"):
            path = weights_folder() / Path(name).name
        else:
            path = Path(source)
        if path.is_file():
            return "here", path
    return "remote", None


def _row(name: str, place: str, path: Path | None, expected: str | None) -> dict[str, Any]:
    found = file_sha256(path) if path is not None else None
    if found is None:
        state = "missing"
    elif expected is None:
        state = "unknown"
    else:
        state = "ok" if found == expected else "wrong"
    return {
        "file": name,
        "state": state,
        "place": place,
        "path": str(path) if path else "",
        "sha256": expected,
        "found": found,
    }
