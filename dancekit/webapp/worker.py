"""One heavy job at a time, each in a process of its own: the server stays quick, and memory is free afterwards."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dancekit.webapp.jobs import FACTS, OUTCOME, PROGRESS, Job, JobStore, State, read_facts

LOG = "log.txt"
"""In the job's folder: what its process wrote to stderr."""

GRACE = {"look": 20.0, "dance": 20.0, "train": 300.0}
"""Seconds that a job has to end after it was told to: a training finishes its step and keeps what it has."""

POLL = 0.1


class Worker:
    """Works on the jobs of a store in the order in which they came, while its block lasts.

    A job is told to stop by the end of its standard input, which also comes when the server dies in whatever way:
    nothing goes on unseen.

    Args:
        store: The jobs.
        program: The command that works on a job; gets its folder as the last argument.
    """

    def __init__(self, store: JobStore, program: Sequence[str]) -> None:
        self._store, self._program = store, list(program)
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._current = ""
        self._closed = False
        self._order = [job.id for job in reversed(store.all()) if job.state == "waiting"]
        self._thread = threading.Thread(target=self._work, name="dancekit-worker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._tell_to_stop()
            self._changed.notify_all()
        self._thread.join()

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line: a new one, or one that was stopped and is to go on."""
        with self._changed:
            if job.id == self._current or job.id in self._order:
                return
            self._store.change(job.id, state="waiting")
            self._order.append(job.id)
            self._changed.notify_all()

    def stop(self, identity: str) -> None:
        """Take a job out of the line, or tell the one that runs to stop; others are left as they are."""
        with self._changed:
            if identity in self._order:
                self._order.remove(identity)
                self._store.change(identity, state="stopped")
            elif identity == self._current:
                self._store.change(identity, state="stopping")
                self._tell_to_stop()

    def place(self, identity: str) -> int:
        """How many jobs are before a waiting one, the running one among them."""
        with self._changed:
            before = self._order.index(identity) if identity in self._order else 0
            return before + bool(self._current)

    def _tell_to_stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            state, error = self._run(job)
            with self._changed:
                self._current, self._process = "", None
                self._store.change(job.id, state=state, error=error)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._order and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            job = self._store.get(self._order.pop(0))
            self._current = job.id
            return self._store.change(job.id, state="running")

    def _run(self, job: Job) -> tuple[State, str]:
        """Work on it to its end; how it ended."""
        folder = self._store.folder(job)
        for name in (PROGRESS, FACTS, OUTCOME):
            (folder / name).unlink(missing_ok=True)
        with (folder / LOG).open("wb") as log:
            try:
                process = self._start(folder, log.fileno())
            except OSError as error:
                return "failed", f"no process could be started: {error.strerror}"
            code = self._wait(job, process)
        outcome = read_facts(folder / OUTCOME)
        if outcome.get("state") in ("finished", "stopped", "failed"):
            return outcome["state"], str(outcome.get("error", ""))
        if self._store.get(job.id).state == "stopping" or self._closed:
            return "stopped", ""
        return "failed", _unexplained(code)

    def _start(self, folder: Path, log: int) -> subprocess.Popen[bytes]:
        with self._changed:
            process = subprocess.Popen(
                [*self._program, os.fspath(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the server, which tells the job
            )
            self._process = process
            if self._closed or self._store.get(self._current).state == "stopping":
                self._tell_to_stop()
            return process

    def _wait(self, job: Job, process: subprocess.Popen[bytes]) -> int:
        told: float | None = None
        while process.poll() is None:
            if told is None and process.stdin is not None and process.stdin.closed:
                told = time.monotonic()
            if told is not None and time.monotonic() - told > GRACE[job.kind]:
                process.kill()
            time.sleep(POLL)
        with self._changed:
            self._tell_to_stop()  # closes our end of the pipe
        return process.returncode


def _unexplained(code: int) -> str:
    if code == -9:
        return (
            "the work was ended by the system, most likely because the memory was full; try a smaller recipe"
        )
    return f"the work ended without a word (exit code {code}); the job's folder has a log.txt"
