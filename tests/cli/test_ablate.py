"""`dancekit ablate`: what it says before anything is trained, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Cli


def test_the_list_needs_nothing_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    shown = cli("ablate", "edn-v1", "--list", "--out", str(tmp_path / "out"))
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["fbf", "-", "256x256", "650"],
        ["ts", "-", "256x256", "650"],
        ["fbf-512", "fbf", "512x512", "180"],
        ["ts-512", "ts", "512x512", "180"],
        ["face-512", "ts-512", "512x512", "250"],
    ]
    assert all("to do" in line for line in lines[1:])
    assert not (tmp_path / "out").exists()


def test_overrides_reach_all_arms_and_times_are_tried_out(cli: Cli, tmp_path: Path) -> None:
    call = ("ablate", "edn-v1-tiny", "--estimate", "--json", "train.steps=3", "--seed", "5")
    shown = cli(*call, "--device", "cpu", "--out", str(tmp_path / "out"))
    assert shown.code == 0
    arms = json.loads(shown.out)["arms"]
    assert [arm["of"] for arm in arms] == [3] * 5
    assert all(arm["seconds_left"] > 0 and not arm["finished"] for arm in arms)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edn-v2"], "there is no ablation 'edn-v2'; did you mean 'edn-v1'"),
        (["edn-v1-tiny", "--only", "tts"], "has no arm 'tts'; did you mean 'ts'"),
        (["edn-v1-tiny", "--list", "--force"], "--force is not for --list"),
        (["edn-v1-tiny", "--no-train", "--only", "ts"], "--no-train with --force or --only"),
        (["edn-v1-tiny", "--truth", "x.mp4"], "--source and --truth belong together"),
        (["edn-v1-tiny", "--truth-npz", "x.npz"], "--truth-npz belongs to --truth"),
        (["edn-v1-tiny", "--target", "nobody.mp4"], "nobody.mp4"),
        (["edn-v1-tiny", "steps"], "'steps' is not an override"),
        (["edn-v1-tiny", "trian.steps=3"], "trian"),
        (["edn-v1-tiny", "--out", "FILE"], "is a file"),
    ],
)
def test_refused_in_one_line_with_nothing_left(cli: Cli, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "FILE").touch()
    words = [str(tmp_path / word) if word == "FILE" else word for word in words]
    place = [] if "--out" in words else ["--out", str(tmp_path / "out")]
    shown = cli("ablate", *words, *place, "-q")
    assert shown.code in (1, 2) and not shown.out
    assert len(shown.err.strip().splitlines()) == 1 and said in shown.err
    assert not (tmp_path / "out").exists()


def test_matrices_are_listed_and_copied(cli: Cli, tmp_path: Path) -> None:
    listed = json.loads(cli("ls", "ablations", "--json").out)["ablations"]
    assert {each["name"] for each in listed} >= {"edn-v1", "edn-v1-tiny"}
    assert cli("cp", "ablations/edn-v1", str(tmp_path / "mine.yaml")).code == 0
    assert "sets:" in (tmp_path / "mine.yaml").read_text()
    shown = cli("ablate", str(tmp_path / "mine.yaml"), "--list", "-q")
    assert shown.code == 2 and "name: is 'edn-v1', but the file is called mine.yaml" in shown.err
