"""Seeded people: bodies of 1.2 to 1.95 m, skin, hair, clothes."""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np

from dancekit.dancefloor.body import Phenotype, body_model
from dancekit.dancefloor.looks import Blob, BottomSpec, Colour, HairSpec, PersonSpec, TopSpec

SHORTEST, TALLEST = 1.20, 1.95
"""Metres."""

CHILD = 1.45
"""Metres below which a person is a child of about 11."""

_SKINS: tuple[Colour, ...] = (
    *((236, 196, 172), (226, 178, 150), (214, 164, 130), (198, 143, 115)),
    *((176, 121, 94), (148, 100, 74), (126, 82, 59), (98, 64, 46)),
)
_HAIRS: tuple[Colour, ...] = (
    *((24, 18, 16), (40, 28, 22), (66, 42, 28), (96, 60, 36)),
    *((130, 84, 48), (168, 124, 72), (196, 160, 104), (128, 58, 34)),
)
_GREY: Colour = (150, 148, 146)
_IRISES: tuple[Colour, ...] = ((50, 30, 18), (84, 56, 30), (62, 92, 96), (70, 96, 120), (82, 100, 62))
_WORDS = ("07", "10", "23", "UP", "GO", "99", "DK", "SKY")
_SHORT, _LONG = (0.30, 0.62), (1.15, 1.75)
_SHORTS, _CROPPED, _FULL = (0.62, 0.92), (1.30, 1.50), (1.84, 1.94)


def draw_person(rng: np.random.Generator) -> PersonSpec:
    """Somebody.

    Args:
        rng: The same state gives the same person.
    """
    child = rng.random() < 0.18
    stature = rng.uniform(SHORTEST, CHILD) if child else rng.uniform(CHILD, TALLEST)
    lightness = int(rng.integers(len(_SKINS)))
    phenotype = _draw_body(rng, float(stature), child, lightness)
    skin = _jitter(rng, _SKINS[lightness], 3)
    old = phenotype.age > 0.85
    darkest = min(len(_HAIRS), 3 + 2 * max(0, 5 - lightness))
    hair = _GREY if old and rng.random() < 0.7 else _HAIRS[int(rng.integers(darkest))]
    bottom = _draw_bottom(rng)
    colours = _draw_clothes_colours(rng, bottom.pattern == 0) | {
        "skin": skin,
        "lips": (int(skin[0] * 0.88), int(skin[1] * 0.62), int(skin[2] * 0.66)),
        "hair": _jitter(rng, hair, 5),
        "iris": _IRISES[int(rng.integers(len(_IRISES) if lightness < 4 else 2))],
    }
    feminine = phenotype.gender > 0.5
    beard = float(rng.uniform(0.2, 0.75)) if not feminine and not child and rng.random() < 0.45 else 0.0
    brows = float(rng.uniform(1.8, 2.6) if feminine or child else rng.uniform(2.6, 3.6))
    lashes = float(rng.uniform(0.7, 0.9) if feminine else rng.uniform(0.5, 0.7))
    return PersonSpec(
        phenotype,
        _draw_top(rng),
        bottom,
        _draw_hair(rng, feminine),
        colours,
        wrinkles=(float(rng.uniform(0.008, 0.016)), float(rng.uniform(0.02, 0.04))),
        face=(float(rng.uniform(0.2, 0.35)), lashes, brows, beard, float(rng.uniform(0.5, 1.0))),
    )


def _draw_body(rng: np.random.Generator, stature: float, child: bool, lightness: int) -> Phenotype:
    """A body whose natural height is near the stature; the rest is scaled."""
    feminine = rng.random() < 1 / (1 + np.exp((stature - 1.69) / 0.06))
    gender = rng.uniform(0.82, 1.0) if feminine else rng.uniform(0.0, 0.18)
    age = rng.uniform(0.28, 0.38) if child else rng.uniform(0.5, 0.95)
    dark = lightness / (len(_SKINS) - 1)
    asian = rng.uniform(0, 0.9) if 0.1 < dark < 0.6 else 0.05
    draft = Phenotype(
        gender=float(gender),
        age=float(age),
        muscle=float(rng.uniform(0.4, 0.7)),
        weight=float(rng.uniform(0.35, 0.68)),
        height=0.5,
        proportions=float(rng.uniform(0.6, 0.9)),
        ancestry=(float(dark), float(asian), float(1 - dark + 0.05)),
        cupsize=float(rng.uniform(0.3, 0.6)),
        firmness=float(rng.uniform(0.5, 0.8)),
    )
    tries = [0.15, 0.5, 0.85]
    heights = [_natural_height(dataclasses.replace(draft, height=each)) for each in tries]
    return dataclasses.replace(draft, height=float(np.interp(stature, heights, tries)), stature=stature)


def _natural_height(phenotype: Phenotype) -> float:
    return float(body_model().rest(phenotype)[0][:, 2].max())


