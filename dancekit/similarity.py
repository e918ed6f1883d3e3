"""How one set of joints lies upon another: the least-squares similarity between them.

Below the roles, as `boxes.py`: the bank of references chooses heads and arms by it, a reference puts them on by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Similarity(NamedTuple):
    """The similarities, x + iy, that bring N sets of joints onto one: `z * turn + shift`; NaN where there is none.

    Attributes:
        turn: (..., N) complex: rotation and scale.
        shift: (..., N) complex, pixels.
        left: (..., N) what the joints differ by, root mean square, pixels.
        common: (..., N) share of the joints seen in either that are seen in both.
    """

    turn: NDArray[np.complex128]
    shift: NDArray[np.complex128]
    left: NDArray[np.float64]
    common: NDArray[np.float64]


def fit_similarity(
    there: tuple[NDArray[np.float32], NDArray[np.float32]],
    wanted: tuple[NDArray[np.float32], NDArray[np.float32]],
    joints: list[int],
    *,
    fewest: int,
) -> Similarity:
    """Least squares over the joints that both have, without mirroring (Umeyama 1991, in the plane).

    Args:
        there: (N, K, 2) pixels and (N, K) scores: what is to be moved.
        wanted: (..., K, 2) and (..., K): where to.
        joints: Which of the K joints.
        fewest: So many must both have; 2 or more.
    """
    z, seen = joint_points(*there, joints)
    w, sought = joint_points(*wanted, joints)
    w, sought = w[..., None, :], sought[..., None, :]
    both = seen & sought
    count = both.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle, goal = (np.where(both, each, 0).sum(-1) / count for each in (z, w))
        z, w = np.where(both, z - middle[..., None], 0), np.where(both, w - goal[..., None], 0)
        turn = (np.conj(z) * w).sum(-1) / np.square(np.abs(z)).sum(-1)
        turn = np.where((count >= fewest) & np.isfinite(turn) & (np.abs(turn) > 0), turn, np.nan)
        left = np.sqrt(np.square(np.abs(turn[..., None] * z - w)).sum(-1) / count)
        common = count / (seen | sought).sum(-1)
    return Similarity(turn, goal - turn * middle, left, common)


def joint_points(
    xy: NDArray[np.float32], score: NDArray[np.float32], joints: list[int]
) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """(..., J) x + iy, 0 where missing, and whether it is there."""
    chosen = xy[..., joints, :].astype(np.float64)
    seen = (score[..., joints] > 0) & np.isfinite(chosen).all(-1)
    return np.where(seen, chosen[..., 0] + 1j * chosen[..., 1], 0), seen


def joint_middle(
    xy: NDArray[np.float32], score: NDArray[np.float32], joints: list[int]
) -> NDArray[np.complex128]:
    """(...,) of the joints that are there; NaN where none is."""
    points, seen = joint_points(xy, score, joints)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(points.sum(-1) / np.where(seen.any(-1), seen.sum(-1), np.nan))
