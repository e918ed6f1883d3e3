"""Streams a file over http(s): hash and size checked on the way, resumed where it was cut off, slow sources given up.

requests does the talking. pooch's downloader, used before, can neither resume nor stop at a size, and a source
that sends a byte every now and then keeps it waiting for ever.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from dancekit.errors import ChecksumError, DancekitError, OfflineError

if TYPE_CHECKING:
    import requests

TIMEOUT = 30.0
"""Seconds without a byte after which a source is given up."""

SLOWEST = (4096, 60.0)
"""Fewer bytes than this in so many seconds, and a source is given up."""

LARGEST = 4 << 30
"""Bytes of a download whose size nobody told."""

Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 18
_LOG = logging.getLogger(__name__)


class Unavailable(DancekitError):
    """A source that does not have the file, or does not hand it out: another one may."""


class CutOff(OfflineError):
    """A source that cannot be reached, is too slow, or stopped half-way; what was received is kept to go on from."""


def stream(
    url: str,
    part: Path,
    *,
    sha256: str | None,
    size: int | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> str:
    """Download into a file that may hold the beginning already.

    Args:
        url: http or https; so must be every address it redirects to, and https never leads to http.
        part: Where to. If it exists and the digest is known, only what is missing is asked for.
        sha256: What the whole file's digest must be, lower case; None if unknown.
        size: What its size must be; None if unknown. No byte beyond it is written.
        headers: For the request, such as a token; never sent to another host than `url`'s.
        progress: Called with the bytes received so far and those of the whole file, None if unknown.

    Returns:
        The digest of the file in `part`.

    Raises:
        ChecksumError: Digest or size is another one. `part` is gone.
        CutOff: No connection, too slow, or cut off. `part` is kept if it can be resumed.
        Unavailable: The source refuses, or leads elsewhere than to http(s). `part` is left as it was.
        OSError: `part` cannot be written.
    """
    resumed = sha256 is not None and part.exists() and part.stat().st_size > 0
    source = _Source(url, part, size, headers or {}, progress)
    found = _attempt(source, resume=resumed)
    if resumed and found != sha256:
        # the beginning may be of another source, or was damaged on the disk
        _LOG.info("%s does not fit together, it is downloaded again as a whole", part)
        found = _attempt(source, resume=False)
    if sha256 is not None and found != sha256:
        part.unlink(missing_ok=True)
        raise ChecksumError(f"what {url} sends has sha256 {found}, expected {sha256}; it was removed")
    return found


@dataclass(frozen=True)
class _Source:
    """The arguments of `stream`."""

    url: str
    part: Path
    size: int | None
    headers: Mapping[str, str]
    progress: Progress | None


def _attempt(source: _Source, *, resume: bool) -> str:
    import requests

    url, part, size, headers = source.url, source.part, source.size, source.headers
    start = part.stat().st_size if resume else 0
    if resume and start == size:
        return str(_digest_of(part).hexdigest())
    # no compression: ranges and digests are of the file's own bytes
    asked = {**headers, "Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        with requests.Session() as session:
            session.hooks["response"] = [_check_redirect]
            with session.get(url, headers=asked, stream=True, timeout=TIMEOUT) as answer:
                if start and answer.status_code == requests.codes.range_not_satisfiable:
                    return _attempt(source, resume=False)
                answer.raise_for_status()
                start = _place(answer, start)
                return _receive(answer, source, start=start)
    except (requests.HTTPError, requests.TooManyRedirects, ValueError) as error:
        # ValueError: requests' own errors of addresses that are none
        raise Unavailable(f"{url} cannot be had: {error}") from None
    except requests.RequestException as error:  # connection refused, no route, no name, timeout
        raise CutOff(f"no connection ({type(error).__name__})") from None


def _check_redirect(answer: requests.Response, *_: Any, **__: Any) -> None:
    if not answer.is_redirect:
        return
    target = urlsplit(answer.headers.get("Location", ""))
    here = urlsplit(answer.url).scheme
    scheme = target.scheme.lower() or here
    if scheme not in ("http", "https") or (here == "https" and scheme == "http"):
        if answer.raw is not None:
            answer.close()
        raise Unavailable(f"{answer.url} leads to a {scheme} address, which is not followed")


def _place(answer: requests.Response, start: int) -> int:
    """Where the answer's first byte belongs."""
    if answer.status_code != 206:  # the source cannot do ranges and sends the whole
        return 0
    told = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if told is None or int(told[1]) != start:
        raise Unavailable(f"{answer.url} sends another part of the file than was asked for")
    return start


def _receive(answer: requests.Response, source: _Source, *, start: int) -> str:
    url, part, size = source.url, source.part, source.size
    length = answer.headers.get("Content-Length", "")
    whole = start + int(length) if length.isdecimal() else None
    if size is not None and whole is not None and whole != size:
        part.unlink(missing_ok=True)
        raise ChecksumError(f"{url} has {whole} bytes, expected {size}; it was not downloaded")
    digest = _digest_of(part) if start else hashlib.sha256()
    with part.open("ab" if start else "wb") as file:
        received = _copy(answer, file, digest, source, start=start, whole=size or whole)
        file.flush()
        os.fsync(file.fileno())
    if received < 0:
        part.unlink(missing_ok=True)
        raise ChecksumError(
            f"{url} sends more than the {LARGEST if size is None else size} bytes expected; it was removed"
        )
    if (whole is not None and received < whole) or (size is not None and received < size):
        raise CutOff(f"cut off after {received} of {size or whole} bytes")
    return str(digest.hexdigest())


def _copy(
    answer: requests.Response, file: BinaryIO, digest: Any, source: _Source, *, start: int, whole: int | None
) -> int:
    """Bytes in the file then; -1 as soon as there would be more than expected."""
    limit = LARGEST if source.size is None else source.size
    fewest, window = SLOWEST
    begun, counted, received = time.monotonic(), 0, start
    # read1: what is there, not what fills the buffer; a source that drips would hold us in it for ever
    while chunk := _next(answer, received):
        received += len(chunk)
        if received > limit:
            return -1
        file.write(chunk)
        digest.update(chunk)
        if source.progress is not None:
            source.progress(received, whole)
        counted += len(chunk)
        now = time.monotonic()
        if now - begun >= window:
            if counted < fewest:
                file.flush()
                raise CutOff(f"too slow ({counted} bytes in {now - begun:.0f} seconds)")
            begun, counted = now, 0
    return received


def _next(answer: requests.Response, received: int) -> bytes:
    """The next bytes as they were sent; empty at the end."""
    import urllib3

    try:
        return bytes(answer.raw.read1(_CHUNK, decode_content=False))
    except (urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise CutOff(f"cut off after {received} bytes ({type(error).__name__})") from None


def _digest_of(part: Path) -> Any:
    with part.open("rb") as file:
        return hashlib.file_digest(file, "sha256")
