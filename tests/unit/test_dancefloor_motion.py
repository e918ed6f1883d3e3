"""Motions without pixels: inverse kinematics, steps, joins, and what fitting them to a body keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dancekit.dancefloor.body import body_model
from dancekit.dancefloor.choreography import KINDS, choreograph, crossing
from dancekit.dancefloor.dance import dance
from dancekit.dancefloor.expression import ACTIONS, lively_face, with_face
from dancekit.dancefloor.joints import FPS, JOINTS, J, align, between, power, turn
from dancekit.dancefloor.keypoints import NAMES
from dancekit.dancefloor.legs import reach
from dancekit.dancefloor.looks import PERSON_A, PERSON_B
from dancekit.dancefloor.motion import face_camera, join, resample
from dancekit.dancefloor.render import foot_slide
from dancekit.dancefloor.retarget import retarget
from dancekit.dancefloor.rig import Rig
from dancekit.dancefloor.walk import rest, walk_u_turn

numbers = st.floats(-1, 1)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)


@pytest.fixture(scope="module")
def rigs():
    return [Rig(body_model(), *body_model().rest(spec.phenotype)) for spec in (PERSON_A, PERSON_B)]


@given(vectors.filter(lambda v: np.linalg.norm(v) > 0.05), st.floats(0.3, 0.6), st.floats(0.3, 0.6))
@settings(max_examples=40, deadline=None)
def test_a_leg_reaches_every_place_within_its_length(ankle, thigh, shin):
    """Forward kinematics of the found rotations is the oracle."""
    distance = np.linalg.norm(ankle)
    near, far = abs(thigh - shin) + 1e-3, 0.999 * (thigh + shin)
    ankle = ankle / distance * np.clip(distance, near, far)
    knee = np.cross(ankle, [0.3, -0.7, 0.2])
    if np.linalg.norm(knee) < 1e-3:
        return
    upper, lower = reach(np.zeros(3), ankle, thigh, shin, np.cross(ankle, knee))
    down = np.array([0, 0, -1.0])
    np.testing.assert_allclose(thigh * upper @ down + shin * lower @ down, ankle, atol=1e-6)
    for rotation in (upper, lower):
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


@given(vectors, vectors, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_rotations_between_are_a_share_of_the_way(a, b, share):
    first, second = Rotation.from_rotvec(a).as_matrix(), Rotation.from_rotvec(b).as_matrix()
    whole = Rotation.from_matrix(first.T @ second).magnitude()
    part = Rotation.from_matrix(first.T @ between(first, second, share)).magnitude()
    assert part == pytest.approx(share * whole, abs=1e-6)
    np.testing.assert_allclose(power(first, 0.5) @ power(first, 0.5), first, atol=1e-9)


@given(vectors.filter(lambda v: np.linalg.norm(v) > 0.1), vectors.filter(lambda v: np.linalg.norm(v) > 0.1))
@settings(max_examples=60, deadline=None)
def test_align_takes_one_direction_to_the_other(a, b):
    if np.linalg.norm(np.cross(a, b)) < 1e-6 and a @ b < 0:
        return  # opposite: no smallest rotation
    np.testing.assert_allclose(align(a, b) @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-6)


def test_the_same_seed_is_the_same_dance_and_another_is_another():
    first, again, other = dance(3, seed=4), dance(3, seed=4), dance(3, seed=5)
    assert first.rotations.tobytes() == again.rotations.tobytes()
    assert first.root.tobytes() == again.root.tobytes()
    assert np.abs(first.root - other.root).max() > 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_choreography_has_the_length_that_was_asked_for_and_smooth_joints(kind):
    motion = choreograph(kind, 230, 3)
    assert len(motion) == 230
    assert motion.face.shape == (230, len(ACTIONS)) and motion.gaze.shape == (230, 2)
    assert motion.face.min() >= 0 and motion.face.max() <= 1
    steps = Rotation.from_matrix(
        (np.swapaxes(motion.rotations[:-1], -1, -2) @ motion.rotations[1:]).reshape(-1, 3, 3)
    )
    fastest = np.degrees(steps.magnitude().max())
    assert fastest < 65  # no joint jumps from one frame to the next
    assert np.linalg.norm(np.diff(motion.root, axis=0), axis=1).max() * FPS < 4.5


def test_a_motion_mirrored_twice_is_itself_and_once_is_left_for_right():
    motion = with_face(dance(3, seed=1), 9)
    twice = motion.mirrored().mirrored()
    np.testing.assert_allclose(twice.rotations, motion.rotations)
    np.testing.assert_allclose(twice.root, motion.root)
    once = motion.mirrored()
    np.testing.assert_array_equal(once.contact[:, 0], motion.contact[:, 1])
    left = motion.rotations[:, J["uarm.L"]] @ [1, 0, 0]
    right = once.rotations[:, J["uarm.R"]] @ [-1, 0, 0]
    np.testing.assert_allclose(right, left * [-1, 1, 1], atol=1e-12)


def test_facing_the_camera_undoes_a_turn():
    motion = face_camera(dance(3, seed=2))
    turned = face_camera(motion.turned(1.3, to=(4.0, -2.0)))
    np.testing.assert_allclose(turned.rotations, motion.rotations, atol=1e-6)
    np.testing.assert_allclose(turned.root, motion.root, atol=1e-6)


def test_joining_keeps_the_parts_and_bridges_between_them():
    parts = [with_face(rest(1, seed=1), 1), with_face(dance(2, seed=1), 2)]
    whole = join(parts, 8)
    assert len(whole) == 25 + 8 + 50
    np.testing.assert_array_equal(whole.root[:25], parts[0].root)
    np.testing.assert_array_equal(whole.rotations[33:], parts[1].rotations)
    assert (whole.contact[25:33] == -1).all() and whole.grounded[25:33].all()
    assert np.abs(np.diff(whole.root[24:34], axis=0)).max() < 0.1


def test_resampling_a_turn_at_even_speed_is_a_turn_at_even_speed():
    angles = np.linspace(0, 1, 61)
    rotations = np.tile(turn([0, 0, 1.0], angles)[:, None], (1, len(JOINTS), 1, 1))
    root = np.stack([angles, 0 * angles, 0 * angles], 1)
    found, moved = resample(rotations, root, 60.0)
    expected = np.arange(len(found)) / FPS
    np.testing.assert_allclose(Rotation.from_matrix(found[:, 0]).as_rotvec()[:, 2], expected, atol=1e-9)
    np.testing.assert_allclose(moved[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("frames", [2, 3, 4, 7])
def test_a_motion_may_be_as_short_as_two_frames(rigs, frames):
    assert len(retarget(choreograph("dance", frames, 1), rigs[0])) == frames


@pytest.mark.parametrize("motion", ["dance", "walk", "rest"])
def test_planted_feet_stay_and_no_sole_sinks_on_any_body(rigs, motion):
    for rig in rigs:
        performance = retarget(choreograph(motion, 75, 2), rig)
        assert foot_slide(performance) < 0.03
        lowest = performance.soles[..., 2].min() - rig.sole_thickness
        assert -0.012 < lowest < 0.012
        assert performance.contact.any(1).mean() > 0.8


def test_a_motion_is_the_same_on_both_bodies_but_for_their_legs(rigs):
    motion = dance(3, seed=6)
    tall, short = (retarget(motion, rig) for rig in rigs)
    trunk = [J[name] for name in JOINTS if not name.startswith(("thigh", "shin", "foot", "toe"))]
    np.testing.assert_array_equal(tall.motion.rotations[:, trunk], short.motion.rotations[:, trunk])
    np.testing.assert_array_equal(tall.contact, short.contact)
    ratio = np.ptp(tall.motion.root[:, 0]) / np.ptp(short.motion.root[:, 0])
    assert ratio == pytest.approx(rigs[0].leg / rigs[1].leg, rel=1e-6)


def test_eyes_rest_and_jump():
    face, gaze = lively_face(400, 5)
    moved = np.abs(np.diff(gaze, axis=0)).max(1) > 1e-9
    assert 0.03 < moved.mean() < 0.25
    assert np.abs(gaze[20:]).max(1).mean() > 0.05
    assert len(np.unique(gaze.round(6), axis=0)) > 15
    closed = face[:, 0] == 1
    assert 2 <= closed.sum() <= 60


def test_a_walk_goes_towards_the_camera_and_back():
    motion = walk_u_turn(5.0)
    y = motion.root[:, 1]
    nearest = int(y.argmin())
    assert 40 < nearest < 85
    assert y[0] - y[nearest] > 1.3 and y[-1] - y[nearest] > 1.3
    front = motion.rotations[:, J["pelvis"]] @ [0, -1, 0]
    assert front[10, 1] < -0.9 and front[-10, 1] > 0.9  # faces where it goes


def test_who_crosses_changes_sides_at_the_same_time():
    one = crossing(210, 1, side=-1, half_width=0.7, y=-0.4)
    two = crossing(210, 2, side=1, half_width=0.7, y=0.4)
    apart = one.root[:, 0] - two.root[:, 0]
    sides = np.sign(apart[np.abs(apart) > 0.9])
    assert sides[0] == -1 and (np.diff(sides) != 0).sum() == 2  # there, and back again
    meet = int(np.abs(apart).argmin())
    assert abs(one.root[meet, 1] - two.root[meet, 1]) > 0.6


def test_the_names_are_those_of_the_files_that_exist(root):
    with np.load(root / "zoo/samples/truth.npz") as data:
        assert tuple(data["names"]) == NAMES[: len(data["names"])]
    assert len(NAMES) == 73 and len(set(NAMES)) == 73
