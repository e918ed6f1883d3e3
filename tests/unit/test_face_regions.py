"""Face and hands: boxes and confidence, refiners that touch nothing else, critics of regions, and that they learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from make_dancer import dance, make_dancer
from test_training_step import BODY, moved, state_of, weights
from torch import Tensor, nn

from dancekit.boxes import face_boxes, hand_boxes, region_confidence
from dancekit.build import build_painting, check_parts
from dancekit.config import load_recipe
from dancekit.config.schema import Stage
from dancekit.dancer import network_shapes
from dancekit.errors import IncompatibleParts
from dancekit.faces.landmark import LandmarkFace
from dancekit.faces.regions import Regions
from dancekit.faces.residual import ResidualFace
from dancekit.renderers.sticks import Sticks
from dancekit.training.batch import Batch
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.training.given import check_given
from dancekit.training.regions import less_sure, region_crops
from dancekit.training.state import TrainingState
from dancekit.transfer import Dancer
from dancekit.types import get_skeleton

BODY_33, HOLISTIC = get_skeleton("blazepose_33"), get_skeleton("blazepose_33_face_hands")
SMALL = {"crop_size": 16, "ngf": 4, "n_blocks": 0, "n_down": 1}
FRAME = Stage(name="face", share=1.0, modules=["generator", "face"], judge="frame")
CROP = Stage(name="face", share=1.0, modules=["face"])
NAN = float("nan")


def drawing(skeleton: object = BODY_33) -> Callable[[tuple[int, int]], Sticks]:
    return lambda size: Sticks(skeleton=skeleton, size=size)


def refiner(name: str, *, trained: bool = True, **params: object) -> nn.Module:
    torch.manual_seed(0)
    given = {"parts": ("face", "hands"), **SMALL, **params}
    if name == "residual":
        face: nn.Module = ResidualFace(condition_channels=3, **given)
    else:
        face = LandmarkFace(condition_channels=3, draw=drawing(), **given)
    if trained:
        for network in face.children():
            nn.init.normal_(network[-2].weight, 0, 0.5)
    return face


def rows_of(face: nn.Module, boxes: list[list[float]]) -> Tensor:
    """(1, R, D) rows with these boxes, fully sure, joints spread over the picture."""
    rows = torch.tensor([[*box, 1.0] for box in boxes])[None]
    if isinstance(face, LandmarkFace):
        generator = torch.Generator().manual_seed(1)
        joints = torch.cat([torch.rand(66, generator=generator) * 48, torch.ones(33)])
        rows = torch.cat([rows, joints.expand(1, len(boxes), -1)], 2)
    return rows


def pictures(seed: int = 0, size: int = 48) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


BOXES = [[4.0, 3.0, 20.0, 19.0], [26.0, 20.0, 40.0, 34.0], [2.0, 26.0, 16.0, 40.0]]


# ---- where, and how surely ---------------------------------------------------------------------------------


def somebody(skeleton: object, frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A dance whose joints have scores of 0.9; hands and face of a holistic skeleton lie near wrist and nose."""
    poses = dance((160, 120))[:frames]
    xy = np.full((frames, len(skeleton), 2), np.nan, np.float32)
    xy[:, :33] = poses.xy
    for part, joint in (("left_hand", "left_wrist"), ("right_hand", "right_wrist"), ("face", "nose")):
        for number, index in enumerate(skeleton.parts.get(part, ())):
            if index >= 33:
                xy[:, index] = xy[:, skeleton.index(joint)] + np.float32(number % 4)
    return xy, np.where(np.isfinite(xy).all(-1), 0.9, 0).astype(np.float32)


