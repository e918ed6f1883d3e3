"""Writing video with the right colours, exact time and another file's sound (`VideoWriter`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

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

from dancekit.errors import UsageError, VideoError
from dancekit.video.codecs import PRESETS, choose_codec
from dancekit.video.container import Film

_log = logging.getLogger(__name__)

_MATRIX_BT709 = 1  # ITU-T H.273
_QUALITY = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


class VideoWriter:
    """Writes a video (4:2:0, BT.709, limited range), and takes the sound of another file along.

    A context manager. Frames go into a hidden file beside the destination, which takes the destination's name
    when the block ends well and is removed when it does not: a file with that name is always whole.

    Time is kept exactly: in .mp4 and .mov the pts read back are those written (an mp4 counts in 1/N seconds,
    so a time base 1001/30000 comes back as 1/30000 with pts times 1001); .mkv and .webm round to milliseconds.
    A film that starts before 0 is moved to 0 as a whole. 4:2:0 pictures have even sides: an odd width or
    height gets one more column or row, a copy of the last one. Sound is copied without re-encoding where the
    container allows, otherwise it becomes AAC, in .webm Opus (logged); it begins and ends with the picture, to
    a packet (23 ms for AAC), and stays in sync.

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
        codec: str | None = None,
        alpha: bool = False,
        crf: int | None = None,
        preset: str = "medium",
        force: bool = False,
        from_zero: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Check everything that can be checked and open the hidden file.

        Args:
            path: Destination: .mp4, .m4v, .mov, .mkv or .webm. Missing folders are made.
            size: (W, H) of the frames.
            time_base: Seconds per unit of the pts to come.
            rate: Frames per second, as the header says it (and the length of the last frame).
            sound_from: A file whose first sound stream is taken along; None or a silent file: no sound.
            codec: `h264`, `h265`, `vp9`; None: VP9 for .webm, else H.264.
            alpha: Frames have a fourth channel, 255 = opaque (VP9 only).
            crf: Quality: 0 lossless to 51 worst (VP9: 63); None: the codec's usual one, 18 for H.264.
            preset: Speed of x264 and x265.
            force: Whether an existing file may be replaced.
            from_zero: Whether the first frame is to be shown at 0, wherever it was, its sound with it.
            metadata: Tags for the container.

        Raises:
            OutputExists: The destination exists and `force` is off.
            UsageError: An unknown suffix or codec, or a wrong size, rate, crf or preset.
            VideoError: The sound's file cannot be opened, or the destination not be written.
        """
        self.path = Path(path)
        self.frames = 0
        self._size, self._alpha = size, alpha
        self._time_base = Fraction(time_base)
        name, self._codec = choose_codec(self.path, codec, crf=crf, alpha=alpha)
        self._crf = self._codec.crf if crf is None else crf
        self._check(name, preset)
        self._film = Film(
            self.path, time_base=self._time_base, rate=Fraction(rate), from_zero=from_zero, force=force
        )
        self._reformatter = VideoReformatter()
        self._last: int | None = None
        self._shift = 0
        try:
            container = self._film.open(dict(metadata or {}))
            self._stream = self._add_stream(container, Fraction(rate), preset)
            if sound_from is not None:
                self._film.add_sound(Path(sound_from))
        except BaseException:
            self._film.discard()
            raise

    def _check(self, name: str, preset: str) -> None:
        if preset not in PRESETS:
            raise UsageError(f"preset {preset!r} does not exist", hint=f"use one of {', '.join(PRESETS)}")
        if min(self._size) < 2 or max(self._size) > 16384:
            raise UsageError(
                f"frames of {self._size[0]}x{self._size[1]} cannot be {name} (2 to 16384 pixels a side)"
            )

    def _add_stream(self, container: OutputContainer, rate: Fraction, preset: str) -> VideoStream:
        codec = self._codec
        options = codec.encoder_options(self._crf, preset, alpha=self._alpha)
        stream = cast("VideoStream", container.add_stream(codec.encoder, rate=rate, options=options))
        width, height = self._size
        stream.pix_fmt = codec.alpha if self._alpha else codec.pixels
        halved = "420" in stream.pix_fmt
        stream.width, stream.height = width + width % 2 * halved, height + height % 2 * halved
        if (stream.width, stream.height) != self._size:
            _log.info("%s: %dx%d is written as %dx%d", self.path, *self._size, stream.width, stream.height)
        stream.time_base = stream.codec_context.time_base = self._time_base
        context = stream.codec_context
        if codec.encoder == "libx265" and self.path.suffix.lower() != ".mkv":
            context.codec_tag = "hvc1"  # what Apple's players look for
        if halved:
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            context.colorspace, context.color_range = _MATRIX_BT709, ColorRange.MPEG
        if self._alpha:
            stream.metadata["alpha_mode"] = "1"
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._film.discard()
            return
        try:
            self._finish()
        except BaseException:
            self._film.discard()
            raise

    def write(self, rgb: NDArray[np.uint8], pts: int) -> None:
        """Write one frame.

        Args:
            rgb: (H, W, 3) uint8; (H, W, 4) for a transparent video, colours not multiplied by the alpha.
            pts: When it is shown, in units of the time base; above that of the frame before.

        Raises:
            VideoError: The shape is not the writer's, the pts does not increase, or the disk is full.
        """
        expected = (self._size[1], self._size[0], 3 + self._alpha)
        if rgb.shape != expected or rgb.dtype != np.uint8:
            raise VideoError(f"{self.path}: a frame is {rgb.dtype} {rgb.shape}, not uint8 {expected}")
        if self._last is not None and pts <= self._last:
            raise VideoError(f"{self.path}: pts {pts} does not come after {self._last}")
        if self._film.container is None:
            raise VideoError(f"{self.path} is closed already")
        if self._last is None:
            self._shift = self._film.begin(pts)
        self._last = pts
        frame = self._reformat(rgb)
        frame.pts, frame.time_base = pts + self._shift, self._time_base
        try:
            self._mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._film.failure(error, self.frames) from error
        self.frames += 1

    def _reformat(self, rgb: NDArray[np.uint8]) -> VideoFrame:
        rows, columns = self._stream.height - rgb.shape[0], self._stream.width - rgb.shape[1]
        if rows or columns:
            rgb = np.pad(rgb, [(0, rows), (0, columns), (0, 0)], mode="edge")
        picture = VideoFrame.from_ndarray(
            np.ascontiguousarray(rgb), format="rgba" if self._alpha else "rgb24"
        )
        pixels = self._stream.pix_fmt or ""
        if "420" not in pixels:
            return self._reformatter.reformat(picture, format=pixels)
        return self._reformatter.reformat(
            picture,
            format=pixels,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_trc=ColorTrc.BT709,
            dst_color_primaries=ColorPrimaries.BT709,
            interpolation=_QUALITY,
        )

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        self._film.mux(packets)

    def _finish(self) -> None:
        if self._last is None:
            raise VideoError(
                f"{self.path}: no frame was written", hint="is the source shorter than its start?"
            )
        try:
            self._mux(self._stream.encode(None))
            self._film.finish(self._last)
        except (av.FFmpegError, OSError) as error:
            raise self._film.failure(error, self.frames) from error
