"""Temporal strategies with weights: flow_warp, recurrent; the loss flow; the multi-scale temporal discriminator."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from make_dancer import dance, make_dancer
from test_training_step import BODY, FACE, SKELETON, batch_of, moved, state_of, weights
from torch import Tensor

from dancekit.build import check_parts
from dancekit.config import load_recipe
from dancekit.config.schema import Stage
from dancekit.contracts import LossView, TemporalStrategy, WarpingStrategy
from dancekit.dancer import network_shapes
from dancekit.discriminators.multiscale_temporal import MultiscaleTemporalDiscriminator
from dancekit.errors import IncompatibleParts
from dancekit.losses.adversarial import LSGAN
from dancekit.losses.flow import Flow, dis_flow
from dancekit.losses.weighting import weighted_mean
from dancekit.temporal.flow_warp import FlowWarp
from dancekit.temporal.previous_frame import PreviousFrame
from dancekit.temporal.recurrent import ConvGRU, Recurrent
from dancekit.temporal.single import Single
from dancekit.training.batch import Batch
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.transfer import Dancer
from dancekit.transfer.resume import SEGMENT, Parts
from dancekit.warping import seen_before, warp

SMALL = {"ngf": 4, "n_down": 1, "n_blocks": 1}
WARPING = ["temporal=flow_warp", "temporal.ngf=4", "temporal.n_down=1", "temporal.n_blocks=0"]
MEMORY = ["temporal=recurrent", "temporal.channels=8", "temporal.features=2"]


def paint(condition: Tensor) -> Tensor:
    """A generator that can be computed by heart."""
    return 0.5 * condition[:, :3].tanh() + 0.25 * condition[:, -3:].tanh()


def every_strategy() -> list[TemporalStrategy]:
    torch.manual_seed(0)
    return [
        Single(),
        PreviousFrame(),
        FlowWarp(**SMALL, condition_channels=3),
        Recurrent(channels=8, features=2, condition_channels=3),
    ]


def shaken(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights that do something."""
    torch.manual_seed(seed)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, 0, 0.3)


def texture(shift: float = 0.0, size: int = 64) -> Tensor:
    """(1, 3, size, size): soft random detail, moved right by so many pixels, exactly."""
    rng = np.random.default_rng(1)
    wide = cv2.GaussianBlur(rng.normal(0, 1, (size, 2 * size)), (0, 0), 2.0)
    at = np.arange(size)[None] + size / 2 - shift
    rows = np.stack([np.interp(at[0], np.arange(2 * size), row) for row in wide])
    return torch.from_numpy(np.clip(rows * 4, -1, 1)).float().expand(1, 3, -1, -1)


# ---- moving images -----------------------------------------------------------------------------------------


