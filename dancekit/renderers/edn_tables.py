"""Limbs, colours and dots of Everybody Dance Now's stick figure. Part of every model trained on its labels.

Facts of the published labels, RGB in 0..255 (the original keeps them as BGR and swaps on saving), as noted in
`../shared/reference/edn.md` 1.3. Any change here changes the condition images: raise `EDNSticks.version`.
Indices are those of the body layout; limbs come from `dancekit.types.get_skeleton(layout).edges`, in order.
"""

from __future__ import annotations

Colour = tuple[float, float, float]


def _rgb(table: str) -> tuple[Colour, ...]:
    """`"b,g,r b,g,r"` as RGB triples."""
    triples = (tuple(float(value) for value in entry.split(",")) for entry in table.split())
    return tuple((red, green, blue) for blue, green, red in triples)


BODY_COLOURS: dict[str, tuple[Colour, ...]] = {
    "body_18": _rgb(
        "255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 0,255,85 0,255,170 0,255,255 "
        "0,170,255 0,85,255 0,0,255 85,0,255 170,0,255 255,0,255 255,0,170 255,0,85"
    ),
    "body_23": _rgb(
        "255,0,0 255,55,0 255,110,0 255,165,0 255,215,0 255,235,0 255,255,0 255,0,0 175,255,0 85,255,0 "
        "0,255,0 0,255,85 0,255,170 25,25,128 0,85,255 0,170,255 0,212.5,255 0,255,255 255,0,0 255,0,255 "
        "238,130,238 138,43,226 75,0,130"
    ),
    "body_25": _rgb(
        "255,0,85 255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 255,0,0 0,255,85 "
        "0,255,170 0,255,255 0,170,255 0,85,255 0,0,255 255,0,170 170,0,255 255,0,255 85,0,255 "
        "0,0,255 0,0,255 0,0,255 0,255,255 0,255,255 0,255,255"
    ),
}
"""A joint's colour by layout; a limb has that of its first joint."""

HAND_COLOURS = _rgb(
    "230,53,40 231,115,64 233,136,31 213,160,13 217,200,19 170,210,35 139,228,48 83,214,45 77,192,46 "
    "83,213,133 82,223,190 80,184,197 78,140,189 86,112,208 83,73,217 123,46,183 189,102,255 218,83,232 "
    "229,65,189 236,61,141 255,102,145"
)
"""A hand joint's colour; a limb has that of its second joint."""

HAND_LIMBS = tuple(
    pair
    for first in (1, 5, 9, 13, 17)
    for pair in (*((joint, joint + 1) for joint in range(first, first + 3)), (0, first))
)
"""Along each finger, then wrist to finger."""

FACE_DOTS: dict[int, tuple[int, ...]] = {
    0: (),
    8: (27, 30, 8, 0, 16, 33, 68, 69),
    9: (27, 30, 8, 0, 16, 33, 68, 69, 62),
    22: (27, 30, 8, 0, 16, 31, 33, 35, 68, 69, 36, 39, 42, 45, 17, 21, 22, 26, 48, 51, 54, 57),
    70: tuple(range(70)),
}
"""Which of the 70 face points are drawn, by how many."""

FACE_CONFIDENCE = 0.2
"""Below this mean over all 70 points no face is drawn."""

HAND_CONFIDENCE = 0.05
"""A hand joint is drawn above this."""

BODY_DOT, FACE_DOT, DENSE_FACE_DOT, HAND_DOT = 8, 4, 2, 3
"""Radii, canvas pixels; the dense one is that of all 70 face points."""

BODY_HALF_WIDTH, HAND_HALF_WIDTH = 4, 2
"""Half-widths of limbs, canvas pixels."""

OPACITY = 0.6
"""Of a limb over what was there."""
