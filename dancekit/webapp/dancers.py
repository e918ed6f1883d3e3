"""Whom a dance can be painted as: dancers of the zoo that are here, those of a folder, those that were trained here."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dancekit.dancer import DancerInfo, read_info
from dancekit.errors import DancekitError, UnknownName
from dancekit.webapp.jobs import RUN, JobStore
from dancekit.zoo.index import Zoo
from dancekit.zoo.locate import find_here


@dataclass(frozen=True)
class Choice:
    """A dancer.

    Attributes:
        id: To choose it by; says nothing of where it is.
        label: For lists.
        path: The file.
    """

    id: str
    label: str
    path: Path


def list_dancers(folder: Path | None, store: JobStore) -> list[Choice]:
    """All dancers that are on this machine, those that were trained here first; nothing is fetched.

    Args:
        folder: The user's own: `*.safetensors` in it, and runs (`*/dancer.safetensors`).
        store: Its trainings.
    """
    found = [
        Choice(f"trained:{job.id}", f"{job.title} (trained here)", path)
        for job in store.all("train")
        if (path := store.folder(job) / RUN / "dancer.safetensors").is_file()
    ]
    if folder is not None and folder.is_dir():
        for path in sorted({*folder.glob("*.safetensors"), *folder.glob("*/dancer.safetensors")}):
            name = path.parent.name if path.stem == "dancer" else path.stem
            if _readable(path):
                digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
                found.append(Choice(f"local:{digest}", f"{name} ({folder.name or folder})", path))
    zoo = Zoo()
    for entry in zoo.entries:
        shown = entry.kind == "dancer" and not entry.is_start
        path_here = find_here(zoo, entry, entry.main)[1] if shown else None
        if path_here is not None:
            found.append(Choice(f"zoo:{entry.id}", f"{entry.id} (zoo)", path_here))
    return found


def find_choice(identity: str | None, choices: list[Choice]) -> Choice:
    """The dancer of an id.

    Raises:
        UnknownName: There is none.
    """
    for choice in choices:
        if choice.id == identity:
            return choice
    raise UnknownName("this dancer is not there any more", hint="choose another one")


def describe(choice: Choice) -> str:
    """A line of HTML: what the file's header says of it."""
    try:
        info = read_info(choice.path)
    except DancekitError as error:
        return html.escape(str(error).replace(str(choice.path), choice.label))
    return " · ".join(html.escape(part) for part in _facts(info))


def _facts(info: DancerInfo) -> list[str]:
    shown = "nobody real" if info.subject == "rendered" else info.consent and f"consent: {info.consent}"
    return [
        f"{info.painted_size[0]}x{info.painted_size[1]} pixels",
        f"{info.training.get('steps', '?')} steps",
        f"licence {info.licence or 'not said'}",
        shown or "consent not said",
    ]


def _readable(path: Path) -> bool:
    """Whether it is a dancer: other weights lie in folders as well."""
    try:
        return _is_dancer(path, path.stat().st_mtime_ns)
    except OSError:  # it has just gone
        return False


@lru_cache(maxsize=1024)
def _is_dancer(path: Path, changed: int) -> bool:
    try:
        read_info(path)
    except DancekitError:
        return False
    return True