def test_warping_is_that_of_opencv() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 20, 30, generator=generator, dtype=torch.float64)
    flow = torch.randn(2, 2, 20, 30, generator=generator, dtype=torch.float64) * 6  # beyond the border, too
    got = warp(image, flow)
    rows, columns = np.indices((20, 30))
    for sample in range(2):
        at = np.stack([columns + flow[sample, 0].numpy(), rows + flow[sample, 1].numpy()], -1)
        want = cv2.remap(
            image[sample].permute(1, 2, 0).numpy(),
            at.astype(np.float32),
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # OpenCV knows places to 1/32 pixel
        np.testing.assert_allclose(got[sample].permute(1, 2, 0).numpy(), want, rtol=0, atol=0.05)
    still = warp(image, torch.zeros_like(flow))
    torch.testing.assert_close(still, image, rtol=0, atol=1e-12)
    whole = torch.zeros_like(flow)
    whole[:, 0] = 3
    torch.testing.assert_close(warp(image, whole)[..., :-3], image[..., 3:], rtol=0, atol=1e-12)


def test_the_flow_of_true_frames() -> None:
    """A texture that moves right by 2.5 pixels was 2.5 pixels further left."""
    flow, seen = dis_flow(texture(), texture(2.5))
    inner = flow[..., 8:-8, 8:-8]
    assert abs(float(inner[:, 0].median()) + 2.5) < 0.1 and abs(float(inner[:, 1].median())) < 0.1
    assert float(seen[..., 8:-8, 8:-8].mean()) > 0.95


def test_what_was_hidden_or_outside_is_not_trusted() -> None:
    back, there = torch.zeros(1, 2, 10, 10), torch.zeros(1, 2, 10, 10)
    there[..., 4] = 3  # what was in column 4 went elsewhere
    back[:, 0, :, 0] = -0.5  # comes from outside, by less than the check lets pass
    seen = seen_before(back, there)[0, 0]
    assert not seen[:, 4].any() and not seen[:, 0].any()
    assert seen[:, [1, 2, 3, 5, 6, 7, 8, 9]].all()


# ---- the contract ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4), ids=["single", "previous_frame", "flow_warp", "recurrent"])
def test_states_are_named_tensors_of_fixed_shape_and_none_means_zeros(number: int) -> None:
    strategy = every_strategy()[number]
    if isinstance(strategy, torch.nn.Module):
        shaken(strategy)
    conditions = torch.randn(4, 2, 3, 16, 24)
    start = strategy.start(conditions[0])
    assert not any(value.any() for value in start.values())
    inputs: list[Tensor] = []

    def generator(x: Tensor) -> Tensor:
        inputs.append(x)
        return paint(x)

    first, state = strategy.step(generator, conditions[0], None)
    again, _ = strategy.step(generator, conditions[0], start)
    assert torch.equal(first, again)
    for condition in conditions[1:]:
        state = strategy.remember(first, state)
        shapes = {name: value.shape for name, value in (state or {}).items()}
        assert shapes == {name: value.shape for name, value in start.items()}
        first, state = strategy.step(generator, condition, state)
    assert {x.shape[1] for x in inputs} == {strategy.generator_channels(3)}
    length = strategy.clip_length - strategy.warm_up
    view = strategy.view(torch.zeros(1, length, 3, 4, 4), torch.ones(1, length, 3, 4, 4))
    assert view.shape[1] == strategy.discriminator_channels(3)
    assert not view[:, : 3 * length].any() and view[:, 3 * length :].all()  # conditions before images
    assert isinstance(strategy, WarpingStrategy) is (number == 2)


# ---- flow_warp ---------------------------------------------------------------------------------------------


def test_flow_warp_blends_the_moved_image_with_what_is_painted() -> None:
    strategy = FlowWarp(**SMALL, reach=0.25, condition_channels=3)
    last = strategy.model[-2]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.5, 0.0, 0.25]).atanh())  # flow 0.5 * 0.25 * 16 = 2 px, share 0.625
    one, two = torch.randn(2, 1, 3, 16, 16)
    first, state = strategy.step(paint, one, None)
    assert torch.equal(first, paint(torch.cat([one, torch.zeros(1, 3, 16, 16)], 1)))  # nothing to move yet
    refined = first + 0.125
    second, state = strategy.step(paint, two, strategy.remember(refined, state))
    painted = paint(torch.cat([two, refined], 1))
    moved_along = torch.cat([refined[..., 2:], refined[..., -1:], refined[..., -1:]], -1)
    torch.testing.assert_close(second, 0.625 * moved_along + 0.375 * painted, rtol=0, atol=1e-5)
    flow, share = strategy.motion(state)
    torch.testing.assert_close(flow, torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 16, 16))
    torch.testing.assert_close(share, torch.full((1, 1, 16, 16), 0.625))


def test_the_painter_learns_by_its_share_alone() -> None:
    """What the flow network makes of the painted image is no way to the painter's weights."""
    strategy = FlowWarp(**SMALL, condition_channels=3)
    shaken(strategy)
    state = strategy.remember(
        torch.rand(1, 3, 16, 16), strategy.step(paint, torch.rand(1, 3, 16, 16), None)[1]
    )
    painted = torch.rand(1, 3, 16, 16, requires_grad=True)
    image, state = strategy.step(lambda _: painted, torch.rand(1, 3, 16, 16), state)
    image.sum().backward()
    share = strategy.motion(state)[1].detach()
    assert share.std().item() > 0.01
    torch.testing.assert_close(painted.grad, (1 - share).expand(-1, 3, -1, -1))


def test_an_untrained_flow_warp_paints_nearly_all_of_it() -> None:
    strategy = FlowWarp(**SMALL, condition_channels=3)
    _, state = strategy.step(paint, torch.randn(1, 3, 16, 16), None)
    _, state = strategy.step(
        paint, torch.randn(1, 3, 16, 16), strategy.remember(torch.ones(1, 3, 16, 16), state)
    )
    flow, share = strategy.motion(state)
    assert not flow.any() and share.min().item() > 0.04 and share.max().item() < 0.06


