"""A part of a clip, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.types import PoseSequence


@dataclass(frozen=True)
class Span:
    """A part of a clip.

    Attributes:
        since: Seconds after the first frame at which it begins.
        until: Seconds after the first frame before which it ends; None: the end.
    """

    since: Fraction | None = None
    until: Fraction | None = None

    def __str__(self) -> str:
        end = "the end" if self.until is None else f"{float(self.until):g} s"
        return f"from {float(self.since or 0):g} s to {end}"

    def of(self, poses: PoseSequence) -> PoseSequence:
        """The frames of it.

        Raises:
            PoseError: There is none.
        """
        return poses[self.frames(poses)]

    def frames(self, poses: PoseSequence) -> NDArray[np.intp]:
        """Their numbers.

        Raises:
            PoseError: There is none.
        """
        inside = [
            (self.since or 0) <= second and (self.until is None or second < self.until)
            for second in ((int(pts) - int(poses.pts[0])) * poses.time_base for pts in poses.pts)
        ]
        if not any(inside):
            raise PoseError(f"no frame is left ({self})", hint="look at --start and --duration")
        return np.flatnonzero(inside)


WHOLE = Span()
