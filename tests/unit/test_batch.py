"""Batches: manifests, keys, what is skipped, what is tried again, what waits, and who dies with whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dancekit.batch import execute as execution
from dancekit.batch.execute import PROGRAM, Attempt, Ended, count_gpus, execute, last_line
from dancekit.batch.inputs import job_key, wait_for
from dancekit.batch.manifest import AnyJob, TrainJob, read_manifest
from dancekit.batch.pools import LocalPool
from dancekit.batch.records import Records
from dancekit.batch.run import Batch
from dancekit.errors import DancekitError, RecipeError, UsageError

YAML = """\
schema: 1
defaults: {device: cpu, recipe: tiny, gpus: 0}
jobs:
  - {command: train, target: ava.mp4, out: runs/ava, set: [train.steps=3], cpus: 2}
  - command: transfer
    source: dance.mp4
    dancer: [runs/ava/dancer.safetensors, demo]
    out: shows/ava.mp4
    side_by_side: true
    crf: 20
"""
CSV = """\
command,target,recipe,source,dancer,out,set,cpus,device,gpus,side_by_side,crf
train,ava.mp4,tiny,,,runs/ava,train.steps=3,2,cpu,0,,
transfer,,,dance.mp4,runs/ava/dancer.safetensors demo,shows/ava.mp4,,,cpu,0,true,20
"""


def written(folder: Path, text: str, name: str = "shows.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


# ---- manifests ---------------------------------------------------------------------------------------------


def test_yaml_and_csv_say_the_same(tmp_path: Path) -> None:
    jobs = read_manifest(written(tmp_path, YAML))
    assert jobs == read_manifest(written(tmp_path, CSV, "shows.csv"))
    train, transfer = jobs
    assert [job.name for job in jobs] == ["ava", "ava.mp4"]
    assert train.arguments == [
        *(
            "train",
            "--out=runs/ava",
            "--device=cpu",
            "--target=ava.mp4",
            "--recipe=tiny",
            "--",
            "train.steps=3",
        ),
    ]
    assert transfer.arguments == [
        *("transfer", "--out=shows/ava.mp4", "--device=cpu", "--dancer=runs/ava/dancer.safetensors"),
        *("--dancer=demo", "--side-by-side", "--crf=20", "--", "dance.mp4"),
    ]
    assert wait_for(jobs, tmp_path) == {"ava": [], "ava.mp4": ["ava"]}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("schema: 2\njobs: []\n", ["shows.yaml:1: schema: should be 1"]),
        ("schema: 1\njobs: []\n", ["shows.yaml:1: there is no job in it"]),
        (
            "schema: 1\njob: []\n",
            ["shows.yaml:2: job: unknown key; did you mean", "shows.yaml:1: jobs: should be"],
        ),
        (
            "schema: 1\ndefaults: {colour: red}\njobs:\n  - {command: dance, out: a}\n  - command: train\n"
            "    target: a\n    out: b\n    steps: 3\n    set: [--force]\n"
            "  - {command: transfer, source: a, out: c.mp4}\n",
            [
                "shows.yaml:2: defaults.colour: is no default",
                "shows.yaml:4: command: 'dance' is none; it is train or transfer",
                "shows.yaml:9: set: '--force' is no key=value",
                "shows.yaml:8: steps: unknown key",
                "shows.yaml:10: dancer: is missing",
            ],
        ),
        (
            "schema: 1\njobs:\n  - {command: train, target: a, out: x}\n  - {command: train, target: b, out: ./x}\n",
            [
                "shows.yaml:4: name: 'x' is that of shows.yaml:3 too",
                "shows.yaml:4: out: x would be written by",
            ],
        ),
        (
            "schema: 1\njobs:\n  - {command: transfer, source: a, dancer: d, out: x.mp4}\n"
            "  - {command: transfer, source: a, dancer: d, out: x.webm}\n",
            ["shows.yaml:4: out: x.json would be written by shows.yaml:3 too"],
        ),
        (
            "schema: 1\njobs:\n  - {command: train, target: a, out: x, cpus: two}\n",
            ["shows.yaml:3: cpus: should be a valid number, got 'two'"],
        ),
    ],
)
def test_every_mistake_is_said_with_its_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    with pytest.raises(RecipeError) as wrong:
        read_manifest(written(tmp_path, text))
    assert len(wrong.value.problems) == len(lines), wrong.value.problems
    for said, expected in zip(wrong.value.problems, lines, strict=True):
        assert expected in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("command,out,colour\n", "shows.csv:1: colour: unknown column"),
        ("command,out,out\n", "shows.csv:1: out: stands here twice"),
        ("command,target,out\ntrain,a,b,c\n", "shows.csv:2: 4 cells, but 3 columns"),
        (
            "command,target,out,cpus\n\ntrain,a,b,two\n",
            "shows.csv:3: cpus: should be a valid number, got 'two'",
        ),
        ('command,target,out,set\ntrain,a,b,"x=\'"\n', "shows.csv:2: set: should be a valid list"),
        ('command,out\n"train\n', "no valid CSV"),
    ],
)
def test_every_mistake_of_a_csv_is_said_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RecipeError) as wrong:
        read_manifest(written(tmp_path, text, "shows.csv"))
    assert any(expected in each for each in wrong.value.problems), wrong.value.problems


def test_jobs_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    text = (
        "schema: 1\njobs:\n  - {command: transfer, source: b.mp4, dancer: d, out: a.mp4}\n"
        "  - {command: transfer, source: a.mp4, dancer: d, out: b.mp4}\n"
    )
    with pytest.raises(RecipeError, match=r"each other's results: a\.mp4, b\.mp4"):
        wait_for(read_manifest(written(tmp_path, text)), tmp_path)


# ---- keys --------------------------------------------------------------------------------------------------


def test_a_key_is_of_contents_not_of_names(tmp_path: Path) -> None:
    for name, content in (("a.mp4", "one"), ("b.mp4", "one"), ("c.mp4", "two")):
        (tmp_path / name).write_text(content)

    def key(**changes: Any) -> str:
        given = {"command": "train", "target": "a.mp4", "recipe": "tiny", "out": "x"} | changes
        return job_key(TrainJob.model_validate(given), tmp_path)

    same = key()
    for free in ({"target": "b.mp4"}, {"out": "y"}, {"cpus": 4.0}, {"device": "cpu"}, {"name": "other"}):
        assert key(**free) == same, free
    assert key(set=["train.steps=20"]) == key(set=["train.steps=20", "summary=words"])
    others = [
        key(target="c.mp4"),
        key(recipe="quick"),
        key(set=["train.seed=1"]),
        key(person="2"),
        key(rendered=True),
    ]
    assert len({same, *others}) == 6


# ---- the batch, on a pool of the test's own ---------------------------------------------------------------------


class Fake:
    """Ends every attempt at once, as told; what succeeds leaves its file."""

    has_gpus = False

    def __init__(self, folder: Path, *codes: tuple[str, Sequence[int | None]]) -> None:
        self.folder, self.codes = folder, {name: list(each) for name, each in codes}
        self.submitted: list[Attempt] = []
        self._ended: list[tuple[str, Ended]] = []
        self.stopped = False

    def check(self, job: AnyJob) -> None:
        """All fit."""

    def submit(self, attempt: Attempt) -> None:
        self.submitted.append(attempt)
        code = (self.codes.get(attempt.name) or [0]).pop(0)
        out = self.folder / next(each[6:] for each in attempt.command if each.startswith("--out="))
        made = out / "dancer.safetensors" if "train" in attempt.command else out
        made.parent.mkdir(parents=True, exist_ok=True)
        if code == 0:
            made.write_text(f"{attempt.name} {attempt.number}")
        elif "train" in attempt.command:
            (out / "checkpoint").write_text("half")
        attempt.log.parent.mkdir(parents=True, exist_ok=True)
        attempt.log.write_text("error: it is Monday\nmore words\n")
        self._ended.append((attempt.name, Ended(code, 1.0, "here", "lightning" if code is None else "")))

    def finished(self, seconds: float) -> list[tuple[str, Ended]]:
        found, self._ended = self._ended, []
        return found

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "ava.mp4").write_text("ava")
    (tmp_path / "dance.mp4").write_text("dance")
    return written(tmp_path, YAML)


def begin(manifest: Path, *, force: bool = False) -> Batch:
    work = Batch(read_manifest(manifest), Records(manifest), force=force)
    work.look()
    return work


def states(work: Batch) -> dict[str, str]:
    return {name: each.state for name, each in work.jobs.items()}


def test_what_is_done_is_skipped_until_an_input_changes(manifest: Path, tmp_path: Path) -> None:
    pool = Fake(tmp_path)
    work = begin(manifest)
    work.run(pool)
    assert states(work) == {"ava": "done", "ava.mp4": "done"}
    assert [each.name for each in pool.submitted] == ["ava", "ava.mp4"], "the transfer waits for its dancer"

    (tmp_path / "dance.mp4").rename(tmp_path / "renamed.mp4")
    manifest.write_text(YAML.replace("dance.mp4", "renamed.mp4"))
    assert states(begin(manifest)) == {"ava": "skipped", "ava.mp4": "skipped"}, "a name says nothing"

    (tmp_path / "renamed.mp4").write_text("another dance")
    with pytest.raises(UsageError, match=r"not made from .* these inputs: shows/ava\.mp4"):
        begin(manifest)
    work = begin(manifest, force=True)
    assert states(work) == {"ava": "skipped", "ava.mp4": "waiting"}
    pool = Fake(tmp_path)
    work.run(pool)
    assert [("--force" in each.command) for each in pool.submitted] == [True]

    (tmp_path / "shows" / "ava.mp4").write_text("somebody's own")
    with pytest.raises(UsageError, match="--force"):
        begin(manifest)
    (tmp_path / "shows" / "ava.mp4").unlink()
    assert states(begin(manifest)) == {"ava": "skipped", "ava.mp4": "waiting"}, "what is gone is made again"


def test_a_dancer_that_comes_out_otherwise_is_danced_again(manifest: Path, tmp_path: Path) -> None:
    begin(manifest).run(Fake(tmp_path))
    (tmp_path / "ava.mp4").write_text("ava in another dress")
    work = begin(manifest, force=True)
    assert states(work) == {"ava": "waiting", "ava.mp4": "waiting"}
    pool = Fake(tmp_path, ("ava", [1, 0]))
    work.run(pool)
    assert [each.name for each in pool.submitted] == ["ava", "ava", "ava.mp4"]


def test_failures_are_tried_again_a_training_from_where_it_was(manifest: Path, tmp_path: Path) -> None:
    pool = Fake(tmp_path, ("ava", [None, -9, 0]))
    work = begin(manifest)
    work.run(pool, retries=2)
    assert states(work) == {"ava": "done", "ava.mp4": "done"}
    assert [(each.number, "--resume" in each.command) for each in pool.submitted[:3]] == [
        (1, False),
        (2, True),
        (3, True),
    ]
    assert work.jobs["ava"].seconds == 3.0


def test_what_cannot_succeed_is_not_tried_again_and_its_reader_is_not_run(
    manifest: Path, tmp_path: Path
) -> None:
    pool = Fake(tmp_path, ("ava", [2]))
    work = begin(manifest)
    work.run(pool, retries=9)
    assert states(work) == {"ava": "failed", "ava.mp4": "not run"}
    assert work.jobs["ava"].message == "exit code 2: it is Monday"
    assert work.jobs["ava.mp4"].message == "ava failed"
    again = begin(manifest)
    pool = Fake(tmp_path)
    again.run(pool)
    assert states(again) == {"ava": "done", "ava.mp4": "done"}
    assert "--resume" in pool.submitted[0].command, "the next batch goes on where the failed one was"


def test_a_job_may_say_how_often_and_a_lost_worker_is_named(manifest: Path, tmp_path: Path) -> None:
    manifest.write_text(YAML.replace("cpus: 2", "retries: 0"))
    work = begin(manifest)
    work.run(Fake(tmp_path, ("ava", [None])), retries=5)
    assert work.jobs["ava"].message == "its worker is gone: lightning"
    assert work.jobs["ava"].attempt == 1


def test_success_without_a_result_is_none(manifest: Path, tmp_path: Path) -> None:
    class Empty(Fake):
        def submit(self, attempt: Attempt) -> None:
            self._ended.append((attempt.name, Ended(0, 1.0, "here")))

    work = begin(manifest)
    work.run(Empty(tmp_path), retries=0)
    assert work.jobs["ava"].message == "it made no runs/ava"


def test_a_stopped_batch_goes_on(manifest: Path, tmp_path: Path) -> None:
    pool = Fake(tmp_path, ("ava", [143]))
    work = begin(manifest)
    work.run(pool, should_stop=lambda: True)
    assert pool.stopped and states(work) == {"ava": "stopped", "ava.mp4": "stopped"}
    work = begin(manifest)
    pool = Fake(tmp_path)
    work.run(pool)
    assert states(work) == {"ava": "done", "ava.mp4": "done"}
    assert "--resume" in pool.submitted[0].command


def test_what_a_killed_batch_had_just_made_is_its_own(manifest: Path, tmp_path: Path) -> None:
    begin(manifest).run(Fake(tmp_path))
    records = Records(manifest)
    for name in ("ava", "ava.mp4"):
        record = records.read(name)
        assert record is not None
        record.state = "begun"
        records.write(name, record)
    pool = Fake(tmp_path)
    work = begin(manifest)
    work.run(pool)
    assert states(work) == {"ava": "done", "ava.mp4": "done"}
    assert [each.command[len(PROGRAM) + 1] for each in pool.submitted] == ["--resume", "--force"]
    record = records.read("ava.mp4")
    assert record is not None
    record.state = "failed"
    records.write("ava.mp4", record)
    with pytest.raises(UsageError, match="--force"):
        begin(manifest)  # a transfer that failed has left nothing: this is somebody else's


def test_two_batches_on_one_manifest(manifest: Path) -> None:
    one, other = Records(manifest), Records(manifest)
    busy = pytest.raises(DancekitError, match=r"another batch is at work on shows\.yaml")
    with one.locked(), busy, other.locked():
        pytest.fail("it was locked")
    with other.locked():
        pass


# ---- processes ---------------------------------------------------------------------------------------------


def attempt(folder: Path, code: str, **more: Any) -> Attempt:
    return Attempt("toy", 1, [sys.executable, "-c", code], folder, folder / "toy.log", **more)


def test_an_attempt_leaves_its_log_and_sees_only_its_share(tmp_path: Path) -> None:
    show = "import os, sys; print(os.environ['OMP_NUM_THREADS'], repr(os.environ['CUDA_VISIBLE_DEVICES'])); sys.exit(3)"
    assert execute(attempt(tmp_path, show, cpus=2)).code == 3
    assert last_line(tmp_path / "toy.log") == "2 ''"
    execute(attempt(tmp_path, show, gpus=2, devices=["1", "3"]))
    assert last_line(tmp_path / "toy.log") == "1 '1,3'"
    assert (tmp_path / "toy.log").read_text().count("== attempt 1 on") == 2
    assert last_line(tmp_path / "none.log") == ""


def test_a_job_dies_with_its_worker(tmp_path: Path, root: Path) -> None:
    """The worker is killed outright; the job must not go on behind the back of the next attempt."""
    job = (
        "import os, time; from dancekit.cli.batch_child import die_with_parent; die_with_parent();"
        "open('pid', 'w').write(str(os.getpid())); time.sleep(300)"
    )
    worker = (
        "from pathlib import Path; from dancekit.batch.execute import Attempt, execute; import sys;"
        f"execute(Attempt('toy', 1, [sys.executable, '-c', {job!r}], Path.cwd(), Path('toy.log')))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", worker], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)}
    )
    note = tmp_path / "pid"
    child = int(_soon(lambda: note.exists() and note.read_text()))
    process.kill()
    process.wait()
    _soon(lambda: not _alive(child))


def test_local_jobs_share_gpus_and_stop(tmp_path: Path) -> None:
    pool = LocalPool(3, gpus=["0", "1"])
    assert pool.has_gpus
    show = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(0.2)"
    for number in range(3):
        each = attempt(tmp_path, show, gpus=1)
        pool.submit(Attempt(f"job{number}", 1, each.command, tmp_path, tmp_path / f"{number}.log", gpus=1))
    ended: list[tuple[str, Ended]] = []
    _soon(lambda: len(ended) == 3 or ended.extend(pool.finished(0.1)))
    assert [each.code for _, each in ended] == [0, 0, 0]
    seen = sorted(last_line(tmp_path / f"{number}.log") for number in range(3))
    assert seen in (["0", "0", "1"], ["0", "1", "1"])
    pool.submit(attempt(tmp_path, "import time; print('here', flush=True); time.sleep(300)"))
    _soon(lambda: last_line(tmp_path / "toy.log") == "here")
    begun = time.monotonic()
    pool.stop()
    assert time.monotonic() - begun < 60
    assert [each.code for _, each in pool.finished(1)] == [-signal.SIGTERM]


def test_jobs_that_could_never_run_here_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = LocalPool(1, gpus=["0"])
    job = TrainJob(command="train", target="a", out="b")
    pool.check(job)
    pool.check(job.model_copy(update={"gpus": 1.0}))
    with pytest.raises(UsageError, match="gpus: 2, but this machine has 1"):
        pool.check(job.model_copy(update={"gpus": 2.0}))
    with pytest.raises(UsageError, match="shares of a GPU need Ray"):
        pool.check(job.model_copy(update={"gpus": 0.5}))
    pool.close()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert count_gpus() == ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert count_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(execution.shutil, "which", lambda name: None)
    assert count_gpus() == []


def test_records_survive_what_they_cannot_read(tmp_path: Path) -> None:
    records = Records(tmp_path / "shows.yaml")
    place = tmp_path / "shows.yaml.batch" / "jobs" / "a.json"
    place.parent.mkdir(parents=True)
    for text in ("{", "[]", json.dumps({"key": "a", "colour": "red"})):
        place.write_text(text)
        assert records.read("a") is None


def _soon(found: Any, seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)
    return value


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
