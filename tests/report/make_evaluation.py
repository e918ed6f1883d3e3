"""A small evaluation with videos in which every frame says its own number, in black and white blocks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.evaluate.result import Evaluation, Score, Variant
from dancekit.video import VideoWriter

FRAMES, SIZE, RATE = 40, (128, 96), Fraction(30000, 1001)
BITS, BLOCK = 10, 12


def numbered(number: int, tint: tuple[int, int, int] = (128, 128, 128)) -> NDArray[np.uint8]:
    """A tinted frame with the number's bits as blocks along the top, the lowest first."""
    frame = np.full((SIZE[1], SIZE[0], 3), tint, np.uint8)
    for bit in range(BITS):
        frame[0:16, BLOCK * bit : BLOCK * (bit + 1)] = 255 * (number >> bit & 1)
    return frame


def write(
    path: Path,
    frames: int = FRAMES,
    tint: tuple[int, int, int] = (128, 128, 128),
    rate: Fraction = RATE,
    crf: int = 18,
    noise: int = 0,
) -> Path:
    """A video of numbered frames; noise below the blocks makes it large."""
    rng = np.random.default_rng(0)
    with VideoWriter(path, size=SIZE, time_base=1 / rate, rate=rate, crf=crf) as writer:
        for number in range(frames):
            frame = numbered(number, tint)
            if noise:
                frame[16:] = rng.integers(0, noise, frame[16:].shape)
            writer.write(frame, number)
    return path


def psnr(values: list[float | None], region: str = "mask") -> Score:
    known = [value for value in values if value is not None]
    mean = float(np.mean(known))
    return Score(
        "psnr@1", region, mean, mean - 0.5, mean + 0.5, "dB", True, len(known), per_frame=tuple(values)
    )


def evaluation(folder: Path) -> Evaluation:
    """Result, two baselines, a ladder; its worst frame is 25. All texts that a file could bring are hostile."""
    hostile = (
        "<img src=x onerror=\"document.title='hacked'\">&</script><script>document.title='hacked'</script>"
    )
    values: list[float | None] = [24.0 - 9 * (n == 25) - 4 * (n == 6) for n in range(FRAMES)]
    values[3] = None
    names = ("truth", "source", "result", "nearest_neighbour", "true_pose")
    for number, name in enumerate(names):
        write(folder / f"{name}.mp4", tint=(100 + 20 * number, 128, 200 - 20 * number))
    lost = Score("lpips@1", "mask", None, None, None, "", False, 0, why=f"no weights {hostile}")
    return Evaluation(
        protocol={
            "name": f"paired {hostile}",
            "version": 1,
            "regions": ["mask", "frame"],
            "nested": {"a": None},
        },
        inputs={"fake": {"name": f"fake{hostile}.mp4", "sha256": "ab" * 32}},
        frames=FRAMES,
        size=SIZE,
        rate="30000/1001",
        variants=(
            Variant(
                "result",
                f"result {hostile}",
                "result",
                (psnr(values), psnr(values, "frame"), lost),
                "result.mp4",
            ),
            Variant(
                "nearest_neighbour",
                "baseline: nearest training frame",
                "baseline",
                (psnr([20.0] * FRAMES),),
                "nearest_neighbour.mp4",
            ),
            Variant(
                "previous_frame", "baseline: the true frame before", "baseline", (psnr([30.0] * FRAMES),)
            ),
            Variant(
                "true_pose", "painted from the true pose", "ladder", (psnr([26.0] * FRAMES),), "true_pose.mp4"
            ),
        ),
        real_video="truth.mp4",
        source_video=str(folder / "source.mp4"),
        warnings=(f"aligned {hostile}",),
        frame_warnings={10: f"out of range {hostile}", 11: f"out of range {hostile}", 20: "other"},
        fitted={"c_close": 0.5, "source": {"close": 441.25}, "warnings": [hostile]},
        environment={"commit": "0123abc"},
        boxes={"face": tuple(None if n == 0 else (40.0, 30.0, 24.0, 24.0) for n in range(FRAMES))},
    )


def without_videos(full: Evaluation) -> Evaluation:
    variants = tuple(replace(variant, video=None) for variant in full.variants)
    return replace(full, variants=variants, real_video=None, source_video=None)
