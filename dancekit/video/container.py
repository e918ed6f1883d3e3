"""A film on its way into a file: hidden until it is whole, with its time and the sound of another file."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from dancekit.errors import OutputExists, UsageError, VideoError
from dancekit.video.codecs import FORMATS
from dancekit.video.sound import Sound

_log = logging.getLogger(__name__)

# Tags that have a place of their own in an mp4; others need QuickTime's key table, which fewer tools show.
_MP4_TAGS = frozenset(
    {"title", "artist", "album", "comment", "genre", "copyright", "description", "date", "synopsis"}
)
_ISO = ("mp4", "mov")
LARGEST_SCALE = 2**31 - 1
"""Parts of a second that a container can count in."""


class Film:
    """The container of one film. Packets go into a hidden file beside the destination.

    Args:
        path: The destination.
        time_base: Seconds per unit of pts.
        rate: Frames per second, as the header says it (and the length of the last frame).
        from_zero: Whether the first picture is to be shown at 0, wherever it was; otherwise only a film that
            starts before 0 is moved.
        whole_sound: Whether all of the sound is kept, or only what is heard beside a picture.
        force: Whether an existing file may be replaced.

    Attributes:
        path: The destination.
        container: None once it is closed.
        part: The hidden file.
    """

    def __init__(
        self,
        path: Path,
        *,
        time_base: Fraction,
        rate: Fraction,
        from_zero: bool = False,
        whole_sound: bool = False,
        force: bool = False,
    ) -> None:
        self.path, self.part = path, path.with_name(f".{path.name}.{os.getpid()}.part")
        self.container: OutputContainer | None = None
        self._time_base, self._rate = time_base, rate
        self._from_zero, self._whole_sound, self._force = from_zero, whole_sound, force
        self._format = FORMATS[path.suffix.lower()]
        self._sound: Sound | None = None
        self._shift = 0
        if rate <= 0 or time_base <= 0:
            raise UsageError(f"rate {rate} and time base {time_base} must be above 0")
        if time_base.denominator > LARGEST_SCALE:
            raise UsageError(f"time base {time_base} is too fine for a video file (2^31 - 1 parts a second)")
        if path.is_dir():
            raise UsageError(f"{path} is a folder", hint="name a file, such as out.mp4")
        if path.exists() and not force:
            raise OutputExists(path)

    def open(self, metadata: Mapping[str, str]) -> OutputContainer:
        """Make the hidden file.

        Raises:
            VideoError: It cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.part.touch()  # fails now rather than after the first frame
        except OSError as error:
            raise self.failure(error, 0) from error
        self.container = container = av.open(f"file:{self.part}", "w", format=self._format)
        container.metadata.update(metadata)
        if self._format in _ISO:
            flags = "+faststart" + ("" if _MP4_TAGS.issuperset(metadata) else "+use_metadata_tags")
            container.container_options.update(
                movflags=flags, video_track_timescale=str(self._time_base.denominator)
            )
        return container

    def add_sound(self, source: Path) -> None:
        """Take the first sound stream of a file along; none if it has none.

        Raises:
            VideoError: The file cannot be opened.
        """
        assert self.container is not None
        self._sound = Sound(source, self.container, self.path.suffix.lower())

    def begin(self, pts: int) -> int:
        """Say when the first picture is shown; returns what is added to every pts."""
        assert self.container is not None
        if pts < 0 or self._from_zero:
            # An mp4 shows nothing before 0: the film is moved as a whole, sound and all.
            self._shift = -pts
            if not self._from_zero:
                _log.info("%s: starts at %s s; moved to 0", self.path, float(pts * self._time_base))
        if self._sound is not None:
            start = None if self._whole_sound else pts * self._time_base
            self._sound.begin(start, self._shift * self._time_base)
        if self._format in _ISO and pts + self._shift > 0:
            # A late start is written as an empty edit, which counts in units of the whole film's time scale.
            rate = (self._sound and self._sound.sample_rate) or 1
            exact = math.lcm(self._time_base.denominator, rate)
            scale = exact if exact <= LARGEST_SCALE else self._time_base.denominator
            self.container.container_options["movie_timescale"] = str(scale)
        return self._shift

    def mux(self, packets: Iterable[Packet[VideoStream]]) -> None:
        """Write pictures, and the sound up to them."""
        assert self.container is not None
        # The encoder rounds the length of a frame down, to nothing for a coarse time base: the last one,
        # whose length no later frame tells, would vanish.
        length = max(round(1 / (self._rate * self._time_base)), 1)
        for packet in packets:
            packet.duration = length
            if self._sound is not None and packet.dts is not None:
                # Up to here and not ahead: this picture may be the last one.
                self._sound.feed((packet.dts - self._shift) * self._time_base)
            self.container.mux(packet)

    def finish(self, last: int) -> None:
        """Write the rest of the sound, and give the file its name.

        Args:
            last: pts of the last picture.

        Raises:
            OutputExists: A file of that name has appeared meanwhile.
        """
        if self._sound is not None:
            self._sound.finish(None if self._whole_sound else last * self._time_base + 1 / self._rate)
        self.close()
        if self.path.exists() and not self._force:
            raise OutputExists(self.path)
        self.part.replace(self.path)

    def close(self) -> None:
        """Close files; the hidden one stays."""
        sound, container = self._sound, self.container
        self._sound = self.container = None
        if sound is not None:
            sound.close()
        if container is not None:
            container.close()

    def discard(self) -> None:
        """Remove the hidden file."""
        try:
            self.close()
        except (av.FFmpegError, OSError, ValueError):
            _log.debug("closing %s failed", self.part, exc_info=True)
        with contextlib.suppress(OSError):  # it may never have come into being
            self.part.unlink()

    def failure(self, error: BaseException, frames: int) -> VideoError:
        """The system's error as one of ours."""
        number: Any = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what, hint = "the disk is full", "free some space or write to another disk"
        else:
            what, hint = (
                getattr(error, "strerror", None) or str(error),
                "check the folder and its permissions",
            )
        return VideoError(f"{self.path} cannot be written: {what} (after {frames} frames)", hint=hint)
