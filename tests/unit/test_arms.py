"""Arms of their own: found by their shape, taken off where they are not before the body, laid on bone by bone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dancekit.arms import (
    BEFORE_BODY,
    LACKING,
    NO_ARM,
    OTHER_LENGTH,
    OTHER_SIZE,
    TURNED,
    FilmedArms,
    forearm_joints,
    upper_arm_joints,
    without_arms,
)
from dancekit.boxes import head_widths
from dancekit.build import create
from dancekit.data.coverage import distances
from dancekit.data.references import ReferenceBank
from dancekit.references.arms import put_arm, without_arm
from dancekit.references.nearest import Nearest
from dancekit.references.parts import bent_with_body
from dancekit.testing import contract_checks
from dancekit.testing.examples import example_poses
from dancekit.types import PoseSequence, get_skeleton

BLAZE = get_skeleton("blazepose_33")
SKELETONS = ("blazepose_33", "body_25", "coco_17", "wholebody_133")
SIDE = 160
LEFT = forearm_joints(BLAZE, "left")
Pose = tuple[NDArray[np.float32], NDArray[np.float32]]


class WithArms(Nearest):
    """As recipe `standard` has it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"head": "nearest", "arms": "nearest"} | given)


def spread(skeleton: str = "blazepose_33", raise_by: float = 0.0) -> Pose:
    """Somebody whose arms are held out to both sides, the left one raised by degrees, all of it in the picture."""
    poses = example_poses(skeleton=skeleton, frames=1, size=(SIDE, SIDE))
    xy, score, layout = poses.xy[0].copy(), poses.score[0].copy(), poses.skeleton
    for side, out, raised in (("left", 1, raise_by), ("right", -1, 0.0)):
        shoulder, elbow = upper_arm_joints(layout, side)
        direction = np.array([out * np.cos(np.deg2rad(raised)), -np.sin(np.deg2rad(raised))])
        below = np.array([np.sin(np.deg2rad(raised)), np.cos(np.deg2rad(raised))])
        for length, joint in ((16, elbow), (32, forearm_joints(layout, side)[1])):
            xy[joint] = xy[shoulder] + length * direction
        for number, joint in enumerate(forearm_joints(layout, side)[2:]):
            xy[joint] = xy[shoulder] + (36 + number) * direction + number * below
    return xy, score


def sequence(*poses: Pose) -> PoseSequence:
    like = example_poses(skeleton=BLAZE, frames=len(poses), size=(SIDE, SIDE))
    return like.replace(xy=np.stack([xy for xy, _ in poses]), score=np.stack([score for _, score in poses]))


def width_of(pose: Pose) -> float:
    return float(head_widths(pose[0][None], pose[1][None], BLAZE)[0])


