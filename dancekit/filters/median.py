"""The confidence-aware running median of Everybody Dance Now."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field

from dancekit.errors import UsageError
from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence

Array = NDArray[np.float64]


class Median:
    """Replaces each joint by its median over the frames around, where most of those have it.

    Per joint, x, y and score each become their median over the window. Frames that lack the joint count with
    score 0: where the median score is 0 the joint is dropped (a wrong detection that flickers up); else the
    median is taken over the frames that have it. **This filter invents joints**: one that is missing in fewer
    than half of the frames of a window gets the place and score of the others.

    The first and last frames take the part of the window that the clip has; the published code drops them.

    Args:
        window: Frames in a window, odd. The published code takes 7.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {window: 5}}`, or false to leave the part as it is.

    Raises:
        UsageError: The window is even.

    Source: `../shared/reference/edn.md` 2.2.
    """

    version: int = 1

    def __init__(self, *, window: Annotated[int, Field(ge=1, le=101)] = 7, parts: Parts = None) -> None:
        if window % 2 == 0:
            raise UsageError(
                f"median: window is {window}, must be an odd number of frames", hint="try median.window=7"
            )
        self.window = window
        self._parts = PartFilters("median", type(self), {"window": window}, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Filter; the same frames come back."""
        return self._parts.apply(self._filter, poses)

    def _filter(self, poses: PoseSequence) -> PoseSequence:
        xy, score = np.nan_to_num(poses.xy).astype(np.float64), poses.score.astype(np.float64)
        half, total = self.window // 2, len(poses)
        new_xy, new_score = np.empty_like(xy), np.empty_like(score)
        if total >= self.window:
            new_xy[half : total - half], new_score[half : total - half] = running_median(
                xy, score, self.window
            )
        for frame in range(total):
            if half <= frame < total - half:
                continue
            part = slice(max(frame - half, 0), frame + half + 1)
            new_xy[frame : frame + 1], new_score[frame : frame + 1] = running_median(
                xy[part], score[part], len(score[part])
            )
        return poses.replace(xy=new_xy, score=new_score)


def running_median(
    xy: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]], window: int
) -> tuple[Array, Array]:
    """The published rule over every full window.

    Args:
        xy: (T, K, 2), any finite place where missing.
        score: (T, K), 0 where missing.
        window: Frames in a window, at most T.

    Returns:
        (T - window + 1, K, 2) and (T - window + 1, K); a joint that is dropped has the plain median of all
        places, and score 0.
    """
    triple = np.concatenate([xy, score[..., None]], -1).astype(np.float64)
    windows = sliding_window_view(triple, window, axis=0)  # (T', K, 3, window)
    plain = np.median(windows, -1)
    seen = (windows[:, :, 2] > 0)[:, :, None]
    ordered = np.sort(np.where(seen, windows, np.inf), -1)
    count = seen.sum(-1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, window - 1)
    ends = [
        np.take_along_axis(ordered, np.broadcast_to(at, plain.shape)[..., None], -1)[..., 0]
        for at in (low, high)
    ]
    kept = plain[..., 2:] > 0
    both = np.where(kept, ends[0], 0.0) + np.where(kept, ends[1], 0.0)
    result = np.where(kept, both / 2, plain)
    return result[..., :2], result[..., 2]
