"""A labelled side-by-side video: what people would rather look at than read about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.video import VideoWriter
from dancekit.video.provenance import synthetic_mark

LABEL = 24
"""Pixels of the strip above each picture."""


def write_side_by_side(
    out: Path,
    columns: Sequence[tuple[str, Iterable[NDArray[np.uint8]]]],
    pts: Sequence[int],
    *,
    time_base: Fraction,
    rate: Fraction,
    height: int,
    sound_from: Path | None = None,
    force: bool = False,
) -> Path:
    """Write pictures next to each other, each under its label.

    Args:
        out: The video.
        columns: (label, frames) of each; frames are (H, W, 3) uint8 and are scaled to `height`.
        pts: Presentation time of each frame.
        time_base: Unit of `pts`.
        rate: Average frames per second.
        height: Of the pictures, pixels.
        sound_from: A video whose sound is copied.
        force: Replace `out`.

    Raises:
        OutputExists: `out` is there already.
    """
    writer = None
    try:
        for number, frames in enumerate(zip(*(iterable for _, iterable in columns), strict=False)):
            row = np.concatenate(
                [_labelled(label, frame, height) for (label, _), frame in zip(columns, frames, strict=True)],
                1,
            )
            if writer is None:
                size = (row.shape[1], row.shape[0])
                writer = VideoWriter(
                    out,
                    size=size,
                    time_base=time_base,
                    rate=rate,
                    sound_from=sound_from,
                    force=force,
                    metadata=synthetic_mark("beside other videos"),
                ).__enter__()
            writer.write(row, pts[number])
    except BaseException as error:
        if writer is not None:
            writer.__exit__(type(error), error, error.__traceback__)
        raise
    if writer is not None:
        writer.__exit__(None, None, None)
    return out


def _labelled(label: str, frame: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The frame scaled to an even width, with its label on a dark strip above."""
    width = round(frame.shape[1] * height / frame.shape[0] / 2) * 2
    how = cv2.INTER_AREA if height < frame.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(frame, (width, height), interpolation=how)
    strip = np.full((LABEL, width, 3), 24, np.uint8)
    cv2.putText(strip, label, (6, LABEL - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([strip, scaled])