class TestCosts:
    def test_an_arm_that_is_turned_costs_little_and_one_that_is_bent_more(self) -> None:
        straight, raised, bent = spread(), spread(raise_by=40), spread()
        bent[0][LEFT[1:]] += np.array([-12, 12], np.float32)
        (costs,) = FilmedArms(sequence(straight, raised, bent)).costs(sequence(straight), "left")
        assert costs[0] == pytest.approx(0, abs=1e-6)
        assert costs[1] == pytest.approx(TURNED * 2 * 40 / 180, abs=1e-4)
        assert costs[2] > costs[1]

    def test_an_arm_before_the_body_a_hidden_hand_and_another_size_cost(self) -> None:
        straight, before, lacking, short = (spread() for _ in range(4))
        names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
        belly = before[0][[BLAZE.index(each) for each in names]].mean(0)
        shift = belly - before[0][LEFT[1]]
        before[0][LEFT] += shift  # elbow, wrist and hand as they are, elsewhere
        lacking[1][LEFT[2:]] = 0
        shoulder = short[0][BLAZE.index("left_shoulder")]
        short[0][LEFT] = shoulder + 0.8 * (short[0][LEFT] - shoulder)
        filmed = FilmedArms(sequence(straight, before, lacking, short))
        (costs,) = filmed.costs(sequence(straight), "left")
        assert costs[1] > 0.5 * BEFORE_BODY
        assert costs[2] == pytest.approx(LACKING * 3 / 5, abs=1e-6)
        length = min(1.0, 16 / width_of(straight))
        assert costs[3] == pytest.approx(abs(np.log(0.8)) * (OTHER_SIZE + OTHER_LENGTH * length), abs=1e-3)
        against = filmed.bodies_cost()
        assert against[0] == against[2] == 0 and 0.5 * NO_ARM < against[1] / width_of(straight) <= NO_ARM

    def test_nobody_is_near_nobody(self) -> None:
        filmed = sequence(spread(), spread(raise_by=30))
        nobody = filmed.replace(score=np.zeros_like(filmed.score))
        assert np.isinf(FilmedArms(filmed).costs(nobody, "left")).all()
        assert np.isinf(FilmedArms(nobody).costs(filmed, "left")).all()
        assert FilmedArms(filmed).costs(filmed[:0], "left").shape == (0, 2)
        assert not FilmedArms(nobody).bodies_cost().any()

    def test_an_arm_of_unknown_size_is_not_taken(self) -> None:
        """It could not be cut out: the body would lose its own arm's joints, and get none."""
        known, unknown = spread(), spread()
        left = [*LEFT, *upper_arm_joints(BLAZE, "left")]
        unknown[1][[joint for joint in range(len(BLAZE)) if joint not in left]] = 0
        (costs,) = FilmedArms(sequence(known, unknown)).costs(sequence(known), "left")
        assert np.isfinite(costs[0]) and np.isinf(costs[1])

    def test_frames_one_by_one_cost_the_same(self) -> None:
        filmed = sequence(spread(), spread(raise_by=30))
        dance = sequence(*(spread(raise_by=angle) for angle in range(0, 90, 10)))
        arms = FilmedArms(filmed)
        alone = np.concatenate([arms.costs(dance[number : number + 1], "left") for number in range(9)])
        np.testing.assert_array_equal(arms.costs(dance, "left"), alone)


# ---- pixels ------------------------------------------------------------------------------------------------


def person(colour: float) -> torch.Tensor:
    """(4, SIDE, SIDE): everything is person, of one grey."""
    picture = torch.full((4, SIDE, SIDE), colour)
    picture[3] = 1
    return picture


def at(picture: torch.Tensor, point: NDArray[np.float32]) -> torch.Tensor:
    return picture[:, round(float(point[1])), round(float(point[0]))]


@pytest.mark.parametrize("name", SKELETONS)
def test_one_arm_is_taken_off_and_nothing_else(name: str) -> None:
    skeleton = get_skeleton(name)
    xy, score = spread(name)
    given = person(0.5)
    rest = without_arm(given, (xy, score), skeleton, "left")
    for joint in ("elbow", "wrist"):
        assert not at(rest, xy[skeleton.index(f"left_{joint}")]).any()
        assert (at(rest, xy[skeleton.index(f"right_{joint}")])[:3] == 0.5).all()
    for joint in ("left_hip", "nose"):
        assert (at(rest, xy[skeleton.index(joint)])[:3] == 0.5).all(), joint
    assert (at(rest, xy[skeleton.index("left_shoulder")])[:3] > 0.4).all(), (
        "where the arm begins, most is left"
    )
    assert bool((given[3] == 1).all()), "the bank's picture stays as it is"


def test_an_arm_before_the_body_stays() -> None:
    xy, score = spread()
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    belly = xy[[BLAZE.index(each) for each in names]].mean(0)
    xy[LEFT] += belly - xy[LEFT[1]]
    rest = without_arm(person(0.5), (xy, score), BLAZE, "left")
    assert (at(rest, belly)[:3] == 0.5).all()


