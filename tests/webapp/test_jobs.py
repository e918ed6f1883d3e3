"""Jobs on the disk, and the line in which they wait; the process that works on them is one of a few lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dancekit.errors import UnknownName
from dancekit.webapp import status
from dancekit.webapp.jobs import FACTS, JobStore
from dancekit.webapp.worker import Worker

CHILD = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())
(folder / "began").write_text("")
if job["title"] == "crash":
    sys.exit(7)
if job["title"] == "fail":
    (folder / "outcome.json").write_text(json.dumps({"state": "failed", "error": "no person in any frame"}))
    sys.exit(1)
state = "finished"
if job["title"] == "wait":
    sys.stdin.read()
    state = "stopped"
(folder / "outcome.json").write_text(json.dumps({"state": state}))
"""
PROGRAM = [sys.executable, "-S", "-c", CHILD]


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs")


def until(look: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_at_a_time_in_order(store: JobStore) -> None:
    with Worker(store, PROGRAM) as worker:
        first, second, third = (store.add("dance", title, {}) for title in ("wait", "go", "go"))
        for job in (first, second, third):
            worker.submit(job)
        worker.submit(second)  # pressed twice
        until(lambda: (store.folder(first) / "began").exists())
        assert [store.get(job.id).state for job in (first, second, third)] == [
            "running",
            "waiting",
            "waiting",
        ]
        assert [worker.place(job.id) for job in (second, third)] == [1, 2]
        worker.stop(second.id)
        assert store.get(second.id).state == "stopped" and worker.place(third.id) == 1
        store.remove(first.id)
        assert store.get(first.id).state == "running", "what is worked on cannot be deleted"
        worker.stop(first.id)
        until(lambda: store.get(third.id).state == "finished")
        assert store.get(first.id).state == "stopped"
        assert not (store.folder(second) / "began").exists()
        worker.submit(store.get(second.id))  # go on
        until(lambda: store.get(second.id).state == "finished")


def test_a_job_that_fails_says_why(store: JobStore) -> None:
    with Worker(store, PROGRAM) as worker:
        failed, crashed = (store.add("look", title, {}) for title in ("fail", "crash"))
        worker.submit(failed)
        worker.submit(crashed)
        until(lambda: store.get(crashed.id).state == "failed")
    assert store.get(failed.id).error == "no person in any frame"
    assert "exit code 7" in store.get(crashed.id).error
    assert "No person in any frame" in status.status_of(store, store.get(failed.id), 0)


def test_a_program_that_is_missing_is_said(store: JobStore, tmp_path: Path) -> None:
    with Worker(store, [str(tmp_path / "nothing")]) as worker:
        worker.submit(job := store.add("look", "x", {}))
        until(lambda: store.get(job.id).state == "failed")
    assert "no process could be started" in store.get(job.id).error


def test_the_end_of_the_app_stops_what_runs_and_keeps_what_waits(store: JobStore, tmp_path: Path) -> None:
    with Worker(store, PROGRAM) as worker:
        running, waiting = store.add("train", "wait", {}), store.add("dance", "go", {})
        worker.submit(running)
        worker.submit(waiting)
        until(lambda: (store.folder(running) / "began").exists())
    again = JobStore(tmp_path / "jobs")
    assert [job.id for job in again.all()] == [waiting.id, running.id]
    assert [job.state for job in again.all()] == ["waiting", "stopped"]
    with Worker(again, PROGRAM):
        until(lambda: again.get(waiting.id).state == "finished")


def test_a_job_of_a_server_that_was_killed_counts_as_stopped(store: JobStore, tmp_path: Path) -> None:
    job = store.add("train", "me", {"steps": 3})
    store.change(job.id, state="running")
    (tmp_path / "jobs" / "20260101-000000-aaaaaa").mkdir()
    (tmp_path / "jobs" / "20260101-000001-bbbbbb").mkdir()
    (tmp_path / "jobs" / "20260101-000001-bbbbbb" / "job.json").write_text('{"from": "another version"}')
    again = JobStore(tmp_path / "jobs")
    assert [found.id for found in again.all()] == [job.id]
    assert again.get(job.id).state == "stopped" and again.get(job.id).settings == {"steps": 3}
    again.remove(job.id)
    assert not again.folder(job).exists()
    for identity in (job.id, None, "../jobs"):
        with pytest.raises(UnknownName):
            again.get(identity)


def test_only_known_files_of_a_job_are_given(store: JobStore) -> None:
    job = store.add("train", "me", {})
    folder = store.folder(job)
    (folder / "run" / "previews").mkdir(parents=True)
    for number in (10, 9):
        (folder / "run" / "previews" / f"step-{number:07d}.png").write_bytes(b"png")
    (folder / "run" / "dancer.safetensors").write_bytes(b"x")
    for name in ("job.json", "log.txt", "../jobs", "run", "run/dancer.safetensors", "", "result.mp4"):
        assert status.file_of(store, job, name) is None, name
    preview = status.file_of(store, job, "preview.png")
    assert preview is not None and preview.name == "step-0000010.png"
    assert status.file_of(store, job, "dancer.safetensors") == folder / "run" / "dancer.safetensors"


def test_what_users_wrote_is_text(store: JobStore) -> None:
    evil = "<script>alert(1)</script>"
    job = store.add("dance", evil, {})
    (store.folder(job) / FACTS).write_text(
        json.dumps({"warnings": [evil], "fitted": {evil: evil}, "clip": evil})
    )
    (store.folder(job) / "progress.json").write_text(
        json.dumps({"what": evil, "done": 1, "total": 2, "note": evil})
    )
    job = store.change(job.id, state="running")
    shown = status.status_of(store, job, 0) + status.result_of(store, job) + status.message(evil)
    failed = store.change(job.id, state="failed", error=evil)
    assert evil not in shown + status.status_of(store, failed, 0)
    assert "&lt;script&gt;" in shown


def test_a_bar_says_how_far_it_is(store: JobStore) -> None:
    job = store.change(store.add("dance", "me", {}).id, state="running")
    facts = {"what": "painting", "done": 34, "total": 200, "left": "20 s", "note": ""}
    (store.folder(job) / "progress.json").write_text(json.dumps(facts))
    shown = status.status_of(store, job, 0)
    assert "Painting: 34 of 200, 20 s left" in shown and "value='34' max='200'" in shown
    waiting = store.change(job.id, state="waiting")
    assert "Waiting: 2 before it" in status.status_of(store, waiting, 2)
    assert "it is next" in status.status_of(store, waiting, 0)
