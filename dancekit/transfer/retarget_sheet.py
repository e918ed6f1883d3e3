"""A contact sheet of a retargeting: source, target, and the source's poses on the target's frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence
from dancekit.video import read_frames

COLUMNS = 6
HEIGHT = 300
"""Moments shown, and the height of each picture in pixels."""

LABEL = 22
"""Height of the line above each row, pixels."""

Picture = NDArray[np.uint8]


def draw_sheet(
    source: tuple[Path, PoseSequence], target: tuple[Path | Picture, PoseSequence], moved: PoseSequence
) -> Picture:
    """Three rows: the source with its poses, the target with theirs, the retargeted poses on the target's frames.

    Args:
        source: The video (or the file of poses: then black frames are drawn on) and its poses.
        target: The same of the target; where only a picture of their room is left, that picture, (H, W, 3) uint8.
        moved: The source's poses in the target's frame; same frames as the source's.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    here, there = _moments(source[1]), _moments(target[1])
    seen, shown = _frames(*source, here), _frames(*target, there)
    rows = [
        ("source", [source[1].plot(at, background=frame) for at, frame in zip(here, seen, strict=True)]),
        ("target", [target[1].plot(at, background=frame) for at, frame in zip(there, shown, strict=True)]),
        (
            "the source's poses, retargeted, on the target's frames",
            [moved.plot(at, background=frame // 2) for at, frame in zip(here, shown, strict=True)],
        ),
    ]
    drawn = [_row(label, pictures) for label, pictures in rows]
    width = max(row.shape[1] for row in drawn)
    return np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in drawn])


def _moments(poses: PoseSequence) -> list[int]:
    """Frames in which the person was found, evenly spread."""
    found = np.flatnonzero(poses.found)
    return [int(found[int(at)]) for at in np.linspace(0, len(found) - 1, COLUMNS).round()]


def _frames(path: Path | Picture, poses: PoseSequence, moments: Sequence[int]) -> list[Picture]:
    if not isinstance(path, Path):
        return [path] * len(moments)
    width, height = poses.size
    frames = {at: np.zeros((height, width, 3), np.uint8) for at in moments}
    if path.suffix != ".npz":
        for number, frame in enumerate(read_frames(path, stop=max(moments) + 1)):
            if number in frames:
                frames[number] = frame.rgb
    return [frames[at] for at in moments]


def _row(label: str, pictures: Sequence[Picture]) -> NDArray[Any]:
    tiles = [
        cv2.resize(
            each, (round(HEIGHT * each.shape[1] / each.shape[0]), HEIGHT), interpolation=cv2.INTER_AREA
        )
        for each in pictures
    ]
    row = np.concatenate(tiles, 1)
    head = np.zeros((LABEL, row.shape[1], 3), np.uint8)
    cv2.putText(head, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([head, row])
