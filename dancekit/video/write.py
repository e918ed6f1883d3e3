"""Writing video: H.264 with the right colours, exact time and the source's sound (`VideoWriter`)."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dancekit.errors import OutputExists, UsageError, VideoError
from dancekit.video.sound import Sound

_log = logging.getLogger(__name__)

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
# Tags that have a place of their own in an mp4; others need QuickTime's key table, which fewer tools show.
_MP4_TAGS = frozenset(
    {"title", "artist", "album", "comment", "genre", "copyright", "description", "date", "synopsis"}
)
_MATRIX_BT709 = 1  # ITU-T H.273
_LARGEST_SCALE = 2**31 - 1
_QUALITY = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


class VideoWriter:
    """Writes an H.264 video (yuv420p, BT.709, limited range), and takes the sound of another file along.

    A context manager. Frames go into a hidden file beside the destination, which takes the destination's name
    when the block ends well and is removed when it does not: a file with that name is always whole.

    Time is kept exactly: in .mp4 and .mov the pts read back are those written (an mp4 counts in 1/N seconds,
    so a time base 1001/30000 comes back as 1/30000 with pts times 1001); .mkv rounds to milliseconds. A film
    that starts before 0 is moved to 0 as a whole. 4:2:0 pictures have even sides: an odd width or height gets
    one more column or row, a copy of the last one. Sound is copied without re-encoding where the container
    allows, otherwise it becomes AAC (logged); it begins and ends with the picture, to a packet (23 ms for
    AAC), and stays in sync.

    Attributes:
        path: The destination.
        frames: How many frames were written so far.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        sound_from: Path | str | None = None,
        crf: int = 18,
        preset: str = "medium",
        force: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Check everything that can be checked and open the hidden file.

        Args:
            path: Destination: .mp4, .m4v, .mov or .mkv. Missing folders are made.
            size: (W, H) of the frames.
            time_base: Seconds per unit of the pts to come.
            rate: Frames per second, as the header says it (and the length of the last frame).
            sound_from: A file whose first sound stream is taken along; None or a silent file: no sound.
            crf: Quality of x264: 0 lossless to 51 worst.
            preset: Speed of x264.
            force: Whether an existing file may be replaced.
            metadata: Tags for the container.

        Raises:
            OutputExists: The destination exists and `force` is off.
            UsageError: An unknown suffix, size, rate, crf or preset.
            VideoError: The sound's file cannot be opened, or the destination not be written.
        """
        self.path = Path(path)
        self.frames = 0
        self._size, self._time_base, self._rate = size, Fraction(time_base), Fraction(rate)
        self._force = force
        self._check(crf, preset)
        self._suffix = self.path.suffix.lower()
        self._reformatter = VideoReformatter()
        self._last: int | None = None
        self._shift = 0
        self._sound: Sound | None = None
        self._container: OutputContainer | None = None
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self._open(sound_from, crf, preset, dict(metadata or {}))
        except BaseException:
            self._discard()
            raise

    def _check(self, crf: int, preset: str) -> None:
        if self.path.suffix.lower() not in _FORMATS:
            raise UsageError(
                f"{self.path}: no video format has the suffix {self.path.suffix!r}",
                hint=f"use one of {', '.join(_FORMATS)}",
            )
        if preset not in _PRESETS:
            raise UsageError(f"preset {preset!r} does not exist", hint=f"use one of {', '.join(_PRESETS)}")
        if not 0 <= crf <= 51:
            raise UsageError(f"crf {crf} is not between 0 (lossless) and 51 (worst)")
        if min(self._size) < 2 or max(self._size) > 16384:
            raise UsageError(
                f"frames of {self._size[0]}x{self._size[1]} cannot be H.264 (2 to 16384 pixels a side)"
            )
        if self._rate <= 0 or self._time_base <= 0:
            raise UsageError(f"rate {self._rate} and time base {self._time_base} must be above 0")
        if self._time_base.denominator > _LARGEST_SCALE:
            raise UsageError(
                f"time base {self._time_base} is too fine for a video file (2^31 - 1 parts a second)"
            )
        if self.path.is_dir():
            raise UsageError(f"{self.path} is a folder", hint="name a file, such as out.mp4")
        if self.path.exists() and not self._force:
            raise OutputExists(self.path)

    def _open(self, sound_from: Path | str | None, crf: int, preset: str, metadata: dict[str, str]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()  # fails now rather than after the first frame
        except OSError as error:
            raise self._failure(error) from error
        container = av.open(f"file:{self._part}", "w", format=_FORMATS[self._suffix])
        self._container = container
        container.metadata.update(metadata)
        if self._suffix != ".mkv":
            flags = "+faststart" + ("" if _MP4_TAGS.issuperset(metadata) else "+use_metadata_tags")
            container.container_options.update(
                movflags=flags, video_track_timescale=str(self._time_base.denominator)
            )
        self._stream = self._add_stream(container, crf, preset)
        if sound_from is not None:
            self._sound = Sound(Path(sound_from), container, self._suffix)

    def _add_stream(self, container: OutputContainer, crf: int, preset: str) -> VideoStream:
        stream = container.add_stream("libx264", rate=self._rate, options={"crf": str(crf), "preset": preset})
        width, height = self._size
        stream.width, stream.height = width + width % 2, height + height % 2
        if (stream.width, stream.height) != self._size:
            _log.info("%s: %dx%d is written as %dx%d", self.path, *self._size, stream.width, stream.height)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._time_base
        context = stream.codec_context
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.colorspace, context.color_range = _MATRIX_BT709, ColorRange.MPEG
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException:
            self._discard()
            raise

    def write(self, rgb: NDArray[np.uint8], pts: int) -> None:
        """Write one frame.

        Args:
            rgb: (H, W, 3) uint8.
            pts: When it is shown, in units of the time base; above that of the frame before.

        Raises:
            VideoError: The shape is not the writer's, the pts does not increase, or the disk is full.
        """
        width, height = self._size
        if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
            raise VideoError(
                f"{self.path}: a frame is {rgb.dtype} {rgb.shape}, not uint8 {(height, width, 3)}"
            )
        if self._last is not None and pts <= self._last:
            raise VideoError(f"{self.path}: pts {pts} does not come after {self._last}")
        if self._container is None:
            raise VideoError(f"{self.path} is closed already")
        if self._last is None:
            self._begin(pts)
        self._last = pts
        frame = self._reformat(rgb)
        frame.pts, frame.time_base = pts + self._shift, self._time_base
        try:
            self._mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self.frames += 1

    def _begin(self, pts: int) -> None:
        assert self._container is not None
        if pts < 0:
            # An mp4 shows nothing before 0: the film is moved as a whole, sound and all.
            self._shift = -pts
            _log.info("%s: starts at %s s; moved to 0", self.path, float(pts * self._time_base))
        if self._sound is not None:
            self._sound.begin(pts * self._time_base, self._shift * self._time_base)
        if self._suffix != ".mkv" and pts > 0:
            # A late start is written as an empty edit, which counts in units of the whole film's time scale.
            rate = (self._sound and self._sound.sample_rate) or 1
            exact = math.lcm(self._time_base.denominator, rate)
            scale = exact if exact <= _LARGEST_SCALE else self._time_base.denominator
            self._container.container_options["movie_timescale"] = str(scale)

    def _reformat(self, rgb: NDArray[np.uint8]) -> VideoFrame:
        odd = [(0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)]
        if odd[0][1] or odd[1][1]:
            rgb = np.pad(rgb, odd, mode="edge")
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_trc=ColorTrc.BT709,
            dst_color_primaries=ColorPrimaries.BT709,
            interpolation=_QUALITY,
        )

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        assert self._container is not None
        # The encoder rounds the length of a frame down, to nothing for a coarse time base: the last one,
        # whose length no later frame tells, would vanish.
        length = max(round(1 / (self._rate * self._time_base)), 1)
        for packet in packets:
            packet.duration = length
            if self._sound is not None and packet.dts is not None:
                # Up to here and not ahead: this picture may be the last one.
                self._sound.feed((packet.dts - self._shift) * self._time_base)
            self._container.mux(packet)

    def _finish(self) -> None:
        if self._last is None:
            raise VideoError(
                f"{self.path}: no frame was written", hint="is the source shorter than its start?"
            )
        assert self._container is not None
        try:
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.finish(self._last * self._time_base + 1 / self._rate)
            self._close()
            if self.path.exists() and not self._force:
                raise OutputExists(self.path)
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _close(self) -> None:
        sound, container = self._sound, self._container
        self._sound = self._container = None
        if sound is not None:
            sound.close()
        if container is not None:
            container.close()

    def _discard(self) -> None:
        try:
            self._close()
        except (av.FFmpegError, OSError, ValueError):
            _log.debug("closing %s failed", self._part, exc_info=True)
        with contextlib.suppress(OSError):  # it may never have come into being
            self._part.unlink()

    def _failure(self, error: BaseException) -> VideoError:
        number = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what, hint = "the disk is full", "free some space or write to another disk"
        else:
            what, hint = (
                getattr(error, "strerror", None) or str(error),
                "check the folder and its permissions",
            )
        return VideoError(f"{self.path} cannot be written: {what} (after {self.frames} frames)", hint=hint)
