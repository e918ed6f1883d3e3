"""What makes a step fast or small changes nothing of what is learnt."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from test_training_step import BODY, FACE, batch_of, moved, state_of, weights
from torch import nn

from dancekit import convolutions
from dancekit.config.schema import Stage, TrainConfig
from dancekit.errors import DancekitError, IncompatibleParts, RecipeError
from dancekit.layers import Segmented, channels_last, use_gradient_checkpointing
from dancekit.training import devices
from dancekit.training.batch import Batch
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.training.devices import choose_precision, compile_generator
from dancekit.training.state import TrainingState


@pytest.fixture(autouse=True)
def _warnings_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever -q of a command before has made of the logger."""
    caplog.set_level(logging.WARNING, logger="dancekit")


TWO_STAGES = [BODY, Stage(name="face", share=1.0, modules=["generator", "face"], judge="frame")]


def parts(batch: Batch) -> list[Batch]:
    """Each clip as a batch of its own."""
    count = len(batch.real)
    return [
        Batch(*(getattr(batch, name)[i : i + 1] for name in ("conditions", "real", "mask", "plate", "boxes")))
        for i in range(count)
    ]


def close(one: TrainingState, other: TrainingState, tolerance: float) -> None:
    for name in one.networks:
        for key, value in weights(one, name).items():
            if key.endswith("weight"):
                torch.testing.assert_close(value, weights(other, name)[key], rtol=0, atol=tolerance)


def in_double(*states: TrainingState) -> None:
    for state in states:
        for network in state.networks.values():
            network.double()
        for average in state.averages.values():
            average.shadow = {key: value.double() for key, value in average.shadow.items()}


def doubled(batch: Batch) -> Batch:
    return Batch(
        **{
            key: value.double() if isinstance(value, torch.Tensor) else value
            for key, value in vars(batch).items()
        }
    )


@pytest.mark.parametrize("stage", TWO_STAGES, ids=["body", "face in the frame"])
def test_judging_the_painted_view_once_gives_the_same_steps(stage: Stage) -> None:
    once, twice = state_of(*FACE), state_of(*FACE)
    twice.share_pass = False
    passes = {"once": 0, "twice": 0}
    for name, state in (("once", once), ("twice", twice)):

        def count(*_: object, name: str = name) -> None:
            passes[name] += 1

        state.networks["discriminator"].register_forward_hook(count)
    for seed in range(2):
        records = [state.learn(stage, batch_of(2, seed)) for state in (once, twice)]
        assert records[0] == pytest.approx(records[1], rel=1e-5)
    close(once, twice, 2e-6)
    assert passes == {"once": 4, "twice": 6}


def test_no_gradient_is_computed_that_nobody_uses() -> None:
    """The painters' pass leaves the critics' weights alone: what they get is their own loss's gradient."""
    state, apart = state_of(), state_of()
    apart.share_pass = False
    batch = batch_of(1)
    state.learn(BODY, batch)
    apart.learn(BODY, batch)
    for one, other in zip(
        state.networks["discriminator"].parameters(),
        apart.networks["discriminator"].parameters(),
        strict=True,
    ):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("stage", TWO_STAGES, ids=["body", "face in the frame"])
def test_accumulated_batches_are_one_large_batch(stage: Stage) -> None:
    large, small = state_of(*FACE), state_of(*FACE)
    in_double(large, small)
    for seed in range(2):
        batch = doubled(batch_of(2, seed))
        first = large.learn(stage, batch)
        second = small.learn(stage, *parts(batch))
        assert first == pytest.approx(second, rel=1e-9)
    before = state_of(*FACE)
    in_double(before)
    assert moved(large, "generator", weights(before, "generator"))
    close(large, small, 1e-8)


def test_a_run_draws_as_many_clips_as_it_accumulates() -> None:
    from dancekit.config import load_recipe
    from dancekit.training.estimate import made_up_target
    from dancekit.types import get_skeleton

    data = made_up_target((64, 64), get_skeleton("blazepose_33"))
    drawn = []
    for given in (["train.batch=4"], ["train.batch=2", "train.accumulate=2"]):
        state = TrainingState(load_recipe("tiny", given), data, "cpu")
        batches = state._batches.get(0)
        state.close()
        drawn.append(torch.cat([batch.real for batch in batches]))
    assert torch.equal(drawn[0], drawn[1]) and len(drawn[0]) == 4


