"""dancekit retarget: what it writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_tools import Cli
from synthetic_dancer import Body, Camera, Dance, film

from dancekit.types import PoseSequence


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    source = film(Dance(frames=100, seed=1).motion(), Body(1.8), Camera(1.4, 4.5), skeleton="coco_17")
    target = film(
        Dance(frames=120, seed=2).motion(), Body(1.5), Camera(0.9, 4.0, size=(640, 360)), skeleton="body_25"
    )
    return source.save(tmp_path / "idol.npz"), target.save(tmp_path / "me.npz")


@pytest.mark.parametrize("normalizer", ["bones", "affine", "global_linear", "relative"])
def test_sheet_numbers_and_poses(cli: Cli, two: tuple[Path, Path], normalizer: str) -> None:
    shown = cli("retarget", *two, f"normalizer={normalizer}", "--out", "look")
    assert shown.code == 0, shown.err
    assert "sheet.png" in shown.out and normalizer in shown.out
    facts = json.loads(Path("look/fitted.json").read_text())
    assert facts["normalizer"]["name"] == normalizer and facts["normalizer"]["fitted"]["target_size"] == [
        640,
        360,
    ]
    moved = PoseSequence.load("look/poses.npz")
    assert moved.size == (640, 360) and moved.skeleton.name == "body_25" and len(moved) == 100
    sheet = cv2.imread("look/sheet.png")
    rows = np.array_split(sheet, 3)
    assert all((row.max(axis=2) > 100).mean() > 0.001 for row in rows), "a row of the sheet is empty"


def test_bones_are_a_table_and_json_is_one_document(cli: Cli, two: tuple[Path, Path]) -> None:
    shown = cli("retarget", *two, "normalizer=bones")
    assert [line for line in shown.out.splitlines() if line.startswith("upper_arm")]
    assert Path("idol_on_me/sheet.png").exists()
    found = json.loads(cli("retarget", *two, "normalizer=bones", "--force", "--json").out)
    assert set(found["normalizer"]["fitted"]["bones"]) >= {"thigh", "hand", "face"}


def test_warnings_are_said(cli: Cli, two: tuple[Path, Path]) -> None:
    short = PoseSequence.load(two[0])[:40]
    short.save(two[0])
    shown = cli("retarget", *two, "normalizer=bones")
    assert shown.code == 0
    assert "40 frames only" in shown.err


def test_nothing_is_overwritten(cli: Cli, two: tuple[Path, Path]) -> None:
    assert cli("retarget", *two).code == 0
    again = cli("retarget", *two)
    assert again.code != 0 and "--force" in again.err
    assert cli("retarget", *two, "--force").code == 0


def test_a_missing_file_is_one_line(cli: Cli, two: tuple[Path, Path]) -> None:
    shown = cli("retarget", "nobody.npz", two[1])
    assert shown.code == 1
    assert len(shown.err.strip().splitlines()) == 1 and "nobody.npz" in shown.err
    assert not Path("nobody_on_me").exists()
