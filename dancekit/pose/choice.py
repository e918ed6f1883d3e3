"""Which person of several: `largest`, `center`, the number of a listing, or a place in the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import UsageError

FORMS = (
    "largest, center, a number of `dancekit pose VIDEO --people`, or X,Y: pixels of where they are first seen"
)

RIVAL = 0.6
"""Somebody who was seen for at least this part of the largest one's lengths of box, summed, is a rival."""

_REGULAR = 0.5  # who was seen for less than half as much as the largest is not asked whether they are central


@dataclass(frozen=True)
class Choice:
    """What `--person` says.

    Attributes:
        kind: `largest`, `center`, `number` or `place`.
        number: From 1, of the listing.
        place: x, y in pixels.
    """

    kind: str
    number: int = 0
    place: tuple[float, float] = (0.0, 0.0)


def parse_choice(text: str) -> Choice:
    """Read `--person`.

    Raises:
        UsageError: It is something else.
    """
    word = text.strip().lower()
    if word in ("largest", "center", "centre"):
        return Choice("largest" if word == "largest" else "center")
    if re.fullmatch(r"[1-9]\d*", word):
        return Choice("number", number=int(word))
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)", word):
        return Choice("place", place=(float(match[1]), float(match[2])))
    raise UsageError(f"--person {text!r} names nobody", hint=FORMS)


def refuse_for_poses(file: object, person: str | None) -> None:
    """Refuse to choose a person in a file of one person's poses.

    Raises:
        UsageError: A person is named.
    """
    if person is not None:
        raise UsageError(
            f"{file} holds one person's poses: --person is for videos",
            hint="leave it away, or name the video",
        )


def choose_person(choice: Choice, boxes: Sequence[NDArray[Any]], size: tuple[int, int]) -> int:
    """Index of the person who is meant.

    Args:
        choice: Who.
        boxes: (T, 4) a person, left, top, right, bottom; NaN where they are not seen. The largest is first.
        size: (W, H) of the frames.

    Raises:
        UsageError: There is no such person; the message says who is there.
    """
    there = f"{len(boxes)} {'people are' if len(boxes) != 1 else 'person is'} there"
    if choice.kind == "number":
        if choice.number > len(boxes):
            raise UsageError(
                f"--person {choice.number}: {there}, numbered from 1", hint="dancekit pose VIDEO --people"
            )
        return choice.number - 1
    if choice.kind == "center":
        weight = [_presence(box) for box in boxes]
        regular = [n for n in range(len(boxes)) if weight[n] >= _REGULAR * weight[0]]
        away = [
            float(np.nanmean(np.abs((boxes[n][:, 0] + boxes[n][:, 2]) / 2 - size[0] / 2))) for n in regular
        ]
        return regular[int(np.argmin(away))]
    if choice.kind == "place":
        return _at(choice.place, boxes, size, there)
    return 0


def rivals(boxes: Sequence[NDArray[Any]]) -> list[int]:
    """Indices of those who could be meant as well as the first: seen for about as long, about as large."""
    weight = [_presence(box) for box in boxes]
    return [n for n in range(1, len(boxes)) if weight[n] >= RIVAL * weight[0]]


def _at(place: tuple[float, float], boxes: Sequence[NDArray[Any]], size: tuple[int, int], there: str) -> int:
    x, y = place
    if x >= size[0] or y >= size[1]:
        raise UsageError(f"--person {x:g},{y:g} is outside of the picture, {size[0]}x{size[1]}", hint=FORMS)
    found: list[tuple[int, float, int]] = []
    for person, box in enumerate(boxes):
        with np.errstate(invalid="ignore"):
            inside = (box[:, 0] <= x) & (x <= box[:, 2]) & (box[:, 1] <= y) & (y <= box[:, 3])
        if inside.any():
            frame = int(np.argmax(inside))
            found.append((frame, float(abs(box[frame, 0] + box[frame, 2] - 2 * x)), person))
    if not found:
        raise UsageError(
            f"--person {x:g},{y:g}: nobody is ever there ({there})", hint="dancekit pose VIDEO --people"
        )
    return min(found)[2]


def _presence(box: NDArray[Any]) -> float:
    return float(np.nansum(np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])))
