"""`dancekit app`: what a job of it does, without a server; and what the command refuses before it serves."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_tools import Cli

from dancekit.cli.webapp_job import work
from dancekit.dancer import read_info
from dancekit.types import PoseSequence
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.webapp.jobs import Job, JobStore, Kind
from dancekit.webapp.server import is_loopback
from dancekit.zoo.motions import find_motion


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., tuple[Job, Path]]:
    """Makes a job on the disk."""

    def make(kind: Kind, path: Path, **settings: Any) -> tuple[Job, Path]:
        store = JobStore(tmp_path / "jobs")
        shared = {"path": str(path), "clip": "my dance.mp4", "device": "cpu", "person": ""}
        made = store.add(kind, "title", shared | settings)
        return made, store.folder(made)

    return make


def never() -> bool:
    return False


def outcome(folder: Path) -> Any:
    return json.loads((folder / "outcome.json").read_text())


DANCE = {"background": "", "overrides": []}


@pytest.mark.usefixtures("cached")
def test_a_dance_is_fitted_painted_and_compared(
    job: Any, clips: tuple[Path, Path], dancer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dancekit.transfer.resume.SEGMENT", 5)
    monkeypatch.setattr("dancekit.cli.webapp_job.WRITE_EVERY", 0)
    source = clips[0]
    _, folder = job("look", source, dancer=str(dancer), **DANCE)
    work(folder, never)
    assert outcome(folder) == {"state": "finished"}
    assert {path.name for path in folder.glob("*.???*")} >= {"sheet.png", "fitted.json"}
    assert not (folder / "result.mp4").exists()
    facts = json.loads((folder / "facts.json").read_text())
    numbers = json.loads((folder / "fitted.json").read_text())["normalizer"]
    assert facts["normalizer"] == numbers["name"] == "global_linear"
    assert set(facts["fitted"]) <= set(numbers["fitted"]) and facts["fitted"]

    _, folder = job("dance", source, dancer=str(dancer), **DANCE)
    how_far = lambda: json.loads((folder / "progress.json").read_text())  # noqa: E731
    begun = (folder / "progress.json").exists
    work(folder, lambda: begun() and (how_far()["what"], how_far()["done"]) == ("painting", 12))
    assert outcome(folder) == {"state": "stopped"}
    assert (how_far()["what"], how_far()["total"]) == ("painting", 24)
    assert not (folder / "result.mp4").exists() and (folder / "result.mp4.parts").is_dir()
    work(folder, never)
    assert outcome(folder) == {"state": "finished"}
    result, compare = probe(folder / "result.mp4"), probe(folder / "compare.mp4")
    assert result.frames == compare.frames == probe(source).frames
    assert result.audio and compare.audio
    assert compare.size[0] > 2 * result.size[0]


def test_a_dance_without_a_video_is_compared_without_one(job: Any, dancer: Path, tmp_path: Path) -> None:
    motion = find_motion("warm_up")
    assert motion is not None
    PoseSequence.load(motion)[:12].save(tmp_path / "dance.npz")
    overrides = {"background": "target", "overrides": ["normalizer=affine"]}
    _, folder = job("dance", tmp_path / "dance.npz", dancer=str(dancer), **overrides)
    work(folder, never)
    assert outcome(folder) == {"state": "finished"}
    assert probe(folder / "compare.mp4").frames == 12
    assert json.loads((folder / "fitted.json").read_text())["normalizer"]["name"] == "affine"


def test_a_failure_is_a_sentence_without_paths(job: Any, dancer: Path, tmp_path: Path, clips: Any) -> None:
    info = probe(clips[0])
    empty = tmp_path / "clip.mp4"
    with VideoWriter(empty, size=info.size, time_base=info.time_base, rate=info.rate) as writer:
        for frame in read_frames(clips[0], stop=3):
            writer.write(frame.rgb * 0, frame.pts)
    _, folder = job("dance", empty, dancer=str(dancer), **DANCE)
    with pytest.raises(Exception, match="no person"):
        work(folder, never)
    ended = outcome(folder)
    assert ended["state"] == "failed"
    assert ended["error"].startswith("my dance.mp4: no person was found")
    assert str(tmp_path) not in ended["error"]


@pytest.mark.usefixtures("cached")
def test_a_training_that_was_stopped_goes_on_where_it_was(job: Any, clips: tuple[Path, Path]) -> None:
    chosen = {"recipe": "tiny", "steps": 4, "consent": "me", "subject": "person"}
    _, folder = job("train", clips[1], **chosen)
    begun = folder / "run" / "provenance.json"
    work(folder, begun.exists)  # before the first step, and after it
    assert outcome(folder) == {"state": "stopped"}
    facts = json.loads((folder / "facts.json").read_text())
    assert any("is 1 s long" in warning for warning in facts["warnings"])
    work(folder, never)
    assert outcome(folder) == {"state": "finished"}
    info = read_info(folder / "run" / "dancer.safetensors")
    assert (info.training["steps"], info.consent, info.subject) == (4, "me", "person")


def test_what_cannot_be_served_is_said_at_once(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = cli("app", "--host", "0.0.0.0", "--token", "secret")
    assert short.code == 2 and "so that it can be guessed" in short.err
    assert cli("app", "--device", "tpu").code == 2
    monkeypatch.setitem(sys.modules, "gradio", None)
    missing = cli("app")
    assert missing.code == 3 and "pip install 'dancekit[app]'" in missing.err
    assert not (tmp_path / "runs").exists()


def test_a_port_that_is_taken_is_said(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = cli("app", "--port", other.getsockname()[1], "--folder", tmp_path / "data")
    assert taken.code == 2 and "choose another port" in taken.err
    assert not (tmp_path / "data").exists()


def test_only_this_computer_needs_no_token() -> None:
    from dancekit.webapp.server import address, choose_token

    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        assert is_loopback(host) and choose_token(host, "") == ""
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org"):
        assert not is_loopback(host)
        made = choose_token(host, "")
        assert len(made) >= 32 and made != choose_token(host, "")
    assert choose_token("0.0.0.0", "a-long-enough-token") == "a-long-enough-token"
    assert choose_token("127.0.0.1", "a-long-enough-token") == "a-long-enough-token"
    assert address("::1", 80, "t") == "http://[::1]:80/?token=t"
