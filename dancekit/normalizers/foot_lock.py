"""Planted feet are put where the floor says, and stay there: the whole foot, then the part of it that stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from dancekit.normalizers.body import Joints
from dancekit.normalizers.floor import Floor
from dancekit.normalizers.ground import Feet, find_feet, stretches, typical_step
from dancekit.normalizers.tree import Array

STANDS = 0.5
"""A foot that is planted more than this is held."""

STEADY = 0.35
"""Seconds (standard deviation) over which a held joint's place is averaged: it does not follow jitter."""

TREMBLING = 0.25
"""As `ground.STILL`, of toes and heels: detectors place them less steadily than ankles."""

TOES = ("big_toe", "foot_index", "small_toe")
"""What a foot stands on while its heel rises; the first that a skeleton has."""


@dataclass(frozen=True, eq=False)
class _Contact:
    """A joint of a foot where it stands.

    Attributes:
        joint: Its index in the tree.
        stands: (T,).
        place: (T, 2) where the target's floor has it, pixels; whatever where it does not stand.
    """

    joint: int
    stands: NDArray[np.bool_]
    place: Array


def hold_feet(out: Array, joints: Joints, feet: Feet, floor: Floor, lock: float) -> None:
    """Hold planted feet (in place): a foot moves as a whole, the knee goes half of the way.

    A foot stands where the floor has its ankle. It is held by its toes, where the skeleton has them: they stay
    while the heel rises before a step, and the ankle turns about them as it did in the source. Between two
    stands the move goes over from one to the next, so that no foot is ever let go with a jerk. Last, what
    stands of ankle, toes and heel is steadied, so that a standing foot does not tremble.

    Args:
        out: (T, N, 2) the retargeted joints, pixels of the target.
        joints: The source's.
        feet: The source's, by its ankles.
        floor: From one picture to the other.
        lock: How firmly, 0 to 1.
    """
    names, time = joints.tree.names, joints.time
    soles = [part for part in (*TOES, "heel") if f"left_{part}" in names and f"right_{part}" in names]
    planted = {part: _planted(joints, part, floor) for part in soles}
    for number, side in enumerate(("left", "right")):
        ankle = _contact(f"{side}_ankle", feet.planted[:, number], joints, floor)
        parts = {part: _contact(f"{side}_{part}", planted[part][:, number], joints, floor) for part in soles}
        toes = next((parts[part] for part in TOES if part in parts), None)
        move = _foot(ankle, toes, out)
        if not _between(move, time):
            continue
        foot, knee = [ankle.joint, *(part.joint for part in parts.values())], names.index(f"{side}_knee")
        out[:, foot] += lock * move[:, None]
        out[:, knee] += lock * move / 2
        if toes is not None:
            for contact in (ankle, *parts.values()):
                rest = _steadied(out[:, contact.joint], contact.stands, time) - out[:, contact.joint]
                out[:, contact.joint] += lock * rest
                if contact is ankle:
                    out[:, knee] += lock * rest / 2


def _foot(ankle: _Contact, toes: _Contact | None, out: Array) -> Array:
    """(T, 2) by how much a foot must move to be where it stands; NaN where it does not.

    The ankle says where on the floor the foot is; the toes say how it stays there.
    """
    move = np.where(ankle.stands[:, None], ankle.place - out[:, ankle.joint], np.nan)
    if toes is None:
        return move
    away = toes.place - out[:, toes.joint]
    for start, stop in stretches(toes.stands):
        part = slice(start, stop)
        both = ankle.stands[part]
        # toes lie beside the ankle's line of the floor: that much is theirs to keep
        beside = (move[part] - away[part])[both].mean(0) if both.any() else -away[part].mean(0)
        move[part] = away[part] + beside
    return move


def _steadied(path: Array, stands: NDArray[np.bool_], time: Array) -> Array:
    """(T, 2) a path averaged over time within each stretch of standing."""
    out, sigma = path.copy(), STEADY / typical_step(time)
    for start, stop in stretches(stands):
        out[start:stop] = gaussian_filter1d(path[start:stop], sigma, axis=0, mode="nearest")
    return out


def _between(move: Array, time: Array) -> bool:
    """Interpolate a move over time (in place); False if there is none."""
    known = np.isfinite(move[:, 0])
    if known.any():
        for axis in (0, 1):
            move[:, axis] = np.interp(time, time[known], move[known, axis])
    return bool(known.any())


def _planted(joints: Joints, part: str, floor: Floor) -> Array:
    """(T, 2) how much the left and the right one stands."""
    names = (f"left_{part}", f"right_{part}")
    size = floor.source.size
    return find_feet(joints.at(*names), joints.known(*names), size, joints.time, still=TREMBLING).planted


def _contact(name: str, planted: Array, joints: Joints, floor: Floor) -> _Contact:
    stands = planted > STANDS
    path = _steadied(joints.at(name)[:, 0], stands, joints.time)
    place, _ = floor.move(path[:, 0], path[:, 1])
    return _Contact(joints.tree.names.index(name), stands, place)
