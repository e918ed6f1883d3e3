"""Segments of a film, encoded one by one, joined into one file without encoding again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dancekit.errors import VideoError
from dancekit.video.container import Film
from dancekit.video.files import open_video


def join_segments(
    path: Path,
    segments: Sequence[Path],
    pts: Sequence[int] | NDArray[np.int64],
    *,
    time_base: Fraction,
    rate: Fraction,
    sound_from: Path | None = None,
    whole_sound: bool = False,
    from_zero: bool = False,
    force: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write one film.

    Args:
        path: The film; appears whole or not at all.
        segments: Files of one codec, size and setting, each of which can be decoded by itself.
        pts: Of every frame of all segments, as shown; what the segments say of time is not used.
        time_base: Seconds per unit of `pts`.
        rate: Frames per second, as the header says it.
        sound_from: A file whose sound is taken along.
        whole_sound: All of it, or only what is heard beside a picture.
        from_zero: Show the first frame at 0, whatever its pts.
        force: Replace `path`.
        metadata: Tags.

    Raises:
        OutputExists: `path` is there already.
        VideoError: The segments hold another number of frames, do not fit each other, or the disk is full.
    """
    times = np.asarray(pts, np.int64)
    shown = np.concatenate([np.zeros(0, np.int64), *_shown(segments)])
    if len(shown) != len(times):
        raise VideoError(f"{path}: the segments hold {len(shown)} frames, not {len(times)}")
    film = Film(
        path,
        time_base=time_base,
        rate=rate,
        from_zero=from_zero,
        whole_sound=whole_sound,
        force=force,
    )
    done = 0
    try:
        container = film.open(dict(metadata or {}))
        with open_video(segments[0]) as (_, first):
            stream = container.add_stream_from_template(first)
            stream.time_base = time_base
            if "alpha_mode" in {key.lower() for key in first.metadata}:
                stream.metadata["alpha_mode"] = "1"
            stream.codec_context.codec_tag = first.codec_context.codec_tag
            header = first.codec_context.extradata
        if sound_from is not None:
            film.add_sound(sound_from)
        shift = film.begin(int(times[0]))
        decoded = decode_times(shown, times, max(round(1 / (rate * time_base)), 1))
        for packet in _packets(segments, header):
            packet.stream, packet.time_base = stream, time_base
            packet.pts, packet.dts = int(times[shown[done]]) + shift, int(decoded[done]) + shift
            film.mux([packet])
            done += 1
        film.finish(int(times[-1]))
    except (av.FFmpegError, OSError) as error:
        film.discard()
        raise film.failure(error, done) from error
    except BaseException:
        film.discard()
        raise


def decode_times(shown: NDArray[np.int64], times: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """When each packet is decoded: the times in order, late by as many frames as are shown out of order.

    Args:
        shown: (T,) which frame each packet holds, by its place among those shown.
        times: (T,) pts of the frames, increasing.
        step: Length of a frame, for times before the first.

    Returns:
        (T,) increasing, none above the packet's pts.
    """
    count = len(shown)
    delay = int((np.arange(count) - shown).max(initial=0))
    before = times[0] - step * np.arange(delay, 0, -1)
    return np.concatenate([before, times])[:count].astype(np.int64)


def _shown(segments: Sequence[Path]) -> Iterator[NDArray[np.int64]]:
    """Per segment, the place of each packet's frame among all those shown."""
    before = 0
    for segment in segments:
        with open_video(segment) as (container, stream):
            pts = np.array([p.pts for p in container.demux(stream) if p.size], np.int64)
        yield before + np.argsort(np.argsort(pts, kind="stable"), kind="stable")
        before += len(pts)


def _packets(segments: Sequence[Path], header: bytes | None) -> Iterator[Packet[VideoStream]]:
    for segment in segments:
        with open_video(segment) as (container, stream):
            if stream.codec_context.extradata != header:
                raise VideoError(
                    f"{segment} was encoded otherwise than the segments before it",
                    hint="delete its folder and begin again",
                )
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