def test_what_is_nearer_to_the_thigh_goes_along_with_no_hand() -> None:
    """An arm that hangs down beside the hip: taken off it leaves no bite, laid on it brings no piece."""
    xy, score = spread()
    hip, knee = (xy[BLAZE.index(f"left_{joint}")] for joint in ("hip", "knee"))
    width = width_of((xy, score))
    aside = np.array([0.6 * width, 0], np.float32)
    xy[LEFT[1:]] = hip + aside + 0.3 * (knee - hip) + np.array([0, 1], np.float32) * np.arange(4)[:, None]
    xy[LEFT[0]] = hip + aside - (0, 16)
    rest = without_arm(person(0.5), (xy, score), BLAZE, "left")
    between = hip + 0.3 * (knee - hip) + aside * np.float32(0.25)
    assert np.hypot(*(between - xy[LEFT[1]])) < 0.5 * width, "near enough to the hand"
    assert (at(rest, between)[:3] == 0.5).all() and not at(rest, xy[LEFT[1]] + aside / 4)[3]
    filmed, body = person(-0.5), torch.zeros(4, SIDE, SIDE)
    filmed[:3, :, : round(float(between[0])) + 1] = 0.9  # the thigh
    put_arm(body, filmed, (xy, score), spread(), BLAZE, "left")
    assert body[3].sum() > 50 and not (body[:3] > 0.1).any()


@pytest.mark.parametrize("name", SKELETONS)
@pytest.mark.parametrize("raised", [0.0, 60.0])
def test_an_arm_lies_where_it_is_wanted(name: str, raised: float) -> None:
    skeleton = get_skeleton(name)
    there, wanted = spread(name), spread(name, raise_by=raised)
    across = torch.arange(SIDE, dtype=torch.float32).expand(SIDE, SIDE) / SIDE
    picture = torch.stack([across, across.T, across, torch.ones(SIDE, SIDE)])  # of where each pixel is
    body = torch.zeros(4, SIDE, SIDE)
    xy, score = put_arm(body, picture, there, wanted, skeleton, "left")
    joints = forearm_joints(skeleton, "left")
    np.testing.assert_allclose(xy[joints], wanted[0][joints], atol=1.5)
    assert (score[joints] > 0).all() and not np.delete(score, joints).any()
    for joint in joints[:2]:
        x, y = (float(each) * SIDE for each in at(body, wanted[0][joint])[:2])
        assert np.hypot(x - there[0][joint, 0], y - there[0][joint, 1]) < 2, (
            "it shows another place of the arm"
        )
    assert not at(body, wanted[0][skeleton.index("right_wrist")]).any() and not body[:, -1].any()


def test_where_no_arm_is_known_the_body_stays() -> None:
    xy, score = spread()
    gone = score.copy()
    gone[LEFT[1]] = 0
    for there, wanted in (
        ((xy, gone), (xy, score)),
        ((xy, 0 * score), (xy, score)),
        ((xy, score), (xy, 0 * score)),
    ):
        body = person(0.3)
        _, found = put_arm(body, person(-0.5), there, wanted, BLAZE, "left")
        assert not found.any() and torch.equal(body, person(0.3))
    assert torch.equal(without_arm(person(0.3), (xy, gone), BLAZE, "left"), person(0.3))
    far = xy + np.float32(10 * SIDE)
    body = person(0.3)
    put_arm(body, person(-0.5), (xy, score), (far, score), BLAZE, "left")
    put_arm(body, person(-0.5), (far, score), (xy, score), BLAZE, "left")
    assert torch.equal(body, person(0.3)), "outside of the picture there is nothing to lay, and nowhere"


# ---- chosen and drawn --------------------------------------------------------------------------------------


def a_bank() -> ReferenceBank:
    """Three frames of the greys 60, 120 and 180; the left arm is raised by 0, 45 and 90 degrees, bent in the first."""
    straight = [spread(raise_by=angle) for angle in (0, 45, 90)]
    straight[0][0][LEFT[1:]] += np.array([-14, -14], np.float32)
    poses = sequence(*straight).replace(pts=np.array([0, 100, 200]))
    pictures = np.full((3, SIDE, SIDE, 4), 255, np.uint8)
    pictures[..., :3] = (60 * np.arange(1, 4, dtype=np.uint8))[:, None, None, None]
    return ReferenceBank(pictures, poses)


def grey(seen: torch.Tensor, point: NDArray[np.float32]) -> float:
    colour = at(seen, point)
    return float((colour[0] / colour[3] + 1) * 127.5)


