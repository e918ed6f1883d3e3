"""Heads of their own: found by where they look, put on by a similarity, forearms and hands left before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dancekit.boxes import face_boxes, head_widths
from dancekit.build import create
from dancekit.data.references import ReferenceBank
from dancekit.heads import FEWEST_JOINTS, HIDDEN, LACKING, FilmedHeads, fit_heads, head_joints
from dancekit.references.heads import put_head, without_head
from dancekit.references.nearest import Nearest
from dancekit.testing import contract_checks
from dancekit.testing.examples import example_poses
from dancekit.types import PoseSequence, get_skeleton

BLAZE = get_skeleton("blazepose_33")
SKELETONS = ("blazepose_33", "body_25", "coco_17", "wholebody_133")
SIDE = 160
HEAD = head_joints(BLAZE)


class WithHeads(Nearest):
    """As recipe `standard` has it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"head": "nearest"} | given)


def people(frames: int = 6) -> PoseSequence:
    """Upright, hands far from the head."""
    return example_poses(skeleton=BLAZE, frames=frames, size=(SIDE, SIDE))


def turned(
    xy: NDArray[np.float32], angle: float, scale: float, shift: tuple[float, float]
) -> NDArray[np.float32]:
    """(..., 2) about the origin, by OpenCV's rule: x + iy times a complex number."""
    z = (xy[..., 0] + 1j * xy[..., 1]) * scale * np.exp(1j * np.deg2rad(angle)) + complex(*shift)
    return np.stack([z.real, z.imag], -1).astype(np.float32)


class TestFit:
    @pytest.mark.parametrize("lacking", [0, 4])
    def test_a_similarity_is_found(self, lacking: int) -> None:
        poses = people(3)
        score = poses.score.copy()
        score[:, HEAD[:lacking]] = 0
        wanted = turned(poses.xy[1], 20, 1.3, (7, -4))
        fit = fit_heads((poses.xy, score), (wanted, poses.score[1]), BLAZE)
        assert fit.turn.shape == (3,)
        np.testing.assert_allclose(fit.turn[1], 1.3 * np.exp(1j * np.deg2rad(20)), rtol=1e-4)
        np.testing.assert_allclose(fit.shift[1], 7 - 4j, atol=0.01)
        assert fit.left[1] < 1e-3 and fit.common[1] == pytest.approx(1 - lacking / len(HEAD))

    def test_a_mirrored_head_is_not_turned_over(self) -> None:
        poses = people(1)
        wanted = poses.xy[0] * np.array([-1, 1], np.float32) + np.array([SIDE, 0], np.float32)
        assert fit_heads((poses.xy, poses.score), (wanted, poses.score[0]), BLAZE).left[0] > 1

    def test_too_little_of_a_head_fits_nothing(self) -> None:
        poses = people(2)
        score = poses.score.copy()
        score[1, HEAD[FEWEST_JOINTS - 1 :]] = 0
        fit = fit_heads((poses.xy, score), (poses.xy[0], poses.score[0]), BLAZE)
        assert np.isfinite(fit.turn[0]) and np.isnan(fit.turn[1]) and np.isnan(fit.shift[1])


class TestCosts:
    def test_the_same_head_elsewhere_is_the_nearest(self) -> None:
        _, filmed = a_bank()  # the second and the third look another way
        costs = FilmedHeads(filmed).costs(filmed.replace(xy=turned(filmed.xy, 15, 1, (9, 3))))
        same = np.array([[0, 3], [1, 2], [1, 2], [0, 3]])
        assert costs.shape == (4, 4)
        assert np.take_along_axis(costs, same, 1).max() < 1e-3
        assert np.take_along_axis(costs, same[[1, 0, 0, 1]], 1).min() > 0.1

    def test_a_hand_before_the_head_a_hidden_side_and_another_size_cost(self) -> None:
        filmed = people(1)
        heads = np.array([0, 0, 0, 0])
        xy, score = filmed.xy[heads].copy(), filmed.score[heads].copy()
        xy[1, BLAZE.index("left_index")] = xy[1, BLAZE.index("nose")]
        away = [BLAZE.index(f"right_{part}") for part in ("eye_inner", "eye", "eye_outer", "ear")]
        score[2, away] = 0
        xy[3] *= 1.5
        bank = PoseSequence(
            xy=xy, score=score, pts=np.arange(4), time_base=filmed.time_base, size=filmed.size, skeleton=BLAZE
        )
        (costs,) = FilmedHeads(bank).costs(filmed)
        assert costs[0] < 1e-6
        assert costs[1] == pytest.approx(HIDDEN, abs=1e-6)
        assert costs[2] == pytest.approx(LACKING * len(away) / len(HEAD), abs=1e-6)
        assert costs[3] == pytest.approx(0.3 * np.log(1.5), abs=1e-4)

    def test_nobody_is_near_nobody(self) -> None:
        filmed = people(4)
        nobody = filmed.replace(score=np.zeros_like(filmed.score))
        assert np.isinf(FilmedHeads(filmed).costs(nobody)).all()
        assert np.isinf(FilmedHeads(nobody).costs(filmed)).all()
        assert FilmedHeads(filmed).costs(filmed[:0]).shape == (0, 4)

    def test_frames_one_by_one_cost_the_same(self) -> None:
        """A camera shows one at a time: nothing may be smoothed over time."""
        filmed, dance = people(4), people(9)
        heads = FilmedHeads(filmed)
        alone = np.concatenate([heads.costs(dance[number : number + 1]) for number in range(9)])
        np.testing.assert_array_equal(heads.costs(dance), alone)


