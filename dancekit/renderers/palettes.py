"""What the sticks renderer draws, and in which colours. Part of every trained model.

Any change here changes the condition images: raise `Sticks.version` with it.

Limbs are named by their joints, so one table serves every skeleton; a limb is drawn where the skeleton has
both joints (a neck is made up from the shoulders where there is none, a mid-hip from the hips). The body's
own knuckles and mouth are drawn only where the skeleton has no hands or face that show them better. Colours are
RGB in [0, 1]. A left limb has more blue than red; its right counterpart is the same colour with red and blue
swapped; in the middle red equals blue. Thus a mirrored dancer is the mirrored picture with two channels
swapped, and a generator can tell the sides apart at every single pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

from dancekit.types import Skeleton
from dancekit.types.conversion import source_joints

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Limb:
    """One stroke: two joints by name, its colour, and its width in line widths."""

    start: str
    end: str
    colour: Colour
    width: float = 1.0


# left limbs, `{}` is the side: start, end, colour of the left one
_SIDED: tuple[tuple[str, str, Colour], ...] = (
    ("neck", "{}_shoulder", (0.30, 0.30, 1.00)),
    ("{}_shoulder", "{}_elbow", (0.00, 0.35, 1.00)),
    ("{}_elbow", "{}_wrist", (0.00, 0.85, 1.00)),
    ("{}_shoulder", "{}_hip", (0.35, 0.00, 0.65)),
    ("mid_hip", "{}_hip", (0.00, 0.10, 0.75)),
    ("{}_hip", "{}_knee", (0.00, 0.50, 0.60)),
    ("{}_knee", "{}_ankle", (0.00, 1.00, 0.55)),
    ("nose", "{}_eye", (0.55, 0.00, 1.00)),
    ("{}_eye", "{}_ear", (0.65, 0.40, 1.00)),
)

_FEET: tuple[tuple[str, str, Colour], ...] = (
    ("{}_ankle", "{}_heel", (0.30, 0.60, 0.90)),
    ("{}_heel", "{}_big_toe", (0.45, 0.75, 1.00)),
    ("{}_ankle", "{}_big_toe", (0.10, 0.70, 0.30)),
    ("{}_big_toe", "{}_small_toe", (0.50, 1.00, 0.80)),
    ("{}_ankle", "{}_small_toe", (0.30, 0.60, 0.90)),  # only where there is no heel
    ("{}_heel", "{}_foot_index", (0.45, 0.75, 1.00)),
    ("{}_ankle", "{}_foot_index", (0.10, 0.70, 0.30)),
)

_KNUCKLES: tuple[tuple[str, str, Colour], ...] = (
    ("{}_wrist", "{}_thumb", (0.20, 0.20, 0.70)),
    ("{}_wrist", "{}_index", (0.35, 0.65, 1.00)),
    ("{}_wrist", "{}_pinky", (0.00, 0.60, 0.85)),
    ("{}_index", "{}_pinky", (0.55, 0.85, 1.00)),
)

# thumb, index, middle, ring and little finger of the left hand
_FINGERS: tuple[Colour, ...] = (
    (0.20, 0.20, 0.70),
    (0.35, 0.65, 1.00),
    (0.55, 0.85, 1.00),
    (0.20, 0.90, 0.80),
    (0.00, 0.60, 0.85),
)

_MIDDLE: tuple[tuple[str, str, Colour], ...] = (
    ("neck", "nose", (1.00, 1.00, 1.00)),
    ("nose", "head_top", (0.60, 1.00, 0.60)),
)

_MOUTH: Colour = (0.80, 0.10, 0.80)
_PUPIL: Colour = (0.60, 0.90, 1.00)

# chains of the 68-point face: first, last, closed, colour where it is the subject's left
_FACE: tuple[tuple[int, int, bool, Colour], ...] = (
    (0, 16, False, (0.25, 0.25, 0.60)),  # jaw
    (17, 21, False, (0.20, 0.60, 0.80)),  # brows
    (22, 26, False, (0.20, 0.60, 0.80)),
    (27, 30, False, (0.90, 0.90, 0.90)),  # bridge of the nose: in the middle
    (31, 35, False, (0.50, 0.50, 0.80)),
    (36, 41, True, (0.40, 0.80, 1.00)),  # eyes
    (42, 47, True, (0.40, 0.80, 1.00)),
    (48, 59, True, (0.60, 0.10, 0.90)),  # lips
    (60, 67, True, (0.70, 0.40, 1.00)),
)

# numbers of the subject's right half of the face; those of neither half are in the middle
_FACE_RIGHT = frozenset(
    [*range(0, 8), *range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67]
)
_FACE_MIDDLE = frozenset([8, 27, 28, 29, 30, 33, 51, 57, 62, 66])

DOTS: dict[str | None, Colour] = {
    "left": (0.70, 0.90, 1.00),
    "right": (1.00, 0.90, 0.70),
    None: (1.00, 1.00, 1.00),
}
"""Colours of the joints, by side."""

DOTTED = ("nose", "neck", "shoulder", "elbow", "wrist", "mid_hip", "_hip", "knee", "ankle")
"""Joints with a dot; on the small limbs of head, hands and feet dots would hide the colours."""


def limbs(skeleton: Skeleton, *, hands: bool, face: bool) -> tuple[Limb, ...]:
    """The strokes for a skeleton.

    Args:
        skeleton: What the joints are.
        hands: Draw fingers, where there are any.
        face: Draw mouth and the 68 points of the face, where there are any.
    """
    table = [Limb(*limb) for limb in _MIDDLE]
    for side in ("left", "right"):
        knuckles = _KNUCKLES if hands and f"{side}_hand_0" not in skeleton else ()
        for start, end, colour in (*_SIDED, *_FEET, *knuckles):
            if end == "{}_small_toe" and start == "{}_ankle" and f"{side}_heel" in skeleton:
                continue
            table.append(Limb(start.format(side), end.format(side), on_side(colour, side)))
        if hands:
            table += _hand(side)
    if face:
        table += [] if "face_48" in skeleton else [Limb("left_mouth", "right_mouth", _MOUTH)]
        table += _face()
    return tuple(limb for limb in table if drawable(limb.start, skeleton) and drawable(limb.end, skeleton))


def channels_of(table: tuple[Limb, ...]) -> dict[str, tuple[Limb, ...]]:
    """The limbs of each channel, by its name: a limb alone, or all parts of a finger or of a line of the face."""
    found: dict[str, tuple[Limb, ...]] = {}
    for limb in table:
        name = f"{limb.start}-{limb.end}"
        side, _, number = limb.end.partition("_hand_")
        if number:
            name = f"{side}_finger_{(int(number) - 1) // 4}"
        elif limb.end.startswith("face_"):
            at = int(limb.start.removeprefix("face_"))
            name = next(f"face_{first}_{last}" for first, last, *_ in _FACE if first <= at <= last)
        found[name] = (*found.get(name, ()), limb)
    return found


def drawable(joint: str, skeleton: Skeleton) -> bool:
    """Whether the skeleton has this joint, or it is the neck or mid-hip and can be made up."""
    return joint in skeleton or (joint in ("neck", "mid_hip") and bool(source_joints(joint, skeleton)))


def on_side(colour: Colour, side: str | None) -> Colour:
    """The colour of a left limb's counterpart."""
    red, green, blue = colour
    return (blue, green, red) if side == "right" else colour


def _hand(side: str) -> list[Limb]:
    return [
        Limb(
            f"{side}_hand_{0 if joint == first else joint - 1}",
            f"{side}_hand_{joint}",
            on_side(_FINGERS[first // 4], side),
            0.5,
        )
        for first in (1, 5, 9, 13, 17)
        for joint in range(first, first + 4)
    ]


def _face() -> list[Limb]:
    table = []
    for first, last, closed, colour in _FACE:
        pairs = [(number, number + 1) for number in range(first, last)] + ([(last, first)] if closed else [])
        for start, end in pairs:
            right = start in _FACE_RIGHT or end in _FACE_RIGHT
            middle = start in _FACE_MIDDLE and end in _FACE_MIDDLE
            side = None if middle else "right" if right else "left"
            table.append(Limb(f"face_{start}", f"face_{end}", on_side(colour, side), 0.5))
    # a limb of no length is a dot
    return table + [
        Limb(pupil, pupil, on_side(_PUPIL, side))
        for side, pupil in (("left", "left_pupil"), ("right", "right_pupil"))
    ]
