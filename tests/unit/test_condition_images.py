"""Limbs and heatmaps: what is in which channel; confidence as brightness; how people are shown it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.contracts import Renderer, RendererSpec
from dancekit.model import condition_picture
from dancekit.renderers.heatmaps import Heatmaps
from dancekit.renderers.limbs import Limbs
from dancekit.renderers.sticks import Sticks
from dancekit.types import get_skeleton, skeleton_names

SIZE = (48, 40)
COCO = get_skeleton("coco_17")
ROWS, COLUMNS = np.mgrid[: SIZE[1], : SIZE[0]]


def poses(seed: int, skeleton, frames: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.1, 1.1, (frames, len(skeleton), 2)).astype(np.float32) * np.float32(SIZE)
    score = rng.uniform(0.05, 1, xy.shape[:2]).astype(np.float32)
    score[rng.random(score.shape) < 0.2] = 0
    xy[score == 0] = np.nan
    return xy, score


def one_limb(start: str, end: str) -> tuple[np.ndarray, np.ndarray]:
    xy = np.full((1, 17, 2), np.nan, np.float32)
    xy[0, COCO.index(start)], xy[0, COCO.index(end)] = (10.3, 8.1), (30, 31.7)
    return xy, np.isfinite(xy[..., 0]).astype(np.float32)


@pytest.mark.parametrize("kind", [Limbs, Heatmaps])
def test_promises_of_their_spec(kind):
    for name in skeleton_names():
        skeleton = get_skeleton(name)
        renderer = kind(skeleton=skeleton, size=SIZE)
        assert isinstance(renderer, Renderer)
        picture = renderer(*poses(0, skeleton))
        channels = renderer.spec.channels
        assert picture.shape == (2, channels, SIZE[1], SIZE[0]) and picture.dtype == torch.float32
        assert picture.min() >= 0 and 0.9 < picture.max() <= 1
        assert len(set(renderer.names)) == len(renderer.spec.colours) == channels
        nothing = renderer(np.full((1, len(skeleton), 2), np.nan, np.float32), np.ones((1, len(skeleton))))
        assert not nothing.any()
        with pytest.raises(ValueError, match=name):
            renderer(np.zeros((1, 3, 2), np.float32), np.ones((1, 3), np.float32))


def test_a_limb_is_in_its_own_channel_as_sticks_draws_it():
    limbs, sticks = Limbs(skeleton=COCO, size=SIZE), Sticks(skeleton=COCO, size=SIZE, line_width=0.03)
    limbs = Limbs(skeleton=COCO, size=SIZE, line_width=0.03)
    xy, score = one_limb("left_elbow", "left_wrist")
    picture = limbs(xy, score)[0]
    (channel,) = torch.nonzero(picture.sum((1, 2))).flatten().tolist()
    assert limbs.names[channel] == "left_elbow-left_wrist"
    drawn = sticks(xy, score)[0, 2]  # blue is full for this limb; dots only cover it with other blue
    away = np.hypot(COLUMNS - 10.3, ROWS - 8.1) > 4
    away &= np.hypot(COLUMNS - 30, ROWS - 31.7) > 4
    assert np.allclose(picture[channel].numpy()[away], drawn.numpy()[away], atol=1e-6)


@pytest.mark.parametrize("name", skeleton_names())
@pytest.mark.parametrize("kind", [Limbs, Heatmaps])
def test_a_mirrored_dancer_is_the_mirrored_picture_with_sides_swapped(kind, name):
    skeleton = get_skeleton(name)
    renderer = kind(skeleton=skeleton, size=SIZE)
    xy, score = poses(5, skeleton)
    mirrored = xy[:, skeleton.mirror].copy()
    mirrored[..., 0] = SIZE[0] - 1 - mirrored[..., 0]
    there = renderer(mirrored, score[:, skeleton.mirror]).numpy()
    wanted = renderer(xy, score).numpy()[..., ::-1]
    swapped = [
        min(range(len(wanted[0])), key=lambda c, n=n: np.abs(there[:, n] - wanted[:, c]).max())
        for n in range(len(wanted[0]))
    ]
    assert np.abs(there - wanted[:, swapped]).max() < 1e-4
    for number, other in enumerate(swapped):
        if (
            "right" not in renderer.names[number]
            and "left" in renderer.names[number]
            and wanted[:, other].max() > 0.5
        ):
            assert renderer.names[other] == renderer.names[number].replace("left", "right")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.2), st.booleans())
def test_heatmaps_are_gaussians_by_definition(seed, sigma, confidence):
    renderer = Heatmaps(skeleton=COCO, size=SIZE, sigma=sigma, confidence=confidence)
    xy, score = poses(seed, COCO, frames=1)
    picture = renderer(xy, score)[0].numpy()
    width = max(sigma * SIZE[1], 0.5)
    for joint in range(17):
        wanted = np.zeros((SIZE[1], SIZE[0]))
        if score[0, joint] > 0:
            x, y = xy[0, joint].astype(np.float64)
            wanted = np.exp(-((COLUMNS - x) ** 2 + (ROWS - y) ** 2) / (2 * width**2))
            wanted *= score[0, joint] if confidence else 1
        assert np.abs(picture[joint] - wanted).max() < 1e-5


def test_confidence_is_brightness():
    xy, _ = one_limb("left_elbow", "left_wrist")
    elbow, wrist = COCO.index("left_elbow"), COCO.index("left_wrist")
    sure, unsure = np.zeros((2, 1, 17), np.float32)
    sure[0, [elbow, wrist]], unsure[0, [elbow, wrist]] = 1, (0.8, 0.5)
    middle = (20, 20)  # on the limb, away from the dots
    for kind, places in (
        (Sticks, {0.4: middle, 0.8: (8, 10), 0.5: (32, 30)}),
        (Limbs, {0.4: middle}),
        (Heatmaps, {0.8: (8, 10), 0.5: (32, 30)}),
    ):
        plain, shaded = kind(skeleton=COCO, size=SIZE), kind(skeleton=COCO, size=SIZE, confidence=True)
        assert torch.equal(plain(xy, sure), plain(xy, unsure))
        assert torch.allclose(shaded(xy, sure), plain(xy, sure), atol=1e-6)
        bright, dark = plain(xy, sure)[0].amax(0), shaded(xy, unsure)[0].amax(0)
        for factor, (row, column) in places.items():
            assert bright[row, column] > 0.1
            assert dark[row, column] / bright[row, column] == pytest.approx(factor, abs=0.02)


def test_a_neck_that_is_made_up_is_as_sure_as_the_less_sure_shoulder():
    xy, score = np.full((1, 17, 2), np.nan, np.float32), np.zeros((1, 17), np.float32)
    for name, place, value in (("left_shoulder", (30, 20), 0.9), ("right_shoulder", (10, 20), 0.5)):
        xy[0, COCO.index(name)], score[0, COCO.index(name)] = place, value
    limbs = Limbs(skeleton=COCO, size=SIZE, confidence=True)
    picture = limbs(xy, score)[0].amax((1, 2))
    assert picture[limbs.names.index("neck-left_shoulder")].item() == pytest.approx(0.45, abs=1e-6)
    assert picture[limbs.names.index("neck-right_shoulder")].item() == pytest.approx(0.25, abs=1e-6)


def test_hands_and_face_can_be_left_out():
    skeleton = get_skeleton("wholebody_133")
    for kind, body in ((Limbs, 25), (Heatmaps, 23)):
        everything = kind(skeleton=skeleton, size=SIZE)
        without = kind(skeleton=skeleton, size=SIZE, hands=False, face=False)
        assert everything.spec.channels > without.spec.channels
        assert not any("hand" in name or "face" in name or "finger" in name for name in without.names)
        assert abs(without.spec.channels - body) <= 6
    assert "left_finger_4" in Limbs(skeleton=skeleton, size=SIZE).names
    assert "face_0_16" in Limbs(skeleton=skeleton, size=SIZE).names


def test_people_see_every_channel_in_its_colour():
    spec = RendererSpec(4, (0.0, 1.0), (), colours=((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)))
    condition = torch.zeros(4, 1, 5)
    condition[0, 0, 0] = condition[1, 0, 1] = condition[2, 0, 2] = 1
    condition[3, 0, 3] = 0.5
    wanted = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128], [0, 0, 0]]
    assert condition_picture(condition, spec)[0].tolist() == wanted
    plain = RendererSpec(3, (-1.0, 1.0), ())
    grey = condition_picture(torch.zeros(3, 1, 1), plain)
    assert grey.tolist() == [[[128, 128, 128]]]
    single = condition_picture(torch.ones(1, 1, 1), RendererSpec(1, (0.0, 1.0), ()))
    assert single.tolist() == [[[255, 255, 255]]]


def test_sticks_are_shown_as_they_are():
    sticks = Sticks(skeleton=COCO, size=SIZE)
    picture = sticks(*poses(1, COCO))[0]
    shown = condition_picture(picture, sticks.spec)
    assert (shown == np.rint(picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).all()
