"""Metrics over time: difference of frames, flicker, a held pose that moves, a loop that drifts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import signal

from dancekit.errors import UsageError
from dancekit.metrics.frames import EVERYWHERE, Frames, Map, Mask, check_frames, mean

LOWEST = 4.0
"""Hz: above it a change of brightness is flicker; a dancer's limbs move below."""
_ORDER = 6  # of the Butterworth high-pass: an octave below LOWEST 1/4000 of the energy is left
_STRIP = 16
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)  # BT.601


class FrameDifference:
    """How far the change from one painted frame to the next is from the true change.

    Mean absolute value of `(fake[t] - fake[t-1]) - (real[t] - real[t-1])` over the masked pixels and all
    channels: the measure of matting, there squared (Erofeev et al., "Perceptually motivated benchmark for
    video matting", 2015, dtSSD). A constant error of colour does not count, one that comes and goes does.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "grey levels"
    context: int = 1

    def __call__(self, fake: Frames, real: Frames, mask: Mask | None) -> NDArray[np.float64]:
        """Score every frame against the one before.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool, where to measure; None for everywhere.

        Returns:
            (T,) grey levels of 255; NaN for the first frame and where the mask is empty.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        return self.regions(fake, real, {EVERYWHERE: mask})[EVERYWHERE]

    def regions(
        self, fake: Frames, real: Frames, masks: Mapping[str, Mask | None]
    ) -> dict[str, NDArray[np.float64]]:
        """The same for several masks at once, each frame measured once."""
        check_frames(fake, real, masks)
        result = {region: np.full(len(fake), np.nan) for region in masks}
        before: Map | None = None
        for t in range(len(fake)):
            error = cv2.subtract(fake[t], real[t], dtype=cv2.CV_32F)
            if before is not None:
                change = np.asarray(cv2.transform(cv2.absdiff(error, before), _MEAN))
                for region, mask in masks.items():
                    result[region][t] = _mean_of(change, None if mask is None else mask[t])
            before = np.asarray(error)
        return result


class Flicker:
    """How much more the painted picture flickers above 4 Hz than the true one, where the truth stands still.

    The luma of every pixel goes through a high-pass in time (Butterworth, order 6, 4 Hz, started as if the
    first frame had always been there). Over the pixels at rest, the root mean square of what passes: painted
    minus true, so the true camera's noise is taken off and a copy scores 0. At rest is a pixel whose true
    luma, averaged over 3x3 pixels, stays within `still` grey levels over the whole clip. Memory does not grow
    with the clip.

    Args:
        still: Range of luma in grey levels within which a true pixel is at rest.
        rate: Frames a second of the clip (wired).

    Raises:
        UsageError: A rate of 8 frames a second or less: nothing above 4 Hz can be seen.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "grey levels"

    def __init__(self, *, still: Annotated[float, Field(gt=0.0, le=255.0)] = 12.0, rate: float) -> None:
        if not rate > 2 * LOWEST:
            raise UsageError(
                f"flicker above {LOWEST:g} Hz cannot be seen at {rate:g} frames a second",
                hint=f"more than {2 * LOWEST:g} frames a second",
            )
        self.still = still
        self._filter = np.asarray(
            signal.butter(_ORDER, LOWEST, "highpass", fs=rate, output="sos"), np.float32
        )
        self._states: list[Map] = []
        self._energy: NDArray[np.float64] = np.zeros(0)
        self._low: Map = np.zeros(0, np.float32)
        self._high: Map = np.zeros(0, np.float32)
        self._inside: Mask = np.zeros(0, np.bool_)
        self._frames = 0

    def update(self, fake: Frames, real: Frames, mask: Mask | None) -> None:
        """See the next frames.

        Args:
            fake: (T, H, W, 3) uint8.
            real: (T, H, W, 3) uint8.
            mask: (T, H, W) bool; a pixel counts if it is inside in all frames. None for everywhere.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        check_frames(fake, real, {EVERYWHERE: mask})
        if not len(fake):
            return
        lumas = [
            np.stack([cv2.transform(f.astype(np.float32), _LUMA) for f in clip]) for clip in (fake, real)
        ]
        smooth = np.stack([cv2.blur(luma, (3, 3)) for luma in lumas[1]])
        if not self._frames:
            start = signal.sosfilt_zi(self._filter).astype(np.float32)[..., None, None]
            self._states = [start * luma[0] for luma in lumas]
            self._energy = np.zeros((2, *smooth.shape[1:]))
            self._low = self._high = smooth[0]
            self._inside = np.ones(smooth.shape[1:], np.bool_)
        for which, luma in enumerate(lumas):
            state = self._states[which]
            for top in range(0, luma.shape[1], _STRIP):  # a strip of rows stays in the processor's cache
                rows = slice(top, top + _STRIP)
                passed, state[:, :, rows] = signal.sosfilt(
                    self._filter, luma[:, rows], axis=0, zi=state[:, :, rows]
                )
                self._energy[which, rows] += np.square(passed, out=passed).sum(0)
        self._low = np.minimum(self._low, smooth.min(0))
        self._high = np.maximum(self._high, smooth.max(0))
        if mask is not None:
            self._inside = self._inside & mask.all(0)
        self._frames += len(fake)

    def result(self) -> float:
        """Grey levels (root mean square) above the truth's; NaN if no pixel is at rest."""
        rest = self._inside & (self._high - self._low <= self.still)
        if not rest.any():
            return float("nan")
        fake, real = np.sqrt(self._energy[:, rest].mean(1) / self._frames)
        return float(fake - real)


