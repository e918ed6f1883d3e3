"""Curves are where the numbers are; TensorBoard gets the same ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dancekit.errors import MissingExtra
from dancekit.training.curves import BACK, LINE, PANEL, draw_curves, smooth, terms_of
from dancekit.training.tensorboard import TensorBoard, check_tensorboard

RECORDS = [
    {
        "step": n,
        "stage": "body",
        "seconds_per_step": 1.0,
        "memory_mb": 5,
        "lr": 1e-3,
        "l1": 1.0 - n / 100,
        "lsgan": 0.3,
    }
    for n in range(100)
]


def test_terms_are_the_losses_alone() -> None:
    late = [*RECORDS, {"step": 100, "face_l1": 0.5}]
    found = terms_of(late)
    assert list(found) == ["l1", "lsgan", "face_l1"]
    assert found["face_l1"][0].tolist() == [100]
    assert found["l1"][1][:2].tolist() == [1.0, 0.99]


def test_the_line_falls_where_the_loss_falls() -> None:
    sheet = draw_curves(RECORDS)
    assert sheet.shape == (PANEL[1], 2 * PANEL[0], 3)
    rows, columns = np.nonzero((sheet[:, : PANEL[0]] == LINE).all(-1))
    # y downwards: the row grows with the column, over most of the panel
    assert np.corrcoef(rows, columns)[0, 1] > 0.99
    assert np.ptp(rows) > 0.7 * PANEL[1] and np.ptp(columns) > 0.8 * PANEL[0]
    flat = np.nonzero((sheet[:, PANEL[0] :] == LINE).all(-1))[0]
    assert np.ptp(flat) <= 2


def test_nothing_and_one_record_can_be_drawn() -> None:
    assert (draw_curves([]) != BACK).any()
    assert (draw_curves(RECORDS[:1]) == LINE).all(-1).any()


def test_smoothing_keeps_lines_and_means() -> None:
    line = np.linspace(0, 5, 201)
    np.testing.assert_allclose(smooth(line)[10:-10], line[10:-10])
    noise = np.random.default_rng(0).normal(size=2000)
    assert smooth(noise).std() < 0.2 * noise.std()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "tensorboard" else find(name, *a)
    )
    with pytest.raises(MissingExtra, match=r"pip install 'dancekit\[tensorboard\]'") as caught:
        check_tensorboard()
    assert caught.value.exit_code == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_the_numbers_and_hides_an_undone_future(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = TensorBoard(tmp_path, 0)
    for record in RECORDS[1:6]:
        board.record(record)
    board.close()
    board = TensorBoard(tmp_path, 3)  # killed after step 5, resumed at step 3
    board.record({"step": 4, "l1": 7.0, "stage": "body"})
    board.picture(np.full((8, 8, 3), 200, np.uint8), 4)
    board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert {"loss/l1", "loss/lsgan", "run/lr", "run/seconds_per_step"} <= set(events.Tags()["scalars"])
    assert [(e.step, round(e.value, 3)) for e in events.Scalars("loss/l1")] == [
        (1, 0.99), (2, 0.98), (3, 0.97), (4, 7.0)
    ]  # fmt: skip
    assert events.Images("preview")[0].step == 4
