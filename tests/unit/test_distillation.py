"""A small generator and its teacher: sizes, the loss by formula, and that the teacher paints what its dancer paints."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from make_dancer import FRAME, dance, filmed, make_dancer
from torch import nn

from dancekit.build import create
from dancekit.config import load_recipe
from dancekit.config.schema import Stage
from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts, UsageError
from dancekit.losses.distillation import Distillation, attention_distance, attention_of
from dancekit.training.batch import Batch, make_batch, references_of
from dancekit.training.state import TrainingState
from dancekit.training.teacher import Teacher, teacher_of
from dancekit.transfer import Dancer
from dancekit.types import get_skeleton

LOSS = (
    "losses=[{name: l1, weight: 1}, {name: distillation, weight: 2, params: {teacher: '%s', attention: 0.5}}]"
)


# ---- the generator


@pytest.mark.parametrize(("batch", "size"), [(1, (64, 32)), (2, (40, 48))])
def test_the_small_generator_paints_any_multiple_of_eight(batch: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = create("generator", "separable", ngf=8, n_blocks=2, in_channels=6, out_channels=4)
    given = torch.rand(batch, 6, *size, requires_grad=True)
    painted = network(given)
    assert painted.shape == (batch, 4, *size) and painted.abs().max() < 1 and painted.std() > 0.01
    painted.square().mean().backward()
    # a bias before a normalization has no effect, all else has
    still = [name for name, value in network.named_parameters() if not value.grad.abs().max() > 1e-10]
    assert all(name.endswith("bias") for name in still)
    assert given.grad.abs().amax((0, 2, 3)).min() > 0


def multiplications(network: nn.Module, given: torch.Tensor) -> float:
    """Of the convolutions, per sample."""
    total = []

    def count(module: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        total.append(output[0, 0].numel() * module.weight.numel())

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(given)
    return sum(total)


def test_it_is_small() -> None:
    with torch.device("meta"):
        network = create(
            "generator", "separable", ngf=32, n_blocks=6, in_channels=13, out_channels=5, norm="batch"
        ).eval()
        assert 0.33e9 < multiplications(network, torch.empty(1, 13, 256, 256)) < 0.34e9  # docs/speed.md


def test_skips_carry_what_the_coarse_levels_cannot() -> None:
    torch.manual_seed(0)
    network = create("generator", "separable", ngf=8, n_blocks=1, in_channels=3).eval()
    one = torch.zeros(1, 3, 32, 32)
    other = one.clone()
    other[..., 13, 17] = 1
    with torch.no_grad():
        apart = (network(one) - network(other)).abs().amax((0, 1))
    assert apart[13, 17] > 3 * apart.median()


# ---- the loss


def view(fake: torch.Tensor, **more: torch.Tensor) -> LossView:
    return LossView(fake, fake, torch.ones_like(fake[:, :1]), [], [], torch.ones_like(fake[:1, :1]), **more)


def test_the_picture_and_the_attention() -> None:
    fake, taught = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.25)
    loss = Distillation(teacher="x", attention=2.0)
    assert float(loss(view(fake, taught=taught))) == pytest.approx(0.25)
    maps = torch.tensor([[[[3.0, 4.0]]], [[[0.0, 1.0]]]])
    turned = maps.flip(3)
    # lengths 1: (3, 4) / 5 and (4, 3) / 5 are 0.2 sqrt 2 apart, (0, 1) and (1, 0) sqrt 2
    expected = 0.25 + 2 * (0.2 + 1) * 2**0.5 / 2
    given = {"taught": taught, "attention": maps, "taught_attention": turned}
    assert float(loss(view(fake, **given))) == pytest.approx(expected)
    assert float(Distillation(teacher="x", attention=0)(view(fake, **given))) == pytest.approx(0.25)
    with pytest.raises(IncompatibleParts, match="distillation has no teacher"):
        loss(view(fake))


def test_attention_does_not_depend_on_scale_channels_or_size() -> None:
    features = torch.randn(2, 5, 8, 8)
    maps = attention_of(features)
    torch.testing.assert_close(maps[:, 0], features.square().mean(1))
    assert float(attention_distance(maps, 7 * attention_of(features.repeat(1, 3, 1, 1)))) < 1e-6
    finer = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert float(attention_distance(maps, finer)) < 1e-6


# ---- the teacher


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("teacher") / "teacher.safetensors")


def state_of(*overrides: str) -> TrainingState:
    recipe = load_recipe("tiny", ["face=none", "generator=separable", "generator.ngf=4", *overrides])
    data = SimpleNamespace(
        target=SimpleNamespace(skeleton=get_skeleton("blazepose_33")), starts=lambda length, **_: [0]
    )
    return TrainingState(recipe, data, "cpu")  # type: ignore[arg-type]


def batch_of() -> Batch:
    drawn = torch.Generator().manual_seed(0)
    conditions = torch.rand(2, 2, 3, 64, 64, generator=drawn)
    real = torch.rand(2, 2, 3, 64, 64, generator=drawn) * 2 - 1
    boxes = torch.full((2, 2, 4), torch.nan)
    return Batch(conditions, real, torch.ones(2, 2, 1, 64, 64), torch.zeros(2, 3, 64, 64), boxes)


def test_a_student_learns_from_what_the_dancer_paints(dancer: Path) -> None:
    state, batch = state_of(LOSS % dancer), batch_of()
    assert state.teacher is not None
    fake, _, _ = state._paint_on(batch, None)
    seen = state.teacher.look(batch)
    painter = Dancer.load(dancer, device="cpu").painter
    painter._plate = torch.zeros(1, 3, 64, 64)
    nobody = torch.full((1, 4), torch.nan).numpy()
    first = painter.step(batch.conditions[1:, 0], nobody, None)
    second = painter.step(batch.conditions[1:, 1], nobody, first.state)
    torch.testing.assert_close(
        seen["taught"][1], torch.cat([first.image, second.image]), atol=1e-5, rtol=1e-4
    )
    assert not seen["taught"].requires_grad and not seen["taught_attention"].requires_grad
    assert seen["attention"].shape == (2, 2, 1, 8, 8)
    assert seen["taught_attention"].shape == (2, 2, 1, 16, 16)  # of two halvings
    seen["attention"].sum().backward()
    assert state.networks["generator"].down_8.pointwise.weight.grad.abs().max() > 0  # type: ignore[union-attr]
    assert fake.requires_grad


def test_training_towards_the_teacher(dancer: Path) -> None:
    state, batch = state_of(LOSS % dancer, "train.optimizer.lr=0.002"), batch_of()
    stage = Stage(name="body", share=1.0, modules=["generator"])
    weights = {name: value.clone() for name, value in state.teacher.parts.generator.state_dict().items()}  # type: ignore[union-attr]
    records = [state.learn(stage, batch) for _ in range(6)]
    assert records[-1]["distillation"] < records[0]["distillation"]
    for name, value in state.teacher.parts.generator.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(value, weights[name])
    assert not any(name.startswith("teacher") for name in state.networks)


def test_a_teacher_is_shown_references_as_it_has_learnt_with(tmp_path: Path) -> None:
    two = "reference={name: nearest, params: {frames: 2, bank: 6, gap: 3}}"
    file = make_dancer(tmp_path / "teacher.safetensors", changes=("face=none", two))
    target, window = dance(FRAME)[:40], Dancer.load(file, device="cpu").info.window
    given = ("face=none", "generator=separable", "generator.ngf=4", LOSS % file)
    one = "reference={name: nearest, params: {frames: 1, bank: 4, gap: 3}}"
    for own, channels in ((one, 7), ("reference=none", 0), (two, 14)):
        state = TrainingState(load_recipe("tiny", [*given, own]), filmed(target, window), "cpu")
        (batch,) = state._make_batches(1)
        assert batch.taught is not None and batch.taught.shape == (1, 2, 14, 64, 64)
        assert (0 if batch.references is None else batch.references.shape[2]) == channels
        if own == two:
            assert batch.taught is batch.references, "drawn once"
        assert state.teacher is not None and state._taught is not None
        clip = state.data.clip(20, 2)
        drawn = make_batch([clip], state.painting, "cpu", taught=state._taught)
        expected = references_of(clip, state.teacher.parts, state._taught)
        assert torch.equal(drawn.taught[0], expected) and len(state._taught.banks[0].poses) == 6  # type: ignore[index]
        seen = state.teacher.look(drawn)["taught"]
        bare = state.teacher.look(dataclasses.replace(drawn, taught=torch.zeros_like(expected)[None]))
        assert seen.shape == (1, 2, 3, 64, 64) and not torch.allclose(seen, bare["taught"])
        state.close()


def test_without_the_loss_there_is_no_teacher() -> None:
    assert state_of().teacher is None


def test_teachers_that_cannot_be(dancer: Path, tmp_path: Path) -> None:
    recipe = load_recipe("realtime")
    with pytest.raises(UsageError, match=r"losses\[3\]: distillation needs a teacher"):
        teacher_of(recipe)
    named = load_recipe("realtime", [f"losses.distillation.teacher={tmp_path}/no.safetensors"])
    with pytest.raises(UsageError, match=r"losses\[3\].teacher: there is no .*no.safetensors"):
        teacher_of(named)
    assert teacher_of(load_recipe("tiny")) == ""
    with pytest.raises(
        IncompatibleParts,
        match=r"a teacher must have the student's background: .*plate, the recipe has painted",
    ):
        Teacher(dancer, load_recipe("tiny", ["background=painted"]), nn.Identity(), "cpu")