def _draw_clothes_colours(rng: np.random.Generator, denim: bool) -> dict[str, Colour]:
    """Of top, trim, bottom, stripe, shoe, sole, mark: harmonious, and never all dark."""
    hue = rng.random()
    accent = (hue + float(rng.choice([0.08, 0.33, 0.5, 0.62]))) % 1
    light = rng.random() < 0.4
    top = _hsv(hue, rng.uniform(0.05, 0.25) if light else rng.uniform(0.45, 0.85), rng.uniform(0.55, 0.95))
    white = (238, 236, 230)
    trim = (
        white
        if not light and rng.random() < 0.5
        else _hsv(accent, rng.uniform(0.5, 0.85), rng.uniform(0.4, 0.9))
    )
    dark = rng.random() < 0.65
    bottom = _hsv(
        rng.uniform(0.55, 0.68) if dark else accent,
        rng.uniform(0.15, 0.6),
        rng.uniform(0.14, 0.38) if dark else rng.uniform(0.45, 0.8),
    )
    stripe = _hsv(accent, rng.uniform(0.5, 0.8), rng.uniform(0.6, 0.95))
    if denim:  # what it is faded to
        r, g, b = (int(0.6 * c + 68) for c in bottom)
        stripe = (r, g, b)
    shoe = white if rng.random() < 0.5 else _hsv(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.9))
    mark = _hsv(rng.random(), 0.6, 0.4) if shoe == white else white
    return {
        "top": top,
        "trim": trim,
        "bottom": bottom,
        "stripe": stripe,
        "shoe": shoe,
        "sole": (244, 244, 242),
        "mark": mark,
    }


def _draw_top(rng: np.random.Generator) -> TopSpec:
    sleeve = rng.uniform(*(_LONG if rng.random() < 0.3 else _SHORT))
    prints = ("none", "none", "wave", "disc", f"text:{rng.choice(_WORDS)}")
    pattern = int(rng.integers(4))
    return TopSpec(
        hem=float(rng.uniform(-0.05, 0.02)),
        sleeve=float(sleeve),
        ease=float(rng.uniform(0.010, 0.020)),
        flare=float(rng.uniform(0.015, 0.036)),
        sleeve_flare=float(rng.uniform(0.006, 0.018)),
        pattern=pattern,
        neck=float(rng.uniform(-0.005, 0.02)),
        stripe=float(rng.uniform(0.045, 0.11)),
        front="none" if pattern == 1 else prints[int(rng.integers(5))],
        back="none" if pattern == 1 else prints[int(rng.choice([0, 0, 4]))],
        print_size=float(rng.uniform(0.17, 0.25)),
    )


def _draw_bottom(rng: np.random.Generator) -> BottomSpec:
    kind = rng.random()
    length = rng.uniform(*(_FULL if kind < 0.65 else _CROPPED if kind < 0.78 else _SHORTS))
    return BottomSpec(
        waist=float(rng.uniform(0.05, 0.08)),
        length=float(length),
        ease=float(rng.uniform(0.007, 0.014)),
        flare=float(rng.uniform(0.006, 0.024)),
        smooth=int(rng.integers(8, 14)),
        pattern=int(rng.integers(3)),
    )


def _draw_hair(rng: np.random.Generator, feminine: bool) -> HairSpec:
    """Cropped, short, full; with a bun, two buns or a tail; or to the nape."""
    length, volume = float(rng.uniform(0.008, 0.016)), float(rng.uniform(0.003, 0.009))
    droop = float(rng.uniform(0.1, 0.8))
    style = rng.random()
    if not feminine:
        if style < 0.3:
            return HairSpec(length=0.003, volume=0.001, layers=3, droop=0.1)
        return HairSpec(length=length, volume=volume if style < 0.7 else volume + 0.008, droop=droop)
    if style < 0.3:
        return HairSpec(length, volume, droop=droop, blobs=(Blob((0, 0.30, 0.50), (0.20, 0.20, 0.19)),))
    if style < 0.42:
        pair = tuple(Blob((x, 0.08, 0.46), (0.15, 0.15, 0.15)) for x in (-0.30, 0.30))
        return HairSpec(length, volume, droop=droop, blobs=pair)
    if style < 0.72:
        tail = (
            Blob((0, 0.50, 0.22), (0.09, 0.11, 0.10)),
            Blob((0, 0.60, 0.02), (0.10, 0.12, 0.24), tilt=0.35),
            Blob((0, 0.64, -0.30), (0.08, 0.10, 0.26), tilt=0.12),
        )
        return HairSpec(length, volume, droop=droop, blobs=tail)
    line = (0.90, 0.83, 0.76, 0.48, 0.30, 0.20, 0.12, 0.06)
    return HairSpec(length + 0.004, volume + 0.004, layers=8, droop=droop, hairline=line)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(float(hue), float(saturation), float(value))
    return round(255 * r), round(255 * g), round(255 * b)


def _jitter(rng: np.random.Generator, colour: Colour, sigma: float) -> Colour:
    r, g, b = np.clip(np.round(np.asarray(colour) + rng.normal(0, sigma, 3)), 0, 255).astype(int)
    return int(r), int(g), int(b)
