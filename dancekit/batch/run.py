"""Runs a manifest: what is done is skipped, what fails is tried again, what waits for another job waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dancekit.batch.execute import PROGRAM, Attempt, Ended, last_line
from dancekit.batch.inputs import job_key, wait_for
from dancekit.batch.manifest import AnyJob, TrainJob
from dancekit.batch.records import Record, Records
from dancekit.errors import DancekitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dancekit.batch.pools import Pool

State = Literal["waiting", "queued", "running", "done", "skipped", "failed", "not run", "stopped"]

FINAL = (2, 3, 4)
"""Exit codes of what would fail again: a wrong argument, a missing extra, a licence."""

POLL = 0.5
"""Seconds between two looks at what the jobs are doing."""


@dataclass
class Progress:
    """Where a job is.

    Attributes:
        job: It.
        state: `waiting` for another job, `queued` for room, and so on; `not run` because one before it failed.
        attempt: Which, from 1; 0 before the first.
        seconds: All attempts together.
        message: Why it failed, or what it says while it runs.
        host: Where it ran.
        key: What it is made of, once its inputs are there.
        size: Of its log when the attempt was handed over.
    """

    job: AnyJob
    state: State = "waiting"
    attempt: int = 0
    seconds: float = 0.0
    message: str = ""
    host: str = ""
    key: str = ""
    size: int = field(default=0, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ("done", "skipped", "failed", "not run", "stopped")

    @property
    def has_failed(self) -> bool:
        """Whether its result is missing."""
        return self.state in ("failed", "not run", "stopped")


class Batch:
    """The jobs of a manifest.

    Args:
        jobs: As `read_manifest` gives them.
        records: What is known of them.
        force: Replace what is in the way of a job.
        program: What runs a job's arguments.

    Raises:
        RecipeError: Jobs wait for each other in a circle.
    """

    def __init__(
        self,
        jobs: Sequence[AnyJob],
        records: Records,
        *,
        force: bool = False,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.records, self._force, self._program = records, force, program
        self._before: Mapping[str, Sequence[str]] = wait_for(jobs, records.base)
        self.jobs = {job.name: Progress(job) for job in jobs}

    def look(self) -> None:
        """See what is done already, and what is in the way; nothing is changed.

        Raises:
            UsageError: A job would overwrite what it has not made; or a recipe is wrong.
        """
        in_the_way = []
        for name in self._in_order():
            each = self.jobs[name]
            if any(self.jobs[before].state != "skipped" for before in self._before[name]):
                continue  # its inputs are made first
            each.key = job_key(each.job, self.records.base)
            if self.records.is_done(each.job, each.key):
                each.state = "skipped"
            elif self._is_in_the_way(each):
                in_the_way.append(each.job.out)
        if in_the_way:
            raise UsageError(
                f"what is there already was not made from this manifest and these inputs: {', '.join(in_the_way[:5])}"
                + (f" and {len(in_the_way) - 5} more" if len(in_the_way) > 5 else ""),
                hint="choose another out, or add --force to replace it",
            )

    def run(
        self,
        pool: Pool,
        *,
        retries: int = 2,
        should_stop: Callable[[], bool] = lambda: False,
        on_change: Callable[[Mapping[str, Progress]], None] = lambda jobs: None,
    ) -> None:
        """Run all that is not done; `look` was called.

        Args:
            pool: Where.
            retries: How often a job is tried again that does not say itself.
            should_stop: Asked again and again; True ends the jobs, so that they can go on later.
            on_change: Told where the jobs are.
        """
        while not all(each.is_over for each in self.jobs.values()):
            self._hand_over(pool)
            for name, ended in pool.finished(POLL):
                self._note(self.jobs[name], ended, retries)
            self._listen()
            on_change(self.jobs)
            if should_stop():
                pool.stop()
                for each in self.jobs.values():
                    if not each.is_over:
                        each.state, each.message = "stopped", ""
                on_change(self.jobs)
                return

    # ---- one job -------------------------------------------------------------------------------------------

    def _hand_over(self, pool: Pool) -> None:
        """Submit what is ready."""
        for name, each in self.jobs.items():
            if each.state != "waiting":
                continue
            before = [self.jobs[other] for other in self._before[name]]
            if failed := [other.job.name for other in before if other.has_failed]:
                each.state, each.message = "not run", f"{failed[0]} failed"
            elif all(other.is_over for other in before):
                with _failing(each):
                    self._submit(each, pool)

    def _submit(self, each: Progress, pool: Pool) -> None:
        records, job = self.records, each.job
        if not each.attempt:
            each.key = job_key(job, records.base)
            if records.is_done(job, each.key):
                each.state = "skipped"
                return
            if self._is_in_the_way(each):
                raise UsageError(
                    f"{job.out} exists already, made of something else", hint="add --force to replace it"
                )
        arguments = job.arguments
        if records.in_the_way(job):
            # what a batch that was killed has begun, and maybe finished, is its own
            own = records.has_begun(job, each.key)
            if isinstance(job, TrainJob) and own:
                arguments.insert(1, "--resume")
            elif self._force or own:
                arguments.insert(1, "--force")
        each.attempt += 1
        log = records.log(job.name)
        each.size = log.stat().st_size if log.exists() else 0
        gpus = job.gpus if job.gpus is not None else float(pool.has_gpus and job.device != "cpu")
        records.write(job.name, self._record(each, "begun"))
        pool.submit(
            Attempt(
                job.name,
                each.attempt,
                [*self._program, *arguments],
                records.base,
                log,
                cpus=job.cpus,
                gpus=gpus,
            )
        )
        each.state = "queued"

    def _note(self, each: Progress, ended: Ended, retries: int) -> None:
        """An attempt has ended."""
        each.seconds += ended.seconds
        each.host = ended.host or each.host
        outputs = self.records.outputs(each.job) if ended.code == 0 else {}
        if ended.code == 0 and outputs:
            each.state, each.message = "done", ""
            self.records.write(each.job.name, self._record(each, "done", 0, outputs))
            return
        each.message = _why(ended, self.records.log(each.job.name), each.job.out)
        again = retries if each.job.retries is None else each.job.retries
        if each.attempt <= again and ended.code not in FINAL:
            each.state = "waiting"
        else:
            each.state = "failed"
            self.records.write(each.job.name, self._record(each, "failed", ended.code))

    def _listen(self) -> None:
        """What running jobs say."""
        for each in self.jobs.values():
            if each.state in ("queued", "running"):
                log = self.records.log(each.job.name)
                if log.exists() and log.stat().st_size > each.size:
                    each.state, each.message = "running", last_line(log)

    def _record(
        self, each: Progress, state: str, code: int | None = None, outputs: dict[str, str] | None = None
    ) -> Record:
        return Record(
            each.key, state, each.attempt, round(each.seconds, 1), code, each.host, dict(outputs or {})
        )

    def _is_in_the_way(self, each: Progress) -> bool:
        """Whether the job's place is taken by what must not be replaced, nor can go on."""
        if self._force or not self.records.in_the_way(each.job):
            return False
        return not self.records.has_begun(each.job, each.key)

    def _in_order(self) -> list[str]:
        """Names, each after those that it waits for."""
        order: list[str] = []
        while len(order) < len(self.jobs):
            order += [
                name
                for name in self.jobs
                if name not in order and all(before in order for before in self._before[name])
            ]
        return order


@contextmanager
def _failing(each: Progress) -> Iterator[None]:
    """What is wrong with one job is no other's business."""
    try:
        yield
    except DancekitError as error:
        each.state, each.message = "failed", " ".join(str(error).split())


def _why(ended: Ended, log: Path, out: str) -> str:
    if ended.code == 0:
        return f"it made no {out}"
    if ended.code is None:
        return f"its worker is gone: {ended.why}"
    said = last_line(log, of_errors=True).removeprefix("error: ")
    how = f"killed by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{how}: {said}" if said else how
