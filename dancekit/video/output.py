"""Where a result goes: a film, a GIF, or a folder of PNG pictures; written in segments, so that work can go on.

A segment is whole or not there. `join` makes the result of all segments, without encoding again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dancekit.data.files import write_png
from dancekit.errors import OutputExists, UsageError
from dancekit.video.codecs import choose_codec
from dancekit.video.gif import write_gif
from dancekit.video.join import join_segments
from dancekit.video.read import read_frames
from dancekit.video.write import VideoWriter

_log = logging.getLogger(__name__)

Image = NDArray[np.uint8]
PICTURE_NAME = "{:06d}.png"


class FrameWriter(Protocol):
    """Takes frames in order."""

    def write(self, rgb: Image, pts: int) -> None:
        """Write one (H, W, 3 or 4) uint8 frame, shown at `pts`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What all frames of a result have in common.

    Attributes:
        size: (W, H).
        time_base: Seconds per unit of pts.
        rate: Frames per second.
        alpha: Whether frames have a fourth channel, 255 = opaque.
    """

    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    alpha: bool = False


@dataclass(frozen=True)
class SoundTrack:
    """Whose sound goes with a result.

    Attributes:
        source: The file, or None.
        whole: All of it (the whole film is shown), or only what is heard beside a picture.
    """

    source: Path | None = None
    whole: bool = True


class Output(Protocol):
    """A kind of result."""

    @property
    def path(self) -> Path:
        """The result."""
        ...

    def segment(self, folder: Path, number: int) -> Path:
        """Where a segment lies."""
        ...

    def write_segment(self, folder: Path, number: int, first: int) -> AbstractContextManager[FrameWriter]:
        """Write one that begins with frame `first` of all; it appears when the block ends well."""
        ...

    def join(self, folder: Path, count: int, pts: NDArray[np.int64]) -> Path:
        """Make the result of so many segments, in their folder.

        Returns:
            Where it is: rename it to `path`.

        Raises:
            VideoError: It cannot be written.
        """
        ...

    def settings(self) -> dict[str, Any]:
        """What decides the segments' content, as plain data."""
        ...


