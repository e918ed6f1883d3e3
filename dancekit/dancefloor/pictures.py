"""Generated pictures: posters on walls, prints on shirts. Linear RGB."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from dancekit.dancefloor.jit import Floats

POSTER_SIDE = 256
PRINT_SIDE = 160


def linear(*srgb: float) -> Floats:
    """A colour of 0 to 255 as linear light, gamma 2.2."""
    return np.asarray((np.array(srgb) / 255.0) ** 2.2)


@cache
def posters() -> Floats:
    """(4, 256, 256, 3): circles, a sunset, an equalizer, a plant."""
    return np.stack([_circles(), _sunset(), _equalizer(), _plant()])


def _grid() -> tuple[Floats, Floats]:
    rows, columns = np.mgrid[0:POSTER_SIDE, 0:POSTER_SIDE] / POSTER_SIDE
    return columns, rows


def _plain(*srgb: float) -> Floats:
    return np.ones((POSTER_SIDE, POSTER_SIDE, 3)) * linear(*srgb)


def _circles() -> Floats:
    (x, y), image = _grid(), _plain(240, 232, 215)
    for cx, cy, radius, colour in (
        (0.35, 0.4, 0.22, (214, 84, 58)),
        (0.62, 0.55, 0.26, (38, 78, 112)),
        (0.5, 0.72, 0.15, (235, 178, 66)),
    ):
        image[np.hypot(x - cx, y - cy) < radius] = linear(*colour)
    return image


def _sunset() -> Floats:
    x, y = _grid()
    image = linear(250, 205, 130) * (1 - y[..., None]) + linear(220, 110, 100) * y[..., None]
    for k, colour in ((0.55, (120, 90, 130)), (0.68, (80, 62, 104)), (0.8, (44, 40, 72))):
        ridge = k + 0.06 * np.sin(x * 9 + k * 20) + 0.03 * np.sin(x * 23 + k * 7)
        image[y > ridge] = linear(*colour)
    image[np.hypot(x - 0.6, y - 0.33) < 0.09] = linear(255, 246, 214)
    return np.asarray(image)


def _equalizer() -> Floats:
    (x, y), image = _grid(), _plain(24, 26, 34)
    for i in range(9):
        height = 0.15 + 0.6 * abs(math.sin(i * 1.9 + 0.6))
        bar = (abs(x - (i + 1) / 10) < 0.032) & (y > 0.9 - height) & (y < 0.9)
        image[bar] = linear(255, 70 + 18 * i, 90 + 14 * i)
    shown = (255 * image ** (1 / 2.2)).astype(np.uint8)
    cv2.putText(shown, "DANCE", (38, 46), cv2.FONT_HERSHEY_DUPLEX, 1.7, (255, 255, 255), 4, cv2.LINE_AA)
    return np.asarray((shown / 255.0) ** 2.2)


def _plant() -> Floats:
    (x, y), image = _grid(), _plain(232, 226, 214)
    for i in range(6):
        a = i * 1.05 + 0.3
        across = np.abs((x - 0.5) * math.cos(a) + (y - 0.78) * math.sin(a))
        along = np.abs((x - 0.5) * -math.sin(a) + (y - 0.78) * math.cos(a))
        width = 0.09 * np.sin(np.clip(along / 0.6, 0, 1) * np.pi)
        image[(across < width) & (along < 0.6) & (y < 0.8)] = linear(52, 104 + 9 * i, 74)
    return image


def shirt_print(kind: str) -> Floats:
    """(160, 160, 4) colour and opacity of a print: none, wave, disc, or text:WORD."""
    image = np.zeros((PRINT_SIDE, PRINT_SIDE, 3), np.uint8)
    alpha = np.zeros((PRINT_SIDE, PRINT_SIDE), np.uint8)
    if kind == "wave":
        _draw_wave(image, alpha)
    elif kind == "disc":
        for radius, colour in ((66, (240, 236, 226)), (48, (226, 92, 60)), (24, (250, 206, 90))):
            cv2.circle(image, (80, 80), radius, colour, -1, cv2.LINE_AA)
        cv2.circle(alpha, (80, 80), 66, 255, -1, cv2.LINE_AA)
    elif kind.startswith("text:"):
        _draw_text(image, alpha, kind.removeprefix("text:"))
    return np.concatenate([(image / 255.0) ** 2.2, alpha[..., None] / 255.0], -1)


def _draw_wave(image: np.ndarray, alpha: np.ndarray) -> None:
    middle = PRINT_SIDE // 2
    cv2.circle(image, (middle, middle), 62, (255, 196, 60), -1, cv2.LINE_AA)
    cv2.circle(alpha, (middle, middle), 62, 255, -1, cv2.LINE_AA)
    for k, colour in enumerate(((240, 90, 70), (40, 60, 120), (245, 245, 240))):
        crest = [[x, middle + 4 + 17 * k + 10 * math.sin(x / 14 + k)] for x in range(0, PRINT_SIDE + 1, 2)]
        outline = np.array([*crest, [PRINT_SIDE, PRINT_SIDE], [0, PRINT_SIDE]], np.int32)
        mask = np.zeros_like(alpha)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA)
        share = (mask.astype(float) * (alpha > 0) / 255)[..., None]
        image[:] = (image * (1 - share) + np.array(colour) * share).astype(np.uint8)


def _draw_text(image: np.ndarray, alpha: np.ndarray, text: str) -> None:
    font = cv2.FONT_HERSHEY_DUPLEX
    for picture, colour in ((image, (250, 250, 250)), (alpha, (255, 255, 255))):
        (w, h), _ = cv2.getTextSize(text, font, 1.0, 5)
        scale = min((PRINT_SIDE - 16) / w, (PRINT_SIDE - 20) / h)
        (w, h), _ = cv2.getTextSize(text, font, scale, int(5 * scale) + 1)
        place = ((PRINT_SIDE - w) // 2, (PRINT_SIDE + h) // 2)
        cv2.putText(picture, text, place, font, scale, colour, int(6 * scale) + 1, cv2.LINE_AA)
