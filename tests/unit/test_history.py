"""Frames are painted from the past frame whose age is that of training, whatever the source's frame rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_dancer import dance, make_dancer

from dancekit.config import load_recipe
from dancekit.dancer import read_info
from dancekit.history import History
from dancekit.transfer import Dancer
from dancekit.transfer.resume import parts_folder
from dancekit.types import PoseSequence


def told(seconds: list[float], age: float | None) -> list[int | None]:
    """For each frame the number of the one that it is told of."""
    history, found = History[int](age), []
    for number, now in enumerate(seconds):
        found.append(history.recall(now))
        history.remember(now, number)
    return found


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (12.5, [None, 0, 1, 2, 3, 4, 5]),  # 80 ms ago: there is nothing nearer
        (25, [None, 0, 1, 2, 3, 4, 5]),
        (30000 / 1001, [None, 0, 1, 2, 3, 4, 5]),
        (37.5, [None, 0, 1, 2, 3, 4, 5]),  # 27 and 53 ms are as near: the later one
        (50, [None, 0, 0, 1, 2, 3, 4]),
        (60, [None, 0, 0, 1, 2, 3, 4]),  # 33 ms is nearer than 50
        (120, [None, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_which_frame_is_told_of(rate: float, expected: list[int | None]) -> None:
    assert told([n / rate for n in range(7)], 0.04) == expected


def test_by_time_stamps_where_the_rate_varies() -> None:
    seconds = [0.0, 0.02, 0.04, 0.06, 0.16, 0.2, 0.21, 0.22, 0.24]
    assert told(seconds, 0.04) == [None, 0, 0, 1, 3, 4, 4, 5, 5]
    assert told(seconds, None) == [None, 0, 1, 2, 3, 4, 5, 6, 7]


@given(
    st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60),
    st.floats(0.01, 0.2),
)
def test_against_a_search_of_all_frames(gaps: list[float], age: float) -> None:
    seconds = np.cumsum([0.0, *gaps]).tolist()
    history = History[int](age)
    for number, now in enumerate(seconds):
        found = history.recall(now)
        if number:
            apart = [abs(now - then - age) for then in seconds[:number]]
            assert found is not None and apart[found] <= min(apart) + 1.001e-3 * age
            assert all(each > min(apart) for each in apart[found + 1 :]), "the latest of the nearest"
        history.remember(now, number)
        assert len(history.entries) <= 2 + sum(now - then <= 2 * age for then in seconds[:number])


def test_after_a_cut_nothing_is_known() -> None:
    history = History[int](0.04, [(0.0, 7)])
    assert history.recall(0.04) == 7
    history.forget()
    assert history.recall(0.08) is None


# ---- pictures ----


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Dancer:
    """What it paints depends on its last frame; trained at 25 frames a second."""
    path = make_dancer(tmp_path_factory.mktemp("dancer") / "ava.safetensors")
    return Dancer.load(path, device="cpu")


def at_rate(factor: int, count: int) -> PoseSequence:
    """One dance at 25 frames a second times `factor`, what is between two poses drawn at random."""
    slow = dance((160, 120))[:count]
    rows = np.repeat(np.arange(count), factor)
    noise = np.random.default_rng(0).normal(0, 3, slow.xy[rows].shape).astype(np.float32)
    noise[::factor] = 0
    return slow.replace(
        xy=slow.xy[rows] + noise,
        score=slow.score[rows],
        pts=np.arange(len(rows)),
        time_base=Fraction(1, 25 * factor),
    )


def test_twice_the_rate_shows_the_same_pictures(dancer: Dancer) -> None:
    """Every second picture of 50 frames a second is that of 25, to the bit; by the last frame it would not be."""
    assert dancer.painter.age == pytest.approx(0.04)
    slow = list(dancer.paint(at_rate(1, 8).replace(time_base=Fraction(1, 25), pts=np.arange(8))))
    for factor in (2, 4):
        fast = list(dancer.paint(at_rate(factor, 8)))
        assert all(np.array_equal(a, b) for a, b in zip(slow, fast[::factor], strict=True))
    poses = at_rate(2, 8)
    xy = dancer.info.window.to_window(poses.xy)
    by_last = list(dancer.painter.paint(xy, poses.score))[::2]
    assert not any(np.array_equal(a, b) for a, b in zip(slow[1:], by_last[1:], strict=True))


def test_at_half_the_rate_the_last_frame_is_told_of(dancer: Dancer) -> None:
    poses = at_rate(1, 16)[::2]
    xy = dancer.info.window.to_window(poses.xy)
    assert np.array_equal(list(dancer.paint(poses)), list(dancer.painter.paint(xy, poses.score)))


def read(folder: Path) -> np.ndarray:
    return np.stack([cv2.imread(str(path)) for path in sorted(folder.iterdir())])


def test_a_transfer_does_so_too_and_goes_on_after_a_kill(
    dancer: Dancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped where several frames may still be told of, it ends with the same pictures."""
    monkeypatch.setattr("dancekit.transfer.resume.SEGMENT", 7)
    poses, over = at_rate(2, 12), ["normalizer=identity", "filters=[]"]
    poses.save(tmp_path / "fast.npz")
    dancer.transfer(tmp_path / "fast.npz", tmp_path / "whole", overrides=over)
    painted = np.stack(list(dancer.paint(poses)))
    assert np.array_equal(read(tmp_path / "whole")[..., ::-1], painted)

    class Stop(Exception):
        pass

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "painting" and done == 17:
            raise Stop

    with pytest.raises(Stop):
        dancer.transfer(tmp_path / "fast.npz", tmp_path / "pieces", overrides=over, progress=stop)
    assert len(list(parts_folder(tmp_path / "pieces").glob("*.safetensors"))) == 2
    begun: list[int] = []
    dancer.transfer(
        tmp_path / "fast.npz",
        tmp_path / "pieces",
        overrides=over,
        progress=lambda what, done, total: begun.append(done) if what == "painting" else None,
    )
    assert begun[0] == 14
    assert np.array_equal(read(tmp_path / "pieces"), read(tmp_path / "whole"))


def test_the_dancer_file_says_how_old_the_past_was(tmp_path: Path) -> None:
    changes = ("train.strides=[2, 4]",)
    info = read_info(make_dancer(tmp_path / "slow.safetensors", changes=changes))
    assert info.age == pytest.approx(0.08) and info.rate == 25
    assert info.recipe.train.strides == [2, 4]
    assert load_recipe("tiny").train.strides == [1]
