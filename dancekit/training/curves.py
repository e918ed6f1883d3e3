"""curves.png: how the losses went, drawn from metrics.jsonl. A panel a term; no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dancekit.data.files import write_png

PANEL = (420, 220)
MARGIN = (54, 26, 12, 24)
"""Left, top, right, bottom of a panel: room for the numbers."""

NO_TERMS = ("step", "seconds_per_step", "frames_per_second", "memory_mb", "lr", "epoch")
COLUMNS = 3
INK, FAINT, LINE, BACK = (60, 60, 60), (190, 205, 225), (31, 90, 170), (255, 255, 255)


def terms_of(records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Steps and values of every loss term (and of `score`), in the order in which they first appear."""
    names = dict.fromkeys(
        name
        for record in records
        for name, value in record.items()
        if name not in NO_TERMS and isinstance(value, int | float)
    )
    found = {}
    for name in names:
        have = [record for record in records if name in record]
        found[name] = (
            np.array([record["step"] for record in have], float),
            np.array([record[name] for record in have], float),
        )
    return found


def smooth(values: NDArray[Any], share: float = 0.05) -> NDArray[Any]:
    """A running mean over a share of the curve, shorter at its ends."""
    half = max(1, round(share * len(values))) // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    numbers = np.arange(len(values))
    low, high = np.maximum(numbers - half, 0), np.minimum(numbers + half + 1, len(values))
    return np.asarray((total[high] - total[low]) / (high - low))


def draw_curves(records: Sequence[Mapping[str, Any]], *, axis: str = "step") -> NDArray[np.uint8]:
    """All terms as one picture, (H, W, 3) uint8; each value faint, a running mean over it; `axis` names `step`."""
    terms = terms_of(records)
    columns = min(COLUMNS, max(1, len(terms)))
    rows = max(1, math.ceil(len(terms) / columns))
    sheet = Image.new("RGB", (columns * PANEL[0], rows * PANEL[1]), BACK)
    draw = ImageDraw.Draw(sheet)
    if not terms:
        draw.text((MARGIN[0], MARGIN[1]), "nothing logged yet", INK, font=ImageFont.load_default(14))
    for number, (name, (steps, values)) in enumerate(terms.items()):
        corner = (number % columns * PANEL[0], number // columns * PANEL[1])
        _panel(draw, corner, name, steps, values, axis)
    return np.asarray(sheet, np.uint8)


def save_curves(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write them as PNG, whole.

    Raises:
        DancekitError: The disk is full.
    """
    write_png(path, draw_curves(records))


def _panel(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    name: str,
    steps: NDArray[Any],
    values: NDArray[Any],
    axis: str,
) -> None:
    left, top = corner[0] + MARGIN[0], corner[1] + MARGIN[1]
    right, bottom = corner[0] + PANEL[0] - MARGIN[2], corner[1] + PANEL[1] - MARGIN[3]
    font, small = ImageFont.load_default(14), ImageFont.load_default(11)
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    first, last = float(steps[0]), max(float(steps[-1]), float(steps[0]) + 1)
    x = left + (steps - first) / (last - first) * (right - left)

    def points(curve: NDArray[Any]) -> list[tuple[float, float]]:
        y = bottom - (curve - low) / (high - low) * (bottom - top)
        return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]

    draw.rectangle((left, top, right, bottom), outline=(220, 220, 220))
    if len(values) > 1:
        draw.line(points(values), FAINT, 1)
        draw.line(points(smooth(values)), LINE, 2)
    else:
        (at,) = points(values)
        draw.ellipse((at[0] - 2, at[1] - 2, at[0] + 2, at[1] + 2), fill=LINE)
    draw.text((left, corner[1] + 6), f"{name}  {values[-1]:.4g}", INK, font=font)
    for value, y in ((high, top), (low, bottom - 11)):
        draw.text((corner[0] + 6, y), f"{value:.3g}", INK, font=small)
    draw.text((left, bottom + 6), f"{first:.0f}", INK, font=small)
    text = f"{axis} {last:.0f}"
    draw.text((right - draw.textlength(text, font=small), bottom + 6), text, INK, font=small)
