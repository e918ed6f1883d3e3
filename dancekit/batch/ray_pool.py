"""Jobs on Ray: of this machine alone, or of a cluster. Paths must mean the same on all of its machines."""

from __future__ import annotations

import os
import time
from typing import Any

from dancekit import __version__
from dancekit.batch.execute import Attempt, Ended, execute
from dancekit.batch.manifest import AnyJob
from dancekit.errors import DancekitError, MissingExtra, UsageError

STORE = 100 * 2**20
"""Bytes of Ray's object store where it is ours: nothing but names and exit codes goes through it."""

STARTS = 3
"""How often an own Ray is started: on a busy machine its parts may miss the 15 s that they give each other."""

END = 180.0
"""Seconds that all jobs together have to end."""


def run_attempt(attempt: Attempt, version: str) -> Ended:
    """What a worker does; it says nothing but how it ended."""
    if version != __version__:
        raise RuntimeError(f"the batch is of dancekit {version}, this machine has {__version__}")
    return execute(attempt)


class RayPool:
    """A Ray cluster.

    Args:
        address: `HOST:PORT`, `auto`, or "" for one of this machine's own (or what RAY_ADDRESS names).
        cpus: Cores of an own one; all there are if None.

    Raises:
        MissingExtra: Ray is not installed.
        DancekitError: The cluster cannot be reached.
    """

    def __init__(self, address: str = "", cpus: int | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise MissingExtra(
                f"dancekit batch runs on Ray, which cannot be imported: {error}",
                hint="pip install 'dancekit[ray]', or --local N for N processes of this machine",
            ) from None
        self._ray: Any = ray
        own = not address and not os.environ.get("RAY_ADDRESS")
        given: dict[str, Any] = {"address": address or None}
        if own:
            given = {"num_cpus": cpus, "object_store_memory": STORE}
        for left in reversed(range(STARTS if own else 1)):
            try:
                ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **given)
                break
            except Exception as error:  # whatever Ray makes of an address that does not answer
                ray.shutdown()
                if not left:
                    where = address or os.environ.get("RAY_ADDRESS") or "this machine"
                    raise DancekitError(
                        f"Ray on {where} cannot be used: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
                        hint="--local N does without Ray on this machine"
                        if own
                        else "check --address, and that the cluster has this version of Ray and Python",
                    ) from None
        self._own = own
        self._cpus = max((node["Resources"].get("CPU", 0) for node in ray.nodes()), default=0)
        self._gpus = max((node["Resources"].get("GPU", 0) for node in ray.nodes()), default=0)
        self.has_gpus = self._gpus > 0
        self._task = ray.remote(max_retries=0)(run_attempt)
        self._running: dict[Any, str] = {}
        self._begin: dict[str, float] = {}

    def check(self, job: AnyJob) -> None:
        """See `Pool`; a cluster may grow, an own one does not."""
        for what, wanted, most in (("cpus", job.cpus, self._cpus), ("gpus", job.gpus or 0, self._gpus)):
            if self._own and wanted > most:
                raise UsageError(f"job {job.name}: {what}: {wanted:g}, but this machine has {most:g}")

    def submit(self, attempt: Attempt) -> None:
        """See `Pool`."""
        task = self._task.options(
            num_cpus=attempt.cpus, num_gpus=attempt.gpus, name=f"dancekit {attempt.name}"
        )
        self._running[task.remote(attempt, __version__)] = attempt.name
        self._begin[attempt.name] = time.monotonic()

    def finished(self, seconds: float) -> list[tuple[str, Ended]]:
        """See `Pool`."""
        if not self._running:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(list(self._running), timeout=seconds)
        return [(name := self._running.pop(each), self._result(each, name)) for each in ready]

    def stop(self) -> None:
        """See `Pool`: what runs is interrupted, and passes that on to its process."""
        for each in self._running:
            self._ray.cancel(each, force=False)
        if self._running:
            _, left = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=END)
            for each in left:
                self._ray.cancel(each, force=True)
        self._running.clear()

    def close(self) -> None:
        """See `Pool`."""
        self._ray.shutdown()

    def _result(self, task: Any, name: str) -> Ended:
        try:
            found: Ended = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            why = " ".join(str(getattr(error, "cause", None) or error).split())[:200]
            return Ended(None, time.monotonic() - self._begin[name], "", f"{type(error).__name__}: {why}")
        return found
