"""What training clips are like: sizes, lengths, run-ups, strides. And that none of it changes older recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dancekit.build import check_parts, create
from dancekit.config import Recipe, load_recipe
from dancekit.config.schema import HistoryNoise, Stage
from dancekit.data.training_set import TrainingSet
from dancekit.errors import IncompatibleParts, PoseError, RecipeError
from dancekit.training.batch import Batch, draw_clips
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.training.estimate import made_up_for, made_up_target, time_steps
from dancekit.training.history_noise import Disturbance, blur, is_idle, shift
from dancekit.training.plan import ClipPlan
from dancekit.training.pool import ImagePool
from dancekit.training.preview import preview
from dancekit.training.state import TrainingState
from dancekit.training.views import windows
from dancekit.types import get_skeleton

SKELETON = get_skeleton("blazepose_33")
EVERYTHING = [
    "train.steps=8",
    "train.prefetch=3",
    "train.pool=2",
    "train.accumulate=2",
    "train.strides=[1, 3]",
    "train.history_noise={p: 0.8, blur: 1.5, shift: 2, noise: 0.1}",
    "train.stages=[{name: small, share: 0.5, modules: [generator], size: [32, 32]},"
    " {name: long, share: 0.25, modules: [generator], frames: 4, run_up: 2},"
    " {name: face, share: 0.25, modules: [face]}]",
]


def recipe_of(*overrides: str) -> Recipe:
    return load_recipe("tiny", ["generator.ngf=4", *overrides])


def state_of(*overrides: str, frames: int | None = None) -> TrainingState:
    recipe = recipe_of(*overrides)
    data = made_up_for(recipe, SKELETON) if frames is None else made_up_target(recipe.size, SKELETON, frames)
    return TrainingState(recipe, data, "cpu")


def numbered(count: int, size: tuple[int, int] = (64, 64)) -> TrainingSet:
    """Frame n is grey n all over; nobody is lost."""
    made = made_up_target(size, SKELETON, count)
    frames = np.repeat(np.arange(count, dtype=np.uint8), size[0] * size[1] * 3)
    return TrainingSet(
        frames.reshape(count, size[1], size[0], 3), made.masks, made.target, made.window, made.plate
    )


def shown(clip: Any) -> list[int]:
    return [round(float(image.mean() + 1) * 127.5) for image in clip.images]


# ---- which frames --------------------------------------------------------------------------------------------


def test_older_recipes_draw_what_they_drew() -> None:
    data, starts = numbered(40), np.arange(39)
    for step in range(5):
        rng = np.random.default_rng([7, step])
        expected = [int(starts[rng.integers(39)]) for _ in range(3)]
        clips = draw_clips(
            data, [], ClipPlan((64, 64), 2), starts=lambda span: (starts, None), batch=3, seed=7, step=step
        )
        assert [shown(clip) for clip in clips] == [[start, start + 1] for start in expected]


def test_frames_of_a_clip_are_a_stride_apart_and_all_strides_come() -> None:
    data = numbered(60)
    plan, asked, seen = ClipPlan((64, 64), 3, run_up=2, strides=(1, 2, 5)), set(), {1: 0, 2: 0, 5: 0}

    def starts(span: int) -> tuple[np.ndarray, None]:
        asked.add(span)
        return data.starts(span), None

    for step in range(60):
        (clip,) = draw_clips(data, [], plan, starts=starts, batch=1, seed=0, step=step)
        found = shown(clip)
        assert len(found) == (5 if step % 2 else 3), "a run-up in every second step"
        (stride,) = set(np.diff(found))
        seen[int(stride)] += 1
        np.testing.assert_array_equal(clip.xy, data.window.to_window(data.target.xy[found]))
    assert min(seen.values()) >= 10
    assert asked == {3, 5, 9, 11, 21}
    assert plan.longest == 21


def test_a_clip_that_is_too_short_for_the_longest_is_refused_at_once() -> None:
    with pytest.raises(PoseError, match="no 16 consecutive frames"):
        state_of(
            "train.strides=[1, 3]",
            "train.stages=[{name: a, share: 1, modules: [generator], frames: 6}]",
            frames=15,
        )
    assert len(made_up_for(recipe_of(*EVERYTHING), SKELETON)) >= 16, "those of estimates are long enough"


def test_no_clip_spans_a_cut() -> None:
    made = numbered(20)
    data = TrainingSet(made.frames, made.masks, made.target.replace(cuts=(9,)), made.window, made.plate)
    for step in range(40):
        (clip,) = draw_clips(
            data,
            [],
            ClipPlan((64, 64), 2, strides=(1, 4)),
            starts=lambda span: (data.starts(span), None),
            batch=1,
            seed=0,
            step=step,
        )
        first, last = shown(clip)
        assert (first < 9) == (last < 9)


# ---- at which size -------------------------------------------------------------------------------------------


def test_small_clips_are_the_large_ones_scaled() -> None:
    """Pixel centres at integers: what lies between two pixels lies on one of half the size."""
    data = made_up_target((64, 96), SKELETON, 4)
    large, small = data.clip(0, 2), data.clip(0, 2, size=(32, 48))
    assert small.images.shape == (2, 3, 48, 32) and small.mask.shape == (2, 1, 48, 32)
    mean = large.images.reshape(2, 3, 48, 2, 32, 2).mean((3, 5))
    torch.testing.assert_close(small.images, mean, atol=1.01 / 127.5, rtol=0)
    torch.testing.assert_close(
        small.plate, large.plate.reshape(1, 3, 48, 2, 32, 2).mean((3, 5)), atol=0.009, rtol=0
    )
    torch.testing.assert_close(small.xy, (large.xy - 0.5) / 2, equal_nan=True)
    assert data.clip(0, 2, size=(64, 96)).images.equal(large.images)


def test_each_stage_trains_at_its_size_and_keeps_the_optimizer() -> None:
    state = state_of(*EVERYTHING)
    seen = []
    for network in ("generator", "discriminator"):
        state.networks[network].register_forward_pre_hook(
            lambda _, given, name=network: seen.append((state.step, name, tuple(given[0].shape)))
        )
    for _ in range(6):
        state.advance()
    sizes = {step: {shape[-1] for at, _, shape in seen if at == step} for step in range(6)}
    assert sizes == {0: {32}, 1: {32}, 2: {32}, 3: {32}, 4: {64}, 5: {64}}
    moments = state.optimizers["generator"].state_dict()["state"].values()
    assert {float(each["step"]) for each in moments} == {6.0}
    # four frames are three pairs; two clips in turn
    assert {shape for _, name, shape in seen if name == "discriminator" and shape[-1] == 64} == {
        (3, 12, 64, 64)
    }
    painted = [shape[0] for at, name, shape in seen if name == "generator" and at == 5]
    assert painted == [1] * 2 * (4 + 2)
    state.close()


def test_killed_and_resumed_across_every_change(tmp_path: Path) -> None:
    """Bit for bit: networks, averages, optimizers, pools, whatever stage it was killed in."""
    whole = state_of(*EVERYTHING)
    records = [whole.advance() for _ in range(8)]
    broken, after = state_of(*EVERYTHING), []
    for step in range(8):
        after.append(broken.advance())
        path = save_checkpoint(tmp_path, broken)
        broken.close()
        broken = state_of(*EVERYTHING, f"train.prefetch={step % 2}")
        load_checkpoint(path, broken)
    assert after == records
    for name, network in whole.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, broken.networks[name].state_dict()[key]), (name, key)
    for state in (whole, broken):
        state.close()


def test_the_pool_forgets_views_of_another_size() -> None:
    import random

    pool = ImagePool(2)
    for value in (0.0, 1.0):
        pool.query(torch.full((1, 3, 8, 8), value), random.Random(0))
    for _ in range(6):
        assert pool.query(torch.full((1, 3, 16, 16), 2.0), random.Random(0)).shape == (1, 3, 16, 16)
    assert {tuple(image.shape) for image in pool.images} == {(3, 16, 16)}


def test_previews_show_what_was_learnt_as_large_as_the_rest() -> None:
    state = state_of(*EVERYTHING)
    painted = []
    for size in ((32, 32), (64, 64)):
        with state.painter(size) as painter:
            assert painter._plate.shape[-1] == size[0]
            painted.append(preview(painter, state.data, [2, 4], size))
    assert painted[0].shape == painted[1].shape == (3 * 64, 2 * 64, 3)
    assert np.array_equal(painted[0][128:], painted[1][128:]), "the true frames"
    coarse = np.abs(painted[0][:64].astype(int) - painted[1][:64]).mean()
    assert 0 < coarse < 12, "the same stick figure, enlarged"


def test_estimates_time_every_stage_as_it_is() -> None:
    state = state_of(*EVERYTHING)
    seen: dict[int, set[int]] = {}
    state.networks["generator"].register_forward_pre_hook(
        lambda _, given: seen.setdefault(state.step, set()).add(given[0].shape[-1])
    )
    seconds = time_steps(state)
    state.close()
    assert len(seconds) == 3 and min(seconds) > 0
    assert {step: size for step, size in seen.items() if step < 6} == {
        0: {32},
        1: {32},
        2: {32},
        4: {64},
        5: {64},
    }


# ---- what is learnt from -------------------------------------------------------------------------------------


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_windows_are_all_that_follow_each_other(batch: int, frames: int, length: int) -> None:
    if length > frames:
        return
    clips = torch.arange(batch * frames).view(batch, frames, 1)
    firsts = [b * frames + t for b in range(batch) for t in range(frames - length + 1)]
    expected = [list(range(first, first + length)) for first in firsts]
    assert windows(clips, length).squeeze(-1).tolist() == expected


def batch_of(state: TrainingState, frames: int, before: int = 0) -> Batch:
    batch = state._make_batches(0)[0]
    generator = torch.Generator().manual_seed(1)
    conditions = torch.rand(1, frames + before, *batch.conditions.shape[2:], generator=generator)
    boxes = torch.full((1, frames + before, 4), torch.nan)
    real = torch.rand(1, frames + before, 3, 64, 64, generator=generator) * 2 - 1
    return Batch(
        conditions=conditions,
        real=real,
        mask=torch.ones(1, frames + before, 1, 64, 64),
        plate=batch.plate,
        boxes=boxes,
        run_up=before,
    )


def paint(state: TrainingState, batch: Batch, disturb: Disturbance | None = None) -> torch.Tensor:
    """As a step does."""
    batch, past = state._warmed(batch, disturb)
    return state._paint_on(batch, past, disturb=disturb)[0]


def test_a_run_up_gives_the_history_and_no_gradient() -> None:
    """Against the whole clip painted in one go, cut off where the clip begins."""
    state = state_of()
    batch = batch_of(state, 2, before=3)
    fake = paint(state, batch)
    strategy, past = state.painting.temporal, None
    images = []
    for t in range(5):
        image, past = strategy.step(
            lambda x: state.painting.background.compose(state.networks["generator"](x), batch.plate),
            batch.conditions[:, t],
            past,
        )
        if t < 3:
            past = {key: value.detach() for key, value in past.items()}
        images.append(image)
    torch.testing.assert_close(fake, torch.stack(images[3:], 1))
    weight = next(state.networks["generator"].parameters())
    (mine,) = torch.autograd.grad(fake.square().mean(), weight)
    (theirs,) = torch.autograd.grad(torch.stack(images[3:], 1).square().mean(), weight)
    torch.testing.assert_close(mine, theirs)
    assert not torch.allclose(fake, paint(state, batch[3:])), "the history counts"


def test_in_bfloat16_a_run_up_leaves_the_gradients() -> None:
    """Autocast keeps what it has cast; cast without gradient it would be of no use afterwards."""
    state = state_of("train.precision=bf16", "train.ema=0")
    before = {key: value.clone() for key, value in state.networks["generator"].state_dict().items()}
    state.learn(Stage(name="body", share=1.0, modules=["generator"]), batch_of(state, 2, before=2))
    after = state.networks["generator"].state_dict()
    assert not any(torch.equal(value, before[key]) for key, value in after.items() if key.endswith("weight"))


# ---- history noise -------------------------------------------------------------------------------------------


def test_blur_and_shift_against_scipy() -> None:
    image = torch.rand(2, 3, 24, 20, dtype=torch.float64)
    for sigma in (0.4, 1.3, 2.0):
        expected = ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma), mode="mirror", truncate=3.0)
        np.testing.assert_allclose(blur(image, sigma).numpy(), expected, atol=2e-3)
    for right, down in ((1.0, 0.0), (-2.5, 0.75), (0.3, -4.2)):
        expected = ndimage.shift(image.numpy(), (0, 0, down, right), order=1, mode="nearest")
        np.testing.assert_allclose(shift(image, right, down).numpy(), expected, atol=1e-6)
    assert torch.equal(shift(blur(image, 0.0), 0.0, 0.0), image)


def test_a_disturbance_belongs_to_its_step_and_is_as_strong_as_it_says() -> None:
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    settings = HistoryNoise(p=0.5, noise=0.2)

    def run(step: int, count: int = 400) -> list[torch.Tensor]:
        disturb = Disturbance(settings, seed=3, step=step)
        return [disturb(image) for _ in range(count)]

    first, again, other = run(5), run(5), run(6)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0]) or not torch.equal(first[1], other[1])
    errors = np.array([float((each - image).std()) for each in first])
    assert 0.42 < (errors > 0).mean() < 0.58
    assert 0.18 < errors.max() < 0.21 and 0.08 < errors[errors > 0].mean() < 0.12
    assert is_idle(HistoryNoise()) and is_idle(HistoryNoise(p=0, blur=1)) and not is_idle(settings)


def test_history_noise_reaches_the_next_frame_and_nothing_else() -> None:
    """The first frame is as without; the second saw a disturbed one, and its gradient goes through it."""
    clean, noisy = state_of(), state_of("train.history_noise={noise: 1.0}")
    batch = batch_of(clean, 2)
    disturb = noisy._disturbance([batch])
    assert clean._disturbance([batch]) is None and disturb is not None
    a, b = paint(clean, batch), paint(noisy, batch, disturb)
    assert torch.equal(a[:, 0], b[:, 0]) and not torch.allclose(a[:, 1], b[:, 1])
    probe = batch.plate.clone().requires_grad_()
    image = Disturbance(HistoryNoise(blur=1, shift=2, noise=0.1), seed=0, step=0)(probe)
    (through,) = torch.autograd.grad(image[..., 8:-8, 8:-8].sum(), probe)
    assert float(through[..., 20, 20].mean()) == pytest.approx(1.0, abs=1e-4)
    with noisy.painter() as painter:  # what is previewed and transferred is not disturbed
        xy, score = np.zeros((3, 33, 2), np.float32), np.ones((3, 33), np.float32)
        first, second = (list(painter.paint(xy, score)) for _ in range(2))
    assert np.array_equal(first, second)


# ---- what cannot be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "train.stages=[{name: a, share: 1, modules: [generator], size: [32, 64]}]",
            "shape of the recipe's size",
        ),
        ("train.stages=[{name: a, share: 1, modules: [generator], size: [128, 128]}]", "no larger"),
        (
            "train.stages=[{name: a, share: 1, modules: [generator, face], size: [32, 32]}]",
            "at the recipe's size",
        ),
        ("train.strides=[2, 1]", "ascend"),
        ("train.strides=[1, 1]", "ascend"),
        ("train.strides=[]", "at least 1"),
        ("train.history_noise={blr: 1}", "blr"),
    ],
)
def test_what_cannot_be_is_said(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe_of(override)


def test_parts_that_do_not_fit_a_stage() -> None:
    short = recipe_of("train.stages=[{name: a, share: 1, modules: [generator], frames: 1}]")
    with pytest.raises(IncompatibleParts, match="frames is 1, temporal previous_frame needs 2"):
        check_parts(short, SKELETON)
    odd = recipe_of(
        "generator.n_down=4", "train.stages=[{name: a, share: 1, modules: [generator], size: [40, 40]}]"
    )
    with pytest.raises(IncompatibleParts, match="multiples of 16"):
        check_parts(odd, SKELETON)
    check_parts(recipe_of(*EVERYTHING), SKELETON)


def test_each_key_changes_the_hash() -> None:
    """What they are left out of keeps its hash: `test_recipes.py`."""
    assert recipe_of().hash != recipe_of("train.strides=[1, 2]").hash
    assert recipe_of().hash != recipe_of("train.history_noise.blur=1").hash
    stages = "train.stages=[{name: a, share: 1, modules: [generator]MORE}]"
    more = ("", ", run_up: 1", ", frames: 3", ", size: [32, 32]")
    hashes = {recipe_of(stages.replace("MORE", each)).hash for each in more}
    assert len(hashes) == 4


def test_a_renderer_draws_the_same_figure_at_every_size() -> None:
    """Line widths are parts of the height: what a stage learns at half the size is what it will see later."""
    data = made_up_target((128, 128), SKELETON, 2)
    figures = []
    for side in (128, 64):
        clip = data.clip(0, 1, size=(side, side))
        renderer = create(
            "renderer", "sticks", skeleton=SKELETON, size=(side, side), device="cpu", line_width=0.04
        )
        figures.append(renderer(clip.xy.numpy(), clip.score.numpy()))
    small = torch.nn.functional.avg_pool2d(figures[0], 2)
    assert float((small - figures[1]).abs().mean()) < 0.01 < float(figures[1].mean())
