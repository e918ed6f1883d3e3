"""Which clips of a target training looks at more often than others: those in rare poses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dancekit.data.coverage import MOST_COMPARED, distances, thinned
from dancekit.types import PoseSequence

if TYPE_CHECKING:
    from dancekit.data.training_set import TrainingSet

NEIGHBOURS = 0.02
"""Share of the clip's frames that count as a pose's neighbours: how far the last of them is says how rare it is."""

MOST_OFTEN = 4.0
"""A pose is drawn at most so many times as often as the usual one, and at least by that factor less often."""


def start_weights(
    data: TrainingSet, starts: NDArray[np.intp], length: int, rare: float
) -> NDArray[np.float64]:
    """How probable each start of a clip is.

    Args:
        data: The target's clip.
        starts: First frames that a clip may have.
        length: T of a clip; its middle frame is looked at.
        rare: 0 for all alike, 1 in proportion to `rarity`; between them the powers of it.

    Returns:
        (len(starts),) that sum to 1.
    """
    weights = np.ones(len(starts))
    for member, first in data.members():
        own = (starts >= first) & (starts < first + len(member))
        weights[own] = rarity(member.target[starts[own] - first + length // 2]) ** rare
    return np.asarray(weights / weights.sum())


def rarity(poses: PoseSequence) -> NDArray[np.float64]:
    """(T,) how far the poses around each pose are, as a multiple of what is usual, limited; 1 where it is not known.

    The distance to the k-th neighbour is the usual estimate of how dense a sample is (Loftsgaarden and Quesenberry
    1965); shapes are compared wherever in the picture they are, as `coverage.py` does.
    """
    among = poses[thinned(np.arange(len(poses)), MOST_COMPARED)]
    place = min(len(among) - 1, max(1, round(NEIGHBOURS * len(among))))
    apart = distances(among, poses)[0]
    far = np.partition(apart, place, axis=1)[:, place].astype(np.float64)
    known = np.isfinite(far)
    usual = np.median(far[known]) if known.any() else 0.0
    if not usual > 0:
        return np.ones(len(poses))
    return np.where(known, np.clip(far / usual, 1 / MOST_OFTEN, MOST_OFTEN), 1.0)