@pytest.mark.parametrize("skeleton", [BODY_33, HOLISTIC], ids=["body", "holistic"])
def test_rows_are_boxes_and_confidence(skeleton: object) -> None:
    xy, score = somebody(skeleton)
    face = refiner("residual", weighting="confidence")
    rows = face.boxes(xy, score, skeleton)
    assert (
        rows.shape == (4, 3, 5)
        and rows.dtype == np.float32
        and face.regions == ("face", "left_hand", "right_hand")
    )
    np.testing.assert_array_equal(rows[:, 0, :4], face_boxes(xy, score, skeleton))
    np.testing.assert_array_equal(rows[:, 1:, :4], hand_boxes(xy, score, skeleton))
    np.testing.assert_allclose(rows[..., 4], 0.9, rtol=1e-6)
    assert (refiner("residual").boxes(xy, score, skeleton)[..., 4] == 1).all()
    np.testing.assert_array_equal(
        ResidualFace(condition_channels=3).boxes(xy, score, skeleton), face_boxes(xy, score, skeleton)
    )
    landmark = refiner("landmark").boxes(xy, score, skeleton)
    assert landmark.shape == (4, 3, 5 + 3 * len(skeleton))
    np.testing.assert_array_equal(landmark[:, 1, 5 : 5 + 2 * len(skeleton)], xy.reshape(4, -1))
    np.testing.assert_array_equal(landmark[:, 2, 5 + 2 * len(skeleton) :], score)


def test_confidence_is_that_of_the_own_points() -> None:
    xy, score = somebody(HOLISTIC, 1)
    fingers = list(HOLISTIC.parts["left_hand"])
    score[:, fingers[:7]] = 0
    assert region_confidence(score, HOLISTIC, "left_hand")[0] == pytest.approx(0.9 * 14 / 21, rel=1e-6)
    score[:, fingers] = 0
    assert region_confidence(score, HOLISTIC, "left_hand")[0] == 0  # the forearm tells where, not what
    assert np.isfinite(hand_boxes(xy, score, HOLISTIC)[0, 0]).all()
    score[:, list(HOLISTIC.parts["face"])] = 0
    assert region_confidence(score, HOLISTIC, "face")[0] == pytest.approx(0.9 * 5 / 81, rel=1e-6)
    xy, score = somebody(BODY_33, 1)
    score[:, BODY_33.index("left_elbow")], score[:, BODY_33.index("right_wrist")] = 0.25, 1.5
    assert region_confidence(score, BODY_33, "left_hand")[0] == 0.25
    assert region_confidence(score, BODY_33, "right_hand")[0] == pytest.approx(0.9)


@pytest.mark.parametrize("parts", [(), ("face", "face")])
def test_parts_that_make_no_sense(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="should be face, hands, or both"):
        Regions(parts=parts, condition_channels=3)


# ---- what refiners change ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["residual", "landmark"])
def test_nothing_changes_outside_of_the_boxes(name: str) -> None:
    face, image = refiner(name), pictures()
    changed = (face(image, pictures(1), rows_of(face, BOXES)) != image).any(1)[0]
    allowed = torch.zeros_like(changed)
    for left, top, right, bottom in BOXES:
        box = (slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1))
        allowed[box] = True
        middle = changed[int(top) + 4 : int(bottom) - 4, int(left) + 4 : int(right) - 4]
        assert middle.all()  # each of them is refined
    assert not changed[~allowed].any()


@pytest.mark.parametrize("name", ["residual", "landmark"])
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_region_that_is_not_seen_stays(name: str, missing: int) -> None:
    face, image = refiner(name), pictures()
    boxes = [box if number != missing else [NAN] * 4 for number, box in enumerate(BOXES)]
    changed = (face(image, pictures(1), rows_of(face, boxes)) != image).any(1)[0]
    for number, (left, top, right, bottom) in enumerate(BOXES):
        assert bool(changed[int(top) : int(bottom), int(left) : int(right)].any()) is (number != missing)