def view_of(flow: Tensor, real: Tensor) -> LossView:
    """Three frames of one clip; `real` is (3, 3, H, W)."""
    mask = torch.ones_like(real[:, :1])
    return LossView(
        fake=real, real=real, mask=mask, fake_features=[], real_features=[], view_mask=mask[:1], frames=3,
        flow=flow, share=mask,
    )  # fmt: skip


@pytest.mark.parametrize("teacher", ["dis", "none"])
def test_the_loss_flow_is_least_where_the_flow_is_right(teacher: str) -> None:
    real = torch.cat([texture(2.0 * t) for t in range(3)])
    loss = Flow(teacher=teacher)
    values = []
    for x in (-4.0, -2.0, 0.0):
        flow = torch.zeros(3, 2, 64, 64)
        flow[1:, 0] = x
        flow[0] = 1e3  # the first frame has none: of no account
        values.append(float(loss(view_of(flow, real))))
    assert values[1] < 0.25 * values[0] and values[1] < 0.25 * values[2]


def test_the_teacher_counts_in_hundredths_of_the_height() -> None:
    real = torch.cat([texture(2.0 * t) for t in range(3)])
    flow = torch.zeros(3, 2, 64, 64)
    flow[:, 0] = -2.0
    flow[:, 1] = 0.64 * 5
    apart = [float(Flow(teacher_weight=w)(view_of(flow, real))) for w in (0.0, 1.0)]
    # 5 hundredths along one of two axes, where the teacher is sure
    assert apart[1] - apart[0] == pytest.approx(2.5, rel=0.1)


def test_flow_learns_a_planted_motion() -> None:
    """Three frames that move right by 2 px: the network alone, without a painter, finds that out."""
    torch.manual_seed(0)
    real = torch.cat([texture(2.0 * t) for t in range(3)])
    strategy = FlowWarp(ngf=4, n_down=2, n_blocks=1, condition_channels=3)
    optimizer = torch.optim.Adam(strategy.parameters(), 5e-3, betas=(0.5, 0.999))
    losses = []
    for _ in range(25):
        flows, state = [], None
        for t in range(3):
            _, state = strategy.step(paint, real[t : t + 1], state)
            flows.append(strategy.motion(state)[0])
            state = strategy.remember(real[t : t + 1], state)
        loss = Flow()(view_of(torch.cat(flows), real))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    assert abs(flows[2][:, 0, 16:-16, 16:-16].mean().item() + 2) < 0.7


def test_a_loss_that_nobody_can_obey_is_refused() -> None:
    losses = "losses=[{name: l1}, {name: flow, weight: 1}]"
    check_parts(load_recipe("tiny", [losses, "temporal=flow_warp"]), SKELETON)
    with pytest.raises(IncompatibleParts, match=r"loss flow needs .* temporal=previous_frame does not"):
        check_parts(load_recipe("tiny", [losses]), SKELETON)
    with pytest.raises(IncompatibleParts, match="a face does not"):
        check_parts(load_recipe("tiny", ["face_losses=[{name: flow}]", "temporal=flow_warp"]), SKELETON)
    view = view_of(torch.zeros(3, 2, 8, 8), torch.zeros(3, 3, 8, 8))
    with pytest.raises(IncompatibleParts, match="temporal=flow_warp"):
        Flow()(LossView(**{**vars(view), "flow": None}))


# ---- recurrent ---------------------------------------------------------------------------------------------


def test_the_gru_against_its_equations() -> None:
    """On single pixels a 3x3 convolution is its middle alone: a plain GRU (Ballas et al. 2016)."""
    torch.manual_seed(0)
    gru = ConvGRU(5).double()
    shaken(gru)
    x, h = torch.randn(2, 4, 5, 1, 1, dtype=torch.float64)
    middle = {name: getattr(gru, name).weight[:, :, 1, 1] for name in ("gates", "candidate")}
    both = torch.cat([x, h], 1)[..., 0, 0]
    update, reset = torch.sigmoid(both @ middle["gates"].T + gru.gates.bias).split(5, 1)
    new = torch.tanh(
        torch.cat([x[..., 0, 0], reset * h[..., 0, 0]], 1) @ middle["candidate"].T + gru.candidate.bias
    )
    want = (1 - update) * h[..., 0, 0] + update * new
    torch.testing.assert_close(gru(x, h)[..., 0, 0], want, rtol=1e-12, atol=1e-12)


