"""HDR (HLG, PQ) and wide gamut to SDR BT.709, as a display would show it next to SDR.

The reference is a few lines of numpy (`to_sdr`); frames go through a 64x64x64 table of it in FFmpeg's
`haldclut` filter (tetrahedral interpolation, 16 bit), which is many times faster; 99 % of the colours within
BT.709 come out within 3 levels of 255, the others have one channel next to 0.

Method: signal to display light in units of the reference white of 203 cd/m2 (ITU-R BT.2408), BT.2020 to
BT.709 primaries, highlights rolled off, BT.1886 inverse. Up to 85 % of the SDR signal nothing is changed:
skin and mid-grey come out as a camera's SDR mode would have them, and so does saturation. Above, the largest
of R, G, B follows a logarithm with the same slope at the knee that ends at 1000 cd/m2; the other two are
scaled with it, so hue stays. Reference white lands at 92 %.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Literal, cast

import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Transfer = Literal["hlg", "pq", "sdr"]
Primaries = Literal["bt709", "bt2020", "p3"]

REFERENCE_WHITE = 203.0
"""cd/m2 of diffuse white in HDR: ITU-R BT.2408."""
PEAK = 1000.0
"""cd/m2 that become SDR's brightest: the nominal peak of HLG, and what most PQ is mastered for."""
KNEE = 0.85
"""SDR signal up to which nothing is compressed."""
_GAMMA = 2.4  # ITU-R BT.1886
_LEVEL = 8  # a Hald picture of level 8 holds 64 samples a channel

# Chromaticities x, y of R, G, B: ITU-R BT.709, BT.2020, SMPTE EG 432-1 (Display P3); white is D65 in all.
_CHROMATICITIES: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
# ITU-T H.273 code points.
_TRANSFER_CODES: dict[int, Transfer] = {16: "pq", 18: "hlg"}
_PRIMARIES_CODES: dict[int, Primaries] = {1: "bt709", 9: "bt2020", 11: "p3", 12: "p3"}


def _to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    """Linear RGB to CIE XYZ, white at Y = 1 (SMPTE RP 177)."""
    xy = np.array(_CHROMATICITIES[primaries])
    columns = np.stack([xy[:, 0], xy[:, 1], 1 - xy.sum(axis=1)])
    white = np.array([_D65[0], _D65[1], 1 - sum(_D65)]) / _D65[1]
    result: NDArray[np.float64] = columns * np.linalg.solve(columns, white)
    return result


def primaries_matrix(source: Primaries) -> NDArray[np.float64]:
    """The (3, 3) matrix from linear RGB of `source` to linear RGB of BT.709."""
    return np.linalg.solve(_to_xyz("bt709"), _to_xyz(source)).astype(np.float64)


def hlg_to_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """HLG signal (..., 3) in [0, 1], BT.2020, to display light in units of reference white (ITU-R BT.2100).

    Inverse OETF, then the OOTF of a display of 1000 cd/m2 (system gamma 1.2), which acts on luminance.
    """
    a, b = 0.17883277, 0.28466892
    c = 0.5 - a * np.log(4 * a)
    scene: NDArray[np.float64] = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    light: NDArray[np.float64] = scene * luminance[..., None] ** 0.2 * (PEAK / REFERENCE_WHITE)
    return light


def pq_to_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ signal in [0, 1] to display light in units of reference white (SMPTE ST 2084)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    return (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * (10_000 / REFERENCE_WHITE)


@lru_cache(maxsize=1)
def _roll_off() -> tuple[float, float]:
    """The end of the curve beyond the knee, in units of (1 - KNEE), and a with ln(1 + a end) = a.

    y = ln(1 + a t) / a has slope 1 at t = 0 and, with this a, reaches 1 at the end.
    """
    end = ((PEAK / REFERENCE_WHITE) ** (1 / _GAMMA) - KNEE) / (1 - KNEE)
    a = 10.0
    for _ in range(100):  # a fixed point that contracts for end > 1
        a = float(np.log1p(a * end))
    return end, a


def to_sdr(signal: NDArray[np.float64], transfer: Transfer, primaries: Primaries) -> NDArray[np.float64]:
    """Map RGB signal to an SDR BT.709 signal.

    Args:
        signal: (..., 3) in [0, 1].
        transfer: What the signal is; `sdr` only changes primaries.
        primaries: Its primaries.

    Returns:
        (..., 3) in [0, 1]; colours outside of BT.709 are clipped.
    """
    light = to_sdr_light(signal, transfer, primaries)
    result: NDArray[np.float64] = np.clip(light, 0, 1) ** (1 / _GAMMA)
    return result


def to_sdr_light(
    signal: NDArray[np.float64], transfer: Transfer, primaries: Primaries
) -> NDArray[np.float64]:
    """As `to_sdr`, but linear light (..., 3), negative where a colour is outside of BT.709."""
    match transfer:
        case "hlg":
            light = hlg_to_light(signal)
        case "pq":
            light = pq_to_light(signal)
        case "sdr":
            light = signal**_GAMMA
    light = light @ primaries_matrix(primaries).T
    if transfer == "sdr":
        return light
    end, a = _roll_off()
    largest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9) ** (1 / _GAMMA)
    beyond = np.clip((largest - KNEE) / (1 - KNEE), 0, end)
    wanted = np.where(largest > KNEE, KNEE + (1 - KNEE) * np.log1p(a * beyond) / a, largest)
    rolled: NDArray[np.float64] = light * (wanted / largest) ** _GAMMA
    return rolled


