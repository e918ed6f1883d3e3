"""The matte is taught by the mask where the mask can be trusted; rare poses are drawn more often."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training_step import BODY, batch_of, state_of

from dancekit.contracts import LossView
from dancekit.data.sampling import MOST_OFTEN, rarity, start_weights
from dancekit.data.training_set import TrainingSet
from dancekit.losses.matte import DIFFERENT, Matte, trusted
from dancekit.training.batch import draw_clips
from dancekit.training.plan import ClipPlan
from dancekit.types import PoseSequence, Window, get_skeleton

SIDE = 32


def a_view(matte: torch.Tensor, *, mask: torch.Tensor | None = None, shadow: float = 0.0) -> LossView:
    """A person in the middle before a black plate; below the person a shadow."""
    person = torch.zeros(1, 1, SIDE, SIDE)
    person[..., 8:24, 8:24] = 1
    real = -person.expand(1, 3, SIDE, SIDE) * 0.3
    real[..., 28:, :] = shadow
    plate = torch.zeros(1, 3, SIDE, SIDE)
    mask = person if mask is None else mask
    return LossView(real, real, mask, [], [], mask, matte=matte, plate=plate)


def test_what_is_trusted() -> None:
    view = a_view(torch.zeros(1, 1, SIDE, SIDE), shadow=-0.5)
    assert view.plate is not None
    person, behind = trusted(view.mask, view.real, view.plate, band=2 / SIDE)
    assert person[0, 0].nonzero().min(0).values.tolist() == [10, 10]
    assert person[0, 0].nonzero().max(0).values.tolist() == [21, 21]
    assert not behind[..., 6:26, 6:26].any(), "neither the person nor the band around them"
    assert not behind[..., 28:, :].any(), "a shadow is free to be painted"
    assert behind[..., :6, :].eq(1).all()
    soft = torch.full_like(view.mask, 0.75)
    person, behind = trusted(soft, view.real, view.plate, band=0.0)
    assert person.eq(0.5).all() and not behind.any(), "a half-transparent mask is half as sure"
    half = view.plate + DIFFERENT / 2
    assert trusted(view.mask * 0, half, view.plate, band=0.0)[1].sub(0.5).abs().max() < 1e-6


def test_against_cross_entropy_written_out() -> None:
    """torch's own, over the pixels that are trusted."""
    matte = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01
    view = a_view(matte)
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[9:23, 9:23] = True
    outside = torch.ones(SIDE, SIDE, dtype=torch.bool)
    outside[7:25, 7:25] = False
    entropy = torch.nn.functional.binary_cross_entropy
    wanted = entropy(matte[0, 0][inside], torch.ones(int(inside.sum()))) + 0.5 * entropy(
        matte[0, 0][outside], torch.zeros(int(outside.sum()))
    )
    assert float(Matte(band=1 / SIDE, outside=0.5)(view)) == pytest.approx(float(wanted), rel=1e-5)


def test_specks_and_transparent_clothes_cost_and_what_is_not_known_does_not() -> None:
    right = torch.zeros(1, 1, SIDE, SIDE)
    right[..., 8:24, 8:24] = 1
    loss = Matte(band=1 / SIDE)
    best = float(loss(a_view(right)))
    speck, hole, shadow, edge = (right.clone() for _ in range(4))
    speck[..., 2, 2], hole[..., 16, 16], shadow[..., 28:, :], edge[..., 8:24, 8] = 1, 0, 0.5, 0
    assert float(loss(a_view(speck))) > best + 0.005
    assert float(loss(a_view(hole))) > best + 0.02
    assert float(loss(a_view(shadow, shadow=-0.5))) == pytest.approx(best, abs=1e-5)
    assert float(loss(a_view(edge))) == pytest.approx(best, abs=1e-5)
    nobody = a_view(right * 0, mask=right * 0)
    assert torch.isfinite(loss(nobody))
    painted = LossView(right, right, right, [], [], right)
    assert float(loss(painted)) == 0, "without a matte there is nothing to teach"


