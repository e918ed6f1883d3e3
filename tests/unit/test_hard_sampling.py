"""Clips that are painted badly are drawn more often: by how much, when, and the same however a run was gone through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dancekit.config import load_recipe
from dancekit.data.sampling import MOST_OFTEN
from dancekit.training import hard
from dancekit.training.checkpoint import load_checkpoint, save_checkpoint
from dancekit.training.distributed import Processes
from dancekit.training.estimate import made_up_target
from dancekit.training.hard import HardFrames, clip_errors
from dancekit.training.state import TrainingState
from dancekit.types import get_skeleton

FRAMES = 40


def known(errors: np.ndarray, *, strength: float = 1.0, members=((0, FRAMES),)) -> HardFrames:
    """Each frame drawn once, in the first period."""
    table = HardFrames(members, strength)
    for step in range(hard.PERIOD):
        table.note(step, {step: (np.array([step]), errors[step])} if step < len(errors) else {})
    return table


def test_clips_are_drawn_in_proportion_to_their_error() -> None:
    errors = np.linspace(0.5, 1.5, FRAMES)
    starts = np.arange(FRAMES - 2)
    found = known(errors).weights(2 * hard.PERIOD, starts, 3)
    middle = errors[starts + 1]
    assert found == pytest.approx(middle / np.median(middle))
    root = known(errors, strength=0.5).weights(2 * hard.PERIOD, starts, 3)
    assert root == pytest.approx(np.sqrt(middle / np.median(middle)))
    wild = known(np.r_[np.full(FRAMES - 2, 1.0), 100.0, 0.001]).weights(2 * hard.PERIOD, np.arange(FRAMES), 1)
    assert wild is not None
    assert wild[-2:].tolist() == [MOST_OFTEN, 1 / MOST_OFTEN]


def test_nothing_is_known_in_the_first_two_periods_and_errors_run() -> None:
    table = known(np.ones(FRAMES))
    starts = np.arange(FRAMES)
    assert table.weights(0, starts, 1) is None
    assert table.weights(hard.PERIOD, starts, 1) is None
    assert table.weights(2 * hard.PERIOD, starts, 1) is not None
    table.note(hard.PERIOD, {0: (np.array([3]), 2.0)})
    assert table.error[3] == pytest.approx(1 + hard.MIX)
    assert HardFrames([(0, 4)], 1.0).weights(500, np.arange(4), 1) is None


def test_frames_not_drawn_yet_are_like_those_around_them_and_people_apart() -> None:
    table = HardFrames([(0, 10), (10, 10), (20, 5)], 1.0)
    table.note(0, {0: (np.array([0]), 1.0), 1: (np.array([8]), 3.0), 2: (np.array([12]), 5.0)})
    between = table._between(table.error)
    assert between[:10] == pytest.approx([1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3])
    assert (between[10:20] == 5).all()
    assert np.isnan(between[20:]).all()
    for step in range(1, hard.PERIOD):
        table.note(step, {})
    weights = table.weights(2 * hard.PERIOD, np.array([0, 21]), 1)
    assert weights is not None
    assert weights[1] == 1  # nothing is known of them: as the usual


def test_the_error_is_that_of_the_person() -> None:
    real, fake = torch.zeros(2, 3, 3, 8, 8), torch.zeros(2, 3, 3, 8, 8)
    mask = torch.zeros(2, 3, 1, 8, 8)
    mask[0, :, :, :4] = 1
    fake[0, :, :, :4] = 0.5
    fake[0, :, :, 4:] = 9
    fake[1] = 0.25  # nobody: the whole frame
    assert clip_errors(fake, real, mask).tolist() == pytest.approx([0.5, 0.25])


def state_of(*changes: str, processes: Processes | None = None) -> TrainingState:
    small = (
        "generator.ngf=4",
        "discriminator=none",
        "losses=[{name: l1}]",
        "face=none",
        "train.winograd=off",
    )
    changes = ("train.steps=30", "train.batch=2", "train.hard=1", *small, *changes)
    data = made_up_target((64, 64), get_skeleton("blazepose_33"), 30)
    return TrainingState(load_recipe("tiny", list(changes)), data, "cpu", *([processes] if processes else []))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hard, "PERIOD", 2)


def weights(state: TrainingState) -> torch.Tensor:
    return torch.cat([each.detach().flatten() for each in state.networks["generator"].parameters()])


def test_a_run_is_the_same_with_prefetch_and_when_it_was_stopped(short: None, tmp_path: Path) -> None:
    """And another one without: the errors do decide what is drawn."""
    plain, ahead, other = state_of("train.prefetch=0"), state_of("train.prefetch=2"), state_of("train.hard=0")
    for _ in range(6):
        plain.advance()
    for _ in range(3):
        ahead.advance()
    path = save_checkpoint(tmp_path, ahead)
    ahead.close()
    again = state_of("train.prefetch=1")
    load_checkpoint(path, again)
    for _ in range(3):
        again.advance()
    again.close()
    assert torch.equal(weights(plain), weights(again))
    assert plain.hard is not None
    assert again.hard is not None
    assert np.array_equal(plain.hard.error, again.hard.error, equal_nan=True)
    assert np.isfinite(plain.hard.error).sum() > 4
    for _ in range(6):
        other.advance()
    other.close()
    assert not torch.equal(weights(plain), weights(other))


def test_all_processes_know_every_clips_error(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, played one after the other: each has the errors of its own clips, both get the same table."""
    said: list[dict[int, float]] = []
    for index in (0, 1):
        state = state_of("train.prefetch=0", processes=Processes(index, 2))
        own = [number for share in state._shares for number in share]
        assert own == [index]
        state._errors = [torch.tensor([0.1 + index])]
        monkeypatch.setattr(Processes, "_gather", lambda _, value: said.append(value) or [value])
        state._note_errors()
    assert said == [{0: pytest.approx(0.1)}, {1: pytest.approx(1.1)}]
    tables = []
    for index in (0, 1):
        state = state_of("train.prefetch=0", processes=Processes(index, 2))
        monkeypatch.setattr(Processes, "_gather", lambda *_: said[:2])
        state._errors = [torch.tensor([0.1 + index])]
        state._note_errors()
        assert state.hard is not None
        tables.append(state.hard.error)
    assert np.array_equal(*tables, equal_nan=True)
    assert set(np.round(tables[0][np.isfinite(tables[0])], 3)) <= {0.1, 1.1, round(0.1 + hard.MIX, 3)}
    assert np.isfinite(tables[0]).sum() >= 2