# The table holds light on this curve: gamma has an infinite slope at 0, exactly where saturated colours have
# their smallest channel, and cannot be interpolated there; asinh runs smoothly through 0 to the colours to be
# clipped.
_SOFTNESS = 0.1
_LOWEST = -1.0


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.arcsinh(_LOWEST / _SOFTNESS), np.arcsinh(1 / _SOFTNESS)
    result: NDArray[np.float64] = (np.arcsinh(np.clip(light, _LOWEST, 1) / _SOFTNESS) - low) / (high - low)
    return result


@lru_cache(maxsize=1)
def _finish() -> NDArray[np.uint8]:
    """(65536,) uint8: from a code of the table to an 8-bit level."""
    low, high = np.arcsinh(_LOWEST / _SOFTNESS), np.arcsinh(1 / _SOFTNESS)
    light = np.sinh(low + np.linspace(0, 1, 65536) * (high - low)) * _SOFTNESS
    levels: NDArray[np.uint8] = np.rint(np.clip(light, 0, 1) ** (1 / _GAMMA) * 255).astype(np.uint8)
    return levels


@lru_cache(maxsize=4)
def _table(transfer: Transfer, primaries: Primaries) -> NDArray[np.uint16]:
    """`to_sdr_light`, encoded, as a Hald picture: (512, 512, 3) uint16, red runs fastest, blue slowest."""
    axis = np.linspace(0, 1, _LEVEL**2)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    light = to_sdr_light(np.stack([red, green, blue], axis=-1), transfer, primaries)
    return np.rint(_encode(light) * 65535).astype(np.uint16).reshape(_LEVEL**3, _LEVEL**3, 3)


class ToneMapper:
    """Maps the frames of one stream; all of one size."""

    def __init__(self, transfer: Transfer, primaries: Primaries) -> None:
        """Take the kind of signal."""
        self.transfer, self.primaries = transfer, primaries
        self._entry: FilterContext | None = None
        self._exit: FilterContext | None = None
        self._graph = Graph()
        self._count = 0

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Map an rgb48le frame to (H, W, 3) uint8.

        Packed pixels: FFmpeg 8.1's haldclut mixes up the channels of planar RGB.
        """
        if self._entry is None or self._exit is None:
            self._entry, self._exit = self._connect(frame)
        # The filter pairs frames with the table by time; the pts of the video are not its business.
        frame.pts, frame.time_base = self._count, Fraction(1, 25)
        self._count += 1
        self._entry.push(frame)
        mapped = self._exit.pull()
        assert isinstance(mapped, VideoFrame)
        codes = cast("NDArray[np.uint16]", mapped.to_ndarray())
        levels: NDArray[np.uint8] = np.take(_finish(), codes)
        return levels

    def _connect(self, frame: VideoFrame) -> tuple[FilterContext, FilterContext]:
        graph = self._graph
        base = Fraction(1, 25)
        video = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=base)
        side = _LEVEL**3
        table = graph.add_buffer(width=side, height=side, format=frame.format, time_base=base)
        hald = graph.add("haldclut", "clut=first:interp=tetrahedral")
        sink = graph.add("buffersink")
        video.link_to(hald, 0, 0)
        table.link_to(hald, 0, 1)
        hald.link_to(sink)
        graph.configure()
        clut = VideoFrame.from_ndarray(_table(self.transfer, self.primaries), format="rgb48le")
        clut.pts, clut.time_base = 0, base
        table.push(clut)
        table.push(None)
        return video, sink


def tone_mapper_for(transfer: int, primaries: int) -> ToneMapper | None:
    """The mapper for frames tagged with these H.273 code points; None if they are BT.709-like already."""
    kind = _TRANSFER_CODES.get(transfer, "sdr")
    gamut = _PRIMARIES_CODES.get(primaries, "bt709" if kind == "sdr" else "bt2020")
    return None if kind == "sdr" and gamut == "bt709" else ToneMapper(kind, gamut)
