"""The ground under a person: which foot stands, and how tall the person is at each row of the picture.

A pinhole camera that looks along the floor sees a person at depth Z with the size f H / Z, and their feet at
f e / Z below the horizon (e: height of the camera). So the size of a person who stands is a straight line in
the row of their feet, `size = slope * (row - horizon)`, whatever the lens, and `slope` is H / e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, grey_opening

from dancekit.normalizers.tree import Array

STILL = 0.2
"""Speed in sizes a second at which a foot counts half as planted: a step is six times as fast, jitter a third."""

LIFTED = 0.12
"""How much higher than the other a still foot is, in sizes, when it counts half: more than a step in depth."""

BRIEF = 0.16
"""Seconds: a foot that is still for less is not planted."""

SETTLE = 0.08
"""Seconds (standard deviation) over which the row of the ground is averaged."""

HANDOVER = 0.04
"""Seconds (standard deviation) within which the body's weight goes from one foot to the other."""

LEAST_PLANTED = 1e-4
"""Weight of a foot that flies: it decides only where nothing else is known."""

SLOPE = (1.25, 0.5)
"""A slope before anything is seen: median, and standard deviation of its logarithm.

It is a person's size from ankle to nose over the camera's height above the ankle: 1.25 is a camera at the hips
to the chest of an adult; two standard deviations reach from the ankle to well above the head."""

CORRELATED = 0.4
"""Seconds within which frames count as one observation."""

FARTHEST = 3.0
"""Nobody is so many times as large or small as in the middle of a clip: the line ends there."""


@dataclass(frozen=True, eq=False)
class Feet:
    """What carries the body in each frame, pixels.

    Attributes:
        xy: (T, 2, 2) left and right ankle, finite; what is not seen is interpolated.
        planted: (T, 2) how much each stands, 0 to 1.
        share: (T, 2) how much of the body each carries; sums to 1.
        point: (T, 2) what carries the body: an ankle, or the mean of both by their share.
        row: (T,) row of the ground under the body: that of the planted feet, carried on through jumps.
        trust: (T,) whether anything stands at all, 0 to 1.
    """

    xy: Array
    planted: Array
    share: Array
    point: Array
    row: Array
    trust: Array


@dataclass(frozen=True)
class Ground:
    """A person's size as a line over rows, through the middle of what was seen.

    Attributes:
        row: Median row of the ground, pixels.
        size: Size of the person there, pixels.
        slope: Change of size per pixel of row.
        x: Median column of what carries the body, pixels.
        low: The 1st percentile of the rows.
        high: The 99th.
    """

    row: float
    size: float
    slope: float
    x: float
    low: float
    high: float

    def size_at(self, row: Array) -> Array:
        """Size at rows, pixels."""
        line = self.size + self.slope * (row - self.row)
        return np.clip(line, self.size / FARTHEST, self.size * FARTHEST)

    def row_of(self, size: Array) -> Array:
        """The row at which the person has that size."""
        return self.row + (size - self.size) / self.slope


def find_feet(
    ankles: Array, known: NDArray[np.bool_], size: float, time: Array, *, still: float = STILL
) -> Feet:
    """Which foot stands when: the one that does not move; where both do not, both.

    A foot in the air is told by its speed, so that a kick or a jump is not taken for a step in depth.

    Args:
        ankles: (T, 2, 2) left and right ankle, finite.
        known: (T, 2) where they were really seen.
        size: Size of the person, pixels.
        time: (T,) seconds.
        still: Sizes a second at which a foot counts half as planted.
    """
    step = typical_step(time)
    speed = np.zeros(known.shape)
    if len(time) > 1:
        smooth = gaussian_filter1d(ankles, HANDOVER / step, axis=0, mode="nearest")
        speed = np.linalg.norm(np.gradient(smooth, time, axis=0), axis=-1) / size
    higher = (ankles[:, ::-1, 1] - ankles[..., 1]) / size
    planted = 1 / (1 + (speed / still) ** 4) / (1 + (np.maximum(higher, 0) / LIFTED) ** 4)
    # at the top of a jump feet are still for a moment: a stand lasts longer
    planted = grey_opening(planted, size=(2 * round(BRIEF / step / 2) + 1, 1), mode="nearest")
    planted = planted * np.where(known, 1.0, 0.1)
    weight = np.maximum(planted, LEAST_PLANTED)
    trust = weight.sum(1)
    row = smoothed((weight * ankles[..., 1]).sum(1) / trust, trust, SETTLE / step)
    share = gaussian_filter1d(weight / trust[:, None], HANDOVER / step, axis=0, mode="nearest")
    point = (share[..., None] * ankles).sum(1)
    return Feet(ankles, planted, share, point, row, np.minimum(trust, 1.0))


