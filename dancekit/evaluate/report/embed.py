"""Videos made ready for a page: whole files in base64, one picture for each frame compared."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types.video import VideoInfo
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.video.files import open_video

BUDGET = 48 * 2**20
"""Bytes of all videos of a page together; base64 makes a third more of them. Phones still open such a page."""

STEPS = ((720, 23), (480, 25), (320, 28), (240, 32))
"""Longest height in pixels and x264's crf, tried in this order when a video is over its share of the budget."""


@dataclass(frozen=True)
class Embedded:
    """A video that a page can hold.

    Attributes:
        base64: The mp4.
        frames: How many it has; the page holds the last one where more were compared.
        sound: Whether it has a sound track.
        note: What was changed, for people to read; "" if the file is embedded as it is.
    """

    base64: str
    frames: int
    sound: bool
    note: str


def embed(path: Path, *, frames: int, rate: Fraction, budget: int) -> Embedded:
    """Read a video; encode it again only where a browser could not step through it, or where it is too large.

    Frame n of what comes out is shown from n / rate to (n + 1) / rate, whatever the file's own times were: the
    page finds frames by their number.

    Args:
        path: Any video that dancekit reads.
        frames: How many were compared; frames beyond are left out, and the note says so.
        rate: Frames a second on the page.
        budget: Bytes it may have. The last of `STEPS` is taken even if it is still larger, and the note says so.

    Raises:
        VideoError: It cannot be read.
    """
    info = probe(path)
    size = path.stat().st_size
    slots = _slots(path)
    if size <= budget and _is_exact(path, info, slots, frames, rate):
        return _embedded(path, frames, info.audio is not None, "")
    sound = path if info.audio and info.rate == rate else None
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        steps = STEPS if size > budget else ((info.size[1], 18), *STEPS)
        for height, crf in steps:
            written = _encode(path, small, frames, rate, min(height, info.size[1]), crf, sound)
            if small.stat().st_size <= budget:
                break
        note = f"encoded again for this page (H.264, crf {crf}, {_scaled(info.size, height)})"
        if len(slots) > frames:
            note += f"; frames {frames} to {len(slots) - 1} of the file were not compared and are left out"
        elif written < frames:
            note += f"; it has only {written} frames, the last one is held"
        if small.stat().st_size > budget:
            note += "; it is larger than its share of the page's budget"
        return _embedded(small, written, sound is not None, note)


def _embedded(path: Path, frames: int, sound: bool, note: str) -> Embedded:
    return Embedded(base64.b64encode(path.read_bytes()).decode("ascii"), frames, sound, note)


def _slots(path: Path) -> list[Fraction | None]:
    """When each packet of the picture is shown, sorted, in seconds; None for one without a time."""
    with open_video(path) as (container, stream):
        unit = stream.time_base
        times = [
            None if packet.pts is None or unit is None else packet.pts * unit
            for packet in container.demux(stream)
            if packet.size
        ]
    return sorted(times, key=lambda time: -1 if time is None else time)


def _is_exact(path: Path, info: VideoInfo, slots: list[Fraction | None], frames: int, rate: Fraction) -> bool:
    """Whether every browser plays the file, and finds frame n in the middle of its time slot."""
    with open_video(path) as (container, stream):
        context = stream.codec_context
        plays = (
            "mp4" in container.format.name
            and path.suffix.lower() in (".mp4", ".m4v")
            and context.codec.canonical_name == "h264"
            and context.pix_fmt in ("yuv420p", "yuvj420p")
            and info.rotation == 0
        )
    quarter = 1 / (4 * rate)
    return (
        plays
        and len(slots) == frames
        and all(time is not None and abs(time - n / rate) < quarter for n, time in enumerate(slots))
    )


def _encode(
    path: Path, out: Path, frames: int, rate: Fraction, height: int, crf: int, sound: Path | None
) -> int:
    """Write the first frames at a constant rate; returns how many there were."""
    writer: VideoWriter | None = None
    number = 0
    try:
        for number, frame in enumerate(read_frames(path, stop=frames), 1):
            picture = scale(frame.rgb, height)
            if writer is None:
                writer = VideoWriter(
                    out,
                    size=(picture.shape[1], picture.shape[0]),
                    time_base=1 / rate,
                    rate=rate,
                    sound_from=sound,
                    crf=crf,
                    preset="fast",
                    force=True,
                ).__enter__()
            writer.write(picture, number - 1)
    except BaseException as error:
        if writer is not None:
            writer.__exit__(type(error), error, error.__traceback__)
        raise
    if writer is not None:
        writer.__exit__(None, None, None)
    return number


def _scaled(size: tuple[int, int], height: int) -> str:
    if height >= size[1]:
        return f"{size[0]}x{size[1]}"
    return f"{_even(size[0] * height / size[1])}x{_even(height)}"


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)


def scale(rgb: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """A smaller picture of even sides, or the picture itself where it is not higher than that."""
    if rgb.shape[0] <= height:
        return rgb
    size = _even(rgb.shape[1] * height / rgb.shape[0]), _even(height)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