class Freeze:
    """What still moves in frames that were painted from one held pose: 0 is a photograph.

    The mean absolute change from frame to frame over the masked pixels and all channels, after the first
    frames in which a strategy with history settles. The truth is not looked at.

    Args:
        settle: Frames at the start that do not count.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "grey levels"

    def __init__(self, *, settle: Annotated[int, Field(ge=0)] = 15) -> None:
        self.settle = settle
        self._before: Frames | None = None
        self._seen = 0
        self._sum, self._count = 0.0, 0

    def update(self, fake: Frames, real: Frames, mask: Mask | None) -> None:
        """See the next frames of the held pose; `real` is not read.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        check_frames(fake, fake, {EVERYWHERE: mask})
        for t, frame in enumerate(fake):
            self._seen += 1
            if self._before is not None and self._seen > self.settle + 1:
                change = _mean_of(_difference(frame, self._before), None if mask is None else mask[t])
                if np.isfinite(change):
                    self._sum += change
                    self._count += 1
            self._before = frame.copy()

    def result(self) -> float:
        """Grey levels a frame; NaN if there were too few frames, or none with a mask."""
        return self._sum / self._count if self._count else float("nan")


class Drift:
    """How far the last loop of a looped dance is from the first: 0 is no drift.

    Both are painted: give the frames of the last loop as `fake` and those of the first as `real`. The mean
    absolute difference over the masked pixels and all channels.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "grey levels"

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def update(self, fake: Frames, real: Frames, mask: Mask | None) -> None:
        """See the next frames: (T, H, W, 3) of the last loop, of the first loop, (T, H, W) where to measure.

        Raises:
            UsageError: Shapes or dtypes do not agree.
        """
        check_frames(fake, real, {EVERYWHERE: mask})
        for t in range(len(fake)):
            apart = _mean_of(_difference(fake[t], real[t]), None if mask is None else mask[t])
            if np.isfinite(apart):
                self._sum += apart
                self._count += 1

    def result(self) -> float:
        """Grey levels; NaN if there was nothing to compare."""
        return self._sum / self._count if self._count else float("nan")


def _difference(one: Frames, other: Frames) -> Map:
    """(H, W) mean absolute difference of the channels."""
    return np.asarray(cv2.transform(cv2.absdiff(one, other).astype(np.float32), _MEAN))


def _mean_of(values: Map, mask: Mask | None) -> float:
    if mask is None:
        return mean(values, None)
    return mean(values, np.ascontiguousarray(mask).view(np.uint8)) if mask.any() else float("nan")