@pytest.mark.parametrize("name", ["residual", "landmark"])
def test_an_untrained_one_changes_nothing_and_face_and_hands_have_weights_of_their_own(name: str) -> None:
    face, image = refiner(name, trained=False), pictures()
    assert torch.equal(face(image, image, rows_of(face, BOXES)), image)
    assert {key.partition(".")[0] for key in face.state_dict()} == {"model", "hand_model"}
    alone = refiner(name, parts=("hands",))
    assert {key.partition(".")[0] for key in alone.state_dict()} == {"hand_model"}
    assert alone.regions == ("left_hand", "right_hand")


def test_a_right_hand_is_a_mirrored_left_hand() -> None:
    face, image, condition = refiner("residual"), pictures(), pictures(1)
    left = [[NAN] * 4, [10.0, 12.0, 26.0, 28.0], [NAN] * 4]
    right = [[NAN] * 4, [NAN] * 4, [47 - 26.0, 12.0, 47 - 10.0, 28.0]]
    one = face(image, condition, rows_of(face, left))
    other = face(image.flip(-1), condition.flip(-1), rows_of(face, right))
    torch.testing.assert_close(other.flip(-1), one, rtol=0, atol=2e-5)
    assert not torch.equal(one, image)


def test_boxes_without_hands_are_faces() -> None:
    """Labels that were drawn elsewhere come with (B, 4)."""
    face, image, condition = refiner("residual"), pictures(), pictures(1)
    plain = face(image, condition, torch.tensor([BOXES[0]]))
    rows = rows_of(face, [BOXES[0], [NAN] * 4, [NAN] * 4])
    assert torch.equal(plain, face(image, condition, rows))
    with pytest.raises(IncompatibleParts, match="without any"):
        refiner("landmark")(image, condition, torch.tensor([BOXES[0]]))


def test_the_figure_is_the_pose_in_the_crop() -> None:
    """In a box that is the whole picture it is the condition; in a part of it, that part enlarged."""
    xy, score = somebody(HOLISTIC, 1)
    xy -= np.nanmin(xy, (0, 1)) - 8
    face = LandmarkFace(condition_channels=3, draw=drawing(HOLISTIC), **{**SMALL, "crop_size": 64})
    row = np.concatenate([[-0.5, -0.5, 63.5, 63.5, 1.0], xy.ravel(), score.ravel()]).astype(np.float32)
    figure = face.region_condition(torch.zeros(1, 3, 64, 64), torch.from_numpy(row)[None])
    want = Sticks(skeleton=HOLISTIC, size=(64, 64))(xy, score)
    torch.testing.assert_close(figure, want, rtol=0, atol=1e-4)
    assert want.max() > 0.5

    row[:4] = [9.5, 19.5, 25.5, 35.5]
    figure = face.region_condition(torch.zeros(1, 3, 64, 64), torch.from_numpy(row)[None])
    # the same part of a picture four times as large, its lines as wide
    large = Sticks(skeleton=HOLISTIC, size=(256, 256), line_width=0.008 / 4)((xy + 0.5) * 4 - 0.5, score)
    torch.testing.assert_close(figure, large[..., 80:144, 40:104], rtol=0, atol=1e-3)
    row[:4] = NAN
    assert not face.region_condition(torch.zeros(1, 3, 64, 64), torch.from_numpy(row)[None]).any()


# ---- training ----------------------------------------------------------------------------------------------

RESIDUAL = ["face=residual", "face.parts=[face, hands]", "face.ngf=4", "face.n_blocks=0", "face.n_down=1",
            "face.crop_size=16", "face.weighting=confidence"]  # fmt: skip
LANDMARK = [RESIDUAL[0].replace("residual", "landmark"), *RESIDUAL[1:]]
JUDGED = "train.stages=[{name: a, share: 1, modules: [generator, face], judge: frame}]"
REGIONS = ["face=regions", "face.crop_size=16", JUDGED]
NAMES = ["residual", "landmark", "regions"]


