"""Limbs that are not seen: what pose networks do to a dancer now and then, done in training too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from dancekit.contracts import Clip

_FOOT = ("heel", "big_toe", "small_toe", "foot_index")
_HAND = ("thumb", "index", "pinky", *(f"hand_{number}" for number in range(21)))

LIMBS: dict[str, tuple[str, ...]] = {
    f"{side}_{limb}": tuple(f"{side}_{joint}" for joint in joints)
    for side in ("left", "right")
    for limb, joints in {
        "arm": ("elbow", "wrist", *_HAND),
        "forearm": ("wrist", *_HAND),
        "hand": _HAND,
        "leg": ("knee", "ankle", *_FOOT),
        "shin": ("ankle", *_FOOT),
        "foot": _FOOT,
    }.items()
}
"""The joints that go with each limb: a hidden elbow hides forearm and hand as well."""


class DropLimbs:
    """Takes limbs out of the keypoints of a clip, each with probability `p`, in all of its frames.

    The picture stays as it is, so the generator learns to paint a limb that was not detected. Trunk and head
    are never dropped. vid2vid and imaginaire drop limbs alike, with probability 0.05.

    Args:
        p: Probability of each limb (arms, forearms, hands, legs, shins, feet; left and right).
    """

    version: int = 1

    def __init__(self, *, p: Annotated[float, Field(ge=0, le=1)] = 0.05) -> None:
        self.p = p

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mapping[str, Any]:
        """A coin for each limb: `{"limbs": [names]}`. `size` is not looked at."""
        coins = rng.random(len(LIMBS))
        return {"limbs": [name for name, coin in zip(LIMBS, coins, strict=True) if coin < self.p]}

    def apply(self, clip: Clip, parameters: Mapping[str, Any]) -> Clip:
        """The clip without the joints of these limbs: NaN, score 0."""
        gone = {joint for limb in parameters["limbs"] for joint in LIMBS[limb]}
        joints = [number for number, name in enumerate(clip.skeleton.joints) if name in gone]
        if not joints:
            return clip
        xy, score = clip.xy.clone(), clip.score.clone()
        xy[:, joints], score[:, joints] = torch.nan, 0.0
        return replace(clip, xy=xy, score=score)