def test_recurrent_remembers_what_no_image_shows() -> None:
    """Four frames later, with the same image and condition, it still matters what the first condition was."""
    strategy = Recurrent(channels=8, features=2, condition_channels=3)
    shaken(strategy)
    seen: list[Tensor] = []

    def blank(x: Tensor) -> Tensor:
        seen.append(x)
        return torch.zeros_like(x[:, :3])

    for first in (torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)):
        state = None
        for condition in (first, *torch.zeros(4, 1, 3, 16, 16)):
            image, state = strategy.step(blank, condition, state)
            state = strategy.remember(image, state)
    one, other = seen[4], seen[9]
    assert torch.equal(one[:, :6], other[:, :6]) and not torch.allclose(one[:, 6:], other[:, 6:], atol=1e-3)


# ---- training ----------------------------------------------------------------------------------------------


def clips(length: int, size: int = 1, seed: int = 0) -> Batch:
    pair = batch_of(size, seed)
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        conditions=torch.rand(size, length, 3, 32, 32, generator=generator),
        real=torch.rand(size, length, 3, 32, 32, generator=generator) * 2 - 1,
        mask=torch.ones(size, length, 1, 32, 32),
        plate=pair.plate,
        boxes=pair.boxes[:, :1].expand(size, length, 4).clone(),
    )


@pytest.mark.parametrize("strategy", [WARPING, MEMORY], ids=["flow_warp", "recurrent"])
def test_they_learn_with_the_generator_and_stand_still_with_it(strategy: list[str]) -> None:
    terms = "losses=[{name: lsgan}, {name: l1, weight: 10}, {name: flow, weight: 5}]"
    losses = [terms] if strategy is WARPING else []
    state = state_of(*FACE, *strategy, *losses, "train.ema=0.5")
    batch = clips(state.painting.temporal.clip_length)
    before = {name: weights(state, name) for name in state.networks}
    record = state.learn(BODY, batch)
    assert {name for name in state.networks if moved(state, name, before[name])} == {
        "generator",
        "temporal",
        "discriminator",
    }
    assert ("flow" in record) is bool(losses)
    assert state.averages["temporal"].updates == 1
    for judge in ("crop", "frame"):
        before = {name: weights(state, name) for name in state.networks}
        state.learn(Stage(name="face", share=1.0, modules=["face"], judge=judge), batch)
        changed = {name for name in state.networks if moved(state, name, before[name])}
        assert changed == {"face", "face_discriminator"}
    assert all(weight.requires_grad for weight in state.networks["temporal"].parameters())


def test_frames_of_the_warm_up_are_painted_without_gradient_and_judged_by_nobody() -> None:
    """The warm-up's true frames are of no account, its conditions are; and it decides nothing about gradients."""
    state = state_of(*MEMORY, "temporal.warm_up=2", "temporal.frames=2")
    batch = clips(4)
    assert state.painting.temporal.clip_length == 4
    other, third = clips(4), clips(4)
    other.real[:, :2] = 0
    third.conditions[:, :2] += 0.5
    records = []
    for each in (batch, other, third):
        records.append(state_of(*MEMORY, "temporal.warm_up=2", "temporal.frames=2").learn(BODY, each))
    assert records[0] == records[1] and records[0] != records[2]
    judged, history = state._warmed(batch)
    assert torch.equal(judged.real, batch.real[:, 2:]) and history is not None
    assert not any(value.requires_grad for value in history.values())
    fake, _, _ = state._paint_on(judged, history)
    assert fake.shape[1] == 2 and fake.requires_grad


def test_the_gradient_goes_through_the_memory() -> None:
    """What was seen first has a gradient from the last frame, though no image carries it."""
    strategy = Recurrent(channels=8, features=2, warm_up=0, frames=3, condition_channels=3)
    shaken(strategy)
    first = torch.randn(1, 3, 16, 16, requires_grad=True)
    image, state = strategy.step(paint, first, None)
    for _ in range(2):
        state = strategy.remember(torch.zeros_like(image), state)
        image, state = strategy.step(lambda x: x[:, -3:].clone(), torch.zeros(1, 3, 16, 16), state)
    image.sum().backward()
    assert first.grad is not None and first.grad.abs().max() > 1e-6


