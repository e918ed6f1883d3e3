"""Where frames come from: a video, a folder of pictures, or an array on the disk; opened, counted, hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.data.framing import crop
from dancekit.data.training_set import Frames
from dancekit.errors import VideoError
from dancekit.types import Window
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256

Image = NDArray[np.uint8]
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
"""Suffixes of the pictures that a folder of frames may hold."""

ASSUMED_RATE = Fraction(25)
"""Frames a second of folders, where nothing says another one."""

FILTERS = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


class Source(Protocol):
    """Frames that can be gone through in constant memory, again and again (but for `Painted`)."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(W, H)."""
        ...

    @property
    def rate(self) -> Fraction | None:
        """Frames a second; None if nobody knows."""
        ...

    @property
    def count(self) -> int:
        """How many frames."""
        ...

    def __iter__(self) -> Iterator[Image]:
        """(H, W, 3) uint8 frames in order."""
        ...


@dataclass(frozen=True)
class VideoFrames:
    """A video file; where its container does not know how many frames it has, they are counted once."""

    path: Path
    size: tuple[int, int]
    rate: Fraction | None
    count: int

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def __iter__(self) -> Iterator[Image]:
        return (frame.rgb for frame in read_frames(self.path))


@dataclass(frozen=True)
class PictureFrames:
    """A folder of pictures, in the order of their names (numbers inside of names count as numbers)."""

    path: Path
    size: tuple[int, int]
    files: tuple[Path, ...]
    rate: Fraction | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def count(self) -> int:
        """Pictures."""
        return len(self.files)

    def __iter__(self) -> Iterator[Image]:
        for file in self.files:
            picture = _picture(file)
            if picture.shape[1::-1] != self.size:
                raise VideoError(
                    f"{file} is {picture.shape[1]}x{picture.shape[0]}, the pictures before it "
                    f"{self.size[0]}x{self.size[1]}",
                    hint="all frames of a folder need one size",
                )
            yield picture


@dataclass(frozen=True, eq=False)
class ArrayFrames:
    """(T, H, W, 3) uint8, in memory, mapped from a file, or read one by one."""

    name: str
    array: Frames
    rate: Fraction | None

    @property
    def size(self) -> tuple[int, int]:
        """(W, H)."""
        height, width = self.array[0].shape[:2]
        return int(width), int(height)

    @property
    def count(self) -> int:
        """T."""
        return len(self.array)

    def __iter__(self) -> Iterator[Image]:
        return (np.asarray(self.array[number]) for number in range(len(self.array)))


@dataclass(frozen=True, eq=False)
class Painted:
    """Frames that are made while they are asked for, and can be gone through once."""

    name: str
    frames: Iterable[Image] = field(repr=False)
    size: tuple[int, int]
    rate: Fraction | None
    count: int

    def __iter__(self) -> Iterator[Image]:
        return iter(self.frames)


@dataclass(frozen=True)
class Windowed:
    """The window of every frame of another source."""

    source: Source
    window: Window = field(repr=False)

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def size(self) -> tuple[int, int]:
        """The window's."""
        return self.window.size

    @property
    def rate(self) -> Fraction | None:
        """The source's."""
        return self.source.rate

    @property
    def count(self) -> int:
        """The source's."""
        return self.source.count

    def __iter__(self) -> Iterator[Image]:
        return (crop(frame, self.window) for frame in self.source)


@dataclass(frozen=True)
class Resized:
    """Every frame of another source, resampled."""

    source: Source
    size: tuple[int, int]
    resize: str

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def rate(self) -> Fraction | None:
        """The source's."""
        return self.source.rate

    @property
    def count(self) -> int:
        """The source's."""
        return self.source.count

    def __iter__(self) -> Iterator[Image]:
        how = FILTERS[self.resize]
        return (np.asarray(cv2.resize(frame, self.size, interpolation=how)) for frame in self.source)


@dataclass(frozen=True)
class Chosen:
    """Frames `start` to `stop - 1` of another source, every Nth."""

    source: Source
    start: int
    stop: int
    every: int = 1

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def size(self) -> tuple[int, int]:
        """The source's."""
        return self.source.size

    @property
    def rate(self) -> Fraction | None:
        """The source's over `every`."""
        return self.source.rate and self.source.rate / self.every

    @property
    def count(self) -> int:
        """Those chosen."""
        return len(range(self.start, self.stop, self.every))

    def __iter__(self) -> Iterator[Image]:
        for number, frame in enumerate(self.source):
            if number >= self.stop:
                return
            if number >= self.start and (number - self.start) % self.every == 0:
                yield frame


def open_frames(path: Path) -> Source:
    """A video, or a folder of pictures.

    Raises:
        VideoError: It is neither, is empty, or cannot be read.
    """
    if path.is_dir():
        return _open_folder(path)
    info = probe(path)
    count = info.frames if info.frames is not None else sum(1 for _ in read_frames(path))
    return VideoFrames(path, info.size, info.rate, count)


def frames_sha256(path: Path) -> str:
    """Of a file; of a folder: of the names and digests of its pictures, in order."""
    if not path.is_dir():
        return file_sha256(path)
    digest = hashlib.sha256()
    for file in _pictures(path):
        digest.update(f"{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()


def _open_folder(path: Path) -> PictureFrames:
    files = _pictures(path)
    if not files:
        raise VideoError(
            f"{path} holds no picture", hint=f"a folder of frames has files {', '.join(PICTURES)}"
        )
    first = _picture(files[0])
    return PictureFrames(path, (int(first.shape[1]), int(first.shape[0])), tuple(files))


def _pictures(path: Path) -> list[Path]:
    return sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURES), key=_order)


def _order(path: Path) -> tuple[tuple[int, int, str], ...]:
    """frame9.png before frame10.png."""
    parts, number = [], ""
    for letter in path.name + "\0":
        if letter.isdecimal():
            number += letter
            continue
        if number:
            parts.append((0, int(number), ""))
            number = ""
        parts.append((1, 0, letter))
    return tuple(parts)


def _picture(path: Path) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise VideoError(f"{path} is not a picture that can be read", hint="export it again as PNG")
    return np.asarray(picture, np.uint8)
