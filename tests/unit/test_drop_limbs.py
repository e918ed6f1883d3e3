"""Limbs dropped in training: which joints go, how often, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dancekit.augmentations.keypoints import LIMBS, DropLimbs
from dancekit.contracts import Clip
from dancekit.types import get_skeleton, skeleton_names


def clip(name: str) -> Clip:
    skeleton = get_skeleton(name)
    rng = np.random.default_rng(0)
    return Clip(
        images=torch.zeros(3, 3, 8, 8),
        mask=torch.ones(3, 1, 8, 8),
        xy=torch.from_numpy(rng.uniform(0, 8, (3, len(skeleton), 2)).astype(np.float32)),
        score=torch.ones(3, len(skeleton)),
        plate=torch.zeros(1, 3, 8, 8),
        skeleton=skeleton,
    )


@pytest.mark.parametrize("name", skeleton_names())
def test_a_hidden_limb_hides_what_hangs_on_it_and_nothing_else(name):
    given = clip(name)
    before = given.xy.clone()
    changed = DropLimbs().apply(given, {"limbs": ["left_arm", "right_foot"]})
    gone = {given.skeleton.joints[n] for n in torch.nonzero(changed.score[0] == 0).flatten().tolist()}
    assert {"left_elbow", "left_wrist"} <= gone
    assert not gone & {"left_shoulder", "right_elbow", "right_wrist", "right_ankle", "left_knee", "nose"}
    hand_or_foot = {name for name in given.skeleton.joints if name.startswith(("left_hand", "right_big_toe"))}
    assert hand_or_foot <= gone
    lost = changed.score == 0
    assert torch.isnan(changed.xy[lost]).all() and torch.equal(changed.xy[~lost], before[~lost])
    assert torch.equal(given.xy, before)  # the clip itself is not touched
    assert changed.images is given.images and changed.mask is given.mask
    assert DropLimbs().apply(given, {"limbs": []}) is given


def test_a_hidden_upper_limb_hides_the_lower_one():
    for side in ("left", "right"):
        for outer, inner in (("arm", "forearm"), ("forearm", "hand"), ("leg", "shin"), ("shin", "foot")):
            assert set(LIMBS[f"{side}_{outer}"]) > set(LIMBS[f"{side}_{inner}"])


def test_draws_are_reproducible_and_as_frequent_as_asked():
    drop = DropLimbs(p=0.1)
    drawn = [drop.draw(np.random.default_rng([7, step]), (8, 8))["limbs"] for step in range(2000)]
    assert drawn == [drop.draw(np.random.default_rng([7, step]), (8, 8))["limbs"] for step in range(2000)]
    share = np.array([[name in limbs for name in LIMBS] for limbs in drawn]).mean(0)
    assert share == pytest.approx(0.1, abs=0.03)  # 4.5 standard deviations
    assert DropLimbs(p=0).draw(np.random.default_rng(0), (8, 8)) == {"limbs": []}
    assert len(DropLimbs(p=1).draw(np.random.default_rng(0), (8, 8))["limbs"]) == len(LIMBS)


def test_the_same_number_of_draws_is_taken_whatever_p_is():
    after = []
    for p in (0.0, 0.5, 1.0):
        rng = np.random.default_rng(3)
        DropLimbs(p=p).draw(rng, (8, 8))
        after.append(rng.random())
    assert after[0] == after[1] == after[2]
