"""Fetches weight files: into the user's cache, with the sha256 checked every time a file is used.

`DANCEKIT_CACHE` moves the cache, `DANCEKIT_OFFLINE=1` forbids downloads. Files put into the cache by hand are
as good as downloaded ones if their sha256 is right. Of several processes that want a file one downloads it and
the others wait; a download that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from dancekit.errors import ChecksumError, DancekitError, OfflineError
from dancekit.weights.download import CutOff, Progress, Unavailable, stream
from dancekit.weights.header import file_sha256

MAX_MEMBER = 4 << 30
"""Largest member that is unpacked from an archive, bytes."""

_LOG = logging.getLogger(__name__)
_PATIENCE = 1.0  # seconds of waiting for another process before that is said


def weights_folder() -> Path:
    """Where fetched weights are kept: `$DANCEKIT_CACHE/weights`, or in the platform's user cache folder."""
    root = os.environ.get("DANCEKIT_CACHE") or platformdirs.user_cache_dir("dancekit")
    return Path(root) / "weights"


def offline() -> bool:
    """Whether `DANCEKIT_OFFLINE` forbids downloads."""
    return os.environ.get("DANCEKIT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def fetch(
    url: str,
    sha256: str | None,
    *,
    size: int | None = None,
    filename: str | None = None,
    folder: Path | None = None,
    mirrors: Sequence[str] = (),
    headers: Mapping[str, Mapping[str, str]] | None = None,
    trust_first: bool = False,
    remedy: str = "",
    progress: Progress | None = None,
) -> Path:
    """A local copy of a file whose sha256 is known.

    A file in the cache is hashed before it is handed out; a download is hashed before it gets its name.

    Args:
        url: http(s) address.
        sha256: The expected digest, 64 hexadecimal digits. None if it is not known: such a file is refused
            unless `trust_first`.
        size: The expected size in bytes; a download stops as soon as it is larger.
        filename: Name in the cache; the address's last part if None.
        folder: Where to; `weights_folder()` if None.
        mirrors: Other addresses of the same file, tried in order where the one before fails.
        headers: For the requests to an address, such as a token.
        trust_first: Accept a first download of unknown digest and note its digest in `<filename>.sha256`
            beside it; from then on the file must match. This notices changes, it does not verify the origin.
        remedy: What the user can do instead, appended to the hint of every error.
        progress: Called with the bytes received so far and those of the whole file.

    Returns:
        Path of the file.

    Raises:
        ChecksumError: The contents are not the expected ones (the file is removed), or nothing is expected
            and `trust_first` is off.
        OfflineError: It has to be downloaded, and downloads are forbidden or there is no network.
        DancekitError: The server refuses, or the disk is full.
    """
    name = filename or Path(urlsplit(url).path).name
    if Path(name).name != name or not name:
        raise ValueError(f"{name!r} is not a file name")
    path = (weights_folder() if folder is None else folder) / name
    note = path.with_name(f"{name}.sha256")
    expected = sha256.lower() if sha256 else _noted(note)
    if path.exists():
        return _checked(path, expected, note, url, trust_first=trust_first, remedy=remedy)
    if offline():
        raise _missing(url, path, "DANCEKIT_OFFLINE is set", remedy)
    if expected is None and not trust_first:
        raise _unknown_digest(url, path, remedy)
    with _locked(path):
        if path.exists():  # another process was faster
            return _checked(path, expected or _noted(note), note, url, trust_first=trust_first, remedy=remedy)
        wanted = _Wanted(path, expected, size, headers or {}, remedy, progress)
        found = _download_any([url, *mirrors], wanted)
        if expected is None:
            note.write_text(found + "\n")
    return path


