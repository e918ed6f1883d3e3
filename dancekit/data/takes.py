"""Several clips of one target, or parts of clips: joined into one video, which is what training takes.

Between two takes the joined video's clock jumps by `GAP` seconds, so that nothing takes them for one movement: see
`TrainingSet.starts`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from dancekit.data.poses import WHOLE, Span
from dancekit.data.progress import Progress, silent
from dancekit.errors import UsageError, VideoError
from dancekit.types import VideoInfo
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.weights.header import file_sha256

GAP = Fraction(3)
"""Seconds between two takes: more than `JUMP`."""

JUMP = 2.0
"""Seconds between two frames above which they belong to two takes."""

BASE = Fraction(1, 90_000)
"""Time base of the joined video: exact for all usual frame rates."""

RATE_TOLERANCE = 0.02
_CRF = 10


@dataclass(frozen=True)
class Take:
    """A clip, or a part of it.

    Attributes:
        video: The file.
        span: The part.
    """

    video: Path
    span: Span = WHOLE


def check_takes(takes: Sequence[Take]) -> list[VideoInfo]:
    """Refuse takes that cannot be one target's.

    Returns:
        What `probe` says of each.

    Raises:
        UsageError: Two sizes or frame rates.
    """
    clips = [probe(take.video) for take in takes]
    for take, clip in zip(takes, clips, strict=True):
        if clip.size != clips[0].size:
            raise UsageError(
                f"{take.video} is {clip.size[0]}x{clip.size[1]}, {takes[0].video} "
                f"{clips[0].size[0]}x{clips[0].size[1]}",
                hint="all takes must be of one camera in one place: there is one clean plate",
            )
        if abs(float(clip.rate / clips[0].rate) - 1) > RATE_TOLERANCE:
            raise UsageError(
                f"{take.video} has {float(clip.rate):.4g} frames a second, {takes[0].video} "
                f"{float(clips[0].rate):.4g}",
                hint="bring them to one rate first: ffmpeg -i IN -r RATE OUT.mp4",
            )
    return clips


def join_takes(takes: Sequence[Take], out: Path, *, progress: Progress = silent) -> Path:
    """Write the takes into one video, one after the other; one that holds them already is kept.

    It is encoded again (H.264, crf 10): the window that is learnt from it is smaller than the picture.

    Args:
        takes: In order.
        out: The video, .mp4; one made of other takes is replaced.
        progress: Called with ("takes", frames, None).

    Returns:
        `out`.

    Raises:
        UsageError: The takes do not fit together, or `out` is somebody else's file.
        VideoError: A take cannot be read, or has no frame in its span.
    """
    clips = check_takes(takes)
    mark = f"joined by dancekit: {_key(takes)}"
    if out.exists():
        found = _comment(out)
        if found == mark:
            return out
        if not found.startswith("joined by dancekit: "):
            raise UsageError(
                f"{out} is in the way: the takes would be joined there", hint="choose another --out"
            )
    start, done = Fraction(0), 0
    with VideoWriter(
        out,
        size=clips[0].size,
        time_base=BASE,
        rate=clips[0].rate,
        crf=_CRF,
        preset="veryfast",
        force=True,
        metadata={"comment": mark},
    ) as writer:
        for take, clip in zip(takes, clips, strict=True):
            first, last = None, Fraction(0)
            for frame in read_frames(take.video, since=take.span.since, until=take.span.until):
                first = frame.pts if first is None else first
                last = (frame.pts - first) * clip.time_base
                writer.write(frame.rgb, round((start + last) / BASE))
                done += 1
                progress("takes", done, None)
            if first is None:
                raise VideoError(f"{take.video} has no frame {take.span}", hint="look at --range")
            start += last + GAP
    return out


def _key(takes: Sequence[Take]) -> str:
    """Of content and spans."""
    facts = [[file_sha256(take.video), str(take.span.since), str(take.span.until)] for take in takes]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _comment(path: Path) -> str:
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            return str(container.metadata.get("comment", ""))
    except (av.FFmpegError, OSError, ValueError):
        return ""
