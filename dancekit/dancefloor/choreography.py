"""Seeded motions: dances of any length, walks, rests, and what two people do who cross."""

from __future__ import annotations

import numpy as np

from dancekit.dancefloor.dance import dance
from dancekit.dancefloor.expression import with_face
from dancekit.dancefloor.joints import FPS
from dancekit.dancefloor.motion import Motion, join
from dancekit.dancefloor.walk import rest, straight_line, walk, walk_u_turn

KINDS = ("dance", "walk", "rest", "mixed")

BLEND = 10
"""Frames between two parts."""

RANGE_X, RANGE_Y = 0.45, 0.30
"""How far a dance goes from the middle, leg lengths: to the side, and in depth."""


def choreograph(kind: str, frames: int, seed: int) -> Motion:
    """A motion of a kind, with its face.

    Args:
        kind: One of `KINDS`; mixed is dancing, walking and standing by turns.
        frames: Its length at 25 frames a second.
        seed: The same seed gives the same motion.
    """
    rng = np.random.default_rng([seed, 1])
    makers = {"dance": _dances, "walk": _walks, "rest": _rests, "mixed": _mixed}
    return with_face(makers[kind](frames, rng)[:frames], int(rng.integers(2**31)))


def _joined(parts: list[Motion], frames: int) -> bool:
    """Whether the parts, joined, are long enough."""
    return sum(len(part) for part in parts) + BLEND * (len(parts) - 1) >= frames


def _some_dance(rng: np.random.Generator, seconds: float, range_x: float = RANGE_X) -> Motion:
    return dance(
        seconds,
        bpm=float(rng.uniform(92, 128)),
        seed=int(rng.integers(2**31)),
        range_x=range_x,
        range_y=RANGE_Y if range_x == RANGE_X else 0.10,
        energy=float(rng.uniform(0.85, 1.2)),
        depth=float(rng.uniform(0.12, 0.28)) if range_x == RANGE_X else 0.05,
    )


def _dances(frames: int, rng: np.random.Generator) -> Motion:
    parts: list[Motion] = []
    while not _joined(parts, frames):
        parts.append(_some_dance(rng, max(3.0, min(float(rng.uniform(8, 14)), frames / FPS + 0.2))))
    return join(parts, BLEND)


def _walks(frames: int, rng: np.random.Generator) -> Motion:
    parts: list[Motion] = []
    while not _joined(parts, frames):
        parts.append(walk_u_turn(max(4.0, min(5.0, frames / FPS)), near=-0.9, far=0.55))
    return join(parts, BLEND)


def _rests(frames: int, rng: np.random.Generator) -> Motion:
    return rest(frames / FPS + 0.1, seed=int(rng.integers(2**31)))


def _mixed(frames: int, rng: np.random.Generator) -> Motion:
    parts: list[Motion] = []
    while not _joined(parts, frames):
        parts.append(_some_dance(rng, float(rng.uniform(4, 9))))
        other = rng.random()
        if other < 0.45:
            parts.append(rest(float(rng.uniform(0.8, 2.0)), seed=int(rng.integers(2**31))))
        elif other < 0.8:
            parts.append(walk_u_turn(float(rng.uniform(4.0, 5.2)), near=-0.9, far=0.55))
    return join(parts, BLEND)


def crossing(frames: int, seed: int, *, side: int, half_width: float, y: float) -> Motion:
    """Dance on one side, walk past the other person to the other side, dance there, and so on.

    Two people with opposite `side`, different `y` and any seeds change places at the same time.

    Args:
        frames: Length.
        seed: Of the dances.
        side: 1 to begin on the right of the picture, -1 on the left.
        half_width: From the middle to the places where they dance, leg lengths.
        y: Depth of their track, leg lengths; below 0 nearer to the camera.
    """
    rng = np.random.default_rng([seed, 2])
    parts: list[Motion] = []
    while not _joined(parts, frames):
        here = (side * half_width, y)
        parts.append(_some_dance(rng, 2.0, range_x=0.12).turned(0.0, to=here))
        path, length = straight_line(here, (-here[0], y))
        parts.append(walk(max(1.2, length / 1.1), path, length))
        side = -side
    return with_face(join(parts, BLEND)[:frames], int(rng.integers(2**31)))
