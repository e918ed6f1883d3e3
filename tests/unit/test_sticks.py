"""The stick figure: where its pixels are, which colours they have, and what is not drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import Renderer
from dancekit.renderers.palettes import DOTS, Limb, limbs
from dancekit.renderers.sticks import DOT_RADIUS, Sticks
from dancekit.types import get_skeleton, skeleton_names

COCO = get_skeleton("coco_17")
SIZE = (96, 64)
ROWS, COLUMNS = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)


def pose(skeleton=COCO, **joints):
    """One frame with these joints only."""
    xy = np.full((1, len(skeleton), 2), np.nan, np.float32)
    score = np.zeros((1, len(skeleton)), np.float32)
    for name, place in joints.items():
        xy[0, skeleton.index(name)], score[0, skeleton.index(name)] = place, 0.9
    return xy, score


def random_pose(seed: int, skeleton=COCO, low=-20.0, high=110.0, missing=0.2):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(low, high, (3, len(skeleton), 2)).astype(np.float32)
    score = np.where(rng.random((3, len(skeleton))) < missing, 0, rng.uniform(0.1, 1, (3, len(skeleton))))
    xy[score == 0] = np.nan
    return xy, score.astype(np.float32)


def distance(a, b):
    """From every pixel centre to the segment: the plain definition."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    along, length = b - a, max(float((b - a) @ (b - a)), 1e-12)
    t = np.clip(((COLUMNS - a[0]) * along[0] + (ROWS - a[1]) * along[1]) / length, 0, 1)
    return np.hypot(COLUMNS - a[0] - t * along[0], ROWS - a[1] - t * along[1])


def by_definition(xy, score, table: tuple[Limb, ...], width: float, dotted: tuple[str, ...]) -> np.ndarray:
    """An independent, slow picture of one frame: limbs mixed by coverage, then dots mixed and laid over."""
    where = {name: xy[n].astype(np.float64) for n, name in enumerate(COCO.joints) if score[n] > 0}
    for middle, sides in (("neck", "shoulder"), ("mid_hip", "hip")):
        if {f"left_{sides}", f"right_{sides}"} <= set(where):
            where[middle] = (where[f"left_{sides}"] + where[f"right_{sides}"]) / 2
    lines = [
        (
            np.clip(
                max(width * limb.width, 1) / 2 + 0.5 - distance(where[limb.start], where[limb.end]), 0, 1
            ),
            limb.colour,
        )
        for limb in table
        if limb.start in where and limb.end in where
    ]
    dots = [
        (
            np.clip(DOT_RADIUS * max(width, 1) + 0.5 - distance(where[name], where[name]), 0, 1),
            DOTS[COCO.side(COCO.index(name))],
        )
        for name in dotted
        if name in where
    ]
    picture = np.zeros((3, SIZE[1], SIZE[0]))
    for layer in (lines, dots):
        total = sum((cover for cover, _ in layer), np.zeros(picture.shape[1:]))
        mixed = sum(
            (cover * np.reshape(colour, (3, 1, 1)) for cover, colour in layer), np.zeros_like(picture)
        )
        picture = picture * np.maximum(1 - total, 0) + mixed / np.maximum(total, 1)
    return picture


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.1))
def test_is_the_distance_field_by_definition(seed, line_width):
    sticks = Sticks(skeleton=COCO, size=SIZE, line_width=line_width)
    xy, score = random_pose(seed)
    drawn = sticks(xy, score).numpy()
    body = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    dotted = tuple(name for name in COCO.joints if name.endswith(body))
    table = limbs(COCO, hands=True, face=True)
    for frame in range(3):
        wanted = by_definition(xy[frame], score[frame], table, line_width * SIZE[1], dotted)
        assert np.abs(drawn[frame] - wanted).max() < 1e-4


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(15, 45)] * 4))
def test_a_limbs_mass_is_between_its_joints(place):
    a, b = place[:2], place[2:]
    sticks = Sticks(skeleton=COCO, size=SIZE, line_width=0.04)
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    # Two dots together only nearly: an antialiased dot's mass depends on where between pixels it lies.
    for shown, centre, within in (
        (pose(left_elbow=a, left_wrist=b), middle, 0.25),
        (pose(left_elbow=a), a, 0.05),
        (pose(left_wrist=b), b, 0.05),
    ):
        mass = sticks(*shown).numpy()[0].sum(0)
        found = [(mass * COLUMNS).sum() / mass.sum(), (mass * ROWS).sum() / mass.sum()]
        assert np.allclose(found, centre, rtol=0, atol=within)


