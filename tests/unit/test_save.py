"""Checkpoints on a full disk, the best of them, and training that diverges: previous work stays intact."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from dancekit.config import load_recipe
from dancekit.dancer import DancerInfo, component_ids
from dancekit.errors import DancekitError
from dancekit.training import checkpoint, journal, report, save
from dancekit.training.checkpoint import list_checkpoints, load_checkpoint, read_best, save_checkpoint
from dancekit.training.estimate import made_up_target
from dancekit.training.journal import Journal, read_records
from dancekit.training.loop import _run_steps
from dancekit.training.preview import fixed_moments
from dancekit.training.run import Run
from dancekit.training.save import Saver
from dancekit.training.state import TrainingState
from dancekit.training.watch import Diverged
from dancekit.types import get_skeleton


@pytest.fixture(autouse=True)
def _warnings_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever -q of a command before has made of the logger."""
    caplog.set_level(logging.WARNING, logger="dancekit")


SMALL = [
    "size=[32, 32]",
    "face=none",
    "generator.ngf=4",
    "discriminator.ndf=4",
    "train.prefetch=0",
    "train.log_every=1",
]


def begin(tmp_path: Path, *overrides: str) -> tuple[TrainingState, Run, Saver]:
    recipe = load_recipe("tiny", [*SMALL, *overrides])
    data = made_up_target((32, 32), get_skeleton("blazepose_33"), 10)
    state = TrainingState(recipe, data, "cpu")
    run = Run(tmp_path / "run")
    run.folder.mkdir(exist_ok=True)
    facts = DancerInfo(
        recipe=recipe,
        components=component_ids(recipe),
        skeleton=data.target.skeleton.id,
        window=data.window,
        rate=Fraction(25),
        training={"inputs": {}},
    )
    return state, run, Saver(state, run, facts)


def go(state: TrainingState, run: Run, saver: Saver) -> None:
    with report.Reporter(state, run, lambda *_: None, None, lambda _: None) as reporter:
        _run_steps(state, saver, reporter, lambda: False)


def fill_disk(monkeypatch: pytest.MonkeyPatch, full: list[bool]) -> None:
    """While `full[0]`, nothing that a checkpoint or the journal writes finds room, half-way through."""
    write = checkpoint.write_safetensors

    def limited(path: Path, tensors: Any, metadata: Any) -> str:
        if full[0] and path.name.startswith("discriminator."):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, tensors, metadata)

    monkeypatch.setattr(checkpoint, "write_safetensors", limited)
    opened = Path.open

    def journal_open(path: Path, mode: str = "r", **given: Any) -> Any:
        if full[0] and path.name == "metrics.jsonl" and mode == "a":
            with opened(path, "a") as file:
                file.write('{"half')
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, mode, **given)

    monkeypatch.setattr(journal.Path, "open", journal_open)


def test_training_goes_on_over_a_full_disk_and_nothing_is_missing_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full = [False]
    fill_disk(monkeypatch, full)
    state, run, saver = begin(
        tmp_path, "train.steps=6", "train.checkpoint_every=2", "train.preview_every=100"
    )
    advance = state.advance

    def step() -> dict[str, float]:
        full[0] = 3 <= state.step < 5  # after the checkpoint of step 2, until that of step 6
        return advance()

    monkeypatch.setattr(state, "advance", step)
    with caplog.at_level(logging.WARNING):
        go(state, run, saver)
    assert "cannot write checkpoint" in caplog.text and "No space left" in caplog.text
    assert caplog.text.count("metrics.jsonl cannot be written") == 1
    assert [path.name for path in list_checkpoints(run.checkpoints)] == ["step-0000002", "step-0000006"]
    assert [record["step"] for record in read_records(run.metrics_file)] == [1, 2, 3, 4, 5, 6]
    assert not list(run.folder.rglob(".*"))
    fresh, _, _ = begin(tmp_path)
    load_checkpoint(run.checkpoints / "step-0000002", fresh)  # intact


def test_the_last_checkpoint_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full, slept = [False], []
    fill_disk(monkeypatch, full)
    state, run, saver = begin(tmp_path, "train.steps=2")
    state.advance()
    saver.checkpoint(final=False)
    full[0] = True

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        full[0] = len(slept) < 3

    monkeypatch.setattr(save.time, "sleep", sleep)
    state.advance()
    saver.checkpoint(final=True)
    assert slept == [save.PAUSE] * 3
    assert "trying again in 30 s" in caplog.text
    assert len(list_checkpoints(run.checkpoints)) == 2
    full[0] = True
    monkeypatch.setattr(save.time, "sleep", slept.append)
    state.step += 1
    with pytest.raises(DancekitError, match=r"cannot write checkpoint .*free some space"):
        saver.checkpoint(final=True)
    assert len(list_checkpoints(run.checkpoints)) == 2


