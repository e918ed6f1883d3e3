"""Where jobs run: in processes of this machine, or on Ray."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Protocol

from dancekit.batch.execute import Attempt, Ended, Process, count_gpus, end, execute
from dancekit.batch.manifest import AnyJob
from dancekit.errors import UsageError


class Pool(Protocol):
    """Runs attempts, as many at a time as there is room for."""

    has_gpus: bool

    def check(self, job: AnyJob) -> None:
        """Refuse a job that could never run here.

        Raises:
            UsageError: Why.
        """
        ...

    def submit(self, attempt: Attempt) -> None:
        """Run it when there is room."""
        ...

    def finished(self, seconds: float) -> list[tuple[str, Ended]]:
        """Jobs whose attempts have ended, by name; waits so long for the first."""
        ...

    def stop(self) -> None:
        """End everything, so that it can go on later, and wait for it."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class LocalPool:
    """Processes of this machine.

    Args:
        jobs: How many at a time.
        gpus: Their names; those that there are if None.
    """

    def __init__(self, jobs: int, gpus: list[str] | None = None) -> None:
        self._free = count_gpus() if gpus is None else list(gpus)
        self._all_gpus = len(self._free)
        self.has_gpus = bool(self._free)
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="dancekit-batch")
        self._running: dict[Future[Ended], str] = {}
        self._processes: dict[str, Process] = {}
        self._change = threading.Condition()
        self._stopped = False

    def check(self, job: AnyJob) -> None:
        """See `Pool`."""
        if job.gpus and job.gpus != int(job.gpus):
            raise UsageError(
                f"job {job.name}: gpus: {job.gpus:g}: shares of a GPU need Ray",
                hint="whole ones, or leave --local away",
            )
        if job.gpus and job.gpus > self._all_gpus:
            raise UsageError(f"job {job.name}: gpus: {job.gpus:g}, but this machine has {self._all_gpus}")

    def submit(self, attempt: Attempt) -> None:
        """See `Pool`."""
        self._running[self._threads.submit(self._run, attempt)] = attempt.name

    def finished(self, seconds: float) -> list[tuple[str, Ended]]:
        """See `Pool`."""
        if not self._running:
            time.sleep(seconds)
        done, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        return [(self._running.pop(each), each.result()) for each in done]

    def stop(self) -> None:
        """See `Pool`."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
            running = list(self._processes.values())
        for process in running:
            process.terminate()
        for process in running:
            end(process)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """See `Pool`."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, attempt: Attempt) -> Ended:
        with self._change:
            self._change.wait_for(lambda: self._stopped or len(self._free) >= attempt.gpus)
            if self._stopped:
                return Ended(None, 0.0, "", "the batch was stopped")
            count = int(attempt.gpus)
            taken, self._free = self._free[:count], self._free[count:]

        def started(process: Process) -> None:
            with self._change:
                self._processes[attempt.name] = process
                if self._stopped:
                    process.terminate()

        try:
            return execute(replace(attempt, devices=taken), started)
        except OSError as error:
            return Ended(None, 0.0, "", f"it could not be started: {error}")
        finally:
            with self._change:
                self._processes.pop(attempt.name, None)
                self._free += taken
                self._change.notify_all()