def test_moving_a_joint_by_a_tenth_of_a_pixel_moves_the_picture_so():
    sticks = Sticks(skeleton=COCO, size=SIZE)
    centres = []
    for shift in np.linspace(0, 1, 11):
        image = sticks(*pose(left_knee=(30 + shift, 20.3))).numpy()[0].sum(0)
        centres.append((image * COLUMNS).sum() / image.sum())
    assert np.allclose(np.diff(centres), 0.1, atol=0.08) and np.ptp(centres) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", skeleton_names())
def test_a_mirrored_dancer_is_the_mirrored_picture_with_the_sides_colours_swapped(name):
    skeleton = get_skeleton(name)
    sticks = Sticks(skeleton=skeleton, size=SIZE)
    xy, score = random_pose(5, skeleton)
    mirrored = xy[:, skeleton.mirror].copy()
    mirrored[..., 0] = SIZE[0] - 1 - mirrored[..., 0]
    there = sticks(mirrored, score[:, skeleton.mirror]).numpy()
    wanted = sticks(xy, score).numpy()[:, ::-1, :, ::-1]  # red and blue swapped, columns reversed
    assert np.abs(there - wanted).max() < 1e-3
    assert there.max() > 0.5


@pytest.mark.parametrize("name", skeleton_names())
def test_left_is_bluer_and_right_is_redder(name):
    skeleton = get_skeleton(name)
    sides = {"left": 0, "right": 0}
    for limb in limbs(skeleton, hands=True, face=False):
        named = {joint.split("_")[0] for joint in (limb.start, limb.end)} & {"left", "right"}
        red, _, blue = limb.colour
        if len(named) == 1:
            (side,) = named
            sides[side] += 1
            assert (blue - red if side == "left" else red - blue) >= 0.19, limb
        else:
            assert red == blue, limb
    assert sides["left"] == sides["right"] >= 8


@pytest.mark.parametrize("name", ["coco_17", "body_25", "blazepose_33", "halpe_26"])
def test_limbs_of_a_side_have_colours_of_their_own(name):
    table = limbs(get_skeleton(name), hands=True, face=True)
    colours = np.array([limb.colour for limb in table])
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + 9 * np.eye(len(table))
    assert apart.min() > 0.1
    body = [
        n
        for n, limb in enumerate(table)
        if not {"thumb", "index", "pinky", "toe", "heel"} & set(limb.end.split("_"))
    ]
    assert apart[np.ix_(body, body)].min() > 0.2


def test_missing_joints_draw_nothing():
    sticks = Sticks(skeleton=COCO, size=SIZE)
    xy, score = random_pose(1, missing=0)
    nothing = np.full_like(xy, np.nan)
    assert not sticks(nothing, np.zeros_like(score)).any()
    assert not sticks(xy, np.zeros_like(score)).any()  # the score decides
    assert not sticks(nothing, score).any()  # and so does NaN
    assert sticks(xy[:0], score[:0]).shape == (0, 3, SIZE[1], SIZE[0])
    one = sticks(*pose(left_elbow=(20, 20)))  # no limb without its other end
    assert np.count_nonzero(one.numpy()[0].sum(0)) <= 9


def test_limbs_are_drawn_up_to_the_edge_and_far_joints_cost_nothing():
    sticks = Sticks(skeleton=COCO, size=SIZE, line_width=0.03)
    inside = sticks(*pose(left_elbow=(80, 30), left_wrist=(120, 40))).numpy()[0].sum(0)
    assert (inside[:, -1] > 0).any() and np.flatnonzero(inside[:, -1])[0] == pytest.approx(33, abs=2)
    far = sticks(*pose(left_elbow=(-4e6, 20), left_wrist=(4e6, 20))).numpy()[0]
    assert (far[2, 20] > 0.9).all() and not far[:, :18].any() and not far[:, 23:].any()
    assert not sticks(*pose(left_elbow=(-50, -50), left_wrist=(-40, 200))).any()
    assert not sticks(*pose(left_elbow=(1e30, 20), left_wrist=(1e30, 40))).any()
    across = sticks(*pose(left_elbow=(-1e30, 20), left_wrist=(1e30, 40)))  # wherever it is: no memory goes up
    assert across.max() <= 1


