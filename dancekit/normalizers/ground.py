"""The ground under a person: which foot stands, and how tall the person is at each row of the picture.

A pinhole camera that looks along the floor sees a person at depth Z with the size f H / Z, and their feet at
f e / Z below the horizon (e: height of the camera). So the size of a person who stands is a straight line in
the row of their feet: `size = slope * (row - horizon)`, whatever the lens, and `slope` is H / e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from dancekit.normalizers.tree import Array

STILL = 0.12
"""Speed in sizes a second at which a foot counts half as planted: a step is ten times as fast, jitter half."""

SETTLE = 0.08
"""Seconds over which the row of the ground is averaged (standard deviation)."""

LEAST_PLANTED = 1e-4
"""Weight of a foot that flies: it decides only where nothing else is known."""

SLOPE = (1.25, 0.5)
"""What a slope is before anything is seen: median, and standard deviation of its logarithm.

A person's size from ankle to nose over the camera's height above the ankle: 1.25 is a camera at the hips of an
adult or at the eyes of a child; one standard deviation covers cameras from knee to forehead."""

CORRELATED = 0.4
"""Seconds within which two frames count as one observation."""


@dataclass(frozen=True, eq=False)
class Feet:
    """The feet of a clip, in pixels.

    Attributes:
        xy: (T, 2, 2) left and right ankle, finite (what is not seen is interpolated).
        planted: (T, 2) how much each foot stands, 0 to 1.
        point: (T, 2) the foot that carries the body, or the weighted mean of both.
        row: (T,) row of the ground under the body: the rows of the planted feet, carried through jumps.
        trust: (T,) how much a foot stands at all.
    """

    xy: Array
    planted: Array
    point: Array
    row: Array
    trust: Array


@dataclass(frozen=True)
class Ground:
    """Size as a line over rows, about the middle of what was seen.

    Attributes:
        row: Median row of the planted feet, pixels.
        size: Size of the person there, pixels.
        slope: Change of size per pixel of row.
        x: Median column of the planted feet, pixels.
        low: The 1st percentile of the rows.
        high: The 99th percentile of the rows.
    """

    row: float
    size: float
    slope: float
    x: float
    low: float
    high: float

    def size_at(self, row: Array) -> Array:
        """Size at rows; the line ends where the size would be a third or three times that of the middle."""
        line = self.size + self.slope * (row - self.row)
        return np.clip(line, self.size / 3, 3 * self.size)

    def row_of(self, size: Array) -> Array:
        """The row at which a person has that size."""
        return self.row + (size - self.size) / self.slope


def find_feet(ankles: Array, size: float, time: Array, known: NDArray[np.bool_] | None = None) -> Feet:
    """Which foot stands when.

    A planted foot does not move; where both stand, both count. A foot in the air is told by its speed, so that
    a kick or a jump is not taken for a step away from the camera.

    Args:
        ankles: (T, 2, 2) left and right ankle, finite.
        size: Size of the person, pixels.
        time: (T,) seconds.
        known: (T, 2) where an ankle was really seen; None for everywhere.
    """
    frames = len(ankles)
    speed = np.zeros((frames, 2))
    step = float(np.median(np.diff(time))) if frames > 1 else 1.0
    if frames > 2:
        smooth = gaussian_filter1d(ankles, 0.04 / step, axis=0, mode="nearest")
        speed = np.linalg.norm(np.gradient(smooth, time, axis=0), axis=-1) / size
    planted = 1 / (1 + (speed / STILL) ** 4)
    if known is not None:
        planted = planted * np.where(known, 1.0, 0.1)
    # of two still feet a lifted one is the higher, by more than a step in depth makes
    lifted = (ankles[:, ::-1, 1] - ankles[..., 1]) / size
    planted = planted / (1 + (np.maximum(lifted, 0) / 0.12) ** 4)
    weight = np.maximum(planted, LEAST_PLANTED)
    sigma = SETTLE / step
    share = weight / weight.sum(1, keepdims=True)
    share = gaussian_filter1d(share, sigma / 2, axis=0, mode="nearest")
    point = (share[..., None] * ankles).sum(1)
    trust = weight.sum(1)
    row = smoothed((weight * ankles[..., 1]).sum(1) / trust, trust, sigma)
    return Feet(ankles, planted, point, row, np.minimum(trust, 1.0))


def smoothed(values: Array, weight: Array, sigma: float) -> Array:
    """Weighted Gaussian average over time; a hole is filled from as far as needed."""
    out = np.full(len(values), np.nan)
    while np.isnan(out).any():
        total = gaussian_filter1d(weight, sigma, mode="constant")
        mean = gaussian_filter1d(weight * values, sigma, mode="constant") / np.maximum(total, 1e-300)
        ready = np.isnan(out) & ((total > 0.05) | (sigma > len(values)))
        out[ready] = mean[ready]
        sigma *= 2
    return out


def fit_ground(feet: Feet, sizes: Array, weight: Array, rate: float) -> Ground:
    """The line through sizes over rows: weighted, robust (Huber), and held by what cameras are like.

    Args:
        feet: Of the clip.
        sizes: (T,) size of the person in each frame, pixels, NaN where unknown.
        weight: (T,) how sure each is.
        rate: Frames per second.
    """
    usable = np.isfinite(sizes) & (weight > 0)
    weight = np.where(usable, weight * feet.trust, 0.0)
    if not weight.sum() > 0:
        weight = usable.astype(np.float64)
    rows, sizes = feet.row, np.where(usable, sizes, 0.0)
    row = _median(rows, weight)
    middle, slope = _median(sizes, weight), SLOPE[0]
    observations = max(1.0, CORRELATED * rate)
    scale = 1.0
    for _ in range(12):
        rest = sizes - middle - slope * (rows - row)
        scale = max(1.4826 * _median(np.abs(rest), weight), 1e-3 * middle, 1e-9)
        robust = weight * np.minimum(1.0, 1.5 * scale / np.maximum(np.abs(rest), 1e-12))
        total = robust.sum()
        centre = (robust * rows).sum() / total
        level = (robust * sizes).sum() / total
        inertia = (robust * (rows - centre) ** 2).sum() / observations / scale**2
        product = (robust * (rows - centre) * (sizes - level)).sum() / observations / scale**2
        prior = 1 / (SLOPE[0] * SLOPE[1]) ** 2
        slope = (product + prior * SLOPE[0]) / (inertia + prior)
        slope = float(np.clip(slope, SLOPE[0] * np.exp(-3 * SLOPE[1]), SLOPE[0] * np.exp(3 * SLOPE[1])))
        middle = float(level + slope * (row - centre))
    spread = _quantiles(rows, weight, (0.01, 0.99))
    return Ground(row, middle, slope, _median(feet.point[:, 0], weight), *spread)


def _median(values: Array, weight: Array) -> float:
    return _quantiles(values, weight, (0.5,))[0]


def _quantiles(values: Array, weight: Array, parts: tuple[float, ...]) -> list[float]:
    return [quantile(values, weight, part) for part in parts]


def quantile(values: Array, weight: Array, part: float) -> float:
    """The value below which that part of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    place = int(np.searchsorted(total, part * total[-1]))
    return float(values[order[min(place, len(values) - 1)]])
