"""From an entry of the zoo to a file on this machine, its sha256 checked: shipped, local, cached, or fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from dancekit.errors import ChecksumError, DancekitError, OfflineError
from dancekit.resources import data_root
from dancekit.weights.download import Progress
from dancekit.weights.fetch import fetch, weights_folder
from dancekit.weights.header import file_sha256
from dancekit.zoo.index import Entry, Zoo, ZooFile

Place = Literal["packaged", "local", "cached", "remote", "nowhere"]


def find_here(zoo: Zoo, entry: Entry, file: ZooFile) -> tuple[Place, Path | None]:
    """Where a file is, without fetching or hashing it.

    Raises:
        DancekitError: A link leads out of the folder that the file should be in.
    """
    for source in file.sources:
        if source.startswith("package:"):
            path = _inside(data_root(), source.removeprefix("package:"))
            if path.is_file():
                return "packaged", path
    beside = zoo.index_of(entry.id).parent
    for source in file.sources:
        if source.startswith("file:") and (path := _inside(beside, source.removeprefix("file:"))).is_file():
            return "local", path
    for folder in zoo.folders:
        for name in (f"{entry.id}/{file.name}", file.name):
            if (path := _inside(folder, name)).is_file():
                return "local", path
    path = _inside(cache_folder(entry), file.name)
    if path.is_file():
        return "cached", path
    return ("remote", None) if _addresses(file) else ("nowhere", None)


def get_file(zoo: Zoo, entry: Entry, file: ZooFile, *, progress: Progress | None = None) -> Path:
    """The file, its size and sha256 checked; fetched if it is not here.

    Args:
        zoo: All indexes.
        entry: Of one of them.
        file: Of the entry.
        progress: Called with bytes received, and bytes in all, while it is fetched.

    Raises:
        ChecksumError: It is another file; one in the cache is removed, one of the user's or of the installation
            stays.
        OfflineError: It has to be downloaded and cannot be.
        DancekitError: No source has it.
    """
    place, path = find_here(zoo, entry, file)
    if path is not None and place != "cached":
        found = file_sha256(path)
        if found != file.sha256:
            what = (
                "pip install --force-reinstall dancekit"
                if place == "packaged"
                else "put the right file there"
            )
            raise ChecksumError(f"{path} has sha256 {found}, expected {file.sha256}", hint=what)
        return path
    addresses = _addresses(file)
    if not addresses:
        if path is None:
            raise OfflineError(
                f"{file.name} of {entry.id} is not here, and no address is known for it",
                hint="put its folder into DANCEKIT_ZOO",
            )
        addresses = {f"file of {entry.id}": {}}  # cached by hand; only hashed
    first, *mirrors = addresses
    return fetch(
        first,
        file.sha256,
        size=file.bytes,
        filename=file.name,
        folder=cache_folder(entry),
        mirrors=mirrors,
        headers=addresses,
        progress=progress,
    )


def get_entry(
    zoo: Zoo, entry: Entry, *, progress: Callable[[str, int, int | None], None] | None = None
) -> list[Path]:
    """All files of an entry, beside each other if they were fetched.

    Args:
        zoo: All indexes.
        entry: Of one of them.
        progress: Called with a file's name, bytes received, and bytes in all.
    """

    def of(file: ZooFile) -> Progress | None:
        return None if progress is None else lambda done, total: progress(file.name, done, total)

    return [get_file(zoo, entry, file, progress=of(file)) for file in entry.files]


def cache_folder(entry: Entry) -> Path:
    """Where an entry's files are fetched to."""
    return weights_folder() / "zoo" / entry.id


def _inside(folder: Path, relative: str) -> Path:
    """A path below a folder.

    Raises:
        DancekitError: It leads out of it, by `..` or through a link.
    """
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DancekitError(
            f"{path} leads out of {folder}, to {path.resolve()}", hint="put the file itself there"
        )
    return path


def _addresses(file: ZooFile) -> dict[str, dict[str, str]]:
    """Addresses in the order to try, each with the headers it needs."""
    found: dict[str, dict[str, str]] = {}
    for source in file.sources:
        if source.startswith("hf:"):
            from huggingface_hub import hf_hub_url
            from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

            repo, _, rest = source.removeprefix("hf:").partition("@")
            revision, _, path = rest.partition("/")
            # the Hub's library knows where its files are and who the user is; the bytes are received by our
            # own `fetch`, because its download looks at no sha256
            address = hf_hub_url(repo, path, revision=revision)
            found[address] = dict(build_hf_headers(library_name="dancekit"))
        elif source.startswith("http"):
            found[quote(source, safe=":/?&=%@+~#")] = {}
    return found