def test_frames_do_not_depend_on_their_neighbours():
    xy, score = random_pose(2)
    sticks = Sticks(skeleton=COCO, size=SIZE)
    together = sticks(np.tile(xy, (40, 1, 1)), np.tile(score, (40, 1)))
    alone = [sticks(xy[n : n + 1], score[n : n + 1])[0] for n in range(3)]
    for n in range(120):
        assert (together[n] == alone[n % 3]).all()


def test_hands_and_face_can_be_left_out():
    for name, part in (("blazepose_33", "thumb"), ("wholebody_133", "hand"), ("wholebody_133", "face")):
        skeleton = get_skeleton(name)
        everything = limbs(skeleton, hands=True, face=True)
        without = limbs(skeleton, hands=False, face=False)
        assert any(part in limb.end for limb in everything)
        assert not any(part in limb.end for limb in without)
        xy, score = random_pose(4, skeleton)
        less = Sticks(skeleton=skeleton, size=SIZE, hands=False, face=False)(xy, score)
        assert (less != Sticks(skeleton=skeleton, size=SIZE)(xy, score)).any()


@pytest.mark.parametrize("name", skeleton_names())
def test_head_hands_and_feet_are_connected_where_there_are_any(name):
    skeleton = get_skeleton(name)
    ends = {joint for limb in limbs(skeleton, hands=True, face=True) for joint in (limb.start, limb.end)}
    left_out = set(skeleton.joints) - ends
    # BlazePose's corners of the eyes are too close; its knuckles and mouth give way to better ones
    better = [
        part for hand, part in (("left_hand_0", "left_"), ("right_hand_0", "right_")) if hand in skeleton
    ]
    assert all(
        "eye_" in joint
        or (joint.startswith(tuple(better)) and joint.endswith(("thumb", "index", "pinky", "mouth")))
        for joint in left_out
    ), left_out


def test_promises_of_its_spec():
    sticks = Sticks(skeleton=COCO, size=SIZE, line_width=0.1)
    assert isinstance(sticks, Renderer)
    picture = sticks(*random_pose(9, low=20, high=60, missing=0))
    low, high = sticks.spec.value_range
    assert picture.shape == (3, sticks.spec.channels, SIZE[1], SIZE[0])
    assert str(picture.dtype) == "torch.float32" and low <= picture.min() and picture.max() <= high
    assert COCO.name in sticks.spec.skeletons
    with pytest.raises(ValueError, match="coco_17"):
        sticks(np.zeros((1, 25, 2), np.float32), np.ones((1, 25), np.float32))


def test_pupils_are_dots_of_their_own_and_hands_replace_knuckles():
    skeleton = get_skeleton("blazepose_33_face_hands")
    drawn = {(limb.start, limb.end) for limb in limbs(skeleton, hands=True, face=True)}
    assert ("left_wrist", "left_thumb") not in drawn and ("left_hand_0", "left_hand_1") in drawn
    assert ("left_mouth", "right_mouth") not in drawn and ("face_48", "face_49") in drawn
    assert ("left_wrist", "left_thumb") in {
        (limb.start, limb.end) for limb in limbs(get_skeleton("blazepose_33"), hands=True, face=True)
    }
    xy, score = np.zeros((1, 145, 2), np.float32), np.zeros((1, 145), np.float32)
    pupils = [skeleton.index("right_pupil"), skeleton.index("left_pupil")]
    xy[0, pupils], score[0, pupils] = [(10, 20), (30, 20)], 1
    (picture,) = Sticks(skeleton=skeleton, size=(48, 48))(xy, score).numpy()
    assert picture[:, 20, 10].any() and picture[:, 20, 30].any()
    assert (picture.max(0) > 0).sum() <= 18  # two dots, no line between them
    # the left one has more blue than red, the right one is its counterpart
    assert picture[2, 20, 30] > picture[0, 20, 30] and np.allclose(picture[::-1, 20, 10], picture[:, 20, 30])
    assert not Sticks(skeleton=skeleton, size=(48, 48), face=False)(xy, score).numpy().any()
