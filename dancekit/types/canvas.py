"""The canvas of Everybody Dance Now: labels are drawn at 1920x1080 and shrunk, squashed, to the window.

Every original frame is a 1920x1080 frame: others are scaled to fit and centred. A window of another shape
(1024x512 in the paper) shows the whole canvas, so x and y are scaled by factors of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CANVAS = (1920, 1080)
"""(W, H) of the canvas, pixels."""

LABEL = (1024, 512)
"""(W, H) of the published labels and frames, pixels."""

DIGITS = 3
"""Decimals that OpenPose writes: what single precision adds beyond them is rounded away on the canvas."""


@dataclass(frozen=True)
class Letterbox:
    """How frames of another size are put on the canvas: `canvas = scale * frame + (left, top)`.

    Attributes:
        scale: Canvas pixels per frame pixel, the same for x and y.
        left: Black columns to the left.
        top: Black rows above.
    """

    scale: float
    left: float
    top: float

    @classmethod
    def around(cls, size: tuple[int, int]) -> Letterbox:
        """The largest centred picture of (W, H) frames on the canvas."""
        width, height = size
        scale = min(CANVAS[1] / height, CANVAS[0] / width)
        return cls(scale, (CANVAS[0] - scale * width) / 2, (CANVAS[1] - scale * height) / 2)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) for `cv2.warpAffine`."""
        return np.array([[self.scale, 0.0, self.left], [0.0, self.scale, self.top]])

    def __call__(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(..., 2) frame pixels to canvas pixels."""
        return np.asarray(xy * np.float64(self.scale) + np.array([self.left, self.top]))


def to_canvas(xy: NDArray[np.floating[Any]], size: tuple[int, int]) -> NDArray[np.float64]:
    """(..., 2) pixels of a window that shows the whole canvas to canvas pixels, to a thousandth."""
    ratio = np.array([CANVAS[0] / size[0], CANVAS[1] / size[1]])
    return np.asarray(np.round((xy.astype(np.float64) + 0.5) * ratio - 0.5, DIGITS))


def from_canvas(xy: NDArray[np.floating[Any]], size: tuple[int, int]) -> NDArray[np.float64]:
    """The reverse of `to_canvas`."""
    ratio = np.array([size[0] / CANVAS[0], size[1] / CANVAS[1]])
    return np.asarray((xy.astype(np.float64) + 0.5) * ratio - 0.5)
