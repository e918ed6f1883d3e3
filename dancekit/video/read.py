"""Reading video: what a file is (`probe`) and its frames, upright, in RGB, one by one (`read_frames`)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from dancekit.errors import UsageError, VideoError
from dancekit.types.video import Frame, VideoInfo
from dancekit.video.files import cut_short, measure, open_video
from dancekit.video.picture import Developer

_log = logging.getLogger(__name__)

_DEFAULT_RATE = Fraction(25)
_REORDERING = ("h264", "hevc")
_TRANSFERS: dict[int, str] = {
    ColorTrc.BT709: "bt709",
    ColorTrc.GAMMA22: "bt470m",
    ColorTrc.GAMMA28: "bt470bg",
    ColorTrc.SMPTE170M: "smpte170m",
    ColorTrc.SMPTE240M: "smpte240m",
    ColorTrc.LINEAR: "linear",
    ColorTrc.LOG: "log100",
    ColorTrc.LOG_SQRT: "log316",
    ColorTrc.IEC61966_2_4: "iec61966-2-4",
    ColorTrc.BT1361_ECG: "bt1361e",
    ColorTrc.IEC61966_2_1: "iec61966-2-1",
    ColorTrc.BT2020_10: "bt2020-10",
    ColorTrc.BT2020_12: "bt2020-12",
    ColorTrc.SMPTE2084: "smpte2084",
    ColorTrc.SMPTE428: "smpte428",
    ColorTrc.ARIB_STD_B67: "arib-std-b67",
}


def probe(path: Path | str) -> VideoInfo:
    """Say what a video is. One frame is decoded, so that what is promised can also be read.

    Args:
        path: The file.

    Returns:
        Its facts. `size` is the displayed size: after the rotation, with square pixels. `rotation` is how
        many degrees clockwise the stored pictures are turned to be upright (90 for a phone held upright).
        `time_base` is the one that the pts of `read_frames` count in.

    Raises:
        VideoError: The file is missing, empty, no video, sound only, cut short or of an unknown codec.
    """
    path = Path(path)
    with open_video(path) as (container, stream):
        frames = _count_frames(path, container, stream)
        first = next(_decode(path, container, stream), None)
        if first is None:
            raise _nothing_decoded(path)
        developer = Developer(first, stream.sample_aspect_ratio)
        audio = next((s for s in container.streams.audio), None)
        return VideoInfo(
            path=path,
            size=developer.size,
            time_base=_time_base(stream),
            rate=_rate(stream),
            frames=frames,
            duration=_duration(container, stream),
            rotation=developer.orientation.clockwise,
            codec=stream.codec_context.codec.canonical_name,
            transfer=_TRANSFERS.get(first.color_trc, ""),
            audio=None
            if audio is None or audio.codec_context is None
            else audio.codec_context.codec.canonical_name,
        )


def read_frames(
    path: Path | str,
    *,
    start: int = 0,
    stop: int | None = None,
    since: Fraction | None = None,
    until: Fraction | None = None,
) -> Iterator[Frame]:
    """Decode a video's frames in the order they are shown, lazily and in constant memory.

    Frames are upright, with square pixels, 8-bit RGB (HDR is tone-mapped), all of the first one's size. Their
    pts are the file's own, in `probe(path).time_base`, strictly increasing: a frame shown no later than the
    one before it is dropped (with a warning), and where a file has no pts (raw streams), they follow the
    frame rate.

    Args:
        path: The file.
        start: Index of the first frame to give, among those since `since`.
        stop: Index after the last one, None for the end.
        since: Seconds after the first frame of the file before which frames are left out, and do not count.
        until: Seconds after the first frame of the file from which on there are none.

    Yields:
        Frames `start` to `stop - 1`, as far as there are so many. Nothing, if all of them are left out.

    Raises:
        VideoError: As `probe`; the video has no frame; or a frame is damaged (the message says which).
        UsageError: `start` or `stop` is negative.
    """
    if start < 0 or (stop is not None and stop < 0):
        raise UsageError(f"start={start} and stop={stop} count frames from 0")
    path = Path(path)
    with open_video(path) as (container, stream):
        _count_frames(path, container, stream)
        developer: Developer | None = None
        index, first = 0, None
        for frame, pts in _timed(path, _decode(path, container, stream), stream):
            first = pts if first is None else first
            seconds = (pts - first) * _time_base(stream)
            if (stop is not None and index >= stop) or (until is not None and seconds >= until):
                return
            if developer is None:
                developer = Developer(frame, stream.sample_aspect_ratio)
            if since is not None and seconds < since:
                continue
            if index >= start:
                yield Frame(rgb=developer(frame), pts=pts)
            index += 1
        if first is None:
            raise _nothing_decoded(path)


def _decode(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    stream.thread_type = "AUTO"
    # AVI has no presentation times, and FFmpeg's guess of them jumps about with B-frames. What it has is one
    # slot a frame: decoded frames, which come in the order they are shown, take the slots in turn.
    slotted = container.format.name == "avi" and stream.codec_context.codec.canonical_name in _REORDERING
    slots: deque[int | None] = deque()
    count = 0
    try:
        for packet in container.demux(stream):
            if slotted and packet.size:
                slots.append(packet.dts)
            for frame in packet.decode():
                if slotted:
                    frame.pts = slots.popleft() if slots else None
                yield frame
                count += 1
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} is damaged after {count} frames: {error.strerror}",
            hint="copy it again, or re-encode what can be read: ffmpeg -i IN -c:v libx264 OUT.mp4",
        ) from error


def _timed(path: Path, frames: Iterator[VideoFrame], stream: VideoStream) -> Iterator[tuple[VideoFrame, int]]:
    """Give every frame a pts, strictly increasing."""
    step = 1 / (_rate(stream) * _time_base(stream))
    clock, last, dropped = Fraction(0), None, 0
    for frame in frames:
        pts = frame.pts
        clock = clock if pts is None else Fraction(pts)
        pts = round(clock) if pts is None else pts
        clock += step
        if last is not None and pts <= last:
            dropped += 1
            continue
        last = pts
        yield frame, pts
    if dropped:
        _log.warning(
            "%s: dropped %d frames that are shown no later than the frame before them", path, dropped
        )


def _count_frames(path: Path, container: InputContainer, stream: VideoStream) -> int | None:
    """Frames that will be shown, as the index says; an error if the file ends before they do."""
    extent = measure(path)
    frames: int | None = stream.frames or None
    readable = ""
    if extent is not None and extent.kind == "mp4" and frames:
        entries = list(stream.index_entries)
        # An edit list hides frames: they are in the index, marked, and never come out of the decoder.
        frames = sum(not e.is_discard for e in entries) or frames
        there = sum(not e.is_discard and e.pos + e.size <= extent.actual for e in entries)
        readable = f", {there} of {frames} frames"
        if there == frames:  # what is lost at the end is sound or tags
            return frames
    if extent is not None and extent.actual < extent.declared:
        raise cut_short(path, extent, readable)
    return frames


def _time_base(stream: VideoStream) -> Fraction:
    return stream.time_base or 1 / _rate(stream)


def _rate(stream: VideoStream) -> Fraction:
    return stream.average_rate or stream.guessed_rate or _DEFAULT_RATE


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * _time_base(stream))
    return None if container.duration is None else container.duration / av.time_base


def _nothing_decoded(path: Path) -> VideoError:
    return VideoError(f"{path} has no frame that can be decoded", hint="copy or export it again")
