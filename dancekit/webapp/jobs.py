"""Jobs on the disk: what was asked for, how far it is, what came of it. Whoever opens the page again finds them.

```
jobs/20261126-020304-a1b2c3/
  job.json          what was asked for, and its state: written by the server alone
  progress.json     how far it is: written by the job's process, as all that follows
  facts.json        what is known already: warnings, fitted numbers
  outcome.json      how it ended
  sheet.png, result.mp4, compare.mp4, run/
```
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dancekit.data.files import write_whole
from dancekit.errors import UnknownName

Kind = Literal["look", "dance", "train"]
"""Fit a dance to a dancer and show that; make the video as well; train a dancer."""

State = Literal["waiting", "running", "stopping", "finished", "stopped", "failed"]

ACTIVE = ("waiting", "running", "stopping")
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")

JOB, PROGRESS, FACTS, OUTCOME = "job.json", "progress.json", "facts.json", "outcome.json"
SHEET, FITTED, RESULT, COMPARE, RUN = "sheet.png", "fitted.json", "result.mp4", "compare.mp4", "run"


@dataclass(frozen=True)
class Job:
    """One thing to be done.

    Attributes:
        id: Its folder's name.
        kind: What.
        title: For people.
        settings: What was chosen: plain data, checked when it was chosen.
        state: Where it is.
        error: Why it failed: a sentence.
        created: Seconds since 1970.
    """

    id: str
    kind: Kind
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: State = "waiting"
    error: str = ""
    created: float = 0.0

    @property
    def active(self) -> bool:
        """Whether it waits or is worked on."""
        return self.state in ACTIVE


class JobStore:
    """All jobs of a folder; safe to use from several threads of one process.

    What was being worked on when the last server ended counts as stopped; what waited, waits on.

    Args:
        folder: Is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        folder.mkdir(parents=True, exist_ok=True)
        found = [job for path in folder.iterdir() if ID.fullmatch(path.name) and (job := _read_job(path))]
        for job in sorted(found, key=lambda job: job.created):
            self._jobs[job.id] = job
            if job.state in ("running", "stopping"):
                self.change(job.id, state="stopped")

    def add(self, kind: Kind, title: str, settings: Mapping[str, Any]) -> Job:
        """A new job; it waits."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        job = Job(name, kind, title, dict(settings), created=time.time())
        with self._lock:
            self._write(job)
        return job

    def get(self, identity: str | None) -> Job:
        """One job.

        Raises:
            UnknownName: There is none of that id.
        """
        with self._lock:
            if identity not in self._jobs:
                raise UnknownName("this job is not there any more", hint="it was deleted; choose another one")
            return self._jobs[identity]

    def all(self, *kinds: Kind) -> list[Job]:
        """Those of some kinds (or all), the newest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if not kinds or job.kind in kinds]

    def change(self, identity: str, *, state: State, error: str = "") -> Job:
        """Put it into another state."""
        with self._lock:
            job = replace(self.get(identity), state=state, error=error)
            self._write(job)
            return job

    def remove(self, identity: str) -> None:
        """Delete a job that nobody works on, with all its files."""
        with self._lock:
            if self.get(identity).active:
                return
            del self._jobs[identity]
            shutil.rmtree(self._folder / identity, ignore_errors=True)

    def folder(self, job: Job) -> Path:
        """Where its files are."""
        return self._folder / job.id

    def read(self, job: Job, name: str) -> dict[str, Any]:
        """A JSON file of a job; empty if it is not there (yet)."""
        return read_facts(self.folder(job) / name)

    def _write(self, job: Job) -> None:
        write_whole(self._folder / job.id / JOB, json.dumps(asdict(job), indent=2))
        self._jobs[job.id] = job


def read_facts(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_job(folder: Path) -> Job | None:
    found = read_facts(folder / JOB)
    try:
        return Job(**found)
    except TypeError:  # half of a job, or one of another version: nothing that can be gone on with
        return None