def test_faces_nobody_sees_in_one_of_the_batches() -> None:
    state = state_of(*FACE)
    stage = Stage(name="face", share=1.0, modules=["face"])
    batch = batch_of(2)
    batch.boxes[0] = torch.nan
    before = weights(state, "face")
    assert "face_lsgan" in state.learn(stage, *parts(batch))
    assert moved(state, "face", before)
    batch.boxes[:] = torch.nan
    before = weights(state, "face")
    assert state.learn(stage, *parts(batch)) == {}
    assert not moved(state, "face", before)


def test_accumulation_does_not_go_with_a_discriminator_that_learns_first() -> None:
    with pytest.raises(RecipeError, match="accumulate > 1 needs order: together"):
        state_of("train.accumulate=2", "train.order=discriminator_first")


def test_checkpointing_keeps_less_and_gives_the_same_bits() -> None:
    plain, small = (
        state_of("generator.n_blocks=6"),
        state_of("generator.n_blocks=6", "train.gradient_checkpointing=true"),
    )
    kept = {}
    for name, state in (("plain", plain), ("small", small)):
        sizes: list[int] = []

        def pack(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        network = state.networks["generator"].train()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network(torch.ones(1, 6, 32, 32))
        kept[name] = sum(sizes)
        state.learn(BODY, batch_of(1))
    assert kept["small"] < kept["plain"] / 3
    for key, value in weights(plain, "generator").items():
        assert torch.equal(value, weights(small, "generator")[key]), key


def test_checkpointing_where_it_cannot_be() -> None:
    with pytest.raises(IncompatibleParts, match="generator unet has no gradient checkpointing"):
        state_of("generator=unet", "generator.depth=3", "train.gradient_checkpointing=true")
    with pytest.raises(IncompatibleParts, match="batch norm would see every batch twice"):
        state_of("generator.norm=batch", "train.gradient_checkpointing=true")
    assert not use_gradient_checkpointing(nn.Conv2d(1, 1, 1))
    network = Segmented(nn.Conv2d(1, 1, 1), nn.Dropout(0.5), nn.Conv2d(1, 1, 1))
    assert use_gradient_checkpointing(network) and network.segments == 2


def test_half_precision_learns_nearly_the_same_in_single_precision_losses() -> None:
    single, half = state_of(), state_of("train.precision=bf16")
    for seed in range(2):
        first, second = (state.learn(BODY, batch_of(1, seed)) for state in (single, half))
        assert first != second
        assert first == pytest.approx(second, rel=0.05)
    for network in half.networks.values():
        assert all(weight.dtype == torch.float32 for weight in network.parameters())
    # three digits of a bfloat16 sum would show: the mean of the same values is taken in single precision
    assert all(state.dtype == torch.float32 for state in half.averages["generator"].shadow.values())


def test_auto_takes_half_precision_only_where_there_are_units_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for there in (True, False):
        monkeypatch.setattr(devices, "has_bfloat16_units", lambda device, there=there: there)
        assert choose_precision("auto", "cpu").half is there
        assert not choose_precision("fp32", "cpu").half
        caplog.clear()
        assert choose_precision("bf16", "cpu").half
        assert ("slower than fp32" in caplog.text) is not there


class TestCompile:
    def generator(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Tanh())

    def wrong(self, network: nn.Module) -> None:
        network._compiled_call_impl = lambda x: network.forward(x) * 1.01

    def test_the_right_numbers_are_taken(self) -> None:
        network = self.generator()
        probe = torch.rand(1, 3, 8, 8)
        right = network(probe).detach()
        settings = TrainConfig(steps=1, compile="on")
        assert compile_generator(
            network, settings, probe, compile_network=lambda n: n.compile(backend="aot_eager")
        )
        assert network._compiled_call_impl is not None
        torch.testing.assert_close(network(probe), right)
        assert all(weight.grad is None for weight in network.parameters())
        assert not compile_generator(self.generator(), TrainConfig(steps=1), probe)

    def test_wrong_numbers_are_refused_or_done_without(self, caplog: pytest.LogCaptureFixture) -> None:
        probe = torch.rand(1, 3, 8, 8)
        with pytest.raises(DancekitError, match=r"cannot be compiled: its picture differs .*compile=auto"):
            compile_generator(
                self.generator(), TrainConfig(steps=1, compile="on"), probe, compile_network=self.wrong
            )
        network = self.generator()
        with caplog.at_level(logging.WARNING):
            assert not compile_generator(
                network, TrainConfig(steps=1, compile="auto"), probe, compile_network=self.wrong
            )
        assert "runs uncompiled: its picture differs" in caplog.text
        assert network._compiled_call_impl is None

    def test_a_compiler_that_fails_is_quoted(self) -> None:
        def fail(network: nn.Module) -> None:
            raise RuntimeError("no C++\n compiler")

        with pytest.raises(DancekitError, match=r"RuntimeError: no C\+\+ compiler .*g\+\+"):
            compile_generator(
                self.generator(),
                TrainConfig(steps=1, compile="on"),
                torch.rand(1, 3, 8, 8),
                compile_network=fail,
            )

    def test_gradients_are_compared_too(self) -> None:
        class Blind(torch.autograd.Function):
            @staticmethod
            def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
                return x.clone()

            @staticmethod
            def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
                return gradient * 1.1

        def wrong(network: nn.Module) -> None:
            network._compiled_call_impl = lambda x: Blind.apply(network.forward(x))

        with pytest.raises(DancekitError, match="its gradients differ"):
            compile_generator(
                self.generator(),
                TrainConfig(steps=1, compile="on"),
                torch.rand(1, 3, 8, 8),
                compile_network=wrong,
            )


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_convolutions_in_channels_last_have_torchs_gradients(
    transposed: bool, biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first and of the second order, whatever CPU this is."""
    monkeypatch.setattr(convolutions, "slow_weight_gradients", lambda: True)
    torch.manual_seed(0)
    kinds = (
        (nn.ConvTranspose2d, convolutions.ConvTranspose2d) if transposed else (nn.Conv2d, convolutions.Conv2d)
    )
    given = {"stride": 2, "padding": 1, "bias": biased} | ({"output_padding": 1} if transposed else {})
    true, ours = (kind(4, 6, 3, **given).double() for kind in kinds)
    ours.load_state_dict(true.state_dict())
    assert type(ours).__mro__[1] is kinds[0]
    results = []
    for conv in (true, ours):
        x = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)).double()
        x = channels_last(x).requires_grad_()
        y = conv(x)
        first = torch.autograd.grad(y.sin().sum(), [x, *conv.parameters()], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), [x, *conv.parameters()], allow_unused=True)
        results.append([y, *first, *second])
    for one, other in zip(*results, strict=True):
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-10, atol=1e-10)
    assert ours(channels_last(torch.rand(1, 4, 8, 8)).double()).grad_fn.name() == "_ConvolutionBackward"


def test_copies_are_made_only_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = convolutions.Conv2d(4, 4, 3)
    x = channels_last(torch.rand(1, 4, 8, 8))
    for slow in (True, False):
        monkeypatch.setattr(convolutions, "slow_weight_gradients", lambda slow=slow: slow)
        assert convolutions.copies_pay(x, conv.weight) is slow
    monkeypatch.setattr(convolutions, "slow_weight_gradients", lambda: True)
    assert not convolutions.copies_pay(x.contiguous(), conv.weight)
    assert not convolutions.copies_pay(x, conv.weight.detach())
    with torch.no_grad():
        assert not convolutions.copies_pay(x, conv.weight)
    with torch.autocast("cpu"):
        assert not convolutions.copies_pay(x, conv.weight)


@pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="torch without NNPACK")
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("batch", [1, 2])
def test_winograd_gives_torchs_numbers_and_gradients(padding: int, batch: int) -> None:
    torch.manual_seed(0)
    true = nn.Conv2d(48, 64, 3, padding=padding, bias=padding != 1)
    ours = convolutions.Conv2d(48, 64, 3, padding=padding, bias=padding != 1)
    ours.load_state_dict(true.state_dict())
    assert convolutions.use_winograd(ours) == 1
    x = torch.randn(batch, 48, 18, 21)
    results = []
    for conv in (true.double(), ours):
        leaf = channels_last(x).to(conv.weight.dtype).requires_grad_()
        y = conv(leaf)
        first = torch.autograd.grad(y.sin().sum(), [leaf, *conv.parameters()], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), [leaf, conv.weight])
        results.append([y, *first, *second])
    assert results[1][0].grad_fn.name() == "_WinogradBackward"
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(other.double(), one, rtol=0, atol=1e-4 * float(one.detach().abs().max()))


@pytest.mark.parametrize(
    ("batch", "height", "width", "padding"), [(1, 8, 8, 0), (2, 10, 13, 1), (3, 3, 21, 2)]
)
def test_winograds_weight_gradient_is_the_gradient(batch: int, height: int, width: int, padding: int) -> None:
    generator = torch.Generator().manual_seed(height)
    x = torch.randn(batch, 5, height, width, generator=generator, dtype=torch.float64)
    weight = torch.zeros(7, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    y = torch.nn.functional.conv2d(x, weight, padding=padding)
    cotangent = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    (true,) = torch.autograd.grad(y, weight, cotangent)
    got = convolutions.winograd_weight_gradient(cotangent, x, (padding, padding))
    torch.testing.assert_close(got, true, rtol=1e-11, atol=1e-11)
    single = convolutions.winograd_weight_gradient(cotangent.float(), x.float(), (padding, padding))
    assert float((single.double() - true).abs().max()) < 2e-5 * float(true.abs().max())


def test_winograd_only_where_it_suits() -> None:
    suits = {
        (64, 64, 3): {}, (48, 64, 3): {"padding": 1},
    }  # fmt: skip
    for shape, given in suits.items():
        assert convolutions.Conv2d(*shape, **given).suits_winograd()
    for shape, given in (
        ((64, 64, 3), {"stride": 2}), ((64, 64, 3), {"dilation": 2}), ((64, 64, 3), {"groups": 2}),
        ((64, 64, 4), {}), ((64, 3, 3), {}), ((64, 64, 3), {"padding_mode": "reflect", "padding": 1}),
    ):  # fmt: skip
        assert not convolutions.Conv2d(*shape, **given).suits_winograd(), given
    conv = convolutions.Conv2d(64, 64, 3)
    convolutions.use_winograd(conv)
    small, double = torch.rand(1, 64, 8, 8), torch.rand(1, 64, 20, 20).double()
    assert conv(small).grad_fn.name() != "_WinogradBackward"
    assert conv.double()(double).grad_fn.name() != "_WinogradBackward"


def test_a_resumed_run_goes_on_with_the_convolutions_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["generator.ngf=32", "generator.n_down=1", "generator.n_blocks=1"]
    monkeypatch.setattr(devices, "winograd_pays", lambda: True)
    begun = state_of(*given)
    assert begun.winograd and state_of(*given, "train.winograd=off").winograd is False
    assert not state_of().winograd, "nothing suits, nothing is measured"
    monkeypatch.setattr(devices, "winograd_pays", lambda: False)
    resumed = state_of(*given)
    assert not resumed.winograd
    load_checkpoint(save_checkpoint(tmp_path, begun), resumed)
    assert resumed.winograd and convolutions.winograd_used(resumed.networks["generator"])


def test_the_folder_of_a_run_knows_nothing_of_it(tmp_path: Path) -> None:
    """Prefetching, logging and what is kept may change when a run is resumed; precision may not."""
    from dancekit.training.run import FREE_TO_CHANGE

    assert {"prefetch", "keep", "loggers", "gradient_checkpointing"} <= FREE_TO_CHANGE
    assert not {"precision", "compile", "accumulate"} & FREE_TO_CHANGE
