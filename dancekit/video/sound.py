"""The source's sound in the result: copied packet by packet where the container allows, else as AAC or Opus."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from dancekit.errors import VideoError
from dancekit.video.files import open_any

_log = logging.getLogger(__name__)

# What common players accept in each container; FFmpeg itself would write more into an mp4 than they read.
_ISO = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le"})
_COPYABLE: dict[str, frozenset[str] | None] = {
    ".mp4": _ISO | {"opus", "flac"},
    ".m4v": _ISO,
    ".mov": _ISO | _PCM,
    ".mkv": None,  # anything
    ".webm": frozenset({"opus", "vorbis"}),
}
_RATES = {
    "aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "libopus": (48000,),
}


class Sound:
    """One sound stream on its way from a source file into an output container.

    Both keep the source's clock, so sound and picture stay as far apart as they were. Whole packets (AAC:
    1024 samples, 23 ms) before the first and after the last picture are left out, unless all is asked for.
    """

    def __init__(self, source: Path, output: OutputContainer, suffix: str) -> None:
        """Open the source and add a stream to the output.

        Args:
            source: A file with or without sound.
            output: A container whose header is not yet written.
            suffix: The output's, such as `.mp4`.

        Raises:
            VideoError: The source cannot be opened.
        """
        self._source = source
        self._input = open_any(source)
        self._from: AudioStream | None = None
        self._to: AudioStream | None = None
        self._encode = False
        # Matroska has no edit lists: sound before 0 would move the whole film. Opus states its delay.
        self._starts_at_zero = suffix in (".mkv", ".webm")
        try:
            self._from = self._pick()
            if self._from is not None:
                self._to = self._add_stream(output, suffix)
        except BaseException:
            self.close()
            raise
        self._output = output
        self._packets = self._read()
        self._waiting: Packet[AudioStream] | None = None
        self._begun = False
        self._start: Fraction | None = None
        self._shift = Fraction(0)

    @property
    def sample_rate(self) -> int | None:
        """Samples per second of the stream added, None if the source has no usable sound."""
        return None if self._to is None else self._to.codec_context.sample_rate

    def _pick(self) -> AudioStream | None:
        streams = list(self._input.streams.audio)
        for stream in streams:
            # Phones record spatial sound beside AAC; FFmpeg cannot decode it and PyAV cannot copy it.
            if stream.codec_context is not None and stream.codec_context.sample_rate:
                return stream
        if streams:
            _log.warning(
                "%s: no sound track is in a codec that FFmpeg knows; the result is silent", self._source
            )
        return None

    def _add_stream(self, output: OutputContainer, suffix: str) -> AudioStream:
        assert self._from is not None
        codec = self._from.codec_context.codec.canonical_name
        self._starts_at_zero &= codec != "opus"
        allowed = _COPYABLE[suffix]
        if allowed is None or codec in allowed:
            try:
                return output.add_stream_from_template(self._from)
            except ValueError:
                pass  # the muxer says no: encode
        encoder, name = ("libopus", "Opus") if suffix == ".webm" else ("aac", "AAC")
        _log.info("%s: %s sound does not go into %s; encoding it as %s", self._source, codec, suffix, name)
        self._encode = True
        context = self._from.codec_context
        rate = min(_RATES[encoder], key=lambda r: (r < context.sample_rate, abs(r - context.sample_rate)))
        stream = cast("AudioStream", output.add_stream(encoder, rate=rate))
        # By count, not by name: AVI leaves the layout open, which the encoder refuses.
        stream.codec_context.layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        stream.codec_context.bit_rate = 96_000 * stream.codec_context.layout.nb_channels
        return stream

    def begin(self, start: Fraction | None, shift: Fraction) -> None:
        """Say when the first picture is shown, and how much later it is shown in the output.

        Args:
            start: Seconds on the source's clock; None: all of the sound is wanted, also what comes before.
            shift: Seconds.
        """
        self._begun, self._start, self._shift = True, start, shift

    def feed(self, until: Fraction | None) -> None:
        """Write the sound that begins before `until` (seconds; None: all that is left)."""
        if self._from is None or not self._begun:
            return
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            begin = packet.pts * packet.time_base if packet.pts is not None else self._start or Fraction(0)
            if until is not None and begin >= until:
                return
            self._waiting = None
            # One packet before the first picture comes along: AAC, MP3 and Opus need it to decode the next
            # one.
            if begin + self._shift < 0 and self._starts_at_zero:
                continue
            if self._start is None or begin + 2 * (packet.duration or 0) * packet.time_base > self._start:
                self._write(packet)

    def finish(self, end: Fraction | None) -> None:
        """Write the rest up to `end` (seconds; None: all of it) and what the encoder holds back."""
        self.feed(end)
        if self._encode and self._to is not None and self._begun:
            self._output.mux(self._to.encode(None))

    def _read(self) -> Iterator[Packet[AudioStream]]:
        if self._from is None:
            return
        try:
            for packet in self._input.demux(self._from):
                if packet.size:
                    yield packet
        except (av.FFmpegError, OSError) as error:
            raise self._damaged(error) from error

    def _write(self, packet: Packet[AudioStream]) -> None:
        assert self._to is not None
        if not self._encode:
            packet.stream = self._to
            moved = round(self._shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + moved
            packet.dts = None if packet.dts is None else packet.dts + moved
            self._output.mux(packet)
            return
        for frame in self._decode(packet):
            if frame.pts is not None:
                frame.pts += round(self._shift * frame.sample_rate)
            self._output.mux(self._to.encode(frame))

    def _decode(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        try:
            return packet.decode()
        except (av.FFmpegError, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: av.FFmpegError | OSError) -> VideoError:
        return VideoError(
            f"{self._source}: its sound is damaged: {error.strerror}", hint="copy or export it again"
        )

    def close(self) -> None:
        """Close the source."""
        self._input.close()