def choose_output(
    path: Path,
    shape: Shape,
    *,
    codec: str | None = None,
    crf: int | None = None,
    sound: SoundTrack | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Output:
    """The output that a name asks for: a film by its suffix, `.gif`, or without a suffix a folder of pictures.

    Args:
        path: The result.
        shape: Of its frames.
        codec: `h264`, `h265` or `vp9`; None: the usual one of the container.
        crf: Quality; None: the codec's usual one.
        sound: What is heard.
        metadata: Tags for a film.

    Raises:
        UsageError: An unknown suffix, options that do not go together, or a wrong value.
    """
    sound = sound or SoundTrack()
    if path.suffix.lower() == ".gif" or not path.suffix:
        kind = "a GIF" if path.suffix else "a folder of pictures"
        if codec is not None or crf is not None:
            raise UsageError(f"{path} is {kind}: it has no codec and no crf", hint="leave them out")
        if sound.source is not None:
            _log.warning("%s is %s: without sound", path, kind)
        if not path.suffix:
            return PictureOutput(path, shape)
        if shape.alpha:
            raise UsageError(
                f"{path}: a GIF has no soft edges", hint="name a .webm, or a folder for PNG pictures"
            )
        return GifOutput(path, shape)
    choose_codec(path, codec, crf=crf, alpha=shape.alpha)
    return FilmOutput(path, shape, codec=codec, crf=crf, sound=sound, metadata=metadata or {})


@dataclass(frozen=True)
class FilmOutput:
    """A video file."""

    path: Path
    shape: Shape
    codec: str | None = None
    crf: int | None = None
    sound: SoundTrack = SoundTrack()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def segment(self, folder: Path, number: int) -> Path:
        """A film without sound."""
        return folder / f"{number:05d}{self.path.suffix}"

    def write_segment(self, folder: Path, number: int, first: int) -> AbstractContextManager[FrameWriter]:
        """With an encoder of its own: what it gives depends on its frames alone."""
        return VideoWriter(
            self.segment(folder, number),
            size=self.shape.size,
            time_base=self.shape.time_base,
            rate=self.shape.rate,
            codec=self.codec,
            crf=self.crf,
            alpha=self.shape.alpha,
            force=True,
        )

    def join(self, folder: Path, count: int, pts: NDArray[np.int64]) -> Path:
        """Copy the packets and the sound."""
        whole = folder / f"whole{self.path.suffix}"
        join_segments(
            whole,
            [self.segment(folder, number) for number in range(count)],
            pts,
            time_base=self.shape.time_base,
            rate=self.shape.rate,
            sound_from=self.sound.source,
            whole_sound=self.sound.whole,
            from_zero=not self.sound.whole,
            metadata=self.metadata,
            force=True,
        )
        return whole

    def settings(self) -> dict[str, Any]:
        """Codec and shape."""
        return {
            "kind": self.path.suffix.lower(),
            "codec": self.codec,
            "crf": self.crf,
            "shape": repr(self.shape),
        }


@dataclass(frozen=True)
class GifOutput:
    """An animated GIF: segments are lossless, the result is made of all of them."""

    path: Path
    shape: Shape

    def segment(self, folder: Path, number: int) -> Path:
        """A lossless film."""
        return folder / f"{number:05d}.mkv"

    def write_segment(self, folder: Path, number: int, first: int) -> AbstractContextManager[FrameWriter]:
        """In FFV1."""
        return VideoWriter(
            self.segment(folder, number),
            size=self.shape.size,
            time_base=self.shape.time_base,
            rate=self.shape.rate,
            codec="ffv1",
            force=True,
        )

    def join(self, folder: Path, count: int, pts: NDArray[np.int64]) -> Path:
        """Encode the GIF."""

        def frames() -> Iterator[Image]:
            for number in range(count):
                for frame in read_frames(self.segment(folder, number)):
                    yield frame.rgb

        whole = folder / "whole.gif"
        seconds = (pts - pts[0]) * float(self.shape.time_base)
        write_gif(whole, frames(), seconds, size=self.shape.size, rate=self.shape.rate, force=True)
        return whole

    def settings(self) -> dict[str, Any]:
        """The shape."""
        return {"kind": ".gif", "shape": repr(self.shape)}


@dataclass(frozen=True)
class PictureOutput:
    """A folder with `000000.png`, `000001.png`, ...: one a frame."""

    path: Path
    shape: Shape

    def segment(self, folder: Path, number: int) -> Path:
        """A folder of pictures."""
        return folder / f"{number:05d}"

    @contextmanager
    def write_segment(self, folder: Path, number: int, first: int) -> Iterator[FrameWriter]:
        """Pictures, named as in the result."""
        place = self.segment(folder, number)
        part = place.with_name(f".{place.name}.part")
        for left in (part, place):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield _Pictures(part, first)
            part.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def join(self, folder: Path, count: int, pts: NDArray[np.int64]) -> Path:
        """Move the pictures into one folder."""
        whole = folder / "pictures"
        whole.mkdir(exist_ok=True)
        for number in range(count):  # after a kill again from the start: what was moved is there already
            for picture in self.segment(folder, number).glob("*.png"):
                picture.replace(whole / picture.name)
        return whole

    def settings(self) -> dict[str, Any]:
        """The shape."""
        return {"kind": "png", "shape": repr(self.shape)}


class _Pictures:
    def __init__(self, folder: Path, first: int) -> None:
        self._folder, self._number = folder, first

    def write(self, rgb: Image, pts: int) -> None:
        """Write the next picture."""
        write_png(self._folder / PICTURE_NAME.format(self._number), rgb)
        self._number += 1


def has_sound(path: Path) -> bool:
    """Whether a result of this name can be heard: neither a GIF nor a folder of pictures."""
    return path.suffix.lower() not in ("", ".gif")


def deliver(made: Path, path: Path, *, force: bool) -> None:
    """Give what `Output.join` made its name.

    Raises:
        OutputExists: There is something of that name, and `force` is off.
        UsageError: It is a folder with other things in it.
    """
    if path.exists():
        if not force:
            raise OutputExists(path)
        if made.is_dir():
            check_replaceable(path)
            shutil.rmtree(path)
    made.replace(path)


def check_replaceable(folder: Path) -> None:
    """Refuse to replace a folder that holds anything but numbered pictures.

    Raises:
        UsageError: It does.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for pictures, or a video with its suffix")
    for path in folder.iterdir():
        if path.suffix != ".png" or not path.stem.isdigit():
            raise UsageError(
                f"{folder} holds {path.name}, which is none of its pictures: it is not deleted",
                hint="choose another --out",
            )
