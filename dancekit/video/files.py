"""Opening a video file, and one clear line when it cannot be opened.

FFmpeg's own messages ("Invalid data found when processing input") name neither the cause nor the remedy, so
the usual causes are looked for here: missing, empty, cut short, text, sound only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dancekit.errors import VideoError

# FFmpeg reads these too, but what comes out is not a film: text drawn as pictures, playlists, stills.
_NOT_VIDEO = {"tty": "a text file", "image2": "a picture", "hls": "a playlist", "concat": "a playlist"}
_COPY_AGAIN = "copy or export it again from where it came"
_MAX_BOXES = 1_000_000


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its first video stream (cover pictures do not count).

    Args:
        path: The file.

    Yields:
        The container, closed at the end in all cases, and the stream.

    Raises:
        VideoError: Missing, a folder, empty, not a video, cut short, sound only, or of an unknown codec.
    """
    container = open_any(path)
    try:
        reject_non_video(path, container)
        yield container, first_video(path, container)
    finally:
        container.close()


def open_any(path: Path) -> InputContainer:
    """Open a file with or without picture; the caller closes it.

    Raises:
        VideoError: Missing, a folder, empty, cut short, or nothing that FFmpeg can read.
    """
    check_file(path)
    try:
        # `file:` keeps a name such as "a:b.mp4" from being taken for a protocol, and the whitelist keeps a
        # playlist from making FFmpeg open something else than this file. Tags may be in any encoding.
        return av.open(f"file:{path}", "r", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _not_openable(path, error) from error


def check_file(path: Path) -> None:
    """Refuse what is no readable file with content.

    Raises:
        VideoError: Missing, a folder, empty, or not permitted.
    """
    if path.is_dir():
        raise VideoError(f"{path} is a folder, not a video", hint="name one video file in it")
    if not path.exists():
        raise VideoError(f"{path} does not exist", hint="check the path")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from error
    if empty:
        raise VideoError(f"{path} is empty (0 bytes)", hint=_COPY_AGAIN)


def reject_non_video(path: Path, container: InputContainer) -> None:
    """Refuse what FFmpeg reads although it is no film.

    Raises:
        VideoError: A text file, a picture or a playlist.
    """
    name = container.format.name
    what = _NOT_VIDEO.get(name) or ("a picture" if name.endswith("_pipe") else "")
    if what:
        raise VideoError(f"{path} is {what}, not a video", hint="give a video file such as .mp4 or .mov")


def first_video(path: Path, container: InputContainer) -> VideoStream:
    """The first video stream that can be decoded.

    Raises:
        VideoError: There is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        heard = any(s.type == "audio" for s in container.streams)
        kind = "has sound but no picture" if heard else "has no video in it"
        raise VideoError(f"{path} {kind}", hint="give a file with a video track")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(
            f"{path}: its video codec is not supported by this FFmpeg ({av.__version__})",
            hint="convert it to H.264 first: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )
    return stream


def _not_openable(path: Path, error: Exception) -> VideoError:
    extent = measure(path)
    if extent is not None and extent.actual < extent.declared:
        return cut_short(path, extent)
    if extent is not None and extent.kind == "mp4" and not extent.indexed:
        return VideoError(f"{path} is cut short: its index (moov) is missing", hint=_COPY_AGAIN)
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\0" not in head and _is_text(head):
        return VideoError(
            f"{path} is a text file, not a video", hint="give a video file such as .mp4 or .mov"
        )
    reason = getattr(error, "strerror", None) or str(error)
    return VideoError(
        f"{path} is not a video that FFmpeg can read: {reason}", hint=f"{_COPY_AGAIN}, or convert it to .mp4"
    )


def _is_text(head: bytes) -> bool:
    try:
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def cut_short(path: Path, extent: Extent, readable: str = "") -> VideoError:
    """The error for a file that ends before its container does."""
    indexed = "" if extent.indexed or extent.kind != "mp4" else " and its index (moov) is missing"
    return VideoError(
        f"{path} is cut short{indexed}: {extent.actual} of {extent.declared} bytes are there{readable}",
        hint=_COPY_AGAIN
        if not readable
        else f"{_COPY_AGAIN}, or keep what is there: ffmpeg -i IN -c copy OUT.mkv",
    )


@dataclass(frozen=True)
class Extent:
    """How long a file is, and how long its container says it is.

    Attributes:
        kind: `mp4`, `riff` (AVI) or `matroska`.
        actual: Bytes there.
        declared: Bytes that there should be.
        indexed: Whether an mp4's index (moov) was seen; True for the others.
    """

    kind: str
    actual: int
    declared: int
    indexed: bool


def measure(path: Path) -> Extent | None:
    """Read the container's outermost boxes.

    Returns:
        Its extent, or None for a container whose outermost layer has no lengths.
    """
    actual = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            return _measure_riff(file, actual)
        if head[:4] == b"\x1aE\xdf\xa3":
            return _measure_matroska(file, actual)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _measure_mp4(file, actual)
    return None


def _measure_mp4(file: BinaryIO, actual: int) -> Extent:
    # ISO 14496-12 section 4.2: size (1: a 64-bit size follows; 0: to the end of the file), type.
    position, indexed = 0, False
    for _ in range(_MAX_BOXES):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            break
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = actual - position
        if size < 8:
            break
        indexed |= kind == b"moov"
        position += size
        if position > actual and kind not in (b"mdat", b"moov", b"moof"):
            position = actual  # junk that some recorders append, or tags: no loss
        if position >= actual:
            break
    return Extent("mp4", actual, max(position, actual), indexed)


def _measure_riff(file: BinaryIO, actual: int) -> Extent:
    # OpenDML files are several RIFF chunks in a row. Some recorders never fill the length in (0).
    position = 0
    while position + 12 <= actual:
        file.seek(position)
        head = file.read(8)
        if head[:4] != b"RIFF":
            return Extent("riff", actual, actual, True)
        size = int.from_bytes(head[4:], "little")
        if not size:
            return Extent("riff", actual, actual, True)
        position += 8 + size + size % 2
    # The padding byte of the last chunk is often left out.
    return Extent("riff", actual, actual if position - 1 == actual else max(position, actual), True)


def _measure_matroska(file: BinaryIO, actual: int) -> Extent:
    # RFC 8794: an element is an id, a length (a variable-length integer, all ones: unknown) and its content.
    file.seek(4)
    header = _vint(file)
    if header is not None:
        file.seek(header, os.SEEK_CUR)
        if file.read(4) == b"\x18\x53\x80\x67":
            size = _vint(file)
            if size is not None:
                return Extent("matroska", actual, max(file.tell() + size, actual), True)
    return Extent("matroska", actual, actual, True)


def _vint(file: BinaryIO) -> int | None:
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & ((1 << (8 - width)) - 1)]) + file.read(width - 1), "big")
    return None if value == (1 << (7 * width)) - 1 else value