def batch_for(
    state: TrainingState, *, colour: tuple[float, float, float] = (0.9, -0.9, 0.2), size: int = 1
) -> Batch:
    """A person of one colour on mid-grey, with face and hands of another."""
    length = 2
    generator = torch.Generator().manual_seed(0)
    rows = rows_of(
        state.painting.face, [[4.0, 3.0, 16.0, 15.0], [18.0, 16.0, 28.0, 26.0], [2.0, 18.0, 12.0, 28.0]]
    )
    real = torch.zeros(size, length, 3, 32, 32)
    for left, top, right, bottom in rows[0, :, :4].long().tolist():
        real[..., top:bottom, left:right] = torch.tensor(colour).view(3, 1, 1)
    return Batch(
        conditions=torch.rand(size, length, 3, 32, 32, generator=generator),
        real=real,
        mask=torch.ones(size, length, 1, 32, 32),
        plate=torch.zeros(size, 3, 32, 32),
        boxes=rows[:, None].expand(size, length, *rows.shape[1:]).clone(),
    )


@pytest.mark.parametrize(
    ("given", "stage"), [(RESIDUAL, CROP), (LANDMARK, CROP), (REGIONS, FRAME)], ids=NAMES
)
def test_three_steps_learn_the_colour_of_face_and_hands(given: list[str], stage: Stage) -> None:
    state = state_of(*given, "face_losses=[{name: l1, weight: 10}]", "train.optimizer.lr=0.01", "losses=[{name: l1}]",
                     "discriminator=none")  # fmt: skip
    batch = batch_for(state)
    records = [state.learn(stage, batch) for _ in range(4)]
    for key in ("face_l1", "hand_l1"):
        values = [record[key] for record in records]
        assert values == sorted(values, reverse=True) and values[3] < 0.9 * values[0], key


@pytest.mark.parametrize("given", [RESIDUAL, LANDMARK], ids=NAMES[:2])
def test_hands_have_a_discriminator_of_their_own(given: list[str]) -> None:
    state = state_of(*given)
    batch = batch_for(state)
    before = {name: weights(state, name) for name in state.networks}
    record = state.learn(CROP, batch)
    assert {name for name in state.networks if moved(state, name, before[name])} == {
        "face",
        "face_discriminator",
        "hand_discriminator",
    }
    assert {"face_lsgan", "face_l1", "face_d_lsgan", "hand_lsgan", "hand_l1", "hand_d_lsgan"} == set(record)
    batch.boxes[:, :, 1:, :4] = NAN
    assert not any(key.startswith("hand_") for key in state.learn(CROP, batch))
    batch.boxes[..., :4] = NAN
    assert state.learn(CROP, batch) == {}
    assert "lsgan" in state.learn(FRAME, batch)


def test_regions_teach_the_generator_where_they_are() -> None:
    """With nothing but the regions' losses, no gradient reaches a pixel outside of the boxes."""
    state = state_of(*REGIONS, "face_losses=[{name: l1}]")
    batch = batch_for(state)
    image = pictures(3, 32).requires_grad_()
    boxes, condition = batch.boxes[:, 0], batch.conditions[:, 0]
    crops = region_crops(state.painting.face, image, batch.real[:, 0], condition, boxes)
    assert {kind: len(views[0]) for kind, views in crops.items()} == {"face": 1, "hand": 2}
    sum((fake - real).abs().sum() for fake, real, _ in crops.values()).backward()
    touched = image.grad.abs().amax((0, 1)) > 0
    inside = torch.zeros(32, 32, dtype=torch.bool)
    for left, top, right, bottom in boxes[0, :, :4].long().tolist():
        inside[top : bottom + 1, left : right + 1] = True
        assert touched[top + 1 : bottom, left + 1 : right].all()
    assert not touched[~inside].any()
    before = {name: weights(state, name) for name in state.networks}
    record = state.learn(FRAME, batch)
    assert moved(state, "generator", before["generator"]) and {"face_l1", "hand_l1", "lsgan"} <= set(record)


