"""Looking at runs from the command line: show, estimate, cache; what a signal and a missing extra do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import TINY, Cli

from dancekit.cli.console import Terminal
from dancekit.cli.interrupt import TERMINATED, StopOnInterrupt
from dancekit.cli.progress import Bars, Lines, NoDisplay, describe

RECORD = {
    "step": 40, "stage": "body", "seconds_per_step": 0.5, "frames_per_second": 4.0, "memory_mb": 1234, "lr": 1e-4,
    "l1": 0.123456, "d_lsgan": 0.25,
}  # fmt: skip


def test_show_sums_a_run_up(cli: Cli, run_folder: Path) -> None:
    before = sorted(run_folder.rglob("*"))
    shown = cli("show", run_folder)
    assert shown.code == 0, shown.err
    for text in ("3 of 3", "finished", "frames/s", "step-0000003", "curves.png", "dancer.safetensors", "l1"):
        assert text in shown.out
    facts = json.loads(cli("show", run_folder, "--json").out)
    assert (facts["step"], facts["state"]) == (3, "finished")
    assert facts["memory_mb"] > 100
    lines = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert facts["losses"]["l1"]["first"] == next(line["l1"] for line in lines if "l1" in line)
    assert facts["frames_per_second"] > 0
    assert sorted(run_folder.rglob("*")) == before, "looking changes nothing"
    assert (run_folder / "curves.png").is_file() and list((run_folder / "previews").glob("*.png"))


def test_show_knows_a_killed_run_from_one_that_runs(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    from dancekit.training.lock import NAME, RunLock

    run = tmp_path / "half"
    shutil.copytree(run_folder, run)
    (run / "dancer.safetensors").unlink()
    states = []
    for host in (socket.gethostname(), "elsewhere"):
        (run / NAME).write_text(json.dumps({"pid": 2**22 + 1, "host": host, "since": 0}))
        states.append(json.loads(cli("show", run, "--json").out)["state"])
    (run / NAME).unlink()
    states.append(json.loads(cli("show", run, "--json").out)["state"])
    assert states[0] == "killed; --resume goes on"
    assert states[1].startswith("running:") and "on elsewhere" in states[1]
    assert states[2] == "stopped; --resume goes on"
    with RunLock(run):
        pass


def test_show_refuses_another_folder(cli: Cli, tmp_path: Path) -> None:
    shown = cli("show", tmp_path)
    assert shown.code == 2
    assert "is no run folder" in shown.err


def test_cache_is_listed_and_cleared_and_the_run_stays(cli: Cli, cached: None, run_folder: Path) -> None:
    frames = (run_folder / "data" / "frames.npy").read_bytes()
    listed = json.loads(cli("cache", "ls", "--json").out)
    kinds = {entry["kind"] for entry in listed["entries"]}
    assert kinds - {"people"} == {"frames", "poses"}  # the cache is shared with tests that look for everybody
    assert listed["bytes"] == sum(entry["bytes"] for entry in listed["entries"])
    assert "a run holds it" in cli("cache", "ls").out
    assert json.loads(cli("cache", "clear", "--older-than", "1h", "--json").out)["deleted"] == []
    assert cli("cache", "clear", "--older-than", "soon").code == 2
    assert (run_folder / "data" / "frames.npy").read_bytes() == frames


def test_cache_clear_empties_it(cli: Cli, tmp_path: Path) -> None:
    folder = Path(os.environ["DANCEKIT_CACHE"]) / "poses"
    folder.mkdir(parents=True)
    (folder / "abc.npz").write_bytes(bytes(2_000_000))
    assert cli("cache", "clear").out == "deleted 1 entries, 2.0 MB freed\n"
    assert "0 entries" in cli("cache", "ls").out


def test_estimate_counts_what_training_then_needs(cli: Cli, cached: None, clips: tuple[Path, Path]) -> None:
    asked = cli("estimate", "tiny", "--device", "cpu", "--target", clips[1], "train.steps=40", "--json")
    assert asked.code == 0, asked.err
    facts = json.loads(asked.out)
    assert facts["frames"] == 24
    assert facts["frames_disk"] == 24 * 64 * 64 * 4
    assert len(facts["step_seconds"]) == 2
    body, face = facts["step_seconds"]
    assert facts["training_seconds"] == pytest.approx(34 * body + 6 * face)
    assert facts["memory"] > 100e6
    assert facts["checkpoints_disk"] == 3 * facts["checkpoint"]
    assert 0 < facts["poses_seconds"] < 600


def test_estimated_checkpoints_are_as_large_as_real_ones(cli: Cli, run_folder: Path) -> None:
    facts = json.loads(cli("estimate", "tiny", "--device", "cpu", "train.steps=3", "--json").out)
    real = sum(path.stat().st_size for path in (run_folder / "checkpoints" / "step-0000003").iterdir())
    assert facts["checkpoint"] == pytest.approx(real, rel=0.1)  # headers are not counted


def test_tensorboard_without_the_extra(
    cli: Cli, cached: None, clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "tensorboard" else find(name, *a)
    )
    ended = cli("train", "--target", clips[1], *TINY, "--tensorboard", "--out", "run")
    assert ended.code == 3
    assert "pip install 'dancekit[tensorboard]'" in ended.err
    assert not Path("run").exists()


DRIVER = """
import os, signal, sys
from dancekit.cli import app
from dancekit.training.state import TrainingState
advance = TrainingState.advance
def step(state):
    record = advance(state)
    if state.step == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return record
