"""Face and hands as masks: where they are, and that they are not claimed of a small person."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dancekit.boxes import HEAD_HEIGHT
from dancekit.metrics.regions import FACE_WIDTHS, SMALLEST_HEAD, box_masks, head_height, region_boxes
from dancekit.types import PoseSequence, get_skeleton

SIZE = (600, 420)
# a standing adult in mm around the middle of the shoulders, x to the image's right, facing the camera
ADULT = {
    "left_ear": (72.5, -230), "right_ear": (-72.5, -230), "left_eye": (31.5, -250), "right_eye": (-31.5, -250),
    "nose": (0, -215), "left_shoulder": (180, 0), "right_shoulder": (-180, 0), "left_hip": (110, 500),
    "right_hip": (-110, 500), "left_elbow": (230, 270), "right_elbow": (-230, 270), "left_wrist": (230, 520),
    "right_wrist": (-480, 270),
}  # fmt: skip
HANDS = {"left": (230, 615), "right": (-575, 270)}  # middle of the hand: 95 mm on, in line with the forearm


def person(scale: float, name: str = "coco_17", frames: int = 4) -> PoseSequence:
    """`scale` pixels a mm, the shoulders in the upper middle."""
    layout = get_skeleton(name)
    xy = np.full((frames, len(layout), 2), np.nan)
    for joint, at in ADULT.items():
        if joint in layout:
            xy[:, layout.index(joint)] = np.array((300, 120)) + scale * np.array(at)
    for side, (x, y) in HANDS.items():
        for number, joint in enumerate(layout.parts.get(f"{side}_hand", ())):
            turn = 2 * np.pi * number / 21
            xy[:, joint] = np.array((300, 120)) + scale * (
                np.array((x, y)) + 60 * np.array((np.cos(turn), np.sin(turn)))
            )
    return PoseSequence(
        xy=xy,
        score=np.isfinite(xy).all(-1),
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=SIZE,
        skeleton=layout,
    )


@pytest.mark.parametrize("name", ["coco_17", "body_25", "blazepose_33", "wholebody_133"])
def test_face_and_hands_are_where_they_were_put(name: str) -> None:
    poses, scale = person(0.4, name), 0.4
    boxes = region_boxes(poses)
    face, hands = boxes["face"], boxes["hands"]
    assert face is not None and hands is not None and face.shape == (4, 1, 4) and hands.shape == (4, 2, 4)
    np.testing.assert_allclose(face[0, 0, 2] - face[0, 0, 0], FACE_WIDTHS * 145 * scale, rtol=0.02)
    for which, side in enumerate(("left", "right")):
        middle = (hands[0, which, :2] + hands[0, which, 2:]) / 2
        np.testing.assert_allclose(middle, np.array((300, 120)) + scale * np.array(HANDS[side]), atol=2.5)
        assert hands[0, which, 2] - hands[0, which, 0] == pytest.approx(190 * 1.2 * scale, rel=0.05)
    mask = box_masks(face, SIZE)
    assert mask.shape == (4, 420, 600) and mask.dtype == bool
    assert mask[0, int(120 - 215 * scale), 300] and not mask[0, 120, 300]
    for which in range(2):
        x, y = np.rint((hands[0, which, :2] + hands[0, which, 2:]) / 2).astype(int)
        assert box_masks(hands, SIZE)[0, y, x]


def test_a_bent_hand_is_where_its_own_points_are() -> None:
    poses = person(0.4, "wholebody_133")
    xy, score = poses.xy.copy(), poses.score.copy()
    left, right = (list(poses.skeleton.parts[f"{side}_hand"]) for side in ("left", "right"))
    xy[:, left] += (30, -40)
    xy[:, right] += (-30, 40)
    score[:, right[4:]] = 0  # four points are too few: the forearm decides
    before, after = region_boxes(poses)["hands"], region_boxes(poses.replace(xy=xy, score=score))["hands"]
    assert before is not None and after is not None
    np.testing.assert_allclose((after - before)[:, 0], np.tile((30, -40, 30, -40), (4, 1)), atol=0.1)
    np.testing.assert_allclose((after - before)[:, 1], 0, atol=2.5)
    xy[:, left[0]] = xy[:, left[10]] + (0, 150)  # fingers far apart widen the box
    wide = region_boxes(poses.replace(xy=xy, score=score))["hands"]
    assert wide is not None and wide[0, 0, 3] - wide[0, 0, 1] > 150


def test_a_small_person_has_no_claimed_face() -> None:
    for height, claimed in ((SMALLEST_HEAD - 1.5, False), (SMALLEST_HEAD + 1.5, True)):
        poses = person(height / (145 * HEAD_HEIGHT))
        assert head_height(poses) == pytest.approx(height, rel=0.01)
        boxes = region_boxes(poses)
        assert [boxes[region] is not None for region in ("face", "hands")] == [claimed, claimed]


def test_nobody_has_no_regions() -> None:
    poses = person(0.4)
    nobody = poses.replace(score=np.zeros_like(poses.score))
    assert np.isnan(head_height(nobody))
    assert region_boxes(nobody) == {"face": None, "hands": None}


def test_a_frame_without_a_hand_has_an_empty_mask() -> None:
    poses = person(0.4)
    score = poses.score.copy()
    score[1, [poses.skeleton.index(f"{side}_elbow") for side in ("left", "right")]] = 0
    boxes = region_boxes(poses.replace(score=score))
    assert boxes["hands"] is not None and boxes["face"] is not None
    assert box_masks(boxes["hands"], SIZE).any((1, 2)).tolist() == [True, False, True, True]
    assert box_masks(boxes["face"], SIZE).any((1, 2)).all()
    arms = np.zeros_like(score)
    arms[:] = poses.score
    arms[:, [poses.skeleton.index(f"{side}_wrist") for side in ("left", "right")]] = 0
    assert region_boxes(poses.replace(score=arms))["hands"] is None


def test_masks_hold_the_pixels_whose_centres_are_inside() -> None:
    boxes = np.array([[[-0.5, -0.5, 0.5, 1.5], [2.5, 0.5, 9.0, 9.0]]], np.float32)
    expected = np.array([[1, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(box_masks(boxes, (4, 3))[0], expected)
