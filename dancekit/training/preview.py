"""Pictures of how training goes: stick figure, painted, real; a few moments of the clip side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import FaceRefiner
from dancekit.data.files import write_png
from dancekit.data.training_set import TrainingSet
from dancekit.model import Painter
from dancekit.training.given import face_boxes_of

COLUMNS = 5
RUN_UP = 2
"""Frames painted before the one that is shown, so that it has a history."""


def save_preview(path: Path, painter: Painter, data: TrainingSet) -> None:
    """Write a PNG: a row of stick figures, a row of painted frames, a row of the true ones."""
    moments = np.linspace(RUN_UP, len(data) - 1, COLUMNS).round().astype(int)
    columns = [preview_column(painter, data, int(moment)) for moment in moments]
    write_png(path, np.concatenate(columns, 1))


def preview_column(painter: Painter, data: TrainingSet, moment: int) -> NDArray[Any]:
    """(3 * h, w, 3) uint8: sticks, painted, real, of one moment."""
    part = slice(max(0, moment - RUN_UP), moment + 1)
    if data.labels is not None:
        clip = data.clip(part.start, part.stop - part.start)
        assert clip.condition is not None
        boxes = face_boxes_of(clip, cast("FaceRefiner", painter.parts.face))
        painted = list(painter.paint_conditions((image[None] for image in clip.condition), boxes))[-1]
        return np.concatenate([data.labels[moment], painted, data.frames[moment]])
    xy, score = data.window.to_window(data.target.xy[part]), data.target.score[part]
    painted = list(painter.paint(xy, score))[-1]
    return np.concatenate([painter.sticks(xy[-1], score[-1]), painted, data.frames[moment]])