@pytest.mark.parametrize("strategy", [WARPING, MEMORY], ids=["flow_warp", "recurrent"])
def test_a_toy_is_learnt(strategy: list[str]) -> None:
    """A square that moves: the error falls."""
    state = state_of(*strategy, "losses=[{name: l1, weight: 1}]", "train.optimizer.lr=0.002")
    length = state.painting.temporal.clip_length
    batch = clips(length)
    batch.conditions.zero_()
    batch.real.fill_(-1)
    for t in range(length):
        batch.conditions[:, t, :, 8:16, 4 + 2 * t : 12 + 2 * t] = 1
        batch.real[:, t, 0, 8:16, 4 + 2 * t : 12 + 2 * t] = 1
    losses = [state.learn(BODY, batch)["l1"] for _ in range(12)]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("strategy", [WARPING, MEMORY], ids=["flow_warp", "recurrent"])
def test_a_run_resumes_exactly(strategy: list[str], tmp_path: Path) -> None:
    given = [*strategy, "train.ema=0.9", "discriminator=multiscale_temporal", "discriminator.ndf=4"]
    given += ["temporal.warm_up=1"]

    def run(count: range, state: object) -> list[dict[str, float]]:
        records = []
        for step in count:
            state.step = step
            records.append(state.learn(BODY, clips(4, seed=step)))
        state.step = count.stop
        return records

    whole, first, second = (state_of(*given) for _ in range(3))
    records = run(range(4), whole)
    assert run(range(2), first) == records[:2]
    load_checkpoint(save_checkpoint(tmp_path, first), second)
    assert run(range(2, 4), second) == records[2:]
    for name in whole.networks:
        assert all(
            torch.equal(value, weights(second, name)[key]) for key, value in weights(whole, name).items()
        )
    shadows = [each.averages["temporal"].shadow for each in (whole, second)]
    assert all(torch.equal(value, shadows[1][key]) for key, value in shadows[0].items())


# ---- the discriminator -------------------------------------------------------------------------------------


