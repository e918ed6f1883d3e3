"""Six toy jobs on Ray (`python ray_batch.py FOLDER`); without --toy's arguments it is the batch, with them a job."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

JOBS = [f"job{number}" for number in range(5)]


def toy(arguments: list[str]) -> None:
    """Write a file; the slow job takes for ever the first time, and notes who is at work."""
    from dancekit.cli.batch_child import die_with_parent

    die_with_parent()
    out = Path(next(each.removeprefix("--out=") for each in arguments if each.startswith("--out=")))
    if out.stem == "slow":
        pids = Path("pids")
        before = pids.read_text().split() if pids.exists() else []
        pids.write_text(" ".join([*before, str(os.getpid())]))
        if not before:
            time.sleep(600)
        out.write_text("beside another one" if is_alive(before[0]) else "alone")
        return
    out.write_text(" ".join(arguments))


def is_alive(pid: str) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main(folder: Path) -> None:
    from dancekit.batch.manifest import read_manifest
    from dancekit.batch.ray_pool import RayPool
    from dancekit.batch.records import Records
    from dancekit.batch.run import Batch

    manifest = folder / "jobs.csv"
    records = Records(manifest)
    work = Batch(read_manifest(manifest), records, program=[sys.executable, __file__, "--toy"])
    work.look()
    if any(not each.is_over for each in work.jobs.values()):
        pool = RayPool(cpus=2)
        try:
            work.run(pool, retries=1)
        finally:
            pool.close()
    print(json.dumps({name: asdict(each) | {"job": name} for name, each in work.jobs.items()}))


if __name__ == "__main__":
    toy(sys.argv[2:]) if sys.argv[1] == "--toy" else main(Path(sys.argv[1]))
