"""Filling short gaps in keypoint tracks."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence


class FillGaps:
    """Interpolates joints that were lost for a few frames only.

    This filter invents joints: between the last frame before a gap and the first after it, positions are
    interpolated linearly over time (pts), and **the score is half the smaller of the two scores at the gap's
    ends**, so that a filled joint can be told from a seen one. Longer gaps stay missing, and so does
    everything before a joint's first and after its last appearance: nothing is extrapolated.

    Args:
        longest: Gaps of up to so many frames are filled.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {longest: 3}}`, or false to leave the part as it is.
    """

    version: int = 1

    def __init__(
        self,
        *,
        longest: Annotated[int, Field(ge=1)] = 8,
        parts: Parts = None,
    ) -> None:
        self.longest = longest
        self._parts = PartFilters("fill_gaps", type(self), {"longest": longest}, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Fill; joints that were there do not change."""
        return self._parts.apply(self._filter, poses)

    def _filter(self, poses: PoseSequence) -> PoseSequence:
        xy, score = poses.xy.copy(), poses.score.copy()
        time = (poses.pts - poses.pts[:1]).astype(np.float64)
        for joint in range(score.shape[1]):
            seen = np.flatnonzero(score[:, joint] > 0)
            gaps = np.diff(seen) - 1
            short = np.flatnonzero((gaps > 0) & (gaps <= self.longest))
            if not len(short):
                continue
            frames = np.concatenate([np.arange(seen[gap] + 1, seen[gap + 1]) for gap in short])
            ends = np.minimum(score[seen[short], joint], score[seen[short + 1], joint])
            score[frames, joint] = 0.5 * np.repeat(ends, gaps[short])
            for axis in (0, 1):
                track = poses.xy[seen, joint, axis]
                xy[frames, joint, axis] = np.interp(time[frames], time[seen], track)
        return poses.replace(xy=xy, score=score)