def test_groups_of_frames_go_to_the_network_of_their_stride() -> None:
    torch.manual_seed(0)
    judge = MultiscaleTemporalDiscriminator(
        strides=(1, 2), seen=3, ndf=2, n_layers=1, num_d=2, in_channels=5 * 4, frames=5
    )
    conditions, images = torch.randn(2, 5, 1, 16, 16), torch.randn(2, 5, 3, 16, 16)
    scales = judge(torch.cat([conditions.flatten(1, 2), images.flatten(1, 2)], 1))
    assert [len(scale[0]) for scale in scales] == [10, 10, 6, 6, 2, 2]

    def expected(network: torch.nn.Module, groups: list[list[int]]) -> list[list[Tensor]]:
        views = [
            torch.cat([*conditions[sample, group], *images[sample, group]])
            for sample in range(2)
            for group in groups
        ]
        return network(torch.stack(views))

    want = [
        *expected(judge.single, [[t] for t in range(5)]),
        *expected(judge.stride1, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        *expected(judge.stride2, [[0, 2, 4]]),
    ]
    for scale, other in zip(scales, want, strict=True):
        for one, two in zip(scale, other, strict=True):
            torch.testing.assert_close(one, two)


def test_a_mask_serves_all_groups_of_its_sample() -> None:
    error, mask = torch.rand(6, 2, 4, 4), torch.rand(2, 1, 8, 8)
    got = weighted_mean(error, mask, where="person", background=0.2)
    parts = [
        weighted_mean(error[n : n + 1], mask[n // 3 : n // 3 + 1], where="person", background=0.2)
        for n in range(6)
    ]
    assert float(got) == pytest.approx(float(torch.stack(parts).mean()), rel=1e-6)
    with pytest.raises(ValueError, match="2 masks do not fit 5"):
        weighted_mean(error[:5], mask, where="person", background=0.2)


def test_strides_need_long_clips() -> None:
    long = ["discriminator=multiscale_temporal", "discriminator.strides=[1, 3, 9]", "temporal=recurrent"]
    check_parts(load_recipe("tiny", [*long, "temporal.frames=19"]), SKELETON)
    with pytest.raises(IncompatibleParts, match=r"a clip has 18 of the 19 .*temporal\.frames=19"):
        check_parts(load_recipe("tiny", [*long, "temporal.frames=18"]), SKELETON)
    with pytest.raises(IncompatibleParts, match="not distinct"):
        check_parts(load_recipe("tiny", [long[0], long[2], "discriminator.strides=[1, 1]"]), SKELETON)
    with pytest.raises(IncompatibleParts, match="nothing is judged"):
        nothing = [long[0], long[2], "discriminator.strides=[]", "discriminator.image=false"]
        check_parts(load_recipe("tiny", nothing), SKELETON)


def test_only_who_sees_several_frames_tells_flicker() -> None:
    """Frames that are right one by one and change places: the stride's network learns it, the image's cannot."""
    order = {"true": [0, 1, 2], "flickers": [0, 2, 1]}
    shades = torch.tensor([-0.8, 0.0, 0.8]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 16, 16)
    views = {
        name: torch.cat([torch.zeros(1, 3, 16, 16), shades[:, which].flatten(1, 2)], 1)
        for name, which in order.items()
    }
    loss, losses = LSGAN(), {}
    for name, settings in {"image": {"strides": ()}, "stride": {"strides": (1,), "image": False}}.items():
        torch.manual_seed(0)
        judge = MultiscaleTemporalDiscriminator(
            ndf=8, n_layers=1, num_d=1, in_channels=12, frames=3, **settings
        )
        optimizer = torch.optim.Adam(judge.parameters(), 2e-3, betas=(0.5, 0.999))
        for _ in range(30):
            value = loss.discriminator(
                judge(views["true"]), judge(views["flickers"]), torch.ones(1, 1, 16, 16)
            )
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        losses[name] = float(value.detach())
    assert losses["image"] > 0.24 and losses["stride"] < 0.1


# ---- dancers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [WARPING, MEMORY], ids=["flow_warp", "recurrent"])
def test_a_dancer_file_holds_them_and_a_cut_is_a_new_beginning(strategy: list[str], tmp_path: Path) -> None:
    path = make_dancer(tmp_path / "a.safetensors", changes=tuple(strategy))
    assert any(name.startswith("temporal.") for name in network_shapes(path))
    dancer = Dancer.load(path, device="cpu")
    poses = dance((160, 120))[:6]
    plain, cut, rest = (
        list(dancer.paint(each)) for each in (poses, poses.replace(cuts=(3,)), poses[3:].replace(cuts=()))
    )
    for one, other in zip(cut[3:], rest, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(plain[3], rest[0])
    assert all(np.array_equal(one, other) for one, other in zip(plain[:3], cut[:3], strict=True))
    assert not all(np.array_equal(one, other) for one, other in pairwise(plain))


def test_a_stopped_transfer_goes_on_with_every_state(tmp_path: Path) -> None:
    past = [
        [
            (0.5, {"image": torch.rand(1, 3, 4, 4), "memory": torch.rand(1, 2, 2, 2)}),
            (0.52, {"image": torch.rand(1, 3, 4, 4), "memory": torch.rand(1, 2, 2, 2)}),
        ],
        [],
        [(1 / 3, {"image": torch.ones(1), "a.b": torch.zeros(2)})],
    ]
    Parts(tmp_path / "a.mp4", {"job": 1}, 2 * SEGMENT).finish_segment(past)
    found = Parts(tmp_path / "a.mp4", {"job": 1}, 2 * SEGMENT).past(3)
    assert [[then for then, _ in each] for each in found] == [[0.5, 0.52], [], [1 / 3]]
    for before, after in zip(past, found, strict=True):
        for (_, one), (_, other) in zip(before, after, strict=True):
            assert one.keys() == other.keys()
            assert all(torch.equal(value, other[key]) for key, value in one.items())


def painted(strategy: TemporalStrategy, generator: Callable[[Tensor], Tensor]) -> Tensor:
    _, state = strategy.step(generator, torch.ones(1, 3, 16, 16), None)
    return strategy.step(generator, torch.zeros(1, 3, 16, 16), state)[0]


def test_detached_history_carries_no_gradient() -> None:
    for detach in (False, True):
        strategy = FlowWarp(**SMALL, detach=detach, condition_channels=3)
        weight = torch.tensor(0.5, requires_grad=True)
        calls: list[Tensor] = []

        def generator(x: Tensor, weight: Tensor = weight, calls: list[Tensor] = calls) -> Tensor:
            calls.append(x)
            return weight * x[:, :3]

        painted(strategy, generator)
        assert calls[1][:, 3:].requires_grad is not detach
