"""What the cache holds, and clearing it: poses of clips, and the frames that runs share."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from dancekit.data.cache import cache_folder
from dancekit.data.frame_cache import NOTE, is_whole, remove_dead_parts
from dancekit.errors import DancekitError

KINDS = ("frames", "poses", "people")

_BESIDE = (".masks.npz", ".camera.npz")  # of the poses of one person


@dataclass(frozen=True)
class Entry:
    """One thing in the cache.

    Attributes:
        kind: `frames`, `poses` or `people`.
        key: Its name: a hash of the clip and the settings.
        what: The clip's name when it was made, its frames and size; "" where nobody noted it.
        paths: Its files or its folder.
        size: Bytes.
        used: Unix time of its last use.
        linked: Whether a run holds the same files: clearing it frees nothing while that run exists.
    """

    kind: str
    key: str
    what: str
    paths: tuple[Path, ...]
    size: int
    used: float
    linked: bool


def list_entries() -> list[Entry]:
    """All of them, the one used last first."""
    found = [*_frames(), *_poses(), *_people()]
    return sorted(found, key=lambda entry: -entry.used)


def clear(
    *, older_than: float = 0.0, kinds: tuple[str, ...] = KINDS, now: float | None = None
) -> list[Entry]:
    """Delete entries, and what killed processes left.

    Args:
        older_than: Only those that were not used for so many seconds.
        kinds: Only these.
        now: Unix time; for tests.

    Returns:
        What was deleted.

    Raises:
        DancekitError: Something cannot be deleted.
    """
    moment = time.time() if now is None else now
    gone = [e for e in list_entries() if e.kind in kinds and moment - e.used >= older_than]
    for entry in gone:
        for path in entry.paths:
            try:
                if path.is_dir():
                    (path / NOTE).unlink(missing_ok=True)  # first: half an entry is no entry
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise DancekitError(
                    f"{path} cannot be deleted: {error.strerror}", hint="check its permissions"
                ) from None
    if "frames" in kinds:
        remove_dead_parts(cache_folder("frames"))
    return gone


def _frames() -> list[Entry]:
    found = []
    for folder in cache_folder("frames").glob("*"):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        files = [path.stat() for path in folder.iterdir() if path.is_file()]
        what, used = "(unfinished)", folder.stat().st_mtime
        if is_whole(folder):
            facts = json.loads((folder / NOTE).read_text())
            what = "{clip}, {frames} frames, {width}x{height}".format(**facts)
            used = (folder / NOTE).stat().st_mtime
        size, linked = sum(each.st_size for each in files), any(each.st_nlink > 1 for each in files)
        found.append(Entry("frames", folder.name, what, (folder,), size, used, linked))
    return found


def _poses() -> list[Entry]:
    found = []
    for path in cache_folder("poses").glob("*.npz"):
        if path.name.startswith(".") or path.name.endswith(_BESIDE):
            continue
        beside = [path.with_suffix(suffix) for suffix in _BESIDE]
        paths = tuple(each for each in (path, *beside) if each.exists())
        size, used = sum(each.stat().st_size for each in paths), max(each.stat().st_mtime for each in paths)
        found.append(Entry("poses", path.stem, "", paths, size, used, linked=False))
    return found


def _people() -> list[Entry]:
    """Everybody in a clip, and pictures of them."""
    found = []
    for path in cache_folder("people").glob("*"):
        if path.name.startswith("."):
            continue
        facts = path.stat()
        what = f"picture of the people in {path.stem.rpartition('-')[0]}" if path.suffix == ".png" else ""
        found.append(Entry("people", path.stem, what, (path,), facts.st_size, facts.st_mtime, linked=False))
    return found
