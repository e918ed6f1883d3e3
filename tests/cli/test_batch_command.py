"""`dancekit batch` from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli_tools import Cli

from dancekit.batch.manifest import TrainJob
from dancekit.batch.run import Progress
from dancekit.cli.batch_table import JobsLines, summary, table_of


@pytest.fixture
def manifest(tmp_path: Path, clips: tuple[Path, Path]) -> Path:
    path = tmp_path / "shows.yaml"
    path.write_text(
        "schema: 1\ndefaults: {device: cpu, recipe: tiny}\njobs:\n"
        f"  - {{command: train, target: {clips[1]}, out: ava, set: [train.steps=1]}}\n"
        "  - {command: transfer, source: nothing.mp4, dancer: ava/dancer.safetensors, out: ava.mp4}\n"
    )
    return path


def test_what_fails_is_listed_and_what_is_done_is_skipped(
    cli: Cli, manifest: Path, cached: None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    outcome = cli("batch", manifest, "--dry-run")
    assert outcome.code == 0 and outcome.out.count("waiting") == 2
    assert not manifest.with_name("shows.yaml.batch").exists()
    outcome = cli("batch", manifest, "--local", "2", "--retries", "0", "--json")
    assert outcome.code == 1
    assert "1 of 2 jobs failed: ava.mp4 (exit code" in outcome.err and "nothing.mp4" in outcome.err
    jobs = {each["name"]: each for each in json.loads(outcome.out)["jobs"]}
    assert {name: each["state"] for name, each in jobs.items()} == {"ava": "done", "ava.mp4": "failed"}
    assert "finished at step 1" in Path(jobs["ava"]["log"]).read_text()
    assert Path(jobs["ava"]["out"], "dancer.safetensors").exists()
    outcome = cli("batch", manifest, "--dry-run", "--json")
    assert [each["state"] for each in json.loads(outcome.out)["jobs"]] == ["skipped", "waiting"]


def test_without_ray(cli: Cli, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = cli("batch", manifest)
    assert outcome.code == 3
    assert "pip install 'dancekit[ray]'" in outcome.err and "--local N" in outcome.err


def test_what_cannot_be(cli: Cli, manifest: Path) -> None:
    assert cli("batch", manifest, "--local", "2", "--address", "auto").code == 2
    assert cli("batch", "nothing.yaml").code == 2
    assert cli("batch", "manifest.txt").code == 2


def test_how_it_is_shown() -> None:
    jobs = {
        name: Progress(TrainJob(command="train", target="a", out=name, name=name), state=state)  # type: ignore[arg-type]
        for name, state in (("a", "done"), ("b", "running"), ("c", "waiting"))
    }
    assert summary(jobs) == "1 running, 1 waiting, 1 done"
    assert next(list(column.cells) for column in table_of(jobs).columns) == ["b", "c", "a"]
    said: list[str] = []
    lines = JobsLines(said.append)
    lines(jobs)
    lines(jobs)
    assert said == ["a: done", "b: running, attempt 0"]
    jobs["b"].state, jobs["b"].message, jobs["b"].attempt = "waiting", "lightning", 1
    lines(jobs)
    assert said[2:] == ["b: attempt 1 failed, tried again: lightning"]
