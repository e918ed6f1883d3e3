"""Synthesises clips for the tests of dancekit.video: FFmpeg through PyAV, not through dancekit.video."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

PATCHES = np.array(
    [
        [255, 255, 255], [0, 0, 0], [128, 128, 128], [64, 64, 64],
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0],
        [0, 255, 255], [255, 0, 255], [200, 120, 90], [40, 90, 160],
    ],
    np.uint8,
)  # fmt: skip
SDR_PATCHES = np.array(
    [
        [20, 20, 20], [64, 64, 64], [128, 128, 128], [200, 200, 200],
        [180, 60, 50], [60, 160, 70], [50, 70, 170], [200, 180, 60],
        [90, 170, 180], [170, 80, 150], [205, 140, 115], [90, 60, 45],
    ],
    np.uint8,
)  # fmt: skip


def patch_picture(patches: np.ndarray = PATCHES, side: int = 32) -> np.ndarray:
    """(3 side, 4 side, 3): twelve squares."""
    return patches.reshape(3, 4, 3).repeat(side, 0).repeat(side, 1)


def read_patches(picture: np.ndarray, side: int = 32) -> np.ndarray:
    """(12, 3): the mean of the middle of each square."""
    cells = picture.reshape(3, side, 4, side, 3).astype(float)
    margin = side // 4
    return cells[:, margin:-margin, :, margin:-margin].mean(axis=(1, 3)).reshape(12, 3)


def moving(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Pictures that can be told apart: picture i has the level 10 + 8 i, so `number_of` finds i again."""
    return [np.full((height, width, 3), 10 + 8 * i % 240, np.uint8) for i in range(count)]


def number_of(picture: np.ndarray) -> int:
    return round((float(picture.mean()) - 10) / 8)


def yuv(rgb: np.ndarray, kr: float, kb: float, *, depth: int = 8, full: bool = False) -> list[np.ndarray]:
    """RGB in [0, 1] to Y, Cb, Cr planes (4:4:4) by the definition of H.273, not by swscale."""
    y = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    cb, cr = (rgb[..., 2] - y) / (2 * (1 - kb)), (rgb[..., 0] - y) / (2 * (1 - kr))
    unit, top = 2 ** (depth - 8), 2**depth - 1
    if full:
        planes = [y * top, cb * top + 128 * unit, cr * top + 128 * unit]
    else:
        planes = [(16 + 219 * y) * unit, (128 + 224 * cb) * unit, (128 + 224 * cr) * unit]
    kind = np.uint8 if depth == 8 else np.uint16
    return [np.clip(np.rint(p), 0, top).astype(kind) for p in planes]


MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def frame_420(rgb: np.ndarray, matrix: str, *, depth: int = 8, full: bool = False) -> av.VideoFrame:
    """An (H, W, 3) float picture in [0, 1] as a yuv420p or yuv420p10le frame."""
    y, cb, cr = yuv(rgb, *MATRICES[matrix], depth=depth, full=full)
    packed = np.concatenate([p.reshape(-1) for p in (y, cb[::2, ::2], cr[::2, ::2])])
    height, width = rgb.shape[:2]
    name = "yuv420p" if depth == 8 else "yuv420p10le"
    return av.VideoFrame.from_ndarray(packed.reshape(height * 3 // 2, width), format=name)


def write_frames(
    path: Path,
    frames: Iterable[av.VideoFrame | np.ndarray],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    codec_options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    rotation: tuple[float, bool, bool] | None = None,
    aspect: Fraction | None = None,
    audio: str | None = None,
    audio_seconds: float = 0.0,
    audio_start: float = 0.0,
    click_at: float | None = None,
    options: dict[str, str] | None = None,
    format: str | None = None,
) -> Path:
    """Write a clip. `tags`: attributes of the codec context; `rotation`: degrees ccw, hflip, vflip."""
    frames = list(frames)
    first = frames[0] if isinstance(frames[0], av.VideoFrame) else av.VideoFrame.from_ndarray(frames[0])
    with av.open(str(path), "w", options=options or {}, format=format) as out:
        stream = out.add_stream(
            codec, rate=rate, options={"crf": "4"} if codec_options is None else codec_options
        )
        stream.width, stream.height = first.width, first.height
        stream.pix_fmt = "yuv420p" if first.format.name == "rgb24" else first.format.name
        stream.time_base = stream.codec_context.time_base = time_base
        for key, value in (tags or {}).items():
            setattr(stream.codec_context, key, value)
        if rotation is not None:
            stream.set_display_rotation(*rotation)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        sound = out.add_stream(audio, rate=48000) if audio else None
        for frame, when in zip(frames, pts if pts is not None else range(len(frames)), strict=True):
            if not isinstance(frame, av.VideoFrame):
                frame = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU601,
                    src_color_range=ColorRange.JPEG,
                    dst_color_range=ColorRange.MPEG,
                )
            frame.pts, frame.time_base = when, time_base
            for packet in stream.encode(frame):
                out.mux(packet)
        out.mux(stream.encode(None))
        if sound is not None:
            for chunk in _sound(audio_seconds, audio_start, click_at, sound.codec_context.format.name):
                out.mux(sound.encode(chunk))
            out.mux(sound.encode(None))
    return path


def _sound(
    seconds: float, start: float, click_at: float | None, sample_format: str
) -> Iterable[av.AudioFrame]:
    """A quiet hum with a loud click of 20 ms at `click_at` seconds of the film; stereo, 48 kHz."""
    rate, count = 48000, 960
    total = round(seconds * rate)
    time = np.arange(total) / rate + start
    wave = 0.02 * np.sin(2 * np.pi * 220 * time)
    if click_at is not None:
        inside = (time >= click_at) & (time < click_at + 0.02)
        wave[inside] = 0.8 * np.sin(2 * np.pi * 1000 * time[inside])
    samples = (np.stack([wave, wave]) * 32767).astype(np.int16)
    for begin in range(0, total, count):
        part = np.ascontiguousarray(samples[:, begin : begin + count].T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + begin
        yield frame


def loudest_time(path: Path) -> float:
    """When the click begins, seconds on the film's clock."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(float))
            wave = wave / {"s16": 2**15, "s32": 2**31}.get(frame.format.name[:3], 1)
            channels = len(frame.layout.channels)
            wave = wave.max(0) if frame.format.is_planar else wave.reshape(-1, channels).max(1)
            if (wave > 0.3).any():
                return float(frame.pts * frame.time_base) + int(np.argmax(wave > 0.3)) / frame.sample_rate
    raise AssertionError("no click")


def audio_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


def sdr_to_hlg(sdr: np.ndarray) -> np.ndarray:
    """SDR BT.709 signal in [0, 1] to HLG BT.2020, white at 203 cd/m2 (BT.2408 display-referred mapping)."""
    light = (sdr**2.4) @ BT709_TO_BT2020.T * 203 / 1000
    luminance = light @ np.array([0.2627, 0.6780, 0.0593])
    scene = light * np.where(luminance > 0, luminance, 1)[..., None] ** (1 / 1.2 - 1)
    log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)


def sdr_to_pq(sdr: np.ndarray) -> np.ndarray:
    """SDR BT.709 signal in [0, 1] to PQ BT.2020, white at 203 cd/m2."""
    power = ((sdr**2.4) @ BT709_TO_BT2020.T * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


# ITU-R BT.2087-0, table of section 2 (4 decimals there).
BT709_TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def raw(frames: Sequence[np.ndarray]) -> bytes:
    """An H.264 stream without container."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()