def carried_by(points: Array, known: NDArray[np.bool_]) -> Feet:
    """The same where no feet are seen: one point (T, 2) of the body stands for both, and nothing is planted."""
    both = np.repeat(points[:, None], 2, 1)
    half = np.full((len(points), 2), 0.5)
    return Feet(both, 0 * half, half, points, points[:, 1], known.astype(np.float64))


def typical_step(time: Array) -> float:
    """Seconds from a frame to the next, 1 for a single frame."""
    return float(np.median(np.diff(time))) if len(time) > 1 else 1.0


def stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of True in (T,) as half-open (start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def smoothed(values: Array, weight: Array, sigma: float) -> Array:
    """Weighted Gaussian average over time, (T,); where nothing near counts, as wide as it must be."""
    out = np.full(len(values), np.nan)
    while np.isnan(out).any():
        total = gaussian_filter1d(weight, sigma, mode="constant")
        mean = gaussian_filter1d(weight * values, sigma, mode="constant") / np.maximum(total, 1e-300)
        ready = np.isnan(out) & ((total > 0.05) | (sigma > len(values)))
        out[ready] = mean[ready]
        sigma *= 2
    return out


def fit_ground(feet: Feet, sizes: Array, weight: Array, rate: float) -> Ground:
    """The line through sizes over rows: weighted, robust (Huber, 1.5), and held by what cameras are like.

    The prior counts as much as the observations leave open: a clip in which nobody moves in depth keeps it, a
    walk overrules it.

    Args:
        feet: Of the clip.
        sizes: (T,) the person's size in each frame, pixels, NaN where unknown.
        weight: (T,) how sure each is.
        rate: Frames per second.
    """
    usable = np.isfinite(sizes) & (weight > 0)
    sizes, weight = np.where(usable, sizes, 0.0), np.where(usable, weight, 0.0)
    if (weight * feet.trust).any():
        weight = weight * feet.trust
    row, middle, slope = quantile(feet.row, weight, 0.5), quantile(sizes, weight, 0.5), SLOPE[0]
    observations = max(1.0, CORRELATED * rate)
    prior = (SLOPE[0] * SLOPE[1]) ** -2
    for _ in range(12):
        rest = np.abs(sizes - middle - slope * (feet.row - row))
        scale = max(1.4826 * quantile(rest, weight, 0.5), 1e-3 * middle)
        robust = weight * np.minimum(1.0, 1.5 * scale / np.maximum(rest, 1e-9))
        centre, level = ((robust * values).sum() / robust.sum() for values in (feet.row, sizes))
        inertia, product = (
            (robust * (feet.row - centre) * (values - mean)).sum() / observations / scale**2
            for values, mean in ((feet.row, centre), (sizes, level))
        )
        slope = (product + prior * SLOPE[0]) / (inertia + prior)
        slope = float(np.clip(slope, SLOPE[0] * np.exp(-3 * SLOPE[1]), SLOPE[0] * np.exp(3 * SLOPE[1])))
        middle = float(level + slope * (row - centre))
    low, high = (quantile(feet.row, weight, part) for part in (0.01, 0.99))
    return Ground(row, middle, slope, quantile(feet.point[:, 0], weight, 0.5), low, high)


def quantile(values: Array, weight: Array, part: float) -> float:
    """The value below which that part of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    place = int(np.searchsorted(total, part * total[-1]))
    return float(values[order[min(place, len(values) - 1)]])
