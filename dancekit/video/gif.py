"""Animated GIF: a palette for every frame, in constant memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from dancekit.data.files import beside
from dancekit.errors import OutputExists

_log = logging.getLogger(__name__)

TICK = Fraction(1, 100)
"""Seconds: what a GIF counts in."""

SHORTEST = 2
"""Ticks that a frame is shown at least: browsers show shorter ones for ten."""


def write_gif(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    seconds: NDArray[np.float64],
    *,
    size: tuple[int, int],
    rate: Fraction,
    force: bool = False,
) -> int:
    """Write a GIF that repeats for ever.

    Args:
        path: The file; appears whole or not at all.
        frames: (H, W, 3) uint8, as many as `seconds`.
        seconds: (T,) when each is shown, from 0. Above 50 frames a second some are left out (logged).
        size: (W, H).
        rate: Frames a second: how long the last one is shown.
        force: Replace `path`.

    Returns:
        How many frames were written.

    Raises:
        OutputExists: `path` is there already.
        DancekitError: It cannot be written.
    """
    if path.exists() and not force:
        raise OutputExists(path)
    ticks = gif_ticks(seconds)
    dropped = int((ticks < 0).sum())
    if dropped:
        _log.warning("%s: %d frames are left out: a GIF shows at most 50 a second", path, dropped)
    with beside(path) as part, av.open(f"file:{part}", "w", format="gif") as out:
        stream = out.add_stream("gif", rate=Fraction(100))
        stream.width, stream.height = size
        stream.pix_fmt = "pal8"
        stream.time_base = stream.codec_context.time_base = TICK
        kept = ((frame, int(tick)) for frame, tick in zip(frames, ticks, strict=True) if tick >= 0)
        length = max(SHORTEST, round(1 / (rate * TICK)))
        for frame in _with_palettes(kept, size, length):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return len(ticks) - dropped


def gif_ticks(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """When each frame is shown in hundredths of a second: at most one late; -1 for those left out."""
    wanted = np.rint(seconds * 100).astype(np.int64)
    result, last = np.full(len(wanted), -1), -SHORTEST
    for number, tick in enumerate(wanted):
        if last + SHORTEST <= tick + 1:
            result[number] = last = max(int(tick), last + SHORTEST)
    return result


def _with_palettes(
    frames: Iterator[tuple[NDArray[np.uint8], int]], size: tuple[int, int], length: int
) -> Iterator[VideoFrame]:
    """Each frame in 256 colours of its own."""
    for rgb, tick in frames:
        graph = Graph()
        source = graph.add_buffer(width=size[0], height=size[1], format=VideoFormat("rgb24"), time_base=TICK)
        split = graph.add("split")
        palette = graph.add("palettegen", "reserve_transparent=0:stats_mode=single")
        use = graph.add("paletteuse", "dither=bayer:bayer_scale=3:new=1")
        sink = graph.add("buffersink")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.pts, frame.time_base = tick, TICK
        source.push(frame)
        source.push(None)
        painted = sink.pull()
        assert isinstance(painted, VideoFrame)
        painted.pts, painted.time_base, painted.duration = tick, TICK, length
        yield painted
