"""`dancekit batch`: the trainings and transfers of a manifest, on this machine or a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import Json, Quiet, Verbose
from dancekit.errors import DancekitError, UsageError

if TYPE_CHECKING:
    from dancekit.batch.pools import Pool
    from dancekit.batch.run import Batch, Progress


def batch(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A .yaml or .csv file of jobs: docs/many.md.")
    ],
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="A Ray cluster; auto for the one of this machine. [dim]Default: one of its own, here[/]",
        ),
    ] = "",
    local: Annotated[
        int | None,
        typer.Option("--local", metavar="N", min=1, help="N jobs at a time on this machine, without Ray."),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option("--cpus", metavar="N", min=1, help="Cores that Ray may use, here.")
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", metavar="N", min=0, help="How often a job is tried again.")
    ] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there, but not what is done already.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Run the trainings and transfers of a manifest, as many at a time as fit.

    A job that reads what another one makes waits for it. A job that fails is
    tried again, a training from its last checkpoint. Given again, the batch goes
    on: what is done is skipped if its inputs still hold what they held. Beside
    the manifest, MANIFEST.batch has a log of each job.

    Examples:
      dancekit batch shows.yaml
      dancekit batch shows.csv --local 2
      dancekit batch shows.yaml --address 10.0.0.1:6379 --retries 5
      dancekit batch shows.yaml --dry-run
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    if local is not None and (address or cpus):
        raise UsageError("--local and a Ray cluster contradict each other", hint="give one of them")

    from dancekit.batch.manifest import read_manifest
    from dancekit.batch.records import Records
    from dancekit.batch.run import Batch

    work = Batch(read_manifest(manifest), Records(manifest), force=force)
    work.look()
    if dry_run:
        _report(terminal, work, manifest)
        return
    todo = [each for each in work.jobs.values() if not each.is_over]
    stopped = 0
    if todo:
        stopped = _run(terminal, work, address=address, local=local, cpus=cpus, retries=retries)
    _report(terminal, work, manifest)
    if stopped:
        terminal.log(f"to go on: dancekit batch {manifest}")
        raise SystemExit(stopped)
    if failed := [each for each in work.jobs.values() if each.has_failed]:
        said = "; ".join(f"{each.job.name} ({each.message})" for each in failed)
        raise DancekitError(
            f"{len(failed)} of {len(work.jobs)} jobs failed: {said}",
            hint=f"logs are in {work.records.folder / 'logs'}; given again, the batch tries them again",
        )


def _run(
    terminal: Terminal, work: Batch, *, address: str, local: int | None, cpus: int | None, retries: int
) -> int:
    """Run what is not done; the exit code of a signal that stopped it, else 0."""
    from dancekit.cli.batch_table import show_jobs
    from dancekit.cli.interrupt import StopOnInterrupt

    with work.records.locked():
        pool: Pool
        if local is not None:
            from dancekit.batch.pools import LocalPool

            pool = LocalPool(local)
        else:
            from dancekit.batch.ray_pool import RayPool

            pool = RayPool(address, cpus)
        try:
            for each in work.jobs.values():
                pool.check(each.job)
            with (
                show_jobs(terminal) as display,
                StopOnInterrupt(lambda *_: None, lambda _: terminal.warn(STOPPING)) as stop,
            ):
                stop.progress("steps", 0, None)  # from here on there is something to keep
                work.run(pool, retries=retries, should_stop=stop.should_stop, on_change=display)
                return stop.exit_code if stop.stopped else 0
        finally:
            pool.close()


STOPPING = "stopping: jobs keep what they have; a second signal stops at once"


def _report(terminal: Terminal, work: Batch, manifest: Path) -> None:
    from dancekit.cli.progress import duration

    jobs: Mapping[str, Progress] = work.jobs
    terminal.table(
        ["job", "command", "state", "attempts", "time", "result"],
        [
            [
                name,
                each.job.command,
                each.state,
                str(each.attempt or ""),
                duration(each.seconds) if each.seconds else "",
                each.message if each.has_failed else each.job.out,
            ]
            for name, each in jobs.items()
        ],
    )
    terminal.json(
        {
            "manifest": str(manifest),
            "jobs": [
                {
                    "name": name,
                    "command": each.job.command,
                    "state": each.state,
                    "attempts": each.attempt,
                    "seconds": round(each.seconds, 1),
                    "host": each.host,
                    "out": str(work.records.base / each.job.out),
                    "log": str(work.records.log(name)),
                    "message": each.message,
                }
                for name, each in jobs.items()
            ],
        }
    )
