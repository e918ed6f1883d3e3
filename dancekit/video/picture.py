"""From a decoded frame to an upright RGB picture: matrix, range, pixel shape, rotation, tone mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from dancekit.video.tonemap import ToneMapper, tone_mapper_for

# Values of ITU-T H.273 as FFmpeg's AVColorSpace has them.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_RGB_MATRIX = 0
_UNSPECIFIED = 2
_HDR_TRANSFERS = (16, 18)
# Interpolated chroma and exact rounding: 39 to 51 dB on photographs where swscale's fast path, which repeats each
# chroma sample, gives 38 to 44. It costs more than decoding does, and still less than any network that follows.
_QUALITY = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


@dataclass(frozen=True)
class Orientation:
    """How decoded pixels become upright: first mirrored left-right, then turned.

    Attributes:
        mirror: Whether to mirror.
        clockwise: Degrees to turn: 0, 90, 180 or 270.
    """

    mirror: bool = False
    clockwise: int = 0

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) to an upright, contiguous (H', W', 3)."""
        if self.mirror:
            rgb = rgb[:, ::-1]
        return np.ascontiguousarray(np.rot90(rgb, -self.clockwise // 90))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The upright (W, H)."""
        return (width, height) if self.clockwise % 180 == 0 else (height, width)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix that a container or a stream puts beside a frame.

    The matrix (ISO 14496-12 section 8.3.2, row vectors: (x', y') = (a x + c y, b x + d y), y down) is rounded
    to the nearest of the eight orientations that keep pixels on the grid.
    """
    # PyAV's annotations say that side data is a dict of motion vectors; it is a mapping of everything.
    data = cast("Mapping[str, Any]", frame.side_data).get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(data), "=i4")[:5].astype(float)
    mirror = a * d - b * c < 0
    if mirror:
        a, b = -a, -b  # the matrix of the turn that follows a mirroring of x
    turn = round(float(np.degrees(np.arctan2(b, a))) / 90) * 90 % 360
    return Orientation(mirror, turn)


def square_width(width: int, aspect: Fraction | None) -> int:
    """The width with square pixels: displays stretch the width and keep the lines."""
    return width if not aspect or aspect == 1 else max(round(width * aspect), 1)


def matrix_of(frame: VideoFrame) -> Colorspace | None:
    """The YCbCr matrix of a frame; untagged ones follow the convention of players.

    Untagged: BT.709 for high definition (longer side from 1280 or shorter side above 576), else BT.601, as
    mpv and browsers do. PQ and HLG are BT.2020. None: RGB, or a matrix that swscale reads from the frame's
    own tag.
    """
    if frame.colorspace != _UNSPECIFIED:
        return _MATRICES.get(frame.colorspace)
    if frame.color_trc in _HDR_TRANSFERS:
        return Colorspace.BT2020
    long, short = max(frame.width, frame.height), min(frame.width, frame.height)
    return Colorspace.ITU709 if long >= 1280 or short > 576 else Colorspace.ITU601


class Developer:
    """Turns the frames of one stream into upright RGB; the geometry is fixed by the first one.

    Attributes:
        orientation: How the frames are turned.
        size: (W, H) of every picture it gives.
    """

    def __init__(self, first: VideoFrame, aspect: Fraction | None) -> None:
        """Take the geometry from a stream's first frame and its pixel aspect ratio."""
        self.orientation = orientation_of(first)
        self._stored = (square_width(first.width, aspect), first.height)
        self.size = self.orientation.size(*self._stored)
        self._reformatter = VideoReformatter()
        self._tone_mapper: ToneMapper | None = None
        self._tone_key: tuple[int, int] | None = None

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Develop one frame: (H, W, 3) uint8, upright, BT.709."""
        key = (frame.color_trc, frame.color_primaries)
        if key != self._tone_key:
            self._tone_key, self._tone_mapper = key, tone_mapper_for(*key)
        if self._tone_mapper is None:
            rgb = cast("NDArray[np.uint8]", self._reformat(frame, "rgb24").to_ndarray())
        else:
            rgb = self._tone_mapper(self._reformat(frame, "rgb48le"))
        return self.orientation.apply(rgb)

    def _reformat(self, frame: VideoFrame, pixels: str) -> VideoFrame:
        width, height = self._stored
        # Full range: tagged so, or a pixel format (yuvj...) that means it. Everything else is limited.
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=pixels,
            src_colorspace=None if frame.format.is_rgb else matrix_of(frame),
            src_color_range=ColorRange.JPEG if full or frame.format.is_rgb else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_QUALITY,
        )
