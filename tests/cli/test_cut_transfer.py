"""A transfer forgets its last frame at a cut: what follows is painted as if it were a clip of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from cli_tools import Cli

from dancekit.transfer import Dancer
from dancekit.types import PoseSequence

CUT, FRAMES = 4, 8


def dance(dancer: Dancer, cuts: tuple[int, ...]) -> PoseSequence:
    """Somebody who leaves the target's pose a little further with every frame."""
    target = dancer.target[np.arange(FRAMES)]
    away = np.linspace(0, 20, FRAMES)[:, None, None] * np.sin(np.arange(target.xy.shape[1]))[:, None]
    return target.replace(xy=target.xy + away.astype(np.float32), cuts=cuts)


def test_what_follows_a_cut_is_a_clip_of_its_own(cli: Cli, dancer: Path) -> None:
    loaded = Dancer.load(dancer, device="cpu")
    assert loaded.info.recipe.temporal.name == "previous_frame"  # else there is nothing to forget
    poses = dance(loaded, (CUT,))
    whole, rest = list(loaded.paint(poses)), list(loaded.paint(poses[CUT:]))
    np.testing.assert_array_equal(whole[CUT:], rest)
    assert not np.array_equal(list(loaded.paint(dance(loaded, ())))[CUT], rest[0])

    poses.save("cut.npz")
    poses[CUT:].replace(pts=np.arange(FRAMES - CUT), time_base=Fraction(1, 25)).save("rest.npz")
    for name in ("cut", "rest"):
        got = cli("transfer", f"{name}.npz", "--dancer", dancer, "--out", name, "normalizer=identity")
        assert got.code == 0, got.err
    pictures = [sorted(Path(name).glob("*.png")) for name in ("cut", "rest")]
    assert [len(each) for each in pictures] == [FRAMES, FRAMES - CUT]
    for one, other in zip(pictures[0][CUT:], pictures[1], strict=True):
        np.testing.assert_array_equal(cv2.imread(str(one)), cv2.imread(str(other)))
