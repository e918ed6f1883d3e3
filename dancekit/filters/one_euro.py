"""The One-Euro filter: causal smoothing that lets go when the joint moves fast (Casiez et al., CHI 2012)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.errors import UsageError
from dancekit.filters.parts import PARTS, PartFilters, Parts
from dancekit.types import PoseSequence, Skeleton


class OneEuro:
    """A low-pass filter whose cutoff grows with the speed of the joint: steady at rest, little lag in motion.

    Causal: a frame depends on itself and on earlier frames only, so it can run live. Time steps are the real
    ones (pts), so clips of variable frame rate are smoothed by time. A joint that was missing starts anew: it is
    never mixed with where it was before the gap. Scores stay.

    Speeds are in parts of the picture's longer side a second, so that one setting serves all sizes.

    Args:
        cutoff: Hertz at rest; lower is steadier, with more lag.
        beta: Hertz more for each picture side a second; higher is quicker, with more jitter in motion.
        derivative: Cutoff of the speed itself, hertz.
        strength: Per part (`body`, `feet`, `face`, `left_hand`, `right_hand`): how strongly it is smoothed;
            the cutoff is divided by it. 0 leaves a part as it is; parts that are not named have 1.
        parts: Other settings for parts (`body`, `feet`, `face`, `hands`, `left_hand`, `right_hand`): what differs
            there, as in `{face: {cutoff: 1}}`, or false to leave the part as it is.

    Raises:
        UsageError: A part has an unknown name, or a strength below 0.

    Source: Casiez, Roussel, Vogel: 1 Euro Filter (CHI 2012), sections 3 and 4; the cutoff of the speed is theirs.
    """

    version: int = 1

    def __init__(
        self,
        *,
        cutoff: Annotated[float, Field(gt=0)] = 2.0,
        beta: Annotated[float, Field(ge=0)] = 20.0,
        derivative: Annotated[float, Field(gt=0)] = 1.0,
        strength: dict[str, float] | None = None,
        parts: Parts = None,
    ) -> None:
        self.cutoff = cutoff
        self.beta = beta
        self.derivative = derivative
        self.strength = dict(strength or {})
        for part, value in self.strength.items():
            if part not in PARTS or not value >= 0:
                raise UsageError(
                    f"one_euro: strength of {part!r} is {value}",
                    hint=f"0 or more for one of {', '.join(PARTS)}",
                )
        own = {"cutoff": cutoff, "beta": beta, "derivative": derivative}
        self._parts = PartFilters("one_euro", type(self), own, parts)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Smooth; the same joints are there as before."""
        return self._parts.apply(_Follower(self), poses)

    def stream(self) -> Callable[[PoseSequence], PoseSequence]:
        """A filter for a clip that is still being filmed: takes it piece by piece, with the same result to the bit."""
        whole, parts = _Follower(self), self._parts.streams()
        return lambda poses: parts.apply(whole, poses)


class _Follower:
    """What is remembered of the frames so far."""

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._began: float | None = None
        self._time = 0.0
        self._out = self._speed = np.zeros(0)
        self._valid = np.zeros(0, bool)

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """The next frames, smoothed."""
        if not len(poses):
            return poses
        settings, side, seconds = self._settings, float(max(poses.size)), poses.seconds
        if self._began is None:
            self._began = float(seconds[0])
        strength = strengths(poses.skeleton, settings.strength)
        cutoff = settings.cutoff / np.maximum(strength, 1e-9)[:, None]
        beta = settings.beta / np.maximum(strength, 1e-9)[:, None]
        raw, valid = poses.xy.astype(np.float64) / side, poses.valid
        out = raw.copy()
        for frame, time in enumerate(seconds - self._began):
            if len(self._out):
                step = float(time - self._time)
                goes_on = (valid[frame] & self._valid)[:, None]
                change = np.where(goes_on, (raw[frame] - self._out) / step, 0.0)
                speed = self._speed + _gain(settings.derivative, step) * (change - self._speed)
                self._speed = np.where(goes_on, speed, 0.0)
                gain = _gain(cutoff + beta * np.abs(self._speed), step)
                smooth = self._out + gain * (raw[frame] - self._out)
                out[frame] = np.where(goes_on & (strength[:, None] > 0), smooth, raw[frame])
            else:
                self._speed = np.zeros(raw.shape[1:])
            self._out, self._valid, self._time = out[frame], valid[frame], float(time)
        return poses.replace(xy=(out * side).astype(np.float32))


def strengths(skeleton: Skeleton, given: Mapping[str, float]) -> NDArray[np.float64]:
    """(K,) the strength of each joint."""
    out = np.ones(len(skeleton))
    for part, joints in skeleton.parts.items():
        out[list(joints)] = given.get(part, 1.0)
    return out


def _gain(cutoff: float | NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Part of the way to a new value that a first-order low-pass goes in one step."""
    turn = np.asarray(2 * math.pi * cutoff * step, np.float64)
    return turn / (1 + turn)
