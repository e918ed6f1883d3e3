"""metrics.jsonl: one record a line. A full disk holds records up, it does not stop training."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dancekit.data.files import write_whole

_LOG = logging.getLogger(__name__)


class Journal:
    """Appends records; those that cannot be written wait for the next time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record and all that wait."""
        held_up = bool(self._waiting)
        self._waiting.append(json.dumps(dict(record), sort_keys=True) + "\n")
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("a") as file:
                file.write("".join(self._waiting))
        except OSError as error:
            with_half = self.path.exists() and self.path.stat().st_size > size
            if with_half:
                os.truncate(self.path, size)
            if not held_up:
                _LOG.warning(
                    "%s cannot be written: %s; training goes on, and it is written when there is room",
                    self.path,
                    error.strerror or error,
                )
            return
        self._waiting.clear()

    def forget_after(self, step: int) -> None:
        """Drop records of steps that a kill has undone, and a half-written last line."""
        if self.path.exists():
            kept = [
                json.dumps(r, sort_keys=True) + "\n" for r in read_records(self.path) if r["step"] <= step
            ]
            write_whole(self.path, "".join(kept))


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole records, in order; none where there is no file."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "step" in record:
            found.append(record)
    return found
