"""A batch on Ray: six jobs, one of whose workers is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")
SCRIPT = Path(__file__).with_name("ray_batch.py")


def test_six_jobs_and_a_killed_worker(tmp_path: Path, root: Path) -> None:
    rows = [f"transfer,nothing,demo,{name}.mp4" for name in ("slow", "a", "b", "c", "d", "e")]
    (tmp_path / "jobs.csv").write_text("\n".join(["command,source,dancer,out", *rows]) + "\n")
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    # a process of its own: Ray starts threads, opens sockets and warns
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as batch:
        try:
            log, pids = tmp_path / "jobs.csv.batch" / "logs" / "slow.mp4.log", tmp_path / "pids"
            until = time.monotonic() + 300  # on a busy machine Ray alone needs a minute
            while not (pids.exists() and pids.read_text()):
                assert batch.poll() is None and time.monotonic() < until, "the slow job never began"
                time.sleep(0.1)
            worker = re.search(r"by process (\d+)", log.read_text())
            assert worker is not None
            os.kill(int(worker[1]), signal.SIGKILL)
            printed, _ = batch.communicate(timeout=200)
        finally:
            batch.kill()
    assert batch.returncode == 0
    jobs = json.loads(printed.splitlines()[-1])
    assert {name: (job["state"], job["attempt"]) for name, job in jobs.items()} == {
        "slow.mp4": ("done", 2),
        **{f"{name}.mp4": ("done", 1) for name in "abcde"},
    }
    assert (tmp_path / "slow.mp4").read_text() == "alone", "the killed worker's job went on"
    assert log.read_text().count("== attempt") == 2
    again = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert {job["state"] for job in json.loads(again.stdout.splitlines()[-1]).values()} == {"skipped"}
