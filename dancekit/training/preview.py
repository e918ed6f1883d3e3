"""How training goes, on a few fixed moments of the clip: pictures (stick figure, painted, real) and a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.build import create
from dancekit.contracts import FaceRefiner
from dancekit.data.training_set import TrainingSet
from dancekit.model import Painter
from dancekit.training.given import face_boxes_of

COLUMNS = 5
RUN_UP = 2
"""Frames painted before the one that is shown, so that it has a history."""


def fixed_moments(data: TrainingSet, hold_out: float) -> list[int]:
    """Frames that every preview and score of a run shows: held-out ones if there are any, else of the whole clip."""
    shown = data.shown(hold_out)
    first = shown if shown < len(data) else min(RUN_UP, len(data) - 1)
    return [int(moment) for moment in np.linspace(first, len(data) - 1, COLUMNS).round()]


def preview(
    painter: Painter, data: TrainingSet, moments: Sequence[int], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """A row of stick figures, a row of painted frames, a row of the true ones, (H, W, 3) uint8.

    Args:
        painter: Of the averaged weights.
        data: The target.
        moments: Frames.
        size: (W, H) that the painter paints, where that is not the window's: shown as large as the others.
    """
    return np.concatenate([preview_column(painter, data, moment, size) for moment in moments], 1)


def score(painter: Painter, data: TrainingSet, moments: Sequence[int]) -> float:
    """How near to the true frames: mean PSNR in the person's mask, dB; of whole frames where nobody is known."""
    measure = create("metric", "psnr")
    height = data.size[1]
    found = []
    for moment in moments:
        painted = preview_column(painter, data, moment)[height : 2 * height]
        mask = np.asarray(data.masks[moment]) > 127
        within = mask[None] if mask.any() else None
        found.append(float(measure(painted[None], np.asarray(data.frames[moment])[None], within)[0]))
    return float(np.mean(found))


def preview_column(
    painter: Painter, data: TrainingSet, moment: int, size: tuple[int, int] | None = None
) -> NDArray[Any]:
    """(3 * h, w, 3) uint8: sticks, painted, real, of one moment; `size` as of `preview`."""
    part = slice(max(0, moment - RUN_UP), moment + 1)
    if data.labels is not None:
        clip = data.clip(part.start, part.stop - part.start)
        assert clip.condition is not None
        boxes = face_boxes_of(clip, cast("FaceRefiner", painter.parts.face))
        painted = list(painter.paint_conditions((image[None] for image in clip.condition), boxes))[-1]
        return np.concatenate([data.labels[moment], painted, data.frames[moment]])
    xy, score = data.window.to_window(data.target.xy[part]), data.target.score[part]
    places = None if data.places is None else data.places[part]
    if size is not None and size != data.size:
        xy = (xy + np.float32(0.5)) * np.float32(size[0] / data.size[0]) - np.float32(0.5)
    painted = list(painter.paint(xy, score, places=places))[-1]
    if places is not None:
        left, top = places[-1]
        xy = xy - places[:, None].astype(np.float32)
        painted = painted[top : top + data.size[1], left : left + data.size[0]]
    shown = [
        each if each.shape[1::-1] == data.size else cv2.resize(each, data.size)
        for each in (painter.sticks(xy[-1], score[-1]), painted)
    ]
    return np.concatenate([*shown, data.frames[moment]])
