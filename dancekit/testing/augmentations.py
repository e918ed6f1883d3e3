"""What an augmentation promises: one draw for a clip, and pixels and keypoints that move together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dancekit.contracts import Clip
from dancekit.testing.checks import require
from dancekit.testing.examples import example_clip
from dancekit.testing.subject import SIZE, Subject

DRAWS = 12
WITHIN = 1.0
"""Pixels that a joint may part from the pixels that it stands for."""


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of an augmentation."""
    return (
        all_randomness_is_drawn,
        its_draws_are_plain_data,
        it_keeps_shapes_and_ranges,
        it_stands_missing_joints,
        pixels_and_keypoints_move_together,
    )


def all_randomness_is_drawn(subject: Subject) -> None:
    """The same seed draws the same, and `apply` adds no randomness: same parameters, same clip."""
    augmentation, clip = subject.build(), example_clip()
    one, two = (augmentation.draw(np.random.default_rng(5), SIZE) for _ in range(2))
    require(json.dumps(one) == json.dumps(two), "two draws of one seed differ")
    for drawn in _draws(augmentation):
        first, second = augmentation.apply(clip, drawn), augmentation.apply(clip, drawn)
        same = all(_same(getattr(first, name), getattr(second, name)) for name in _TENSORS)
        require(same, "`apply` does not give the same clip twice")
    fresh = example_clip()
    require(
        all(_same(getattr(clip, name), getattr(fresh, name)) for name in _TENSORS), "it changed its input"
    )


def its_draws_are_plain_data(subject: Subject) -> None:
    """`draw` gives a mapping that JSON can hold, so that a step can be repeated."""
    for drawn in _draws(subject.build()):
        require(isinstance(drawn, Mapping), f"`draw` gives a {type(drawn).__name__}, not a mapping")
        json.dumps(drawn, allow_nan=False)


def it_keeps_shapes_and_ranges(subject: Subject) -> None:
    """Shapes, dtypes and skeleton stay; images lie in [-1, 1], masks in [0, 1], everything is finite."""
    augmentation, clip = subject.build(), example_clip()
    for drawn in _draws(augmentation):
        changed = augmentation.apply(clip, drawn)
        require(isinstance(changed, Clip), f"it gives a {type(changed).__name__}, not a Clip")
        require(changed.skeleton == clip.skeleton, "the skeleton was changed")
        for name in _TENSORS:
            one, two = getattr(clip, name), getattr(changed, name)
            same = one.shape == two.shape and one.dtype == two.dtype
            require(same, f"{name} was {tuple(one.shape)} {one.dtype} and is {tuple(two.shape)} {two.dtype}")
        for name, low, high in (("images", -1, 1), ("plate", -1, 1), ("mask", 0, 1), ("score", 0, 1)):
            value = getattr(changed, name)
            inside = bool(value.isfinite().all()) and low <= float(value.min()) and float(value.max()) <= high
            require(inside, f"{name} leaves [{low}, {high}]")
        there = changed.score > 0
        require(bool(changed.xy[there].isfinite().all()), "a joint with a score has no place")
        require(bool(changed.xy[~there].isnan().all()), "a joint without a score has a place")


def it_stands_missing_joints(subject: Subject) -> None:
    """Missing joints (NaN, score 0) are no errors, and none appears."""
    augmentation, clip = subject.build(), example_clip()
    some = clip.score.clone()
    some[:, ::2] = 0
    for score in (some, torch.zeros_like(clip.score)):
        xy = torch.where(score[..., None] > 0, clip.xy, torch.nan)
        blind = replace(clip, xy=xy, score=score)
        for drawn in _draws(augmentation):
            changed = augmentation.apply(blind, drawn)
            require(int((changed.score > 0).sum()) <= int((score > 0).sum()), "joints appeared")


def pixels_and_keypoints_move_together(subject: Subject) -> None:
    """A dot of the mask that lies on a joint lies on a joint afterwards, and stands for the same spot of the image."""
    augmentation, clip = subject.build(), example_clip()
    dots = clip.mask.expand(-1, 3, -1, -1) * 1.6 - 0.8
    painted = replace(clip, images=dots.contiguous(), plate=dots[:1].contiguous())
    for drawn in _draws(augmentation):
        changed = augmentation.apply(painted, drawn)
        for number in range(len(dots)):
            dot, spot = _centre(changed.mask[number, 0]), _centre(changed.images[number].mean(0))
            apart = float((dot - spot).norm())
            require(apart < WITHIN, f"the mask and the image part by {apart:.2f} pixels")
            lost = int((changed.score[number] > 0).sum()) < int((clip.score[number] > 0).sum())
            near = (changed.xy[number] - dot).norm(dim=-1).nan_to_num(torch.inf).min()
            require(
                float(near) < WITHIN or lost, f"the nearest joint is {float(near):.2f} pixels from its dot"
            )


_TENSORS = ("images", "mask", "xy", "score", "plate")


def _draws(augmentation: Any) -> list[Mapping[str, Any]]:
    rng = np.random.default_rng(0)
    return [augmentation.draw(rng, SIZE) for _ in range(DRAWS)]


def _same(one: Tensor, two: Tensor) -> bool:
    return torch.equal(one.nan_to_num(9e9), two.nan_to_num(9e9))


def _centre(picture: Tensor) -> Tensor:
    """(x, y) of the brightest spot, to a part of a pixel: the centre of what is above half of its height."""
    low, high = picture.min(), picture.max()
    weight = (picture - (low + high) / 2).clamp_min(0)
    y, x = torch.meshgrid(*(torch.arange(float(side)) for side in picture.shape), indexing="ij")
    return torch.stack([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
