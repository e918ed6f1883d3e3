"""Holding joints that were lost for a moment: what `fill_gaps` is to a whole clip, for one that is being filmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.filters.parts import PartFilters, Parts
from dancekit.types import PoseSequence


class Hold:
    """Keeps a joint that was lost where it was on the body, for a short time.

    This filter invents joints: one that is missing moves along with the body (the median step of the joints that
    are seen before and after it) from where it was last seen, and **its score is half of the last one**, so that a
    held joint can be told from a seen one. Where nobody is seen at all, the body stands still. After `longest`
    seconds the joint is missing.

    Causal: a frame depends on itself and on earlier frames only, so it can run live.

    Args:
        longest: Seconds for which a joint is held.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {longest: 0.1}}`, or false to leave the part as it is.
    """

    version: int = 1

    def __init__(self, *, longest: Annotated[float, Field(gt=0)] = 0.3, parts: Parts = None) -> None:
        self.longest = longest
        self._parts = PartFilters("hold", type(self), {"longest": longest}, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Hold; joints that were there do not change."""
        return self._parts.apply(_Follower(self.longest), poses)

    def stream(self) -> Callable[[PoseSequence], PoseSequence]:
        """A filter for a clip that is still being filmed: takes it piece by piece, with the same result to the bit."""
        whole, parts = _Follower(self.longest), self._parts.streams()
        return lambda poses: parts.apply(whole, poses)


class _Follower:
    """Where each joint is, and when it was seen last."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._xy: NDArray[np.float32] | None = None
        self._score: NDArray[np.float32] = np.zeros(0, np.float32)
        self._seen: NDArray[np.float64] = np.zeros(0)
        self._valid: NDArray[np.bool_] = np.zeros(0, bool)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """The next frames, with what is held."""
        xy, score = poses.xy.copy(), poses.score.copy()
        for frame, (valid, time) in enumerate(zip(poses.valid, poses.seconds, strict=True)):
            if self._xy is None:
                self._xy, self._score = xy[frame].copy(), score[frame].copy()
                self._seen = np.full(len(valid), -np.inf)
            else:
                both = valid & self._valid
                step = np.median(xy[frame, both] - self._xy[both], axis=0) if both.any() else 0
                self._xy = np.where(valid[:, None], xy[frame], self._xy + step).astype(np.float32)
                self._score = np.where(valid, score[frame], self._score)
            self._seen, self._valid = np.where(valid, time, self._seen), valid
            held = ~valid & (time - self._seen <= self._longest + 1e-9)
            xy[frame, held], score[frame, held] = self._xy[held], self._score[held] / 2
        return poses.replace(xy=xy, score=score)
