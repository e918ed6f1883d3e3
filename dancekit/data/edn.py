"""Frames as Everybody Dance Now has them: on the 1920x1080 canvas, then squashed to the size of its labels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.renderers.edn_figure import shrink
from dancekit.types.canvas import CANVAS, LABEL, Letterbox

Image = NDArray[np.uint8]


def canvas_frame(frame: Image) -> Image:
    """(H, W, 3) uint8 scaled to fit 1920x1080 and centred on black; as it is if it has that size."""
    size = (frame.shape[1], frame.shape[0])
    if size == CANVAS:
        return frame
    placed: NDArray[Any] = cv2.warpAffine(
        frame, Letterbox.around(size).matrix, CANVAS, flags=cv2.INTER_LINEAR
    )
    return np.asarray(placed, np.uint8)


def label_frame(canvas: Image, size: tuple[int, int] = LABEL) -> Image:
    """(1080, 1920, 3) uint8 to (h, w, 3) with the Lanczos filter of the published frames."""
    return shrink(canvas, size)
