"""Confidence intervals of means over time: neighbouring frames are alike, so whole blocks are resampled.

The circular block bootstrap of Politis and Romano, "A circular block-resampling procedure for stationary data"
(1992): blocks of consecutive frames, drawn with replacement from the clip closed to a ring, so that every frame
is as likely as any other. Kuensch's moving blocks (1989) are the same without the ring. Resampling single frames
would give intervals that are several times too narrow: errors hang together for about a second.

Percentiles of the resampled means promise too much where a clip holds few blocks (12 of a 300-frame clip): their
spread is that of n blocks about their own mean, and normal. As with Student's t for n single values, both ends are
moved away from the mean, by sqrt(n / (n - 1)) and the ratio of t's quantile (n - 1 degrees of freedom) to the
normal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_CHUNK = 2**22  # numbers held at once


@dataclass(frozen=True)
class Interval:
    """A mean and where it lies with the level's probability; NaN where nothing was measured.

    Attributes:
        mean: Over the frames that were measured.
        low: Lower end.
        high: Upper end.
        frames: How many were measured.
    """

    mean: float
    low: float
    high: float
    frames: int


def block_bootstrap(
    values: NDArray[np.floating], *, block: int, samples: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The mean over time with its interval: percentiles of the resampled means, widened for few blocks.

    Two series that are resampled with the same seed, length and block meet the same frames: the interval of
    a difference is that of `values_a - values_b`.

    Args:
        values: (T,) one number a frame, NaN where there was nothing to measure.
        block: Frames of a block; cut to T.
        samples: Resampled clips.
        level: Of the interval.
        seed: Of the draws.

    Returns:
        The interval; its ends are NaN where there are fewer than 3 blocks to draw from, for then there is
        nothing to tell how far the mean could be off.

    Raises:
        ValueError: `values` is not one-dimensional or `block` not positive.
    """
    series = np.asarray(values, np.float64)
    if series.ndim != 1 or block < 1:
        raise ValueError(f"expected (T,) values and a positive block, got {series.shape} and {block}")
    known = np.isfinite(series)
    count = int(known.sum())
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(series[known].mean())
    if len(series) < 3 * block:
        return Interval(mean, float("nan"), float("nan"), count)
    means = _resampled_means(np.where(known, series, 0.0), known.astype(np.float64), block, samples, seed)
    tail = (1 - level) / 2
    low, high = mean + (np.nanquantile(means, [tail, 1 - tail]) - mean) * _widening(len(series) / block, tail)
    return Interval(mean, float(low), float(high), count)


def _widening(blocks: float, tail: float) -> float:
    """How much further from the mean the ends lie for so few blocks."""
    student = stats.t.isf(tail, blocks - 1) / stats.norm.isf(tail)
    return float(student * np.sqrt(blocks / (blocks - 1)))


def _resampled_means(
    values: NDArray[np.float64], known: NDArray[np.float64], block: int, samples: int, seed: int
) -> NDArray[np.float64]:
    """(samples,) means of clips put together from blocks; a clip without any known frame is NaN."""
    frames = len(values)
    whole, rest = divmod(frames, block)
    rng = np.random.default_rng(seed)
    sums = [_ring_sums(series, block) for series in (values, known)]
    ends = [_ring_sums(series, rest) for series in (values, known)]
    result = np.empty(samples)
    step = max(1, _CHUNK // (whole + 1))
    for first in range(0, samples, step):
        starts = rng.integers(0, frames, (min(step, samples - first), whole + 1))
        total, weight = (
            part[starts[:, :-1]].sum(1) + end[starts[:, -1]] for part, end in zip(sums, ends, strict=True)
        )
        with np.errstate(invalid="ignore"):
            result[first : first + step] = np.where(weight > 0.5, total / np.maximum(weight, 1), np.nan)
    return result


def _ring_sums(series: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """(T,) the sum of `length` values from each place on, the series closed to a ring."""
    ring = np.concatenate([[0.0], np.cumsum(np.concatenate([series, series[: max(length - 1, 0)]]))])
    return np.asarray(ring[length : length + len(series)] - ring[: len(series)])
