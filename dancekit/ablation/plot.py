"""Small multiples of lines as one picture: no plotting library is needed for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f")
"""Okabe and Ito, "Color universal design" (2008), in an order whose neighbours differ most on white."""

PANEL = (420, 250)
"""(W, H) of a panel, pixels."""

SHARP = 2
"""Drawn so many times larger, then scaled down: smooth lines."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 28, 30
_INK, _FAINT = "#222222", "#dddddd"


@dataclass(frozen=True)
class Line:
    """A line of a panel; values that are not finite are gaps.

    Attributes:
        title: In the legend; lines of one title have one colour in all panels.
        x: (N,).
        y: (N,).
    """

    title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: Above it.
        lines: In it.
        below: What runs to the right.
    """

    title: str
    lines: tuple[Line, ...]
    below: str = ""


def draw_panels(panels: Sequence[Panel], *, columns: int = 3) -> NDArray[np.uint8]:
    """Draw panels in rows, with one legend below.

    Args:
        panels: One at least.
        columns: How many stand side by side.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    titles = list(dict.fromkeys(line.title for panel in panels for line in panel.lines))
    colours = {title: COLOURS[number % len(COLOURS)] for number, title in enumerate(titles)}
    columns = min(columns, len(panels))
    width, height = PANEL
    deep = -(-len(panels) // columns)
    picture = Image.new("RGB", (SHARP * width * columns, SHARP * (height * deep + 26)), "white")
    draw = ImageDraw.Draw(picture)
    for number, panel in enumerate(panels):
        corner = (SHARP * width * (number % columns), SHARP * height * (number // columns))
        _draw(draw, panel, corner, colours)
    _legend(draw, titles, colours, SHARP * height * deep)
    size = (width * columns, height * deep + 26)
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS), np.uint8)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SHARP)


def _draw(draw: ImageDraw.ImageDraw, panel: Panel, corner: tuple[int, int], colours: dict[str, str]) -> None:
    width, height = PANEL
    left, top = corner[0] + SHARP * _LEFT, corner[1] + SHARP * _TOP
    right, bottom = corner[0] + SHARP * (width - _RIGHT), corner[1] + SHARP * (height - _BOTTOM)
    draw.text((left, corner[1] + SHARP * 7), panel.title, fill=_INK, font=_font(13))
    across, up = _limits([line.x for line in panel.lines]), _limits([line.y for line in panel.lines])
    if across is None or up is None:
        draw.text((left, top), "nothing was measured", fill=_INK, font=_font(11))
        return

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - across[0]) / (across[1] - across[0]) * (right - left),
            bottom - (y - up[0]) / (up[1] - up[0]) * (bottom - top),
        )

    for value in ticks(*up):
        y = place(across[0], value)[1]
        draw.line([(left, y), (right, y)], fill=_FAINT, width=SHARP)
        draw.text((left - SHARP * 5, y), f"{value:g}", fill=_INK, font=_font(10), anchor="rm")
    for value in ticks(*across):
        x = place(value, up[0])[0]
        draw.text((x, bottom + SHARP * 4), f"{value:g}", fill=_INK, font=_font(10), anchor="mt")
    if panel.below:
        draw.text((right, bottom + SHARP * 16), panel.below, fill=_INK, font=_font(10), anchor="rt")
    draw.line([(left, top), (left, bottom), (right, bottom)], fill=_INK, width=SHARP)
    for line in panel.lines:
        for run in _runs(line):
            points = [place(x, y) for x, y in run]
            if len(points) > 1:
                draw.line(points, fill=colours[line.title], width=round(1.6 * SHARP), joint="curve")
            else:
                x, y = points[0]
                draw.ellipse([x - SHARP, y - SHARP, x + SHARP, y + SHARP], fill=colours[line.title])


def _legend(draw: ImageDraw.ImageDraw, titles: Sequence[str], colours: dict[str, str], top: int) -> None:
    x, y = float(SHARP * _LEFT), top + SHARP * 12
    for title in titles:
        draw.line([(x, y), (x + SHARP * 18, y)], fill=colours[title], width=2 * SHARP)
        draw.text((x + SHARP * 23, y), title, fill=_INK, font=_font(11), anchor="lm")
        x += SHARP * 41 + draw.textlength(title, font=_font(11))


def _limits(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float] | None:
    """What is shown: a little more than the finite values; None without any."""
    values = np.concatenate([array[np.isfinite(array)] for array in arrays] or [np.empty(0)])
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-12 * max(1.0, abs(high)):
        return low - 0.5, high + 0.5
    return low, high + 0.02 * (high - low)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers between two."""
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(float(power * factor) for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = np.ceil(low / step - 1e-9)
    found = [float(step * (first + number)) for number in range(2 * count + 2)]
    return [round(value, 12) for value in found if value <= high + 1e-9 * step]


def _runs(line: Line) -> list[list[tuple[float, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if np.isfinite(x) and np.isfinite(y):
            runs[-1].append((float(x), float(y)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