def test_a_region_of_which_the_pose_is_less_sure_counts_less() -> None:
    crops = torch.rand(3, 3, 4, 4).requires_grad_()
    sure = torch.tensor([1.0, 0.25, 0.0])
    weighted = less_sure(crops, sure)
    assert torch.equal(weighted, crops)
    (weighted**3).sum().backward()
    torch.testing.assert_close(crops.grad, 3 * crops.detach() ** 2 * sure.view(3, 1, 1, 1))
    gradients = []
    for confidence in (1.0, 0.5):
        state = state_of(*RESIDUAL, "face_losses=[{name: l1, weight: 10}]")
        batch = batch_for(state)
        batch.boxes[..., 4] = confidence
        state.learn(CROP, batch)
        gradients.append([weight.grad for weight in state.networks["face"].parameters()])
    for one, half in zip(*gradients, strict=True):
        torch.testing.assert_close(half, one / 2, rtol=1e-4, atol=1e-9)


def test_a_run_with_hands_resumes_exactly(tmp_path: Path) -> None:
    given = [*LANDMARK, "train.pool=1", "train.ema=0.9"]
    whole, first, second = (state_of(*given) for _ in range(3))

    def run(state: TrainingState, steps: range) -> list[dict[str, float]]:
        records = []
        for step in steps:
            state.step = step
            records.append(state.learn(FRAME, batch_for(state, colour=(0.1 * step, 0.5, -0.5))))
        state.step = steps.stop
        return records

    records = run(whole, range(4))
    assert run(first, range(2)) == records[:2]
    load_checkpoint(save_checkpoint(tmp_path, first), second)
    assert run(second, range(2, 4)) == records[2:]
    for name in whole.networks:
        assert all(
            torch.equal(value, weights(second, name)[key]) for key, value in weights(whole, name).items()
        )


# ---- recipes and dancers -----------------------------------------------------------------------------------


def test_what_has_no_weights_cannot_learn_alone() -> None:
    check_parts(load_recipe("tiny", REGIONS), BODY_33)
    for stage in (
        "modules: [face]",
        "modules: [face, discriminator], judge: frame",
        "modules: [generator, face]",
    ):
        with pytest.raises(IncompatibleParts, match=r"face regions has no weights.*\[generator, face\]"):
            check_parts(
                load_recipe("tiny", [*REGIONS[:2], f"train.stages=[{{name: a, share: 1, {stage}}}]"]), BODY_33
            )
    data = SimpleNamespace(labels=object())
    with pytest.raises(IncompatibleParts, match="landmark draws joints"):
        check_given(load_recipe("tiny", ["face=landmark", "augmentations=[]", "renderer=edn_sticks"]), data)


@pytest.mark.parametrize("given", [RESIDUAL, LANDMARK, REGIONS], ids=NAMES)
def test_a_dancer_paints_with_its_hands(given: list[str], tmp_path: Path) -> None:
    path = make_dancer(tmp_path / "a.safetensors", changes=tuple(given))
    hands = [name for name in network_shapes(path) if name.startswith("face.hand_model.")]
    assert bool(hands) is (given is not REGIONS)
    dancer = Dancer.load(path, device="cpu")
    poses = dance((160, 120))[:2]
    untrained = np.stack(list(dancer.paint(poses)))
    if hands:
        nn.init.ones_(dancer.painter.parts.face.hand_model[-2].bias)
    painted = np.stack(list(dancer.paint(poses)))
    assert np.array_equal(painted, untrained) is (given is REGIONS)


@pytest.mark.parametrize("unit", ["landmark", "regions"])
def test_units(unit: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"schema: 1\nsummary: Mine.\nextends: [base, units/face/{unit}.yaml]\n")
    recipe = load_recipe(mine)
    skeleton = HOLISTIC if unit == "landmark" else BODY_33
    check_parts(recipe, skeleton)
    with torch.device("meta"):
        assert build_painting(recipe, skeleton).face.regions == ("face", "left_hand", "right_hand")
    assert recipe.train.stages[-1].modules == (["face"] if unit == "landmark" else ["generator", "face"])
    assert BODY.modules == ["generator"]
