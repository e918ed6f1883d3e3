"""Strokes in torch: the picture of the CPU's renderer, and gradients that finite differences confirm."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.renderers import distance_field
from dancekit.renderers.heatmaps import Heatmaps
from dancekit.renderers.limbs import Limbs
from dancekit.renderers.sticks import Sticks
from dancekit.types import get_skeleton, skeleton_names

SIZE = (48, 40)
RENDERERS = [Sticks, Limbs, Heatmaps]


def poses(seed: int, skeleton, frames: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Anywhere, some missing, some out of the picture, one far away."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.3, 1.3, (frames, len(skeleton), 2)).astype(np.float32) * np.float32(SIZE)
    score = rng.uniform(0.05, 1, xy.shape[:2]).astype(np.float32)
    score[rng.random(score.shape) < 0.2] = 0
    xy[rng.random(score.shape) < 0.02] *= 1e6
    xy[score == 0] = np.nan
    return xy, score


def both_ways(renderer, xy, score) -> tuple[np.ndarray, np.ndarray]:
    return renderer(xy, score).numpy(), renderer.draw(torch.from_numpy(xy), torch.from_numpy(score)).numpy()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(skeleton_names()),
    st.sampled_from([Sticks, Limbs]),
    st.booleans(),
    st.floats(0.005, 0.1),
)
def test_both_ways_of_drawing_give_one_picture(seed, name, kind, confidence, width):
    """So that one version serves all devices: 8 grey levels at most, half of one in the mean."""
    skeleton = get_skeleton(name)
    renderer = kind(skeleton=skeleton, size=SIZE, confidence=confidence, line_width=width)
    there, here = both_ways(renderer, *poses(seed, skeleton))
    assert there.shape == here.shape and there.max() > 0.1
    assert np.abs(there - here).max() < 0.1 / 255  # far better than is asked for
    low, high = renderer.spec.value_range
    assert low <= here.min() and here.max() <= high


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("confidence", [False, True])
def test_gradients_are_those_of_finite_differences(kind, confidence):
    skeleton = get_skeleton("coco_17")
    renderer = kind(skeleton=skeleton, size=SIZE, confidence=confidence)
    xy, score = poses(3, skeleton, frames=1)
    start = torch.from_numpy(xy).double().requires_grad_()
    weight = torch.from_numpy(
        np.random.default_rng(0).normal(size=(1, renderer.spec.channels, SIZE[1], SIZE[0]))
    )
    certain = torch.from_numpy(score).double()

    def painted(at):
        return (renderer.draw(at, certain) * weight).sum()

    painted(start).backward()
    assert start.grad is not None and torch.isfinite(start.grad).all()
    seen = np.argwhere((score > 0) & (np.abs(xy) < 100).all(-1))
    assert len(seen) > 8 and (start.grad[score == 0] == 0).all()
    step, moved = 1e-6, 0
    for t, joint in seen:
        for axis in (0, 1):
            away = torch.zeros_like(start)
            away[t, joint, axis] = step
            with torch.no_grad():
                numeric = ((painted(start + away) - painted(start - away)) / (2 * step)).item()
            assert start.grad[t, joint, axis].item() == pytest.approx(numeric, rel=1e-4, abs=1e-4)
            moved += abs(numeric) > 0.01
    assert moved > 10


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(RENDERERS), st.sampled_from([1.0, 1e3, 1e20, 1e37]))
def test_no_gradient_is_ever_infinite_or_not_a_number(seed, kind, spread):
    skeleton = get_skeleton("coco_17")
    renderer = kind(skeleton=skeleton, size=(16, 12))
    rng = np.random.default_rng(seed)
    xy = (rng.normal(size=(2, 17, 2)) * spread).astype(np.float32)
    xy[0, 7] = xy[0, 5]  # a limb of no length
    xy[1, 3] = np.round(rng.uniform(0, 12, 2))  # on a pixel's centre
    xy[rng.random((2, 17)) < 0.2] = [np.nan, np.inf][seed % 2]
    at = torch.from_numpy(xy).requires_grad_()
    picture = renderer.draw(at, torch.ones(2, 17))
    picture.sum().backward()
    assert torch.isfinite(picture).all() and torch.isfinite(at.grad).all()


def test_a_joint_can_be_found_by_descent():
    """What gradients are for: the wrist of a picture is found again, from two pixels away."""
    skeleton = get_skeleton("coco_17")
    renderer = Sticks(skeleton=skeleton, size=SIZE, line_width=0.1)
    xy = np.full((1, 17, 2), np.nan, np.float32)
    elbow, wrist = skeleton.index("left_elbow"), skeleton.index("left_wrist")
    xy[0, elbow], xy[0, wrist] = (10, 12), (33, 25)
    score = torch.from_numpy(np.isfinite(xy[..., 0]).astype(np.float32))
    wanted = renderer.draw(torch.from_numpy(xy), score)
    guess = torch.from_numpy(xy).clone()
    guess[0, wrist] += torch.tensor([1.5, -2.0])
    guess.requires_grad_()
    optimizer = torch.optim.Adam([guess], lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        (renderer.draw(guess, score) - wanted).square().sum().backward()
        optimizer.step()
    assert (guess.detach()[0, wrist].numpy() - xy[0, wrist]) == pytest.approx(0, abs=0.05)


def test_groups_of_frames_change_nothing(monkeypatch):
    skeleton = get_skeleton("body_25")
    for kind in (Sticks, Limbs):
        renderer = kind(skeleton=skeleton, size=SIZE)
        xy, score = (torch.from_numpy(each) for each in poses(1, skeleton, frames=5))
        whole = renderer.draw(xy, score)
        monkeypatch.setattr(distance_field, "VALUES_AT_ONCE", 2 * 40 * SIZE[0] * SIZE[1])
        assert torch.equal(renderer.draw(xy, score), whole)
        assert renderer.draw(xy[:0], score[:0]).shape == (0, *whole.shape[1:])
        monkeypatch.undo()


@pytest.mark.parametrize("kind", RENDERERS)
def test_other_devices_than_the_cpu_draw_by_distance_fields(kind):
    """The meta device stands for them: it computes nothing, but says where the picture would be."""
    skeleton = get_skeleton("coco_17")
    renderer = kind(skeleton=skeleton, size=SIZE, device="meta")
    picture = renderer(*poses(0, skeleton))
    assert picture.device.type == "meta"
    assert picture.shape == (3, renderer.spec.channels, SIZE[1], SIZE[0])
    assert picture.dtype == torch.float32
    with pytest.raises(ValueError, match="coco_17"):
        renderer(np.zeros((1, 25, 2), np.float32), np.ones((1, 25), np.float32))
