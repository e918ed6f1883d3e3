"""Augmentations: pixels, mask and keypoints move together, by one draw for all frames."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.augmentations.geometry import Affine, Flip
from dancekit.augmentations.kornia_adapter import affine_matrix, recolour, warp_clip
from dancekit.augmentations.photometric import Colour
from dancekit.contracts import Clip
from dancekit.errors import UsageError
from dancekit.types import Skeleton

SKELETON = Skeleton(
    name="test_five",
    version=1,
    joints=("nose", "left_hand", "right_hand", "left_foot", "right_foot"),
    edges=((0, 1), (0, 2)),
    parts={"body": (0, 1, 2, 3, 4)},
    source="made up",
)
WIDTH, HEIGHT = 96, 72
SIGMA = 2.0


def blobs(xy: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> torch.Tensor:
    """(T, K, 2) to (T, K, H, W): a Gaussian at each joint."""
    rows, columns = np.mgrid[:height, :width]
    x, y = xy[..., 0, None, None], xy[..., 1, None, None]
    return torch.from_numpy(
        np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2)).astype(np.float32)
    )


def centroids(images: torch.Tensor) -> np.ndarray:
    """(..., H, W) to (..., 2): the centre of mass."""
    weight = images.numpy().astype(np.float64)
    rows, columns = np.mgrid[: weight.shape[-2], : weight.shape[-1]]
    total = weight.sum((-1, -2))
    return np.stack([(weight * columns).sum((-1, -2)) / total, (weight * rows).sum((-1, -2)) / total], -1)


def planted(frames: int = 2, seed: int = 0) -> Clip:
    """Three joints near the middle, each a blob in a colour channel of its own; two are missing."""
    rng = np.random.default_rng(seed)
    xy = np.full((frames, 5, 2), np.nan, np.float32)
    xy[:, :3] = rng.uniform([36, 30], [WIDTH - 37, HEIGHT - 31], (frames, 3, 2))
    score = np.zeros((frames, 5), np.float32)
    score[:, :3] = rng.uniform(0.3, 1, (frames, 3))
    pixels = blobs(xy[:, :3])
    return Clip(
        images=pixels * 2 - 1,
        mask=pixels[:, :1],
        xy=torch.from_numpy(xy),
        score=torch.from_numpy(score),
        plate=pixels[:1] * 2 - 1,
        skeleton=SKELETON,
    )


def noise(frames: int = 3, seed: int = 1) -> Clip:
    generator = torch.Generator().manual_seed(seed)
    return replace(
        planted(frames),
        images=torch.rand((frames, 3, HEIGHT, WIDTH), generator=generator) * 2 - 1,
        mask=torch.rand((frames, 1, HEIGHT, WIDTH), generator=generator),
    )


def assert_same(first: Clip, second: Clip) -> None:
    for name in ("images", "mask", "xy", "score"):
        torch.testing.assert_close(
            getattr(first, name), getattr(second, name), rtol=0, atol=0, equal_nan=True
        )


ALL = (Flip(p=0.5), Affine(p=0.5), Colour(hue=0.1, p=0.5))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_affine_moves_pixels_mask_and_keypoints_together(seed: int) -> None:
    affine = Affine(rotate=15, scale=(0.8, 1.25), translate=0.05)
    clip = planted(seed=seed)
    moved = affine.apply(clip, affine.draw(np.random.default_rng(seed), (WIDTH, HEIGHT)))
    found = centroids((moved.images + 1) / 2)
    np.testing.assert_allclose(found, moved.xy[:, :3].numpy(), atol=0.1)
    np.testing.assert_allclose(centroids(moved.mask), moved.xy[:, :1].numpy(), atol=0.1)
    torch.testing.assert_close(moved.score, clip.score)
    assert torch.isnan(moved.xy[:, 3:]).all()


def test_affine_scales_rotates_and_shifts_as_documented() -> None:
    """Against the written definition, not against Kornia: about the centre, anticlockwise on the screen."""
    angle, scale, shift = 25.0, 1.2, (0.1, -0.05)
    matrix = affine_matrix((WIDTH, HEIGHT), angle=angle, scale=scale, shift=shift).numpy()
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    turn = np.deg2rad(angle)
    # y points down: anticlockwise on the screen turns (1, 0) towards (0, -1)
    linear = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    offset = centre + np.array([shift[0] * WIDTH, shift[1] * HEIGHT]) - linear @ centre
    np.testing.assert_allclose(matrix, np.column_stack([linear, offset]), atol=1e-9)


def test_affine_without_extent_changes_nothing() -> None:
    affine, clip = Affine(rotate=0, scale=(1, 1), translate=0), noise()
    same = affine.apply(clip, affine.draw(np.random.default_rng(0), (WIDTH, HEIGHT)))
    torch.testing.assert_close(same.images, clip.images, rtol=0, atol=1e-3)
    torch.testing.assert_close(same.xy, clip.xy, equal_nan=True)


def test_shift_by_whole_pixels_is_exact_reflected_outside_and_masked_with_zeros() -> None:
    clip = noise()
    matrix = torch.tensor([[1.0, 0, 5], [0, 1, 0]], dtype=torch.float64)
    moved = warp_clip(replace(clip, mask=torch.ones_like(clip.mask)), matrix)
    torch.testing.assert_close(moved.images[..., 5:], clip.images[..., :-5], rtol=0, atol=1e-3)
    torch.testing.assert_close(moved.images[..., :5], clip.images[..., 1:6].flip(-1), rtol=0, atol=1e-3)
    assert moved.mask[..., :4].max() < 1e-4 and moved.mask[..., 6:].min() > 1 - 1e-4
    torch.testing.assert_close(moved.xy[..., 0], clip.xy[..., 0] + 5, equal_nan=True)


def test_joints_outside_stay_known_up_to_one_image_size() -> None:
    clip = planted(1)
    clip.xy[0, :3] = torch.tensor([[10.0, 10.0], [WIDTH - 5.0, 10.0], [40.0, 40.0]])
    out = warp_clip(clip, torch.tensor([[1.0, 0, WIDTH], [0, 1, 0]], dtype=torch.float64))
    torch.testing.assert_close(out.xy[0, 1], torch.tensor([2 * WIDTH - 5.0, 10.0]))
    assert (out.score[0, :3] > 0).all()
    far = warp_clip(clip, torch.tensor([[1.0, 0, WIDTH + 5], [0, 1, 0]], dtype=torch.float64))
    assert torch.isnan(far.xy[0, 1]).all() and far.score[0, 1] == 0
    assert far.score[0, 0] > 0


def test_flip_mirrors_pixels_and_swaps_sides() -> None:
    clip = planted()
    flipped = Flip().apply(clip, {"on": True})
    found = centroids((flipped.images + 1) / 2)
    # channel 1 shows the left hand, which is the right hand of the mirrored person
    np.testing.assert_allclose(found, flipped.xy[:, [0, 2, 1]].numpy(), atol=1e-2)
    torch.testing.assert_close(flipped.score, clip.score[:, [0, 2, 1, 4, 3]])
    assert torch.equal(flipped.mask, clip.mask.flip(-1))


def test_flip_twice_is_the_identity() -> None:
    clip, flip = noise(), Flip()
    once = flip.apply(clip, {"on": True})
    assert not torch.equal(once.images, clip.images)
    twice = flip.apply(once, {"on": True})
    assert torch.equal(twice.images, clip.images) and torch.equal(twice.mask, clip.mask)
    # W - 1 - (W - 1 - x) in float32: exact to the last place of a pixel coordinate
    torch.testing.assert_close(twice.xy, clip.xy, rtol=0, atol=1e-5, equal_nan=True)
    assert torch.equal(twice.score, clip.score)


@pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)
def test_all_frames_get_the_same_change(augmentation: Flip | Affine | Colour) -> None:
    clip = noise(1)
    several = Clip(
        images=clip.images.repeat(3, 1, 1, 1),
        mask=clip.mask.repeat(3, 1, 1, 1),
        xy=clip.xy.repeat(3, 1, 1),
        score=clip.score.repeat(3, 1),
        plate=clip.plate,
        skeleton=SKELETON,
    )
    several.images[1] = several.images[1] * 0.2  # another frame beside it changes nothing
    parameters = {**augmentation.draw(np.random.default_rng(3), (WIDTH, HEIGHT)), "on": True}
    together, alone = augmentation.apply(several, parameters), augmentation.apply(clip, parameters)
    for name in ("images", "mask", "xy", "score"):
        for frame in (0, 2):
            torch.testing.assert_close(
                getattr(together, name)[frame], getattr(alone, name)[0], rtol=0, atol=1e-6, equal_nan=True
            )
    assert not torch.allclose(together.images, several.images, atol=1e-3)


@pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)
def test_draws_are_plain_json_and_a_function_of_the_rng(augmentation: Flip | Affine | Colour) -> None:
    draws = [augmentation.draw(np.random.default_rng(seed), (WIDTH, HEIGHT)) for seed in (7, 7, 8)]
    assert json.loads(json.dumps(draws[0])) == draws[0]
    assert draws[0] == draws[1] != draws[2] or isinstance(augmentation, Flip)
    clip = noise()
    assert_same(
        augmentation.apply(clip, draws[0]), augmentation.apply(clip, json.loads(json.dumps(draws[1])))
    )


@pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)
def test_shapes_and_dtypes_stay_and_the_input_is_not_written_to(augmentation: Flip | Affine | Colour) -> None:
    clip = noise()
    before = Clip(
        images=clip.images.clone(),
        mask=clip.mask.clone(),
        xy=clip.xy.clone(),
        score=clip.score.clone(),
        plate=clip.plate.clone(),
        skeleton=SKELETON,
    )
    parameters = augmentation.draw(np.random.default_rng(0), (WIDTH, HEIGHT))
    after = augmentation.apply(clip, {**parameters, "on": True})
    assert_same(clip, before)
    for name in ("images", "mask", "xy", "score"):
        assert getattr(after, name).shape == getattr(clip, name).shape
        assert getattr(after, name).dtype == torch.float32
    assert after.images.min() >= -1 and after.images.max() <= 1
    assert_same(augmentation.apply(clip, {**parameters, "on": False}), clip)


@pytest.mark.parametrize(("p", "share"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
@pytest.mark.parametrize("kind", [Flip, Affine, Colour])
def test_probability(kind: type, p: float, share: float) -> None:
    rng = np.random.default_rng(0)
    on = [kind(p=p).draw(rng, (WIDTH, HEIGHT))["on"] for _ in range(1000)]
    assert np.mean(on) == pytest.approx(share, abs=0.05)


def test_affine_draws_fill_their_ranges() -> None:
    affine, rng = Affine(rotate=5, scale=(0.5, 2), translate=0.2), np.random.default_rng(0)
    draws = [affine.draw(rng, (WIDTH, HEIGHT)) for _ in range(2000)]
    angles, scales = np.array([d["angle"] for d in draws]), np.array([d["scale"] for d in draws])
    shifts = np.array([d["shift"] for d in draws])
    assert np.abs(angles).max() <= 5 and np.ptp(angles) > 9.8
    assert 0.5 <= scales.min() < 0.51 and 1.96 < scales.max() <= 2
    assert np.median(scales) == pytest.approx(1, abs=0.08)  # as often smaller as larger
    assert np.abs(shifts).max() <= 0.2 and np.all(np.ptp(shifts, 0) > 0.39)


def test_colour_against_its_formula() -> None:
    images = noise().images
    unit = (images + 1) / 2
    change = {"brightness": 0.05, "contrast": 0.9, "saturation": 1.1}
    unit = ((unit - 0.5) * 0.9 + 0.5 + 0.05).clamp(0, 1)
    grey = (unit * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    expected = (grey + (unit - grey) * 1.1).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(recolour(images, **change, hue=0.0), expected, rtol=0, atol=1e-5)


def test_hue_turns_red_to_green_and_keeps_mask_and_keypoints() -> None:
    red = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(1, 3, 4, 4)
    green = recolour(red, brightness=0.0, contrast=1.0, saturation=1.0, hue=1 / 3)
    torch.testing.assert_close(green[0, :, 0, 0], torch.tensor([-1.0, 1.0, -1.0]), rtol=0, atol=1e-4)
    clip, colour = noise(), Colour(hue=0.5)
    after = colour.apply(clip, colour.draw(np.random.default_rng(0), (WIDTH, HEIGHT)))
    assert after.mask is clip.mask and after.xy is clip.xy and after.score is clip.score


@pytest.mark.parametrize("scale", [(1.1, 0.9), (0.0, 1.0), (0.5, float("inf"))])
def test_affine_refuses_a_senseless_scale(scale: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"affine\.scale"):
        Affine(scale=scale)


def test_kornia_is_imported_only_when_used() -> None:
    code = (
        "import sys, dancekit.augmentations.geometry, dancekit.augmentations.photometric\n"
        "sys.exit('kornia' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