# ---- pixels ------------------------------------------------------------------------------------------------


def person(colour: float) -> torch.Tensor:
    """(4, SIDE, SIDE): everything is person, of one grey."""
    picture = torch.full((4, SIDE, SIDE), colour)
    picture[3] = 1
    return picture


def pose(number: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    poses = people()
    return poses.xy[number].copy(), poses.score[number].copy()


def middle(xy: NDArray[np.float32]) -> tuple[int, int]:
    """Row and column in the middle of the head."""
    box = face_boxes(xy[None], np.ones((1, len(xy)), np.float32), BLAZE)[0]
    return round(float(box[1] + box[3]) / 2), round(float(box[0] + box[2]) / 2)


def test_the_head_is_taken_off_and_nothing_else() -> None:
    xy, score = pose()
    given = person(0.5)
    rest = without_head(given, (xy, score), BLAZE)
    row, column = middle(xy)
    width = float(head_widths(xy[None], score[None], BLAZE)[0])
    away = np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - np.array([row, column])[:, None, None]))
    assert not rest[:, away < 0.8 * 1.25 * width].any()
    assert torch.equal(rest[:, away > 1.5 * width], given[:, away > 1.5 * width])
    assert bool((given[3] == 1).all()), "the bank's picture stays as it is"


def test_a_forearm_before_the_head_stays() -> None:
    xy, score = pose()
    row, column = middle(xy)
    width = float(head_widths(xy[None], score[None], BLAZE)[0])
    xy[BLAZE.index("left_elbow")] = [column - 3 * width, row]
    for name in ("wrist", "index", "thumb", "pinky"):
        xy[BLAZE.index(f"left_{name}")] = [column, row]
    rest = without_head(person(0.5), (xy, score), BLAZE)
    across = round(0.6 * width)
    assert (rest[:3, row, column - across : column] == 0.5).all()
    assert not rest[:, row + across, column].any() and not rest[:, row, column + across].any()


@pytest.mark.parametrize("name", SKELETONS)
def test_a_head_lies_where_it_is_wanted(name: str) -> None:
    skeleton = get_skeleton(name)
    poses = example_poses(skeleton=skeleton, frames=2, size=(SIDE, SIDE))
    there, wanted = (poses.xy[0], poses.score[0]), (turned(poses.xy[0], 12, 0.9, (20, -3)), poses.score[0])
    columns = torch.arange(SIDE, dtype=torch.float32).expand(SIDE, SIDE) / SIDE
    rows = columns.T
    picture = torch.stack(
        [columns, rows, columns, torch.ones(SIDE, SIDE)]
    )  # a picture of where each pixel is
    body = torch.zeros(4, SIDE, SIDE)
    xy, score = put_head(body, picture, there, wanted, skeleton)
    joints = head_joints(skeleton)
    np.testing.assert_allclose(xy[joints], wanted[0][joints], atol=0.05)
    assert (score[joints] > 0).all() and not np.delete(score, joints).any()
    for joint in joints:
        column, row = wanted[0][joint]
        if not (0 <= row < SIDE - 1 and 0 <= column < SIDE - 1):
            continue
        x, y = (float(each) * SIDE for each in body[:2, round(float(row)), round(float(column))])
        assert np.hypot(x - there[0][joint, 0], y - there[0][joint, 1]) < 1.5, (
            "it shows another place of the head"
        )
    assert not body[:, -1].any(), "feet are no head"


def test_where_no_head_is_known_the_body_stays() -> None:
    xy, score = pose()
    for there, wanted in (((xy, 0 * score), (xy, score)), ((xy, score), (xy, 0 * score))):
        body = person(0.3)
        _, found = put_head(body, person(-0.5), there, wanted, BLAZE)
        assert not found.any() and torch.equal(body, person(0.3))


# ---- chosen and drawn --------------------------------------------------------------------------------------


