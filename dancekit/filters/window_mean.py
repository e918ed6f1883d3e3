"""The mean over a window of frames, as Everybody Dance Now smooths material of a high frame rate."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence


class WindowMean:
    """Replaces each joint by its mean over a window of frames; a joint missing in any of them is dropped.

    Frame i takes the frames from i - window // 2 to i - window // 2 + window - 1, or the part of them that
    the clip has. The published code takes windows that do not overlap and keeps one frame of each, the one at
    `window // 2`: four frames at 120 per second become one at 30. That is every `window`-th frame of what
    comes out here: `filtered[window // 2 :: window]`.

    Args:
        window: Frames in a window.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {window: 2}}`, or false to leave the part as it is.

    Source: `../shared/reference/edn.md` 2.2.
    """

    version: int = 1

    def __init__(self, *, window: Annotated[int, Field(ge=1, le=101)] = 4, parts: Parts = None) -> None:
        self.window = window
        self._parts = PartFilters("window_mean", type(self), {"window": window}, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Filter; the same frames come back."""
        return self._parts.apply(self._filter, poses)

    def _filter(self, poses: PoseSequence) -> PoseSequence:
        before = self.window // 2
        after = self.window - 1 - before
        triple = np.concatenate([np.nan_to_num(poses.xy), poses.score[..., None]], -1).astype(np.float64)
        inside = np.ones((len(poses), 1, 1))
        missing = (poses.score <= 0)[..., None].astype(np.float64)
        sums = [
            sliding_window_view(np.pad(values, ((before, after), (0, 0), (0, 0))), self.window, axis=0).sum(
                -1
            )
            for values in (triple, inside, missing)
        ]
        mean = sums[0] / sums[1]
        score = np.where(sums[2][..., 0] > 0, 0.0, mean[..., 2])
        return poses.replace(xy=mean[..., :2], score=score)
