"""What filters did to a clip: jitter removed, lag added, accents lost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.filters.outliers import extent
from dancekit.types import PoseSequence

LONGEST_LAG = 0.4
"""Seconds in both directions in which a lag is looked for."""

ACCENT = 0.98
"""Speeds beyond this part of all are accents: the hits of the dance."""


@dataclass(frozen=True)
class FilterReport:
    """Before and after.

    Attributes:
        jitter_before: Median second difference of the joints, as a part of the person's extent.
        jitter_after: The same afterwards.
        lag: Seconds by which the result comes late.
        accents_lost: Part of the fastest speeds (the joints' top 2 %) that is gone: 0.1 means 10 % slower.
        filled: Joints that were missing and are there, as a part of all.
        rejected: Joints that were there and are missing.
        longest_gap: Seconds for which a joint is missing between two appearances, at most; afterwards.
    """

    jitter_before: float
    jitter_after: float
    lag: float
    accents_lost: float
    filled: float
    rejected: float
    longest_gap: float

    @property
    def jitter_removed(self) -> float:
        """The part of the jitter that is gone."""
        return 1 - self.jitter_after / self.jitter_before if self.jitter_before > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data, rounded."""
        values = asdict(self) | {"jitter_removed": self.jitter_removed}
        return {key: round(value, 5) for key, value in values.items()}

    def __str__(self) -> str:
        return (
            f"jitter {100 * self.jitter_before:.2f} to {100 * self.jitter_after:.2f} % of the body a frame², "
            f"lag {1000 * self.lag:.0f} ms, accents {100 * self.accents_lost:.1f} % slower, "
            f"joints filled {100 * self.filled:.1f} %, rejected {100 * self.rejected:.1f} %, "
            f"longest gap {self.longest_gap:.2f} s"
        )


def compare_filtered(before: PoseSequence, after: PoseSequence, part: str | None = None) -> FilterReport:
    """Measure what filters did.

    Args:
        before: The poses as they were found.
        after: The same frames and joints, filtered.
        part: A part of the skeleton; None for all joints. Sizes are those of the whole person.

    Raises:
        ValueError: The two have not the same frames and joints.
    """
    if before.xy.shape != after.xy.shape:
        raise ValueError(f"shapes do not agree: {before.xy.shape} before, {after.xy.shape} after")
    size = extent(before) or 1.0
    joints = list(range(len(before.skeleton)) if part is None else before.skeleton.parts[part])
    raw, new = (poses.xy[:, joints].astype(np.float64) / size for poses in (before, after))
    was, there = before.valid[:, joints], after.valid[:, joints]
    both = was & there
    speed = [_speeds(xy, both) for xy in (raw, new)]
    return FilterReport(
        jitter_before=_jitter(raw, both),
        jitter_after=_jitter(new, both),
        lag=_lag(raw, new, both, before.rate),
        accents_lost=_lost(*speed),
        filled=float((there & ~was).mean()) if both.size else 0.0,
        rejected=float((was & ~there).mean()) if both.size else 0.0,
        longest_gap=_longest_gap(there, after.seconds),
    )


def compare_parts(before: PoseSequence, after: PoseSequence) -> dict[str, FilterReport]:
    """`compare_filtered` of every part of which joints are seen; nothing where the body is all there is."""
    parts = [
        part
        for part, joints in before.skeleton.parts.items()
        if len(joints) and before.valid[:, joints].any()
    ]
    return {part: compare_filtered(before, after, part) for part in parts} if len(parts) > 1 else {}


def _longest_gap(there: NDArray[np.bool_], seconds: NDArray[np.float64]) -> float:
    """From the last frame before a gap to the first after it."""
    longest = 0.0
    for joint in there.T:
        seen = np.flatnonzero(joint)
        gaps = np.diff(seen) > 1
        if gaps.any():
            longest = max(longest, float(np.diff(seconds[seen])[gaps].max()))
    return longest


def _jitter(xy: NDArray[np.float64], valid: NDArray[np.bool_]) -> float:
    """Median length of second differences where three frames in a row are there."""
    there = valid[2:] & valid[1:-1] & valid[:-2]
    second = np.linalg.norm(xy[2:] - 2 * xy[1:-1] + xy[:-2], axis=-1)[there]
    return float(np.median(second)) if second.size else 0.0


def _speeds(xy: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Speeds over two frames, which jitter hardly changes."""
    there = valid[2:] & valid[:-2] & valid[1:-1]
    return np.asarray(np.linalg.norm(xy[2:] - xy[:-2], axis=-1)[there])


def _lost(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    if not before.size or not (top := float(np.quantile(before, ACCENT))) > 0:
        return 0.0
    fastest = before >= top
    return float(1 - after[fastest].mean() / before[fastest].mean())


def _lag(
    before: NDArray[np.float64], after: NDArray[np.float64], valid: NDArray[np.bool_], rate: float
) -> float:
    """The shift, to a part of a frame, at which the result is nearest to what it was."""
    if rate <= 0 or len(before) < 8:
        return 0.0
    reach = min(int(LONGEST_LAG * rate), len(before) // 4)
    shifts = list(range(-reach, reach + 1))
    costs = []
    for shift in shifts:
        late, early = max(shift, 0), max(-shift, 0)
        length = len(before) - abs(shift)
        there = valid[late : late + length] & valid[early : early + length]
        gap = ((after[late : late + length] - before[early : early + length]) ** 2).sum(-1)[there]
        costs.append(float(gap.mean()) if gap.size else np.inf)
    best = int(np.argmin(costs))
    if not 0 < best < len(shifts) - 1:
        return float(shifts[best] / rate)
    low, middle, high = costs[best - 1 : best + 2]
    curve = low - 2 * middle + high
    part = 0.5 * (low - high) / curve if np.isfinite(curve) and curve > 0 else 0.0
    return float((shifts[best] + part) / rate)
