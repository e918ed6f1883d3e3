"""Words over a picture on the screen; never in what is recorded."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

SHOWN_HEIGHT = 480
"""A lower picture is enlarged on the screen: words must be readable."""


def enlarged(picture: Image) -> Image:
    """A whole number of times as large, so that it is at least `SHOWN_HEIGHT` high; a large one as it is."""
    times = -(-SHOWN_HEIGHT // picture.shape[0])
    if times == 1:
        return picture
    size = (picture.shape[1] * times, picture.shape[0] * times)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def with_words(picture: Image, lines: Sequence[str], *, bar: float | None = None) -> Image:
    """A copy of (H, W, 3) uint8 with lines at the top, broken where they are too long, and a bar at the bottom.

    Args:
        picture: RGB.
        lines: Of text; OpenCV's font has ASCII only.
        bar: How much of it is full, 0 to 1; None for no bar.
    """
    result = picture.copy()
    height, width = picture.shape[:2]
    scale = min(height / 900, width / 700)
    weight, step = max(1, round(2 * scale)), round(34 * scale)
    font = cv2.FONT_HERSHEY_SIMPLEX
    row = 0
    for line in [part for text in lines for part in _broken(text, width, scale)]:
        (wide, _), _ = cv2.getTextSize(line, font, scale, weight)
        back = result[row : row + step, : wide + 2 * step // 3]
        back //= 3
        cv2.putText(
            result, line, (step // 3, row + round(0.74 * step)), font, scale, (255,) * 3, weight, cv2.LINE_AA
        )
        row += step
    if bar is not None:
        low = height - max(4, height // 60)
        result[low:] //= 3
        result[low:, : round(np.clip(bar, 0, 1) * width)] = (90, 200, 120)
    return result


def _broken(line: str, width: int, scale: float) -> list[str]:
    """A line as several that fit into the width."""
    fit = max(8, int(width / (19.5 * scale)))
    lines, words = [""], line.encode("ascii", "replace").decode().split(" ")
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > fit:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
