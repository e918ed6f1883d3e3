"""How fast dancekit reads and writes video, beside the same FFmpeg used bare.

    python benchmarks/video.py [--data ../shared/data] [--frames 200] [--json]

Without `--data`, a synthetic clip. `read_ratio`: frames a second of `read_frames` over those of a bare PyAV
decode of the same frames that makes no pictures of them (1 would be free colour conversion). `hdr_ratio`: the
same for a 10-bit HLG clip, tone mapping included. `write_ratio`: `VideoWriter` over a bare libx264 of the same
frames, already yuv420p.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dancekit.video import VideoWriter, probe, read_frames

PRESET, CRF = "medium", 18


def pictures(count: int, width: int = 512, height: int = 512) -> list[np.ndarray]:
    """A textured field that drifts: something to encode, nothing random between frames."""
    field = np.random.default_rng(0).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    large = np.kron(field, np.ones((8, 8, 1), np.uint8))[:height, :width]
    return [np.roll(large, (i, 2 * i), (0, 1)) for i in range(count)]


def bare_encode(
    path: Path, frames: list[av.VideoFrame], codec: str, options: dict[str, str], **tags: int
) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        for key, value in tags.items():
            setattr(stream.codec_context, key, value)
        for i, frame in enumerate(frames):
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def bare_decode(path: Path, count: int) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, _ in enumerate(container.decode(stream), 1):
            if number == count:
                return number
    return number


def rate(work: Callable[[], int], repeats: int = 3) -> float:
    """The best of a few runs, frames a second."""
    best = 0.0
    for _ in range(repeats):
        begin = time.perf_counter()
        count = work()
        best = max(best, count / (time.perf_counter() - begin))
    return best


def read_row(path: Path, count: int) -> dict[str, object]:
    info = probe(path)
    ours = rate(lambda: sum(1 for _ in read_frames(path, stop=count)))
    bare = rate(lambda: bare_decode(path, count))
    return {
        "clip": path.name,
        "size": list(info.size),
        "codec": info.codec,
        "fps": round(ours, 1),
        "bare_fps": round(bare, 1),
        "ratio": round(ours / bare, 3),
    }


def write_row(folder: Path, frames: list[np.ndarray]) -> dict[str, object]:
    height, width = frames[0].shape[:2]
    size, base = (width, height), Fraction(1, 25)

    def ours() -> int:
        with VideoWriter(
            folder / "ours.mp4",
            size=size,
            time_base=base,
            rate=Fraction(25),
            crf=CRF,
            preset=PRESET,
            force=True,
        ) as writer:
            for i, frame in enumerate(frames):
                writer.write(frame, i)
        return len(frames)

    ready = [av.VideoFrame.from_ndarray(f, format="rgb24").reformat(format="yuv420p") for f in frames]

    def bare() -> int:
        bare_encode(folder / "bare.mp4", ready, "libx264", {"crf": str(CRF), "preset": PRESET})
        return len(frames)

    ours_fps, bare_fps = rate(ours, 2), rate(bare, 2)
    return {
        "clip": "write",
        "size": list(size),
        "codec": "libx264",
        "fps": round(ours_fps, 1),
        "bare_fps": round(bare_fps, 1),
        "ratio": round(ours_fps / bare_fps, 3),
    }


def hdr_clip(folder: Path, frames: list[np.ndarray]) -> Path:
    path = folder / "hlg.mp4"
    deep = [av.VideoFrame.from_ndarray(f, format="rgb24").reformat(format="yuv420p10le") for f in frames]
    options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    bare_encode(path, deep, "libx265", options, colorspace=9, color_primaries=9, color_trc=18, color_range=1)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with videos/ and dancefloor/")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = pictures(args.frames)
        wrote = write_row(folder, frames)
        hdr = read_row(hdr_clip(folder, frames), args.frames)
        clips = [folder / "ours.mp4"]
        if args.data is not None:
            clips = [p for d in ("dancefloor", "videos") for p in sorted((args.data / d).glob("*.*"))]
            clips = [p for p in clips if p.suffix in (".mp4", ".avi", ".mov", ".mkv")]
        reads = [read_row(p, args.frames) for p in clips]
    result = {
        "read": reads,
        "hdr": hdr,
        "write": wrote,
        "read_ratio": round(float(np.median([r["ratio"] for r in reads])), 3),
        "hdr_ratio": hdr["ratio"],
        "write_ratio": wrote["ratio"],
    }
    if args.json:
        json.dump(result, sys.stdout, indent=1)
        print()
        return
    for row in [*reads, hdr, wrote]:
        width, height = row["size"]
        print(
            f"{row['clip']:36} {row['codec']:8} {width:5}x{height:<5} {row['fps']:8} fps  x{row['ratio']} of bare"
        )


if __name__ == "__main__":
    main()