def _checked(
    path: Path, expected: str | None, note: Path, url: str, *, trust_first: bool, remedy: str
) -> Path:
    """A file that is there already, hashed."""
    if expected is None and not trust_first:
        raise _unknown_digest(url, path, remedy)
    found = file_sha256(path)
    if expected is not None and found != expected:
        path.unlink(missing_ok=True)
        raise _mismatch(path, expected, found, url)
    if expected is None:
        note.write_text(found + "\n")
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Within the block this process alone downloads the file; the system frees the lock if it dies."""
    import filelock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=_PATIENCE)
        except filelock.Timeout:
            _LOG.info("another process is downloading %s; waiting for it", path)
            lock.acquire()
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _noted(note: Path) -> str | None:
    try:
        digest = note.read_text().strip().lower()
    except FileNotFoundError:
        return None
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ChecksumError(
            f"{note} does not hold a sha256", hint="delete it together with the file beside it"
        )
    return digest


@dataclass(frozen=True)
class _Wanted:
    """The arguments of `fetch`."""

    path: Path
    sha256: str | None
    size: int | None
    headers: Mapping[str, Mapping[str, str]]
    remedy: str
    progress: Progress | None


def _download_any(urls: Sequence[str], wanted: _Wanted) -> str:
    first: DancekitError | None = None
    for url in urls:
        try:
            return _download(url, wanted)
        except DancekitError as error:
            _LOG.info("%s", error)
            first = first or error
    assert first is not None
    raise first


def _download(url: str, wanted: _Wanted) -> str:
    path, expected, remedy = wanted.path, wanted.sha256, wanted.remedy
    # named after the digest: the beginning of another version is never taken for one of this
    part = path.with_name(f".{path.name}.{expected[:16] if expected else os.getpid()}.part")
    _LOG.info("downloading %s to %s", url, path)
    try:
        found = stream(
            url,
            part,
            sha256=expected,
            size=wanted.size,
            headers=wanted.headers.get(url),
            progress=wanted.progress,
        )
        part.replace(path)
    except ChecksumError as error:
        raise ChecksumError(f"{path.name}: {error.message}", hint=_by_hand(path, remedy)) from None
    except CutOff as error:
        raise _missing(url, path, error.message, remedy) from None
    except Unavailable as error:
        raise DancekitError(error.message, hint=_by_hand(path, remedy)) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if expected is None or path.exists() or (part.exists() and not part.stat().st_size):
            part.unlink(missing_ok=True)
    return found


def _unwritable(path: Path, error: OSError) -> DancekitError:
    return DancekitError(f"{path} cannot be written: {error.strerror or error}")


def _by_hand(path: Path, remedy: str) -> str:
    text = f"or download it elsewhere and put it at {path}"
    return f"{text}; {remedy}" if remedy else text


def _missing(url: str, path: Path, why: str, remedy: str) -> OfflineError:
    return OfflineError(
        f"{path.name} is missing and cannot be downloaded: {why}. It comes from {url}",
        hint=f"go online, {_by_hand(path, remedy)}",
    )


def _mismatch(path: Path, expected: str, found: str, url: str) -> ChecksumError:
    return ChecksumError(
        f"{path} has sha256 {found}, expected {expected}; it was removed", hint=f"get it again from {url}"
    )


def _unknown_digest(url: str, path: Path, remedy: str) -> ChecksumError:
    hint = "download it by hand and check it where you can"
    return ChecksumError(
        f"no sha256 is known for {path.name} from {url}, so it is not used unchecked",
        hint=f"{hint}; {remedy}" if remedy else hint,
    )


def read_member(path: Path, suffix: str, *, limit: int = MAX_MEMBER) -> bytes:
    """The contents of a file, or of the only member of a zip archive that ends in `suffix`.

    Nothing is unpacked to the disk, so no member's name can lead anywhere.

    Args:
        path: The file; a zip archive if it begins like one.
        suffix: How the member's name ends, as `.onnx`.
        limit: Refuse larger members.

    Raises:
        DancekitError: The archive is damaged, has no such member or several, or the member is too large.
    """
    try:
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            members = [
                info for info in archive.infolist() if info.filename.endswith(suffix) and not info.is_dir()
            ]
            if len(members) != 1:
                raise DancekitError(f"{path} holds {len(members)} files that end in {suffix}, expected one")
            if members[0].file_size > limit:
                raise DancekitError(
                    f"{path}: {members[0].filename} is too large ({members[0].file_size} bytes)"
                )
            with archive.open(members[0]) as file:
                # the size in the directory may lie: never read more than it says
                return file.read(members[0].file_size)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DancekitError(f"{path} is a damaged archive: {error}") from None
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error.strerror or error}") from None


def bytes_sha256(content: bytes) -> str:
    """The sha256 of bytes in memory, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
