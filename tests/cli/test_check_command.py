"""`dancekit check`: what it says of a clip and of a dance, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_tools import Cli, left_in

from dancekit.types import PoseSequence

Clips = tuple[Path, Path]
pytestmark = pytest.mark.usefixtures("cached")
LITE = ("--recipe", "tiny", "--device", "cpu")


def test_a_target(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    done = cli("check", clips[1], *LITE)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{clips[1]}: 1.0 s, 24 frames at 25 fps, 512x512, person found in 100%")
    assert "jitter" in done.out and "warning: the target is 1 s long" in done.out
    assert left_in(tmp_path) == []
    told = json.loads(cli("check", clips[1], *LITE, "--json").out)
    assert told["measures"]["feet"] == 1 and 0 < told["measures"]["jitter"] < 1
    assert any("1 s long" in text for text in told["warnings"])


def test_a_second_is_too_little_to_compare_with(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    done = cli("check", clips[1], "--for", clips[0], "normalizer=identity", *LITE, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)["for"]
    assert told["outside"] is None and "too little was filmed" in told["warnings"][-1]


def test_a_dance_that_was_not_filmed(
    cli: Cli, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target's own poses, half of them with legs where they never were, some of them elsewhere."""
    from dancekit.data import coverage

    monkeypatch.setattr(coverage, "NEIGHBOURHOOD", 0.2)  # so that a clip of a second has several moments
    assert cli("pose", clips[1], "--out", "own.npz", *LITE).code == 0
    own = PoseSequence.load(tmp_path / "own.npz")
    xy = np.array(own.xy)
    xy[12:, 23::2] += [120, 0]
    xy[12:, 24::2] -= [120, 0]
    xy[:4] += [0, 200]
    own.replace(xy=xy).save(tmp_path / "dance.npz")
    asked = ("check", clips[1], "--for", "dance.npz", "normalizer=identity", *LITE)
    done = cli(*asked, "--out", "film.png")
    assert done.code == 0, done.err
    assert "50% of the dance is outside what was filmed; film " in done.out
    assert "in 17% of the dance the target stands where they were never filmed" in done.out
    assert done.out.endswith("film.png\n")
    picture = cv2.imread(str(tmp_path / "film.png"))
    assert picture.shape[0] % 360 == 0 and picture.max() > 200
    again = cli(*asked, "--out", "film.png")
    assert again.code == 2 and "exists already" in again.err
    told = json.loads(cli(*asked, "--json").out)["for"]
    assert told["outside"] == 0.5 and told["pose_range"]["outside_frames"] == list(range(12, 24))
    assert told["pose_range"]["out_of_place_frames"] == list(range(4))
    assert all(pose["frame"] >= 12 for pose in told["poses_to_film"]) and told["picture"] is None
    same = cli("check", clips[1], "--for", "own.npz", "--out", "no.png", "normalizer=identity", *LITE)
    assert "all of the dance is within what was filmed" in same.out and not (tmp_path / "no.png").exists()


def test_what_is_refused(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    for arguments, code, words in (
        ([clips[1], "--out", "a.png"], 2, "--out needs --for"),
        (["none.mp4"], 1, "none.mp4"),
        ([clips[1], "--for", "none.mp4"], 1, "none.mp4"),
        ([clips[1], "--for", clips[0], "--out", "a.jpg"], 2, "must end in .png"),
    ):
        done = cli("check", *arguments, *LITE)
        assert done.code == code and words in done.err and done.err.count("\n") == 1, done.err
    assert left_in(tmp_path) == []
