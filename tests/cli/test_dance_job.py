"""The parts of `dancekit dance` that decide something."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dancekit.cli.dance_job import liveliest, preview_every
from dancekit.cli.options import check_overrides, has_override, is_override
from dancekit.errors import UsageError
from dancekit.types import PoseSequence, get_skeleton


def poses(xy: np.ndarray) -> PoseSequence:
    return PoseSequence(
        xy=xy,
        score=np.isfinite(xy).all(-1).astype(np.float32),
        pts=np.arange(len(xy)) * 3,
        time_base=Fraction(1, 30),
        size=(100, 100),
        skeleton=get_skeleton("coco_17"),
    )


def test_the_liveliest_part_is_the_one_with_the_jump() -> None:
    xy = np.full((60, 17, 2), 50, np.float32)
    xy[37, 4] += 30  # there and back
    xy[10:14] = np.nan  # nobody: no movement either
    part = liveliest(poses(xy), 5)
    assert len(part) == 5
    assert {36 * 3, 37 * 3, 38 * 3} <= set(part.pts.tolist())
    assert len(liveliest(poses(xy[:4]), 5)) == 4


@pytest.mark.parametrize(
    ("pace", "steps", "every"),
    [(0.9, 4000, 200), (0.45, 4000, 400), (10, 4000, 18), (1000, 4000, 1), (0.001, 50, 25)],
)
def test_previews_are_three_minutes_apart_in_round_steps(pace: float, steps: int, every: int) -> None:
    assert preview_every(pace, steps) == every


@pytest.mark.parametrize(("text", "yes"), [("a.b=1", True), ("losses[1].weight=5", True), ("x=y=z", True)])
@pytest.mark.parametrize("suffix", ["", " "])
def test_overrides_are_known_by_their_form(text: str, yes: bool, suffix: str) -> None:
    assert is_override(text + suffix) is yes
    assert not is_override(text.replace("=", "") + suffix)


def test_paths_are_no_overrides() -> None:
    assert not is_override("films/a=b.mp4")
    assert not is_override("--x=1")


def test_the_seed_becomes_an_override() -> None:
    assert check_overrides(["a=1"], seed=7) == ["train.seed=7", "a=1"]
    assert check_overrides(["train.seed=7"], seed=7) == ["train.seed=7", "train.seed=7"]
    with pytest.raises(UsageError, match="disagree"):
        check_overrides(["train.seed=8"], seed=7)


def test_whether_a_key_is_set() -> None:
    assert has_override(["train.preview_every=3"], "train.preview_every")
    assert not has_override(["train.preview_everything=3"], "train.preview_every")
