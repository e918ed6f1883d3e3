"""What is known of a video, and one decoded frame of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the container says of a video's first video stream, upright.

    Attributes:
        path: The file.
        size: (W, H) in pixels, after the rotation in the metadata.
        time_base: Seconds per unit of pts, exact.
        rate: Average frames per second, exact (29.97 is 30000/1001).
        frames: Number of frames if the container knows it, else None.
        duration: Seconds, or None.
        rotation: Degrees clockwise that were undone: 0, 90, 180 or 270.
        codec: Name of the codec, as FFmpeg calls it.
        transfer: Transfer function as FFmpeg names it (`bt709`, `arib-std-b67` for HLG, `smpte2084` for PQ), or "".
        audio: Codec of the first sound stream, or None.
    """

    path: Path
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    frames: int | None
    duration: float | None
    rotation: int
    codec: str
    transfer: str
    audio: str | None


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame.

    Attributes:
        rgb: (H, W, 3) uint8, upright, sRGB-like (HDR is tone-mapped).
        pts: Presentation time in units of the video's time base.
    """

    rgb: NDArray[np.uint8]
    pts: int
