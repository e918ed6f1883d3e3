"""A picture of everybody in a clip, with their numbers: what `--person` chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.data.cache import cache_folder, content_key
from dancekit.data.files import write_png
from dancekit.data.people import Person
from dancekit.errors import DancekitError
from dancekit.video import read_frames

COLOURS = ((80, 170, 255), (255, 150, 60), (90, 210, 120), (235, 110, 190), (240, 210, 70), (160, 130, 255))
"""RGB of the numbers, in turn."""

MOMENTS = 4
"""Pictures of each person, spread over their time in the clip."""

_TILE, _WIDE, _MOST = 220, 880, 12  # pixels of a picture and of the row on top; people shown
_MARGIN = 0.12
_GREY = 32


def people_sheet(video: Path, persons: Sequence[Person]) -> NDArray[np.uint8]:
    """Draw a frame with as many of them as possible on top, and a row of moments for each.

    Args:
        video: The clip; it is read once more.
        persons: From `find_people`.

    Returns:
        (H, 880, 3) uint8 RGB.

    Raises:
        VideoError: The clip cannot be read.
    """
    persons = persons[:_MOST]
    together = np.sum([np.isfinite(person.boxes[:, 0]) for person in persons], axis=0)
    best = np.flatnonzero(together == together.max())
    top = int(best[len(best) // 2])
    moments = {person.number: _moments(person) for person in persons}
    wanted = {top, *(frame for frames in moments.values() for frame in frames)}
    pictures = {
        number: frame.rgb
        for number, frame in enumerate(read_frames(video, stop=max(wanted) + 1))
        if number in wanted
    }
    rows = [_top(pictures[top], top, persons)]
    for person in persons:
        tiles = [_tile(pictures[frame], frame, person) for frame in moments[person.number]]
        tiles += [np.full_like(tiles[0], _GREY)] * (MOMENTS - len(tiles))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def keep_sheet(video: Path, persons: Sequence[Person]) -> Path | None:
    """Write the picture into the cache folder; where it is, or None if it cannot be written."""
    place = cache_folder("people") / f"{video.stem}-{content_key(video, {'sheet': 1})[:8]}.png"
    try:
        write_png(place, people_sheet(video, persons))
    except DancekitError:
        return None
    return place


def colour_of(number: int) -> tuple[int, int, int]:
    """RGB of a person's number."""
    return COLOURS[(number - 1) % len(COLOURS)]


def _moments(person: Person) -> list[int]:
    frames = person.frames
    at = np.linspace(0.1, 0.9, MOMENTS) * (len(frames) - 1)
    return sorted({int(frames[round(place)]) for place in at})


def _top(picture: NDArray[np.uint8], frame: int, persons: Sequence[Person]) -> NDArray[np.uint8]:
    ratio = _WIDE / picture.shape[1]
    size = (_WIDE, round(picture.shape[0] * ratio))
    drawn = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    for person in persons:
        if np.isfinite(box := person.boxes[frame]).all():
            corners = (box * ratio).round().astype(int).tolist()
            cv2.rectangle(drawn, corners[:2], corners[2:], colour_of(person.number), 2, cv2.LINE_AA)
            _write(
                drawn, str(person.number), (corners[0] + 6, corners[1] + 30), colour_of(person.number), 1.0
            )
    return drawn


def _tile(picture: NDArray[np.uint8], frame: int, person: Person) -> NDArray[np.uint8]:
    """The person cut out, as a square tile with their number and the time."""
    box = person.boxes[frame].astype(np.float64)
    side = max(float(max(box[2] - box[0], box[3] - box[1])) * (1 + 2 * _MARGIN), 8.0)
    scale = _TILE / side
    matrix = np.array(
        [[scale, 0, _TILE / 2 - scale * (box[0] + box[2]) / 2],
         [0, scale, _TILE / 2 - scale * (box[1] + box[3]) / 2]]
    )  # fmt: skip
    tile = cv2.warpAffine(
        picture, matrix, (_TILE, _TILE), flags=cv2.INTER_AREA, borderValue=(_GREY, _GREY, _GREY)
    )
    colour = colour_of(person.number)
    cv2.rectangle(tile, (0, 0), (_TILE - 1, _TILE - 1), colour, 2)
    _write(tile, str(person.number), (8, 30), colour, 1.0)
    seconds = float(person.poses.seconds[frame] - person.poses.seconds[0])
    _write(tile, f"{seconds // 60:.0f}:{seconds % 60:04.1f}", (8, _TILE - 10), (255, 255, 255), 0.5)
    return np.asarray(tile, np.uint8)


def _write(
    picture: NDArray[Any], text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float
) -> None:
    for shade, thickness in (((0, 0, 0), 5), (colour, 2)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, shade, thickness, cv2.LINE_AA)
