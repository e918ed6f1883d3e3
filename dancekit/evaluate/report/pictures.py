"""Small pictures of a report: thumbnails, the contact strip, and where each frame differs most."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.evaluate.report.embed import scale
from dancekit.video import read_frames

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]

THUMBNAIL = 150
"""Height of a worst frame's thumbnail, pixels."""

STRIP = 92
"""Height of the contact strip, pixels; as many pictures as make it `STRIP_WIDTH` wide."""

STRIP_WIDTH = 1100

REGION = 0.25
"""Side of the worst region, as a part of the frame's shorter side."""

HOLD = 0.75
"""The worst region stays where it is while its error is at least this part of the largest: it must not flit."""


@dataclass
class Pictures:
    """What one pass over result and truth gives.

    Attributes:
        thumbnails: JPEG data URI by frame number: the result, and the truth at its right where there is one.
        strip: JPEG data URI of evenly spaced result frames side by side; "" without a result.
        strip_frames: Their numbers.
        worst: For each frame the square (x, y, w, h) of the evaluated size in which result and truth differ
            most; None where they are equal or one is missing.
    """

    thumbnails: dict[int, str] = field(default_factory=dict)
    strip: str = ""
    strip_frames: list[int] = field(default_factory=list)
    worst: list[Box | None] = field(default_factory=list)


def take_pictures(
    result: Path | None, truth: Path | None, *, frames: int, size: tuple[int, int], chosen: Collection[int]
) -> Pictures:
    """Go once over both videos, in constant memory.

    Args:
        result: What was made; without it there are no pictures.
        truth: The right answer, if there is one.
        frames: How many were compared.
        size: (W, H) that were compared; videos of another size are scaled to it.
        chosen: Numbers of the frames to make thumbnails of.
    """
    pictures = Pictures(worst=[None] * frames)
    if result is None:
        return pictures
    count = min(frames, max(4, round(STRIP_WIDTH / (STRIP * size[0] / size[1]))))
    pictures.strip_frames = [int((n + 0.5) * frames / count) for n in range(count)]
    tiles = []
    region: Box | None = None
    for number, (fake, real) in enumerate(_pairs(result, truth, frames, size)):
        if real is not None:
            region = worst_region(fake, real, region)
            pictures.worst[number] = region
        if number in chosen:
            sides = [scale(picture, THUMBNAIL) for picture in (fake, real) if picture is not None]
            pictures.thumbnails[number] = jpeg(_beside(sides))
        if number in pictures.strip_frames:
            tiles.append(scale(fake, STRIP))
    if tiles:
        pictures.strip = jpeg(np.concatenate(tiles, 1))
    return pictures


def worst_region(fake: Picture, real: Picture, before: Box | None = None) -> Box | None:
    """The square with the largest mean absolute difference.

    Args:
        fake: (H, W, 3).
        real: (H, W, 3).
        before: The square of the frame before; kept while it is nearly as bad as the worst.

    Returns:
        (x, y, w, h), or None for equal frames.
    """
    height, width = fake.shape[:2]
    side = max(1, min(max(16, round(REGION * min(height, width))), height, width))
    error = cv2.absdiff(fake, real).astype(np.float32).mean(2)
    # a sum over each square is four look-ups in the integral image
    table = cv2.integral(error, sdepth=cv2.CV_64F)
    sums = table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    if sums[y, x] <= 0:
        return None
    if before is not None and sums[before[1], before[0]] >= HOLD * sums[y, x]:
        return before
    return int(x), int(y), side, side


def jpeg(rgb: Picture, quality: int = 82) -> str:
    """A picture as a data URI."""
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _pairs(
    result: Path, truth: Path | None, frames: int, size: tuple[int, int]
) -> Iterator[tuple[Picture, Picture | None]]:
    true = iter(read_frames(truth, stop=frames)) if truth is not None else iter(())
    for frame in read_frames(result, stop=frames):
        real = next(true, None)
        yield _fit(frame.rgb, size), None if real is None else _fit(real.rgb, size)


def _fit(rgb: Picture, size: tuple[int, int]) -> Picture:
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    if rgb.shape[1] - size[0] in (0, 1) and rgb.shape[0] - size[1] in (0, 1):
        return rgb[: size[1], : size[0]]  # H.264 has even sides: the writer added a copy of the last one
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _beside(pictures: list[Picture]) -> Picture:
    gap = np.full((pictures[0].shape[0], 2, 3), 128, np.uint8)
    row = [pictures[0]]
    for picture in pictures[1:]:
        row += [gap, picture]
    return np.concatenate(row, 1)
