"""One attempt at a job: its command in a process of its own, which dies with whoever started it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Process: TypeAlias = "subprocess.Popen[bytes]"

PROGRAM = (sys.executable, "-P", "-m", "dancekit.cli.batch_child")
"""`-P`: a file called like a module, in the manifest's folder, is not imported."""

POLL = 0.1
"""Seconds between two looks at the process."""

GRACE = 120.0
"""Seconds that a training has to finish its step and keep what is trained, after SIGTERM."""


@dataclass(frozen=True)
class Attempt:
    """What is to be run.

    Attributes:
        name: Of the job.
        number: From 1.
        command: The program and its arguments.
        folder: Where it runs: the manifest's.
        log: What it prints is added there.
        cpus: Threads.
        gpus: How many, or which share of one; 0: it is to see none.
        devices: Which GPUs, where that is not Ray's business.
    """

    name: str
    number: int
    command: Sequence[str]
    folder: Path
    log: Path
    cpus: float = 1
    gpus: float = 0
    devices: Sequence[str] | None = None


@dataclass(frozen=True)
class Ended:
    """How an attempt ended.

    Attributes:
        code: Exit code; negative: the signal that killed it. None: the worker is gone, nobody knows.
        seconds: How long it took.
        host: Where.
        why: What the worker's end was, where the code says nothing.
    """

    code: int | None
    seconds: float
    host: str
    why: str = ""


def execute(attempt: Attempt, started: Callable[[Process], None] | None = None) -> Ended:
    """Run it and wait.

    Whoever runs this holds the other end of the process's standard input: when that breaks, the process ends itself,
    so that nothing goes on writing behind the back of the next attempt.

    Args:
        attempt: What to run.
        started: Told the process.
    """
    begin = time.monotonic()
    host = socket.gethostname()
    attempt.log.parent.mkdir(parents=True, exist_ok=True)
    with attempt.log.open("ab") as log:
        log.write(f"== attempt {attempt.number} on {host}, by process {os.getpid()}\n".encode())
        log.flush()
        process = subprocess.Popen(
            list(attempt.command),
            cwd=attempt.folder,
            env=_environment(attempt, os.environ),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the batch's to pass on
        )
        try:
            if started is not None:
                started(process)
            while (code := process.poll()) is None:
                time.sleep(POLL)  # not in wait(): what Ray raises here to cancel would not be noticed
        except BaseException:  # the batch was stopped: ray.cancel, or Ctrl-C
            end(process)
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()
    return Ended(code, time.monotonic() - begin, host)


def end(process: Process, grace: float = GRACE) -> None:
    """Ask a process to end, and make it if it does not."""
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(log: Path, *, of_errors: bool = False) -> str:
    """The last line of a log (or the last that says an error), "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    except OSError:
        return ""
    lines = [line for line in lines if line and not line.startswith("== attempt")]
    errors = [line for line in lines if line.startswith("error: ")]
    found = errors if of_errors and errors else lines
    return found[-1] if found else ""


def count_gpus() -> list[str]:
    """The GPUs of this machine as CUDA_VISIBLE_DEVICES names them; asks no torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each for each in visible.split(",") if each.strip() and each.strip() != "-1"]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    listed = subprocess.run(
        [tool, "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return listed.stdout.split() if listed.returncode == 0 else []


def _environment(attempt: Attempt, given: Mapping[str, str]) -> dict[str, str]:
    threads = str(max(1, int(attempt.cpus)))
    own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    if attempt.gpus == 0:
        own["CUDA_VISIBLE_DEVICES"] = ""
    elif attempt.devices is not None:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(attempt.devices)
    return {**given, **own}