TrainingState.advance = step
sys.exit(app.main(sys.argv[1:]))
"""


def test_sigterm_keeps_what_is_trained(clips: tuple[Path, Path], known_poses: Path, tmp_path: Path) -> None:
    driver, run = tmp_path / "driver.py", tmp_path / "run"
    driver.write_text(DRIVER)
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, str(driver), "train", "--target", str(clips[1]), *TINY, "--out", str(run)],
        env={**os.environ, "PYTHONPATH": root, "DANCEKIT_CACHE": str(known_poses)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == TERMINATED == 143, ended.stderr
    assert "stopping after this step" in ended.stderr and "--resume" in ended.stderr
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-0000002"]
    assert (run / "dancer.safetensors").is_file()
    assert not (run / "running.json").exists()


class TestSigterm:
    def test_before_the_first_step_it_ends_the_program(self) -> None:
        with pytest.raises(SystemExit) as ended, StopOnInterrupt(NoDisplay(), print) as stop:
            stop.progress("poses", 1, 2)
            signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == TERMINATED

    def test_while_steps_run_it_asks_once(self) -> None:
        said: list[str] = []
        before = signal.getsignal(signal.SIGTERM)
        with StopOnInterrupt(NoDisplay(), said.append) as stop:
            stop.progress("steps", 0, 2)
            signal.raise_signal(signal.SIGTERM)
            assert stop.should_stop() and stop.exit_code == TERMINATED
        assert len(said) == 1 and "SIGTERM" in said[0]
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_record_is_described_and_shown() -> None:
    text = describe(RECORD)
    assert text == "4 frames/s, 1.2 GB, l1 0.123, d_lsgan 0.25"
    lines: list[str] = []
    clock = iter(range(0, 4000, 40))
    show = Lines(lines.append, clock=lambda: float(next(clock)))
    show("steps", 0, 100)
    show.note(RECORD)
    show("steps", 10, 100)
    assert lines[-1] == f"training: 10 of 100, 6 min left ({text})"
    NoDisplay().note(RECORD)


def test_the_record_stands_below_the_bars() -> None:
    import io

    from rich.console import Console

    screen = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Bars(screen) as show:
        show("steps", 1, 10)
        show.note(RECORD)
        show("steps", 2, 10)
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "4 frames/s" in shown and "training" in shown
    assert Terminal(quiet=True).silent
