"""The commands that work, on a second of the shipped samples: pose, train, transfer, dance."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cli_tools import TINY, Cli, left_in

from dancekit.types import PoseSequence
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256

pytestmark = pytest.mark.usefixtures("cached")
Clips = tuple[Path, Path]


def interrupt_after(metrics: Path, lines: int) -> threading.Thread:
    """Press Ctrl-C as soon as training has logged so many steps."""

    def watch() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if metrics.exists() and metrics.read_text().count("\n") >= lines:
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_pose(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    done = cli("pose", clips[0], "--out", "sub/p.npz", "--preview", "p.png", "--recipe", "tiny")
    assert done.code == 0, done.err
    assert done.out.startswith("sub/p.npz: 24 frames at 25 fps, blazepose_33@1, person found in 100.0 %")
    with np.load(tmp_path / "sub" / "p.npz", allow_pickle=False) as data:
        assert data["xy"].shape == (24, 33, 2)
        assert data["score"].shape == (24, 33)
        assert data["names"][0] == "nose"
        assert np.all(np.diff(data["pts"]) == np.diff([f.pts for f in read_frames(clips[0])]))
    import cv2

    sheet = cv2.imread(str(tmp_path / "p.png"))
    assert sheet.shape == (960, 1280, 3)
    facts = json.loads(cli("show", "sub/p.npz", "--json").out)
    assert (facts["frames"], facts["skeleton"], facts["size"]) == (24, "blazepose_33@1", [512, 512])


def test_pose_as_json(cli: Cli, clips: Clips) -> None:
    done = cli("pose", clips[0], "--out", "p.npz", "--recipe", "tiny", "--json")
    assert not done.err
    assert json.loads(done.out)["found"] == 1.0


def test_transfer_keeps_frames_rate_and_sound(cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
    done = cli("transfer", clips[0], "--dancer", dancer)
    assert (done.code, done.out) == (0, "source_dancer.mp4\n"), done.err
    made, given = probe(tmp_path / "source_dancer.mp4"), probe(clips[0])
    assert (made.frames, made.rate, made.audio) == (given.frames, given.rate, given.audio)
    assert made.size == (64, 64)
    sidecar = json.loads((tmp_path / "source_dancer.json").read_text())
    assert sidecar["normalizer"]["fitted"]
    # a second of training is one moment: too little to say what is out of its range, but distances are there
    assert len(sidecar["pose_range"]["distance_px"]) == given.frames
    assert sidecar["pose_range"]["outside"] is None and min(sidecar["pose_range"]["distance_px"]) > 0


def test_transfer_marks_the_frames_that_were_never_filmed(
    cli: Cli, clips: Clips, dancer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dancekit.data.coverage.NEIGHBOURHOOD", 0.2)
    cli("pose", clips[1], "--out", "own.npz", "--recipe", "tiny")
    own = PoseSequence.load(tmp_path / "own.npz")
    xy = np.array(own.xy)
    xy[20:, 23:] += 100
    xy[:2] += 100
    own.replace(xy=xy).save(tmp_path / "moved.npz")
    done = cli("transfer", "moved.npz", "--dancer", dancer, "--out", "o.mp4", "normalizer=identity")
    assert done.code == 0, done.err
    assert "17% of the dance is outside what the dancer was filmed doing" in done.err
    found = json.loads((tmp_path / "o.json").read_text())["pose_range"]
    assert found["outside_frames"] == [20, 21, 22, 23] and found["outside"] == 0.1667
    assert found["out_of_place_frames"][:2] == [0, 1]


def test_transfer_from_poses_in_the_full_frame(cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
    cli("pose", clips[0], "--out", "p.npz", "--recipe", "tiny")
    words = ["--dancer", dancer, "--out", "o.mp4", "--full-frame", "--json", "normalizer=identity"]
    done = cli("transfer", "p.npz", *words)
    assert done.code == 0, done.err
    assert json.loads(done.out)["frames"] == 24
    assert probe(tmp_path / "o.mp4").size == (512, 512)
    taken = (tmp_path / "o.mp4").read_bytes()
    assert cli("transfer", "p.npz", *words).code == 2
    assert (tmp_path / "o.mp4").read_bytes() == taken
    assert cli("transfer", "p.npz", *words, "--force").code == 0


def test_train_stops_at_ctrl_c_and_goes_on(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    words = ["train", "--target", clips[1], *TINY, "face=none", "--seed", "5"]
    run = tmp_path / "runs" / "target"  # the default
    thread = interrupt_after(run / "metrics.jsonl", 2)
    stopped = cli(*words, "train.steps=100000")
    thread.join()
    assert stopped.code == 130, stopped.err
    assert "Ctrl-C again stops at once" in stopped.err
    assert "--resume" in stopped.err.splitlines()[-1]
    assert stopped.out == "runs/target/dancer.safetensors\n"
    steps = json.loads(cli("show", run / "dancer.safetensors", "--json").out)["training"]["steps"]
    assert 2 <= steps < 1000

    again = cli(*words, f"train.steps={steps + 2}")
    assert again.code == 2
    assert "--resume goes on with it, --force replaces it" in again.err
    done = cli(*words, f"train.steps={steps + 2}", "--resume", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {
        "run": "runs/target",
        "dancer": "runs/target/dancer.safetensors",
        "steps": steps + 2,
        "of": steps + 2,
        "finished": True,
    }
    other = cli(*words, f"train.steps={steps + 2}", "--resume", "generator.ngf=4")
    assert other.code == 2
    assert "another recipe: generator differ" in other.err
    assert json.loads((run / "provenance.json").read_text())["seed"] == 5


def test_dance_is_stopped_goes_on_and_is_finished(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    words = ["dance", *clips, *TINY, "--out", "show.mp4", "face=none"]
    video, run = tmp_path / "show.mp4", tmp_path / "show.run"
    thread = interrupt_after(run / "metrics.jsonl", 3)
    stopped = cli(*words, "train.steps=100000", "train.preview_every=2")
    thread.join()
    assert (stopped.code, stopped.out) == (130, "show.mp4\n"), stopped.err
    plan = next(line for line in stopped.err.splitlines() if line.startswith("this will take about: "))
    assert all(text in plan for text in ("poses", "training", "(100000 steps)", "painting"))
    assert "target: 1.0 s, 24 frames at 25 fps, 512x512, person found in 100%" in stopped.err
    assert "warning: the target is 1 s long" in stopped.err
    assert "the same command again goes on" in stopped.err
    assert probe(video).frames == 24
    assert probe(tmp_path / "show.preview.mp4").size == (64, 64)
    steps = json.loads((run / "dance.json").read_text())["steps"]

    done = cli(*words, f"train.steps={steps + 3}")
    assert (done.code, done.out) == (0, "show.mp4\n"), done.err
    assert f"going on from step {steps}" in done.err
    note = json.loads((run / "dance.json").read_text())
    assert (note["steps"], note["video_sha256"]) == (steps + 3, file_sha256(video))

    dancer = file_sha256(run / "dancer.safetensors")
    refused = cli(*words, f"train.steps={steps + 3}")
    assert refused.code == 2
    assert "show.mp4 exists already" in refused.err
    again = cli(*words, f"train.steps={steps + 3}", "--force", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["steps"] == steps + 3
    assert "trained already" not in again.err, "--json: no log"
    assert file_sha256(run / "dancer.safetensors") == dancer
    assert [name for name in left_in(tmp_path) if "part" in name] == []


def test_dance_overwrites_nobody_elses_video(
    cli: Cli, clips: Clips, tmp_path: Path, run_folder: Path
) -> None:
    import shutil

    shutil.copytree(run_folder, tmp_path / "show.run")  # a run that goes on, but the video is not its own
    (tmp_path / "show.mp4").write_text("mine")
    done = cli("dance", *clips, *TINY, "train.steps=9", "--out", "show.mp4")
    assert done.code == 2
    assert "show.mp4 exists already" in done.err
    assert (tmp_path / "show.mp4").read_text() == "mine"


def test_dance_refuses_a_run_of_another_target(
    cli: Cli, clips: Clips, tmp_path: Path, run_folder: Path
) -> None:
    import shutil

    shutil.copytree(run_folder, tmp_path / "show.run")
    done = cli("dance", clips[1], clips[0], *TINY, "train.steps=3", "--out", "show.mp4")
    assert done.code == 2
    assert "another target" in done.err
    assert cli("dance", *clips, *TINY, "--out", clips[0]).code == 2
