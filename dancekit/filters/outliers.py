"""Rejecting joints that leap away and come back: wrong detections of single frames."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.ndimage import median_filter

from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence


class Outliers:
    """Marks a joint as missing where it is far from where it was just before and after (a Hampel filter).

    A joint is compared with the median of its frames around it; it is rejected if it is further away than
    `limit` robust standard deviations of the joint's usual distance, and further than `least` of the person's
    extent: a clip without jitter has no outliers, and fast dancing is none, because the median of so short a
    window moves along. Rejected joints are missing afterwards; put `fill_gaps` behind.

    Args:
        window: Frames around a frame, odd: a wrong run of up to (window - 1) / 2 frames is found.
        limit: Robust standard deviations (1.4826 median absolute deviations).
        least: Never rejected within this part of the person's median extent.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {limit: 4}}`, or false to leave the part as it is.

    Source: Hampel's identifier; Davies and Gather, The identification of multiple outliers, JASA 1993.
    """

    version: int = 1

    def __init__(
        self,
        *,
        window: Annotated[int, Field(ge=3, le=101)] = 5,
        limit: Annotated[float, Field(gt=0)] = 6.0,
        least: Annotated[float, Field(ge=0)] = 0.08,
        parts: Parts = None,
    ) -> None:
        self.window = window + 1 - window % 2
        self.limit = limit
        self.least = least
        own = {"window": window, "limit": limit, "least": least}
        self._parts = PartFilters("outliers", type(self), own, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Reject; joints that stay do not change."""
        return self._parts.apply(self._filter, poses)

    def _filter(self, poses: PoseSequence) -> PoseSequence:
        score = poses.score.copy()
        floor = self.least * extent(poses)
        for joint in range(score.shape[1]):
            seen = np.flatnonzero(poses.valid[:, joint])
            if len(seen) <= self.window:
                continue
            path = poses.xy[seen, joint].astype(np.float64)
            middle = median_filter(path, size=(self.window, 1), mode="nearest")
            away = np.linalg.norm(path - middle, axis=1)
            usual = 1.4826 * float(np.median(away))
            score[seen[away > max(self.limit * usual, floor)], joint] = 0
        return poses.replace(score=score)


def extent(poses: PoseSequence) -> float:
    """The median height of the box around a person's joints, pixels; 0 if nobody is seen."""
    found = poses.xy[poses.found, :, 1]
    return float(np.median(np.nanmax(found, 1) - np.nanmin(found, 1))) if len(found) else 0.0
