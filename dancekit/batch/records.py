"""What a batch remembers of each job, beside its manifest.

```
shows.yaml.batch/
  jobs/ava.json     what it was made of, how it ended, sha256 of what it made
  logs/ava.log      what its command printed, all attempts
  lock              held while a batch is at work here
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from dancekit import __version__
from dancekit.batch.manifest import AnyJob
from dancekit.data.files import write_whole
from dancekit.errors import DancekitError
from dancekit.weights.header import file_sha256


@dataclass
class Record:
    """What is known of a job.

    Attributes:
        key: Of `dancekit.batch.inputs.job_key` when it was begun.
        state: `begun`, `done` or `failed`.
        attempts: How often it was started.
        seconds: All attempts together.
        exit_code: Of the last attempt.
        host: Where that was.
        outputs: sha256 of what it made, by path from the manifest's folder.
        dancekit: The version that made it.
    """

    key: str
    state: str = "begun"
    attempts: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    host: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    dancekit: str = __version__


class Records:
    """The folder of one manifest.

    Args:
        manifest: The file; its folder is what paths are relative to.
    """

    def __init__(self, manifest: Path) -> None:
        self.base = manifest.absolute().parent
        self.folder = self.base / f"{manifest.name}.batch"

    def log(self, name: str) -> Path:
        """The log of a job."""
        return self.folder / "logs" / f"{name}.log"

    def read(self, name: str) -> Record | None:
        """What is known of a job; None if it was never begun, or nothing can be read."""
        try:
            return Record(**json.loads(self._file(name).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, name: str, record: Record) -> None:
        """Remember it."""
        write_whole(self._file(name), json.dumps(asdict(record), indent=2, sort_keys=True))

    def is_done(self, job: AnyJob, key: str) -> bool:
        """Whether a job with that key has made what is there now."""
        record = self.read(job.name)
        if record is None or record.state != "done" or record.key != key or not record.outputs:
            return False
        return record.outputs == self.outputs(job)

    def has_begun(self, job: AnyJob, key: str) -> bool:
        """Whether what is there is what a job with that key has made, not noted as done: it can go on.

        When a job is begun, there is nothing in its place, or it may be replaced. A transfer that has failed leaves
        nothing there.
        """
        record = self.read(job.name)
        if record is None or record.key != key:
            return False
        return record.state == "begun" or (record.state == "failed" and job.command == "train")

    def outputs(self, job: AnyJob) -> dict[str, str]:
        """sha256 of what a job makes, as it is now; empty if it is not there."""
        out = self.base / job.out
        made = out / "dancer.safetensors" if job.command == "train" else out
        if made.is_dir():  # a folder of pictures
            digests = [
                f"{each.name} {file_sha256(each)}" for each in sorted(made.iterdir()) if each.is_file()
            ]
            return {str(made.relative_to(self.base)): hashlib.sha256("\n".join(digests).encode()).hexdigest()}
        return {job.out: file_sha256(made)} if made.is_file() else {}

    def in_the_way(self, job: AnyJob) -> bool:
        """Whether there is something where the job would write."""
        out = self.base / job.out
        return any(out.iterdir()) if out.is_dir() else out.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within the block no other batch works on this manifest. What a killed one leaves is no obstacle.

        Raises:
            DancekitError: Another one does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise DancekitError(
                f"another batch is at work on {self.folder.name.removesuffix('.batch')}", hint="wait for it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _file(self, name: str) -> Path:
        return self.folder / "jobs" / f"{name}.json"
