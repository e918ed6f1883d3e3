"""Where hands and face are looked for, and the 70 points of a face."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.pose.blazepose_geometry import FACE_LEVELS, anchors, best_detection
from dancekit.pose.face_points import FACE_70
from dancekit.pose.holistic_geometry import (
    face_from_body,
    face_from_detection,
    hand_from_body,
    hand_from_recrop,
)
from dancekit.types import get_skeleton


def test_an_upright_hand() -> None:
    # wrist at (100, 200), knuckles 30 above: index on the left, pinky on the right
    region = hand_from_body(np.array([100.0, 200.0]), np.array([106.0, 170.0]), np.array([97.0, 170.0]))
    assert (region.x, region.y) == pytest.approx((100, 170 - 0.1 * 60))  # the middle knuckle, moved up
    assert region.side == pytest.approx(2.7 * 60) and region.angle == pytest.approx(0)


def test_recrop_points_give_a_crop_whose_lower_end_is_the_second_one() -> None:
    region = hand_from_recrop(np.array([[50.0, 60.0], [50.0, 80.0]]))
    assert (region.x, region.y, region.side) == pytest.approx((50, 56, 40))
    assert region.angle == pytest.approx(0)


def test_a_level_face() -> None:
    # eyes at 40 and 60, mouth below, ears outside
    points = np.array([[40.0, 50], [60, 50], [50, 60], [50, 70], [30, 52], [70, 52]])
    region = face_from_detection(points)
    assert (region.x, region.y, region.side) == pytest.approx((50, 60 - 0.1 * 20, 80))
    assert region.angle == pytest.approx(0)


def test_the_body_s_face() -> None:
    points = np.full((33, 2), 1e4)  # the rest of the body does not count
    points[:11] = (50.0, 60.0)
    points[5], points[2] = (45.0, 58.0), (55.0, 58.0)  # right and left eye
    points[7], points[8] = (62.0, 60.0), (38.0, 60.0)
    region = face_from_body(points)
    assert (region.x, region.y, region.side) == pytest.approx((50, 59, 3 * 24))
    assert region.angle == pytest.approx(0)


@given(
    angle=st.floats(-3, 3),
    scale=st.floats(0.2, 5),
    shift=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    seed=st.integers(0, 1000),
)
def test_hands_turn_grow_and_move_with_their_points(
    angle: float, scale: float, shift: tuple[float, float], seed: int
) -> None:
    points = np.random.default_rng(seed).uniform(0, 100, (3, 2))
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = points @ turn.T + shift
    for make in (lambda p: hand_from_body(*p), lambda p: hand_from_recrop(p[:2])):
        before, after = make(points), make(moved)
        expected = turn @ (before.x, before.y) + shift
        assert (after.x, after.y) == pytest.approx(tuple(expected), abs=1e-6 * scale * 300)
        assert after.side == pytest.approx(scale * before.side)
        assert math.remainder(after.angle - before.angle - angle, 2 * math.pi) == pytest.approx(0, abs=1e-9)


@given(angle=st.floats(-0.5, 0.5), scale=st.floats(0.2, 5))
def test_faces_keep_the_eyes_level(angle: float, scale: float) -> None:
    eyes = np.array([[-10.0, 0], [10, 0], [0, 8], [0, 16], [-18, 2], [18, 2]])
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    region = face_from_detection(eyes @ turn.T + 100)
    inverse = np.linalg.inv(region.matrix[:, :2])
    seen = (eyes[:2] @ turn.T + 100 - region.matrix[:, 2]) @ inverse.T
    assert seen[0, 1] == pytest.approx(seen[1, 1], abs=1e-9) and seen[0, 0] < seen[1, 0]


def test_points_in_one_place_give_no_usable_region() -> None:
    nowhere = np.zeros((33, 2))
    assert not hand_from_body(*nowhere[:3]).usable and not hand_from_recrop(nowhere[:2]).usable
    assert not face_from_body(nowhere).usable and not face_from_detection(nowhere[:6]).usable
    assert not hand_from_body(*np.full((3, 2), np.nan)).usable


def test_a_face_is_decoded_from_its_anchor() -> None:
    grid = anchors(FACE_LEVELS)
    assert grid.shape == (896, 2)
    assert grid[:3].tolist() == [[0.5 / 16, 0.5 / 16], [0.5 / 16, 0.5 / 16], [1.5 / 16, 0.5 / 16]]
    assert grid[512].tolist() == grid[517].tolist() == [0.5 / 8, 0.5 / 8]
    truth = np.array([[40.0, 50], [60, 50], [50, 60], [50, 70], [30, 52], [70, 52]], np.float32)
    boxes, logits = np.zeros((896, 16), np.float32), np.full(896, -10, np.float32)
    for anchor, logit in ((205, 3.0), (700, 0.5)):
        centre = grid[anchor] * 128
        boxes[anchor] = np.concatenate(([50 - centre[0], 60 - centre[1], 40, 40], (truth - centre).ravel()))
        logits[anchor] = logit
    found = best_detection(boxes, logits, size=128, threshold=0.5, levels=FACE_LEVELS)
    assert found is not None and np.allclose(found * 128, truth, atol=1e-4)
    logits[:] = -0.1
    assert best_detection(boxes, logits, size=128, threshold=0.5, levels=FACE_LEVELS) is None


def test_the_seventy_points_are_where_ibug_has_them(root: Path) -> None:
    """On a face that looks into the camera: symmetric under the skeleton's mirror, chains in their order."""
    with np.load(root / "tests" / "golden" / "holistic" / "frames.npz") as data:
        mesh = data["target.mp4/face"][0].astype(float)
    assert len(set(FACE_70)) == len(FACE_70) == 70
    face = mesh[list(FACE_70)]
    eyes = face[68:]
    across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    down = np.array([-across[1], across[0]])
    x, y = ((face - eyes.mean(0)) @ axis / np.linalg.norm(eyes[1] - eyes[0]) for axis in (across, down))
    skeleton = get_skeleton("blazepose_33_face_hands")
    mirror = skeleton.mirror[33:103] - 33
    assert np.abs(x + x[mirror]).max() < 0.25 and np.abs(y - y[mirror]).max() < 0.15
    assert (np.diff(x[:17]) > 0).all() and y[
        8
    ] == y.max()  # jaw: from the right ear (left in the picture), chin
    assert (np.diff(x[17:27]) > 0).all() and (y[17:27] < -0.1).all()  # brows above the pupils
    assert (np.diff(y[27:31]) > 0).all() and (np.diff(x[31:36]) > 0).all() and (y[31:36] > y[30]).all()
    for first, pupil in ((36, 68), (42, 69)):
        outer, upper, inner, lower = (
            x[first],
            y[first + 1 : first + 3],
            x[first + 3],
            y[first + 4 : first + 6],
        )
        assert outer < x[pupil] < inner and upper.max() < lower.min()
    for first, last in ((48, 54), (60, 64)):
        assert x[first] < x[first + 1] < x[last] and y[48:68].min() > y[31:36].max()
    assert y[51] < y[62] <= y[66] < y[57]  # lips from top to bottom
    for first, last in ((36, 41), (42, 47), (48, 59)):  # once around, clockwise on the screen
        ring = np.arange(first, last + 1)
        angle = np.arctan2(y[ring] - y[ring].mean(), x[ring] - x[ring].mean())
        steps = np.diff(angle, append=angle[0]) % (2 * np.pi)
        assert steps.sum() == pytest.approx(2 * np.pi) and (steps > 0.1).all(), first
    assert (np.diff(x[60:65]) > 0).all() and (np.diff(x[64:68]) < 0).all()  # a shut mouth is no ring
    assert x[39] < 0 < x[42] and y[31:36].max() < y[51]
