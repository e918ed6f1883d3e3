"""Skeletons and the maps between them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.errors import UnknownName
from dancekit.types import PoseSequence, Skeleton, get_skeleton, skeleton_names
from dancekit.types.conversion import convert_keypoints

NAMES = skeleton_names()
SIZES = {
    "coco_17": 17,
    "body_18": 18,
    "body_23": 23,
    "body_25": 25,
    "blazepose_33": 33,
    "halpe_26": 26,
    "wholebody_133": 133,
    "body_18_face_hands": 130,
    "body_23_face_hands": 135,
    "body_25_face_hands": 137,
    "blazepose_33_face_hands": 145,
}


@pytest.mark.parametrize(("name", "joints"), SIZES.items())
def test_every_layout_has_its_number_of_joints(name, joints):
    assert len(get_skeleton(name)) == joints
    assert set(NAMES) == set(SIZES)


@pytest.mark.parametrize("name", NAMES)
def test_mirror_is_an_involution_that_keeps_limbs_and_parts(name):
    skeleton = get_skeleton(name)
    mirror = skeleton.mirror
    assert np.array_equal(mirror[mirror], np.arange(len(skeleton)))
    limbs = {frozenset(edge) for edge in skeleton.edges}
    assert len(limbs) == len(skeleton.edges)
    assert {frozenset((int(mirror[a]), int(mirror[b]))) for a, b in skeleton.edges} == limbs
    swap = {"left_hand": "right_hand", "right_hand": "left_hand"}
    for part, members in skeleton.parts.items():
        assert {int(mirror[joint]) for joint in members} == set(skeleton.parts[swap.get(part, part)])
    for joint in range(len(skeleton)):
        sides = skeleton.side(joint), skeleton.side(int(mirror[joint]))
        assert sides in {("left", "right"), ("right", "left"), (None, None)}


@pytest.mark.parametrize("name", NAMES)
def test_every_joint_is_in_one_part_and_on_a_limb(name):
    skeleton = get_skeleton(name)
    assert sorted(joint for members in skeleton.parts.values() for joint in members) == list(
        range(len(skeleton))
    )
    assert {joint for edge in skeleton.edges for joint in edge} == set(range(len(skeleton)))


def test_orders_are_the_published_ones():
    # spot checks against the layouts' documentation (edn.md 1.2; COCO-WholeBody; Halpe; MediaPipe)
    body_25, body_23 = get_skeleton("body_25"), get_skeleton("body_23")
    assert [body_25.joints[n] for n in (1, 4, 7, 8, 11, 14, 15, 18, 19, 24)] == [
        "neck", "right_wrist", "left_wrist", "mid_hip", "right_ankle", "left_ankle", "right_eye", "left_ear",
        "left_big_toe", "right_heel",
    ]  # fmt: skip
    assert [body_23.joints[n] for n in (0, 7, 10, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22)] == [
        "neck", "mid_hip", "right_ankle", "right_big_toe", "right_small_toe", "left_ankle", "left_big_toe",
        "left_small_toe", "nose", "right_eye", "right_ear", "left_eye", "left_ear",
    ]  # fmt: skip
    body_18 = get_skeleton("body_18")
    assert body_18.joints[8] == "right_hip" and body_18.joints[13] == "left_ankle"
    assert body_18.joints[14:] == ("right_eye", "left_eye", "right_ear", "left_ear")
    coco = get_skeleton("coco_17").joints
    for longer in ("halpe_26", "wholebody_133"):
        assert get_skeleton(longer).joints[:17] == coco
    whole = get_skeleton("wholebody_133")
    assert [whole.joints[n] for n in (17, 19, 22, 23, 90, 91, 112, 132)] == [
        "left_big_toe", "left_heel", "right_heel", "face_0", "face_67", "left_hand_0", "right_hand_0",
        "right_hand_20",
    ]  # fmt: skip
    blaze = get_skeleton("blazepose_33")
    assert [blaze.joints[n] for n in (0, 7, 11, 16, 22, 23, 28, 31)] == [
        "nose", "left_ear", "left_shoulder", "right_wrist", "right_thumb", "left_hip", "right_ankle",
        "left_foot_index",
    ]  # fmt: skip
    halpe = get_skeleton("halpe_26")
    assert halpe.joints[17:21] == ("head_top", "neck", "mid_hip", "left_big_toe")


def test_face_points_mirror_by_their_drawing():
    # a face drawn symmetrically about x = 0 is its own mirror picture under the index pairs
    whole = get_skeleton("wholebody_133")
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([np.cos(angle), np.sin(angle)], 1)
    face = np.zeros((68, 2))
    face[:17] = jaw
    face[17:27] = [(x, -0.6) for x in (-0.7, -0.6, -0.5, -0.4, -0.3, 0.3, 0.4, 0.5, 0.6, 0.7)]
    face[27:31] = [(0, y) for y in (-0.4, -0.3, -0.2, -0.1)]
    face[31:36] = [(x, 0) for x in (-0.2, -0.1, 0, 0.1, 0.2)]
    right_eye = [(-0.6, -0.4), (-0.5, -0.5), (-0.4, -0.5), (-0.3, -0.4), (-0.4, -0.35), (-0.5, -0.35)]
    face[36:42] = right_eye
    left_eye = [(-x, y) for x, y in right_eye]
    face[42:48] = [left_eye[n] for n in (3, 2, 1, 0, 5, 4)]
    outer = np.linspace(np.pi, -np.pi, 13)[:12]
    face[48:60] = np.stack([0.4 * np.cos(outer), 0.4 - 0.2 * np.sin(outer)], 1)
    inner = np.linspace(np.pi, -np.pi, 9)[:8]
    face[60:68] = np.stack([0.3 * np.cos(inner), 0.4 - 0.1 * np.sin(inner)], 1)
    mirrored = face[whole.mirror[23:91] - 23] * [-1, 1]
    assert np.allclose(mirrored, face, atol=1e-9)


def _random(skeleton: Skeleton, seed: int, frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = np.where(
        rng.random((frames, len(skeleton))) < 0.3, 0, rng.uniform(0.1, 1, (frames, len(skeleton)))
    )
    xy = rng.uniform(0, 100, (frames, len(skeleton), 2))
    xy[score == 0] = np.nan
    return xy.astype(np.float32), score.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 2**32 - 1))
def test_maps_keep_shared_joints_and_commute_with_mirroring(source_name, target_name, seed):
    source, target = get_skeleton(source_name), get_skeleton(target_name)
    xy, score = _random(source, seed)
    out_xy, out_score = convert_keypoints(xy, score, source, target)
    assert out_xy.shape == (4, len(target), 2) and out_xy.dtype == out_score.dtype == np.float32
    assert np.array_equal(np.isnan(out_xy).any(-1), out_score == 0)
    for joint in set(source.joints) & set(target.joints):
        i, j = source.index(joint), target.index(joint)
        assert np.array_equal(out_xy[:, j], xy[:, i], equal_nan=True)
        assert np.array_equal(out_score[:, j], score[:, i])
    other_xy, other_score = convert_keypoints(xy[:, source.mirror], score[:, source.mirror], source, target)
    assert np.array_equal(other_score, out_score[:, target.mirror])
    assert np.allclose(other_xy, out_xy[:, target.mirror], equal_nan=True)


def test_neck_and_mid_hip_are_means_and_need_both_joints():
    source, target = get_skeleton("coco_17"), get_skeleton("body_25")
    xy, score = np.full((2, 17, 2), np.nan, np.float32), np.zeros((2, 17), np.float32)
    left, right = source.index("left_shoulder"), source.index("right_shoulder")
    xy[0, left], xy[0, right], score[0, left], score[0, right] = (10, 4), (20, 8), 0.9, 0.3
    xy[1, left], score[1, left] = (10, 4), 0.9
    out, out_score = convert_keypoints(xy, score, source, target)
    neck = target.index("neck")
    assert out[0, neck].tolist() == [15, 6] and out_score[0, neck] == np.float32(0.3)
    assert np.isnan(out[1, neck]).all() and out_score[1, neck] == 0
    assert out_score[:, target.index("left_heel")].tolist() == [0, 0]


def test_feet_map_between_blazepose_and_openpose_and_knuckles_stay_out_of_hands():
    blaze, body, whole = (get_skeleton(n) for n in ("blazepose_33", "body_25", "wholebody_133"))
    xy = np.stack([np.arange(33.0), np.arange(33.0)], 1).astype(np.float32)
    score = np.ones(33, np.float32)
    out, out_score = convert_keypoints(xy, score, blaze, body)
    assert out[body.index("left_big_toe"), 0] == 31 and out[body.index("right_heel"), 0] == 30
    assert out_score[body.index("left_small_toe")] == 0
    _, in_hands = convert_keypoints(xy, score, blaze, whole)
    assert not in_hands[list(whole.parts["left_hand"] + whole.parts["right_hand"])].any()
    points = np.stack([np.arange(133.0)] * 2, 1).astype(np.float32)
    back, _ = convert_keypoints(points, np.ones(133, np.float32), whole, blaze)
    assert (
        back[blaze.index("right_eye_outer"), 0] == 23 + 36
        and back[blaze.index("left_eye_outer"), 0] == 23 + 45
    )


def test_sequence_goes_there_and_back():
    blaze = get_skeleton("blazepose_33")
    xy, score = _random(blaze, 3)
    poses = PoseSequence(
        xy=xy, score=score, pts=np.arange(4), time_base=Fraction(1, 25), size=(100, 100), skeleton=blaze
    )
    there = poses.to("body_25@1")
    assert there.skeleton.id == "body_25@1" and len(there) == 4
    back = there.to(blaze)
    for joint in ("nose", "left_ankle", "left_foot_index", "right_heel"):
        number = blaze.index(joint)
        assert np.array_equal(back.xy[:, number], poses.xy[:, number], equal_nan=True)


def test_unknown_skeletons_and_strangers_are_refused():
    with pytest.raises(UnknownName, match=r"body_25"):
        get_skeleton("body25")
    with pytest.raises(UnknownName, match="this version"):
        get_skeleton("body_25@7")
    tail = Skeleton(name="tail", version=1, joints=("tip",), edges=(), parts={"body": (0,)}, source="a test")
    with pytest.raises(UnknownName, match="no map"):
        convert_keypoints(np.zeros((1, 2)), np.ones(1), tail, get_skeleton("coco_17"))
    with pytest.raises(ValueError, match="not keypoints of coco_17"):
        convert_keypoints(np.zeros((3, 2)), np.ones(3), get_skeleton("coco_17"), tail)
