"""One performance at another frame rate: the same movement, looked at more or less often."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from dancekit.dancefloor.jit import Floats
from dancekit.dancefloor.joints import FPS, between
from dancekit.dancefloor.retarget import Performance


def frames_at(frames: int, rate: Fraction) -> int:
    """How many frames at `rate` show what `frames` at `FPS` show; nothing is shown after the last of them."""
    return int((frames - 1) * rate / FPS) + 1


def at_rate(performance: Performance, rate: Fraction) -> Performance:
    """A performance at `rate` frames a second; frames at moments that both have are the same to the bit.

    Between two frames joints turn evenly and all else changes linearly; a foot is planted where it is in both.
    """
    if rate == FPS:
        return performance
    motion, count = performance.motion, frames_at(len(performance), rate)
    moments = [Fraction(number) * FPS / rate for number in range(count)]
    first = np.array([int(moment) for moment in moments])
    share = np.array([float(moment - int(moment)) for moment in moments])
    second = np.minimum(first + 1, len(performance) - 1)

    def mixed(track: Floats) -> Floats:
        weight = share.reshape(-1, *[1] * (track.ndim - 1))
        return np.asarray(track[first] + (track[second] - track[first]) * weight)

    def both(track: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.where(
                share.reshape(-1, *[1] * (track.ndim - 1)) > 0, track[first] & track[second], track[first]
            )
        )

    rotations = np.stack(
        [
            motion.rotations[a] if weight == 0 else between(motion.rotations[a], motion.rotations[b], weight)
            for a, b, weight in zip(first, second, share, strict=True)
        ]
    )
    moved = motion.replace(
        rotations=rotations,
        root=mixed(motion.root),
        contact=both(motion.contact),
        grounded=both(motion.grounded),
        face=mixed(motion.face),
        gaze=mixed(motion.gaze),
        fingers=mixed(motion.fingers),
    )
    soles = np.stack([mixed(side) for side in performance.soles])
    return Performance(moved, both(performance.contact), soles)