def a_bank() -> tuple[ReferenceBank, PoseSequence]:
    """Four frames: bodies of two kinds, each with a head that looks to the left and one to the right.

    Frame n is of the grey 60 n; bodies are 0 and 1, with heads of the other side from those in 2 and 3.
    """
    base = people(1)
    xy = base.xy[[0, 0, 0, 0]].copy()
    nose = [BLAZE.index(each) for each in ("nose", "left_mouth", "right_mouth")]
    xy[[1, 3], BLAZE.index("left_wrist")] += np.float32(30)
    xy[[1, 3], BLAZE.index("left_elbow")] += np.float32(15)
    for joint in nose:
        xy[[0, 3], joint, 0] -= 6
        xy[[1, 2], joint, 0] += 6
    pictures = np.full((4, SIDE, SIDE, 4), 255, np.uint8)
    pictures[..., :3] = (60 * np.arange(1, 5, dtype=np.uint8))[:, None, None, None]
    poses = PoseSequence(
        xy=xy,
        score=base.score[[0, 0, 0, 0]],
        pts=np.array([0, 100, 200, 300]),
        time_base=base.time_base,
        size=base.size,
        skeleton=BLAZE,
    )
    return ReferenceBank(pictures, poses), poses


def test_body_and_head_come_from_different_frames() -> None:
    bank, poses = a_bank()
    wanted = poses.xy[:1].copy()
    wanted[0, BLAZE.index("left_wrist")] += np.float32(9)  # nearer to the first kind of body
    reference = WithHeads(hysteresis=0)
    chosen = bank.choose(reference, wanted, poses.score[:1], never=[0])
    assert chosen.tolist() == [[2, 3]], "a body like the first, a head that looks the same way; not frame 0"
    renderer = create("renderer", "sticks", skeleton=BLAZE, size=(SIDE, SIDE), device="cpu")
    seen = bank.draw(reference, chosen[0], wanted[0], poses.score[0], renderer)
    row, column = middle(wanted[0])
    grey = (seen[:3, row, column] / seen[3, row, column] + 1) * 127.5
    np.testing.assert_allclose(grey, 240, atol=1)
    hip = wanted[0, BLAZE.index("left_hip")].round().astype(int)
    np.testing.assert_allclose((seen[:3, hip[1], hip[0]] + 1) * 127.5, 180, atol=1)


def test_the_figure_shows_the_head_that_was_taken() -> None:
    bank, poses = a_bank()
    reference = WithHeads()
    shown: list[NDArray[np.float32]] = []

    def renderer(xy: NDArray[np.float32], score: NDArray[np.float32]) -> torch.Tensor:
        shown.append(xy)
        return torch.zeros(len(xy), 3, SIDE, SIDE)

    bank.draw(reference, np.array([2, 3]), poses.xy[0], poses.score[0], renderer)  # type: ignore[arg-type]
    bank.draw(reference, np.array([2, -1]), poses.xy[0], poses.score[0], renderer)  # type: ignore[arg-type]
    own, body = shown[0][0], shown[1][0]
    nose, wrist = BLAZE.index("nose"), BLAZE.index("right_wrist")
    assert abs(own[nose, 0] - poses.xy[0, nose, 0]) < 1 < abs(body[nose, 0] - poses.xy[0, nose, 0])
    np.testing.assert_array_equal(own[wrist], body[wrist])


def test_a_body_has_no_head_where_another_is_put_on() -> None:
    bank, poses = a_bank()
    given: list[torch.Tensor] = []

    class Spy(WithHeads):
        def draw(self, pictures: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
            given.append(pictures)
            return super().draw(pictures, *rest, **named)

    renderer = create("renderer", "sticks", skeleton=BLAZE, size=(SIDE, SIDE), device="cpu")
    for own in (3, -1):
        bank.draw(Spy(), np.array([2, own]), poses.xy[0], poses.score[0], renderer)
    row, column = middle(poses.xy[2])
    assert not given[0][:, :, row, column].any() and (given[1][:, 3, row, column] == 1).all()


def test_without_a_head_that_fits_it_comes_with_the_body() -> None:
    bank, poses = a_bank()
    score = poses.score.copy()
    score[:, HEAD] = 0
    chosen = bank.choose(WithHeads(), poses.xy, score)
    assert (chosen[:, -1] == -1).all() and (chosen[:, 0] >= 0).all()
    assert bank.choose(Nearest(), poses.xy, score).shape == (4, 1)


@pytest.mark.parametrize("frames", [1, 2])
def test_it_keeps_the_contract(frames: int) -> None:
    class Configured(WithHeads):
        """As recipe `standard` has it."""

        def __init__(self) -> None:
            super().__init__(frames=frames)

    checks = list(contract_checks("reference", Configured))
    assert len(checks) > 5
    for check in checks:
        check()
