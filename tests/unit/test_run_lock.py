"""Two runs never write into one folder; what a dead one left is no obstacle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dancekit.errors import DancekitError
from dancekit.training.lock import NAME, RunLock, check_free

HOLDER = """
import sys, time
from pathlib import Path
from dancekit.training.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    code = [sys.executable, "-c", HOLDER, str(folder)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(code, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_keeps_us_out_until_it_is_dead(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        for attempt in (lambda: RunLock(tmp_path).__enter__(), lambda: check_free(tmp_path)):
            with pytest.raises(DancekitError, match=rf"being written by process {process.pid} since 20\d\d-"):
                attempt()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    assert (tmp_path / NAME).exists()
    check_free(tmp_path)
    with RunLock(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert not (tmp_path / NAME).exists()


def test_a_lock_of_another_machine_stands(tmp_path: Path) -> None:
    owner = {"pid": 1, "host": socket.gethostname() + "-2", "since": time.time()}
    (tmp_path / NAME).write_text(json.dumps(owner))
    for attempt in (lambda: RunLock(tmp_path).__enter__(), lambda: check_free(tmp_path)):
        with pytest.raises(DancekitError, match=rf"process 1 on .*-2 .*delete .*{NAME}"):
            attempt()
    assert json.loads((tmp_path / NAME).read_text()) == owner


def test_a_half_written_lock_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"pid": 1')
    with RunLock(tmp_path):
        pass


def test_the_lock_goes_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path / "new"):
        raise ZeroDivisionError
    assert list((tmp_path / "new").iterdir()) == []
