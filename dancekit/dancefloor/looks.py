"""How people look: body, clothes, hair, colours; and the two people of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dancekit.dancefloor.body import Phenotype

Colour = tuple[int, int, int]
"""sRGB, 0 to 255."""


@dataclass(frozen=True)
class TopSpec:
    """A shirt. Lengths in metres of a body 1.75 m tall.

    Attributes:
        hem: Height of the hem above the hips.
        sleeve: Where the sleeve ends: 0 at the shoulder, 1 at the elbow, 2 at the wrist.
        ease: Distance from the body.
        flare: More of it towards the hem.
        sleeve_flare: More of it towards the end of the sleeve.
        pattern: 0 plain with trims, 1 stripes, 2 raglan sleeves, 3 two blocks.
        smooth: Rounds of smoothing: how little of the body shows.
        neck: Height of the neckline.
        stripe: Width of two stripes.
        front: Print on the chest: none, wave, disc, or text:WORD.
        back: Print on the back.
        print_size: Side of the print.
        print_height: Where on the trunk: 0 hips, 1 neck.
        split: Where two blocks meet, likewise.
    """

    hem: float
    sleeve: float
    ease: float
    flare: float
    sleeve_flare: float
    pattern: int
    smooth: int = 16
    neck: float = -0.005
    stripe: float = 0.05
    front: str = "none"
    back: str = "none"
    print_size: float = 0.24
    print_height: float = 0.62
    split: float = 0.45


@dataclass(frozen=True)
class BottomSpec:
    """Trousers or shorts. Lengths in metres of a body 1.75 m tall.

    Attributes:
        waist: Height of the waist above the hips.
        length: Where they end: 0 at the hip, 1 at the knee, 2 at the ankle.
        ease: Distance from the body.
        flare: More of it towards the end.
        smooth: Rounds of smoothing.
        pattern: 0 denim, 1 stripes at the sides, 2 plain.
    """

    waist: float
    length: float
    ease: float
    flare: float
    smooth: int
    pattern: int


@dataclass(frozen=True)
class Blob:
    """A bun or a part of a tail, in head heights from the middle of the head.

    Attributes:
        place: (x, y, z); y is back, z up.
        radius: Of the three axes.
        tilt: Radians about the x axis.
    """

    place: tuple[float, float, float]
    radius: tuple[float, float, float]
    tilt: float = 0.0


@dataclass(frozen=True)
class HairSpec:
    """Hair: shells over the scalp, and blobs.

    Attributes:
        length: From the innermost to the outermost shell, metres.
        volume: Of the innermost one above the scalp, metres.
        layers: Number of shells.
        droop: How much they hang.
        hairline: Height of the hairline (0 chin, 1 top) from the face (first) to the nape (last of 8).
        blobs: Buns and tails.
    """

    length: float
    volume: float
    layers: int = 7
    droop: float = 0.4
    hairline: tuple[float, ...] = (0.90, 0.83, 0.80, 0.66, 0.60, 0.52, 0.30, 0.22)
    blobs: tuple[Blob, ...] = ()


@dataclass(frozen=True)
class PersonSpec:
    """A person.

    Attributes:
        phenotype: Their body.
        top: Their shirt.
        bottom: Their trousers.
        hair: Their hair.
        colours: skin, lips, hair, iris, top, trim, bottom, stripe, shoe, sole, mark.
        wrinkles: Height of standing folds and of folds under compression, metres.
        face: Strength of eye shadow, of lashes, width of the brows, strength of the beard, gloss of the hair.
    """

    phenotype: Phenotype
    top: TopSpec
    bottom: BottomSpec
    hair: HairSpec
    colours: Mapping[str, Colour]
    wrinkles: tuple[float, float] = (0.012, 0.02)
    face: tuple[float, float, float, float, float] = (0.25, 0.6, 3.0, 0.0, 1.0)


PERSON_A = PersonSpec(
    Phenotype(0.02, 0.62, 0.62, 0.42, 0.455, 0.75, (1.0, 0.0, 0.0), 0.4, 0.5),
    TopSpec(-0.035, 0.62, 0.021, 0.034, 0.020, pattern=1, stripe=0.075, neck=0.012),
    BottomSpec(0.06, 1.93, 0.012, 0.022, smooth=12, pattern=0),
    HairSpec(length=0.010, volume=0.003, droop=0.1),
    {
        "skin": (128, 84, 60),
        "lips": (118, 66, 58),
        "hair": (26, 20, 18),
        "iris": (50, 30, 18),
        "top": (238, 232, 220),
        "trim": (178, 34, 40),
        "bottom": (38, 52, 84),
        "stripe": (92, 112, 150),
        "shoe": (232, 232, 230),
        "sole": (245, 245, 245),
        "mark": (30, 30, 34),
    },
    wrinkles=(0.015, 0.040),
    face=(0.25, 0.65, 3.2, 0.45, 0.5),
)
"""The benchmark's source: a man of 1.87 m in a striped shirt and jeans."""

PERSON_B = PersonSpec(
    Phenotype(0.98, 0.55, 0.50, 0.46, 0.44, 0.75, (0.0, 0.25, 0.75), 0.45, 0.7),
    TopSpec(
        *(0.01, 0.36, 0.013, 0.036, 0.014),
        pattern=2,
        front="wave",
        back="text:07",
        neck=0.02,
        print_size=0.23,
        print_height=0.60,
    ),
    BottomSpec(0.07, 1.84, 0.008, 0.010, smooth=8, pattern=1),
    HairSpec(length=0.014, volume=0.008, droop=0.8, blobs=(Blob((0, 0.30, 0.50), (0.20, 0.20, 0.19)),)),
    {
        "skin": (226, 178, 150),
        "lips": (190, 84, 84),
        "hair": (112, 62, 32),
        "iris": (62, 92, 96),
        "top": (22, 132, 138),
        "trim": (238, 238, 232),
        "bottom": (34, 34, 42),
        "stripe": (240, 118, 66),
        "shoe": (236, 96, 128),
        "sole": (250, 250, 250),
        "mark": (250, 246, 240),
    },
    wrinkles=(0.011, 0.030),
    face=(0.30, 0.85, 2.2, 0.0, 1.0),
)
"""The benchmark's target: a woman of 1.55 m in a raglan shirt and sportswear."""