def test_body_and_arms_come_from_different_frames() -> None:
    bank = a_bank()
    wanted, score = spread(raise_by=80)
    reference = Nearest(arms="nearest", hysteresis=0)
    assert reference.parts == ("left_arm", "right_arm")
    (chosen,) = bank.choose(reference, wanted[None], score[None])
    assert chosen[1] == 2, "the arm that is raised nearly as far"
    (forbidden,) = bank.choose(reference, wanted[None], score[None], never=[200])
    assert forbidden[1] == 1 and 2 not in forbidden.tolist()
    renderer = create("renderer", "sticks", skeleton=BLAZE, size=(SIDE, SIDE), device="cpu")
    seen = bank.draw(reference, np.array([0, 2, 1]), wanted, score, renderer)
    wrists = (wanted[BLAZE.index(f"{side}_wrist")] for side in ("left", "right"))
    assert [grey(seen, wrist) for wrist in wrists] == pytest.approx([180, 120], abs=1)
    assert grey(seen, wanted[BLAZE.index("left_hip")]) == pytest.approx(60, abs=1)
    shown: list[NDArray[np.float32]] = []

    def spy(xy: NDArray[np.float32], known: NDArray[np.float32]) -> torch.Tensor:
        shown.append(np.where(known[..., None] > 0, xy, np.nan)[0])
        return torch.zeros(len(xy), 3, SIDE, SIDE)

    bank.draw(reference, np.array([0, 2, 1]), wanted, score, spy)  # type: ignore[arg-type]
    bank.draw(reference, np.array([0, -1, -1]), wanted, score, spy)  # type: ignore[arg-type]
    own, body = (each[LEFT[1]] for each in shown)
    assert np.hypot(*(own - wanted[LEFT[1]])) < 2 < np.hypot(*(body - wanted[LEFT[1]]))


def test_a_body_with_an_arm_before_it_is_avoided() -> None:
    before, clear = spread(), spread()
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    before[0][LEFT] += before[0][[BLAZE.index(each) for each in names]].mean(0) - before[0][LEFT[1]]
    clear[0][BLAZE.index("left_ankle")] += np.float32(1)  # a little farther
    bank = a_bank()
    bank = ReferenceBank(bank.pictures[:2], sequence(before, clear))
    wanted = spread(raise_by=20)
    for arms, body in (("nearest", 1), ("same", 0)):
        reference = Nearest(arms=arms, hysteresis=0)  # type: ignore[arg-type]
        given = wanted if arms == "nearest" else before
        assert bank.choose(reference, given[0][None], given[1][None])[0, 0] == body


def test_forearms_that_are_taken_off_bend_nothing() -> None:
    score = spread()[1]
    rest = bent_with_body(score, ("head", "left_arm"), BLAZE)
    gone = {joint for joint in range(len(BLAZE)) if rest[joint] == 0}
    assert gone == set(LEFT[1:]) and score.all(), "the elbow bends the sleeve that is left"
    assert bent_with_body(score, ("head",), BLAZE) is score


def test_a_body_is_chosen_without_its_arms_and_bent_without_them() -> None:
    bank = a_bank()
    wanted = sequence(spread(raise_by=45))
    cost = bank._bodies_cost(wanted, ("left_arm", "right_arm"))
    assert cost.max() < 1e-5 < bank._bodies_cost(wanted, ("head",)).max(), "but for the arm they are the same"
    np.testing.assert_array_equal(bank._bodies_cost(wanted, ()), distances(bank.poses, wanted)[0])
    bare = without_arms(wanted)
    assert not bare.score[:, LEFT].any() and (bare.score[:, upper_arm_joints(BLAZE, "left")[0]] > 0).all()
    given: list[torch.Tensor] = []

    class Spy(WithArms):
        def draw(self, pictures: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
            given.append(pictures)
            return super().draw(pictures, *rest, **named)

    renderer = create("renderer", "sticks", skeleton=BLAZE, size=(SIDE, SIDE), device="cpu")
    for place in (2, -1):
        bank.draw(Spy(), np.array([1, -1, place, -1]), wanted.xy[0], wanted.score[0], renderer)
    elbow = bank.poses.xy[1, LEFT[0]]
    assert not at(given[0][0], elbow).any() and at(given[1][0], elbow).any()


def test_the_contract_holds_with_arms() -> None:
    class Configured(WithArms):
        """As recipe `standard` has it."""

        def __init__(self) -> None:
            super().__init__()

    checks = list(contract_checks("reference", Configured))
    assert len(checks) > 5
    for check in checks:
        check()
