"""Masks smoothed over time where they are unsure."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dancekit.pose.mask_smoothing import smooth_mask, with_neighbours

masks = hnp.arrays(np.uint8, (3, 4, 4))


@given(masks, st.floats(0, 1))
def test_between_the_mask_and_its_neighbours_and_nothing_where_sure(
    mask: np.ndarray, strength: float
) -> None:
    before, here, after = mask
    smooth = smooth_mask(before, here, after, strength)
    mean = (before.astype(float) + after) / 2
    assert smooth.dtype == np.uint8
    assert (smooth >= np.floor(np.minimum(here, mean))).all() and (
        smooth <= np.ceil(np.maximum(here, mean))
    ).all()
    sure = (here == 0) | (here == 255)
    assert (smooth[sure] == here[sure]).all()


@given(masks, st.floats(0, 1))
def test_time_has_no_direction_and_stillness_stays(mask: np.ndarray, strength: float) -> None:
    before, here, after = mask
    assert (smooth_mask(before, here, after, strength) == smooth_mask(after, here, before, strength)).all()
    assert (smooth_mask(here, here, here, strength) == here).all()


def test_how_far() -> None:
    unsure, near = np.full((1, 1), 128, np.uint8), np.full((1, 1), 228, np.uint8)
    assert smooth_mask(near, unsure, near, 0.5) == 178  # one bit: half of the way
    assert smooth_mask(None, unsure, near, 0.5) == 178 and smooth_mask(near, unsure, None, 1.0) == 228
    assert smooth_mask(None, unsure, None, 1.0) == 128 and smooth_mask(near, unsure, near, 0.0) == 128
    # 28/255 has an entropy of 0.5 bits
    assert smooth_mask(near, np.full((1, 1), 28, np.uint8), near, 0.5) == 28 + 50


def test_neighbours_read_one_ahead() -> None:
    read = []

    def numbers():
        for number in range(3):
            read.append(number)
            yield number

    stream = with_neighbours(numbers())
    assert not read
    assert next(stream) == (None, 0, 1) and read == [0, 1]
    assert list(stream) == [(0, 1, 2), (1, 2, None)]
    assert list(with_neighbours([7])) == [(None, 7, None)] and not list(with_neighbours([]))
