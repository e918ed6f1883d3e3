"""Who is meant by --person."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dancekit.errors import UsageError
from dancekit.pose.choice import Choice, choose_person, parse_choice, rivals

SIZE = (640, 360)


def box(x: float, height: float, frames: slice = slice(0, 50)) -> NDArray[np.float64]:
    out = np.full((50, 4), np.nan)
    out[frames] = (x - height / 4, 340 - height, x + height / 4, 340)
    return out


LEFT, MIDDLE, GLIMPSE = box(100, 300), box(330, 200), box(320, 320, slice(20, 25))
BOXES = [LEFT, MIDDLE, GLIMPSE]


@pytest.mark.parametrize(
    ("text", "index"),
    [("largest", 0), ("center", 1), ("Centre", 1), ("1", 0), ("3", 2), ("110,200", 0), ("330.5, 300", 1)],
)
def test_each_form_names_its_person(text: str, index: int) -> None:
    assert choose_person(parse_choice(text), BOXES, SIZE) == index


def test_a_place_means_who_is_there_first() -> None:
    later = box(100, 250, slice(30, 50))
    away = LEFT.copy()
    away[25:] += (300, 0, 300, 0)
    assert choose_person(Choice("place", place=(100, 200)), [later, away], SIZE) == 1


@pytest.mark.parametrize("text", ["", "0", "-1", "second", "1,", "1,2,3", "smallest"])
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names nobody"):
        parse_choice(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4", "3 people are there"),
        ("600,10", "nobody is ever there"),
        ("700,10", "outside of the picture, 640x360"),
    ],
)
def test_who_is_not_there_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choose_person(parse_choice(text), BOXES, SIZE)


def test_rivals_are_seen_for_as_long_and_as_large() -> None:
    assert rivals(BOXES) == [1]
    assert rivals([LEFT, box(330, 170)]) == []
    assert rivals([LEFT, box(330, 300, slice(0, 25))]) == []
