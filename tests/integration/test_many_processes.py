"""`accelerate launch -m dancekit run`: stopped by SIGTERM, gone on with by one process: the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import dancekit
from dancekit.config import load_recipe
from dancekit.training.checkpoint import list_checkpoints, step_of
from dancekit.training.journal import read_records
from dancekit.weights.header import read_tensors

CHANGES = [
    "train.steps=30",
    "train.accumulate=2",
    "train.winograd=off",
    "train.checkpoint_every=100",
    "train.preview_every=100",
]
STOP_AFTER = 3


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """As the launched processes have: another number of threads adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def stopped(
    short_clips: dict[str, Path], tmp_path: Path, root: Path
) -> tuple[Path, subprocess.Popen[str], str]:
    """A run of two processes whose launcher was told to end, and what was printed."""
    run = tmp_path / "run"
    recipe = tmp_path / "mine.yaml"
    target = short_clips["target"]
    recipe.write_text(f"schema: 1\nsummary: mine\nextends: [tiny]\ntarget: {target}\n")
    launcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
            *("--num_machines", "1", "--dynamo_backend", "no", "--main_process_port", "0"),
            *("-m", "dancekit", "run", str(recipe), "--out", str(run), "--device", "cpu", *CHANGES),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until = time.monotonic() + 240
        while len(read_records(run / "metrics.jsonl")) < STOP_AFTER and launcher.poll() is None:
            assert time.monotonic() < until, "it never began"
            time.sleep(0.05)
        launcher.send_signal(signal.SIGTERM)
        printed, _ = launcher.communicate(timeout=120)
    finally:
        launcher.kill()
    return run, launcher, printed


@pytest.mark.usefixtures("_one_thread")
def test_terminated_and_gone_on_with_by_one_process(stopped, short_clips, tmp_path) -> None:
    run, launcher, printed = stopped
    assert launcher.returncode != 0
    last = list_checkpoints(run / "checkpoints")[-1]
    steps = [record["step"] for record in read_records(run / "metrics.jsonl")]
    assert STOP_AFTER <= step_of(last) < 30, printed
    assert steps == list(range(1, step_of(last) + 1)), "one process writes, every line once"
    assert printed.count("stopping after this step") == printed.count("stopped at step") == 1, printed
    assert printed.count("the same command with --resume") == 1
    assert not (run / "running.json").exists()
    assert "target" not in (run / "recipe.yaml").read_text(), "where the clip lies is nobody's business"
    assert '"processes": 2' in (run / "provenance.json").read_text()

    recipe = load_recipe("tiny", CHANGES)
    dancekit.train(short_clips["target"], recipe, out=run, device="cpu", resume=True)
    whole = tmp_path / "whole"
    dancekit.train(short_clips["target"], recipe, out=whole, device="cpu")
    mine, theirs = (list_checkpoints(each / "checkpoints")[-1] for each in (run, whole))
    for path in sorted(mine.glob("*.safetensors")):
        expected = read_tensors(theirs / path.name)
        for key, value in read_tensors(path).items():
            assert value.equal(expected[key]), (path.name, key, float((value - expected[key]).abs().max()))
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
