"""Training sets that several runs share: one entry a clip, poses, window and size, in the user's cache folder.

A run's `data` folder is made of hard links to an entry, or of copies where the cache is on another file system: it
keeps its frames when the cache is cleared, and takes no room of its own while the entry is there.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dancekit.data.cache import cache_folder, content_key
from dancekit.data.files import appearing_folder, write_whole
from dancekit.errors import DancekitError

_LOG = logging.getLogger(__name__)

FORMAT = 1
"""Grows when the same clip and settings would give other frames, masks or poses."""

NOTE = "entry.json"


def frames_entry(video: Path, settings: Mapping[str, Any]) -> Path:
    """Where the training set of a clip under some settings is kept, or will be."""
    return cache_folder("frames") / content_key(video, {"frames": FORMAT, **settings})


def is_whole(entry: Path) -> bool:
    """Whether there is an entry; its note is written last."""
    return (entry / NOTE).is_file()


def finish_entry(entry: Path, facts: Mapping[str, Any]) -> None:
    """Write the note that makes an entry whole: what it is, for `dancekit cache ls`."""
    write_whole(entry / NOTE, json.dumps(dict(facts), sort_keys=True))


def can_write(folder: Path) -> bool:
    """Whether entries can be made in a folder; says why not, once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{os.getpid()}.trial"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        _LOG.warning(
            "the frames are not kept for other runs: %s: %s (set DANCEKIT_CACHE)", folder, error.strerror
        )
        return False
    return True


def hand_out(entry: Path, folder: Path) -> None:
    """Make `folder` from an entry; it appears whole or not at all.

    Raises:
        DancekitError: There is no room for copies, or the folder cannot be written.
    """
    os.utime(entry / NOTE)  # when it was last used
    files = [path for path in entry.iterdir() if path.is_file() and path.name != NOTE]
    with appearing_folder(folder) as part:
        for path in files:
            try:
                os.link(path, part / path.name)
            except OSError:  # another file system, or one without hard links
                _copy(path, part / path.name)


def _copy(path: Path, to: Path) -> None:
    check_space(to.parent, path.stat().st_size)
    shutil.copyfile(path, to)


def check_space(folder: Path, needed: int, *, cache: bool = False) -> None:
    """Refuse to begin what a disk has no room for.

    Raises:
        DancekitError: With how much there is and how much is needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        where = (
            "dancekit cache clear, set DANCEKIT_CACHE to another disk" if cache else "choose another --out"
        )
        raise DancekitError(
            f"{folder} has {free / 1e9:.1f} GB free, the frames need {needed / 1e9:.1f} GB",
            hint=f"free some space, {where}, or train on a shorter clip",
        )


def remove_dead_parts(folder: Path) -> None:
    """Delete what killed processes have begun in a folder; what living ones are writing stays."""
    for part in folder.glob(".*.part"):
        owner = part.name.split(".")[-2]
        if not (owner.isdecimal() and is_alive(int(owner))):
            shutil.rmtree(part, ignore_errors=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine with that number runs; True where that cannot be asked."""
    if sys.platform == "win32":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
