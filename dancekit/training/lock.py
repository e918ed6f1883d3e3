"""One run folder, one process: a lock that a dead process cannot hold."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dancekit.errors import DancekitError

if sys.platform != "win32":
    import fcntl

NAME = "running.json"

_HELD: set[tuple[Path, int]] = set()
"""Folders that this process holds, each with the thread: a chain of recipes trains its last one in its own folder."""


class RunLock:
    """Held while its block lasts; the file says who holds it.

    The operating system's lock on the file goes with the process, so that what a killed run left behind is no
    obstacle. A file of another machine cannot be checked (locks over network file systems are not to be
    relied on): it stands until it is deleted.

    Args:
        folder: The run folder; is made.

    Raises:
        DancekitError: Another process holds it (when the block begins).
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        if _ours(self.path):
            return self
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = self.path.open("a+")
            if not _take(file):
                owner = _read(file)
                file.close()
                raise _busy(self.path, owner)
            if _still_there(file, self.path):
                break
            file.close()  # its holder has just deleted it
        owner = _read(file)
        if owner and not _dead(owner):
            file.close()
            raise _busy(self.path, owner)
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": round(time.time())}, file)
        file.flush()
        self._file = file
        _HELD.add(_key(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:  # a block around this one holds it
            return
        _HELD.discard(_key(self.path))
        self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None


def check_free(folder: Path) -> None:
    """Say early that another process is at work in a run folder; changes nothing.

    Raises:
        DancekitError: It is.
    """
    path = folder / NAME
    if not path.is_file() or _ours(path):
        return
    with path.open() as file:
        owner = _read(file)
        if not _take(file) or (owner and not _dead(owner)):
            raise _busy(path, owner)


def _key(path: Path) -> tuple[Path, int]:
    return path.resolve(), threading.get_ident()


def _ours(path: Path) -> bool:
    return _key(path) in _HELD


def _take(file: IO[str]) -> bool:
    if sys.platform == "win32":
        return True  # the file alone must do
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _still_there(file: IO[str], path: Path) -> bool:
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _read(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        found = json.loads(file.read())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dead(owner: dict[str, Any]) -> bool:
    """Whether who wrote this is gone. Called while the lock is ours: of this machine nobody else lives."""
    return sys.platform != "win32" and bool(owner.get("host") == socket.gethostname())


def _busy(path: Path, owner: dict[str, Any]) -> DancekitError:
    here = owner.get("host") == socket.gethostname() and sys.platform != "win32"
    who = f"process {owner.get('pid', '?')}" + ("" if here else f" on {owner.get('host', '?')}")
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(owner.get("since", 0)))
    remedy = (
        "wait for it, or choose another --out"
        if here
        else f"if that process is gone, delete {path}; else choose another --out"
    )
    return DancekitError(f"{path.parent} is being written by {who} since {since}", hint=remedy)
