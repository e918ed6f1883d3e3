"""Where nobody is, nobody is painted: the generator never saw a frame without a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_dancer import make_dancer

from dancekit.data.framing import crop
from dancekit.transfer import Dancer


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Dancer:
    place: Path = tmp_path_factory.mktemp("dancer") / "ava.safetensors"
    return Dancer.load(make_dancer(place, changes=("background=plate",)), device="cpu")


def test_frames_without_a_person_show_the_clean_plate_and_end_the_history(dancer: Dancer) -> None:
    poses = dancer.target[:4]
    gone = poses.replace(
        xy=np.where(np.arange(4)[:, None, None] == 1, np.nan, poses.xy).astype(np.float32),
        score=np.where(np.arange(4)[:, None] == 1, 0, poses.score).astype(np.float32),
    )
    painted = list(dancer.paint(gone))
    plate = crop(dancer.plate, dancer.info.window)
    assert np.abs(painted[1].astype(int) - plate).max() <= 1
    assert np.abs(painted[0].astype(int) - plate).max() > 8
    assert np.array_equal(painted[2], next(iter(dancer.paint(poses[2:])))), "painted as a first frame"
    assert not np.array_equal(painted[2], list(dancer.paint(poses))[2])


def test_the_matte_of_nobody_is_empty(dancer: Dancer) -> None:
    painter = dancer.painter
    joints = len(dancer.target.skeleton)
    nowhere, unseen = np.full((1, joints, 2), np.nan, np.float32), np.zeros((1, joints), np.float32)
    painted = painter.step(next(painter.draw(nowhere, unseen)), painter.face_boxes(nowhere, unseen), None)
    matte = painted.matte_to_uint8()
    assert matte is not None and not matte.any() and painted.state is None


@pytest.mark.parametrize(("shift", "seen"), [(0.0, True), (-1.0, False), (1.0, False)])
def test_who_is_beside_the_window_is_not_painted_by_an_arm_that_reaches_in(
    dancer: Dancer, shift: float, seen: bool
) -> None:
    window, poses = dancer.info.window, dancer.target[:1]
    xy = window.to_window(poses.xy) + np.float32([shift * window.size[0], 0])
    score = poses.score.copy()
    score[score == 0] = 1
    xy[:, poses.skeleton.index("left_wrist")] = (window.size[0] / 2, window.size[1] / 2)
    assert bool(dancer.painter.in_sight(xy, score)[0]) == seen
    drawn = next(dancer.painter.draw(xy, score))
    nobody = next(dancer.painter.draw(xy, score * 0))
    assert bool((drawn != nobody).any()) == seen
