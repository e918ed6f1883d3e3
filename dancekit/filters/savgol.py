"""Savitzky-Golay smoothing of keypoint tracks (Savitzky and Golay, 1964)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.signal import savgol_filter

from dancekit.errors import UsageError
from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence


class SavitzkyGolay:
    """Smooths each joint's path by a polynomial fitted to the frames around each frame.

    Each unbroken run of frames in which a joint is seen is smoothed on its own: nothing is filled in, and no
    frame is mixed with one beyond a gap. The filter has no lag and keeps polynomials of its order unchanged,
    so fast moves lose less height than under a moving average. A run shorter than the window is smoothed with
    the longest odd window that fits, and left as it is when that is not longer than the order. Scores stay.

    Frames are taken as evenly spaced. A clip of variable frame rate is smoothed by frame, not by time:
    harmless for the jitter of a phone's clock, wrong for a clip whose rate changes several times over.

    Args:
        window: Frames in a window, odd. 7 is 0.28 s at 25 frames a second, the length that EDN's median has.
        order: Degree of the polynomial, less than `window`.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {window: 11}}`, or false to leave the part as it is.

    Raises:
        UsageError: The window is even, or not longer than the order.
    """

    version: int = 1

    def __init__(
        self,
        *,
        window: Annotated[int, Field(ge=3, le=101)] = 7,
        order: Annotated[int, Field(ge=0, le=5)] = 2,
        parts: Parts = None,
    ) -> None:
        if window % 2 == 0 or window < 3:
            raise UsageError(
                f"savgol: window is {window}, must be an odd number of frames", hint="try savgol.window=7"
            )
        if not 0 <= order < window:
            raise UsageError(f"savgol: order {order} needs a longer window than {window}", hint="try order=2")
        self.window = window
        self.order = order
        self._parts = PartFilters("savgol", type(self), {"window": window, "order": order}, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Smooth; the same joints are there as before."""
        return self._parts.apply(self._filter, poses)

    def _filter(self, poses: PoseSequence) -> PoseSequence:
        xy = poses.xy.astype(np.float64)
        valid = poses.valid
        for joint in range(valid.shape[1]):
            for start, end in runs(valid[:, joint]):
                window = min(self.window, (end - start) - (1 - (end - start) % 2))
                if window > self.order:
                    xy[start:end, joint] = savgol_filter(xy[start:end, joint], window, self.order, axis=0)
        return poses.replace(xy=xy.astype(np.float32))


def runs(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Runs of True in (T,) as half-open (start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