def test_training_teaches_the_matte() -> None:
    """Person and plate look the same, so that the image says nothing of the matte: with the loss it is learnt."""

    def matte_of(*losses: str) -> torch.Tensor:
        state = state_of(
            "temporal=single", "background=plate", f"losses=[{', '.join(losses)}]", "train.seed=1"
        )
        batch = batch_of(1)
        mask = torch.zeros(1, 1, 1, 32, 32)
        mask[..., 8:24, 8:24] = 1
        real = torch.zeros(1, 1, 3, 32, 32)
        one = type(batch)(mask.expand(-1, -1, 3, -1, -1), real, mask, real[:, 0], batch.boxes[:1, :1])
        for _ in range(40):
            state.learn(BODY, one)
        with torch.no_grad():
            return state._paint_on(one, None)[1]["matte"][0, 0, 0]

    taught = matte_of("{name: l1}", "{name: matte, weight: 1}")
    assert taught[12:20, 12:20].mean() > 0.9 and taught[:4].mean() < 0.1
    untaught = matte_of("{name: l1}")
    assert untaught[12:20, 12:20].mean() < 0.9 or untaught[:4].mean() > 0.1


# ---- sampling ----------------------------------------------------------------------------------------------


def poses_of(angles: np.ndarray) -> PoseSequence:
    """Three joints in a row, an arm that turns."""
    skeleton = get_skeleton("coco_17")
    xy = np.full((len(angles), 17, 2), np.nan, np.float32)
    xy[:, 5], xy[:, 6] = (50, 50), (40, 50)
    xy[:, 7] = np.stack([50 + 30 * np.cos(angles), 50 + 30 * np.sin(angles)], -1)
    return PoseSequence(
        xy=xy, score=np.isfinite(xy[..., 0]).astype(np.float32), pts=np.arange(len(angles)),
        time_base=Fraction(1, 25), size=(100, 100), skeleton=skeleton,
    )  # fmt: skip


def test_a_pose_that_is_seldom_is_rare() -> None:
    angles = np.concatenate([np.linspace(0, 0.2, 180), np.linspace(2, 3, 20)])
    found = rarity(poses_of(angles))
    assert found[180:].min() > 2 * np.median(found[:180])
    assert found.max() <= MOST_OFTEN and found.min() >= 1 / MOST_OFTEN
    assert np.median(found) == pytest.approx(1, abs=0.05)


def test_all_alike_and_unknown_poses_are_usual() -> None:
    assert (rarity(poses_of(np.zeros(10))) == 1).all()
    lost = poses_of(np.linspace(0, 1, 10))
    xy = lost.xy.copy()
    xy[3] = np.nan
    assert rarity(lost.replace(xy=xy))[3] == 1


def a_set(angles: np.ndarray) -> TrainingSet:
    count = len(angles)
    frames, masks = np.zeros((count, 100, 100, 3), np.uint8), np.zeros((count, 100, 100), np.uint8)
    return TrainingSet(frames, masks, poses_of(angles), Window.full((100, 100)), frames[0])


@given(st.floats(0, 1))
def test_weights_are_the_power_of_rarity(rare: float) -> None:
    data = a_set(np.concatenate([np.linspace(0, 0.2, 50), np.linspace(2, 3, 8)]))
    starts = np.arange(5, 55)
    weights = start_weights(data, starts, 2, rare)
    assert weights.sum() == pytest.approx(1)
    wanted = rarity(data.target[starts + 1]) ** rare
    np.testing.assert_allclose(weights, wanted / wanted.sum())


def test_clips_are_drawn_by_their_weights_and_by_the_seed_alone() -> None:
    data = a_set(np.linspace(0, 1, 12))
    starts, weights = np.array([0, 4, 8]), np.array([0.1, 0.2, 0.7])

    def drawn(seed: int) -> list[int]:
        clips = draw_clips(
            data,
            [],
            ClipPlan((100, 100), 1),
            starts=lambda span: (starts, weights),
            batch=400,
            seed=seed,
            step=3,
        )
        return [int(clip.numbers[0]) for clip in clips if clip.numbers is not None]

    counts = np.bincount(drawn(0), minlength=12)[[0, 4, 8]] / 400
    np.testing.assert_allclose(counts, weights, atol=0.08)
    assert drawn(0) == drawn(0) != drawn(1)
