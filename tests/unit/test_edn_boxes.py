"""Face boxes of the original: its golden numbers, its order of joints, its rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.faces.edn_boxes import edn_face_boxes, face_centre, grow_box, head_seen, refiner_boxes
from dancekit.types import get_skeleton
from dancekit.types.canvas import from_canvas

BODY = get_skeleton("body_23")


def frame(**joints: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    xy, score = np.full((1, 23, 2), np.nan), np.zeros((1, 23))
    for name, place in joints.items():
        xy[0, BODY.index(name)], score[0, BODY.index(name)] = place, 0.7
    return xy, score


GOLDEN = [  # edn.md 2.1: nose on the canvas; top, bottom, left, right
    ((960, 200), (30, 158, 447, 575)),
    ((10, 10), (0, 128, 0, 128)),
    ((1915, 1075), (384, 512, 896, 1024)),
    ((1065.937, 159.441), (11, 139, 504, 632)),
]


@pytest.mark.parametrize(("nose", "box"), GOLDEN)
def test_golden_boxes_from_the_canvas_and_from_a_window(nose, box):
    top, bottom, left, right = box
    xy, score = frame(nose=nose)
    assert edn_face_boxes(xy, score, BODY)[0].tolist() == [left, top, right, bottom]
    window = from_canvas(xy, (1024, 512)).astype(np.float32)
    found = refiner_boxes(window, score.astype(np.float32), BODY, size=(1024, 512))
    assert (found[0] + 0.5).tolist() == [left, top, right, bottom]


@pytest.mark.parametrize(
    ("low", "high", "limit", "wanted"),
    [(-20, 30, 512, (0, 128)), (0, 40, 512, (0, 128)), (100, 229, 512, (100, 228)), (430, 500, 512, (384, 512)),
     (200, 263, 512, (167, 295)), (100, 227, 1024, (99, 227)), (950, 1020, 1024, (896, 1024)),
     (301, 364, 1024, (268, 396))],
)  # fmt: skip
def test_intervals_grow_as_the_original_rounds(low, high, limit, wanted):
    assert grow_box(low, high, limit) == wanted


def test_nose_then_both_ears_then_the_one_that_is_seen():
    nose, right, left = (500.0, 100.0), (480.0, 110.0), (520.0, 130.0)
    for joints, centre in (
        ({"nose": nose, "right_ear": right, "left_ear": left}, nose),
        ({"right_ear": right, "left_ear": left}, (500, 120)),
        ({"right_ear": right}, right),
        ({"left_ear": left}, left),
        ({"neck": nose}, (0, 0)),
    ):
        assert face_centre(*frame(**joints), BODY)[0].tolist() == list(centre), joints


def test_a_frame_without_a_head_gets_the_corner_and_the_refiner_no_box():
    xy, score = frame(neck=(900, 300))
    assert edn_face_boxes(xy, score, BODY)[0].tolist() == [0, 0, 128, 128]
    assert head_seen(score, BODY).tolist() == [False]
    assert np.isnan(refiner_boxes(np.float32(xy), np.float32(score), BODY, size=(1024, 512))).all()


@given(st.floats(-200, 2100), st.floats(-200, 1300), st.sampled_from([(1024, 512), (512, 256)]))
def test_boxes_have_their_side_lie_inside_and_hold_the_nose(x, y, size):
    side = size[1] // 4
    left, top, right, bottom = edn_face_boxes(*frame(nose=(x, y)), BODY, size=size, side=side)[0]
    assert right - left == bottom - top == side
    assert left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1]
    place = x * size[0] / 1920, y * size[1] / 1080
    if 0 <= x < 1920 and 0 <= y < 1080:
        assert left - 1 <= place[0] <= right + 1 and top - 1 <= place[1] <= bottom + 1