def test_the_newest_and_the_best_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, run, saver = begin(tmp_path, "train.keep={last: 1, best: true}")
    scores = iter([10.0, 12.0, 11.0, 11.5, 12.5, 12.5])
    monkeypatch.setattr(saver, "_score", lambda: next(scores))
    kept, best = [], []
    for step in range(1, 7):
        state.step = step
        saver.checkpoint(final=False)
        kept.append([checkpoint.step_of(path) for path in list_checkpoints(run.checkpoints)])
        best.append(read_best(run.checkpoints))
    assert kept == [[1], [2], [2, 3], [2, 4], [5], [5, 6]]
    assert [each[0] for each in best if each] == [1, 2, 2, 2, 5, 5]  # equal is not better
    assert run.best.exists()


def test_without_best_only_the_newest_stay(tmp_path: Path) -> None:
    state, run, saver = begin(tmp_path, "train.keep.last=3")
    for step in range(1, 6):
        state.step = step
        saver.checkpoint(final=False)
    assert [checkpoint.step_of(path) for path in list_checkpoints(run.checkpoints)] == [3, 4, 5]
    assert read_best(run.checkpoints) is None and not run.best.exists()
    assert "score" not in json.loads((run.checkpoints / "step-0000005" / "state.json").read_text())


def test_a_kill_between_a_checkpoint_and_its_note_loses_nothing(tmp_path: Path) -> None:
    state, run, saver = begin(tmp_path, "train.keep.best=true")
    state.step = 1
    saver.checkpoint(final=False)
    state.step = 2
    save_checkpoint(run.checkpoints, state, score=99.0)  # killed here
    assert read_best(run.checkpoints)[0] == 1  # type: ignore[index]
    again = TrainingState(state.recipe, state.data, "cpu")
    load_checkpoint(list_checkpoints(run.checkpoints)[-1], again)
    Saver(again, run, saver.facts)
    assert read_best(run.checkpoints) == (2, 99.0)


def test_the_score_is_of_held_out_frames_in_the_mask(tmp_path: Path) -> None:
    state, _, saver = begin(tmp_path, "train.hold_out=0.3")
    state.data = dataclasses.replace(state.data, plate=state.data.plate.copy())  # it was the first frame
    moments = fixed_moments(state.data, 0.3)
    assert set(moments) <= {7, 8, 9} and len(moments) == 5
    assert min(fixed_moments(state.data, 0.0)) < 7
    first = saver._score()
    assert first == saver._score(), "the same frames every time"
    frames, masks = state.data.frames, state.data.masks
    frames[:7] = 0  # type: ignore[index]
    frames[masks[:] == 0] = 0  # type: ignore[index]
    assert saver._score() == pytest.approx(first), "neither what training saw nor the background counts"
    frames[7:] = 255 - frames[7:]  # type: ignore[index]
    assert saver._score() != pytest.approx(first)


def test_divergence_is_explained_and_the_last_good_checkpoint_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, run, saver = begin(
        tmp_path, "train.steps=9", "train.checkpoint_every=2", "train.preview_every=100"
    )
    advance = state.advance

    def step() -> dict[str, float]:
        record = advance()
        return record | ({"d_lsgan": math.nan} if state.step == 5 else {})

    monkeypatch.setattr(state, "advance", step)
    with pytest.raises(
        Diverged, match=r"step 5: d_lsgan is nan.*last good checkpoint is .*step-0000004.*try half"
    ):
        go(state, run, saver)
    diagnosis = json.loads(run.diagnosis.read_text())
    assert (diagnosis["term"], diagnosis["step"]) == ("d_lsgan", 5)
    assert diagnosis["last_good_checkpoint"] == "step-0000004"
    assert [path.name for path in list_checkpoints(run.checkpoints)] == ["step-0000002", "step-0000004"]


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    state, run, saver = begin(tmp_path)
    state.advance()
    saver.checkpoint(final=False)
    with torch.no_grad():
        next(state.networks["discriminator"].parameters())[0] = math.nan
    state.step += 1
    with pytest.raises(Diverged, match="weight of the discriminator is not finite"):
        saver.checkpoint(final=True)
    assert len(list_checkpoints(run.checkpoints)) == 1


def test_a_preview_that_cannot_be_written_does_not_stop_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise DancekitError("no room")

    monkeypatch.setattr(report, "write_png", fail)
    state, run, saver = begin(tmp_path, "train.steps=2", "train.preview_every=1")
    go(state, run, saver)
    assert caplog.text.count("no preview at step") == 2


def test_a_journal_forgets_what_a_kill_has_undone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    book = Journal(path)
    for step in range(1, 6):
        book.write({"step": step, "l1": 0.1})
    with path.open("a") as file:
        file.write('{"step": 6, "l')
    assert [r["step"] for r in read_records(path)] == [1, 2, 3, 4, 5]
    book.forget_after(3)
    assert path.read_text().splitlines() == [f'{{"l1": 0.1, "step": {step}}}' for step in (1, 2, 3)]
