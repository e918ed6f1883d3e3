"""`dancekit pose` from file to file: every format, the pose video, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Cli, left_in

from dancekit.types import PoseSequence, get_skeleton


@pytest.fixture
def poses(tmp_path: Path) -> PoseSequence:
    skeleton = get_skeleton("blazepose_33")
    xy = np.random.default_rng(0).uniform(5, 90, (5, 33, 2)).astype(np.float32)
    found = PoseSequence(
        xy=xy,
        score=np.full((5, 33), 0.9),
        pts=np.arange(5) * 512,
        time_base=Fraction(1, 12800),
        size=(96, 98),
        skeleton=skeleton,
    )
    found.save(tmp_path / "p.npz")
    return found


def test_all_formats_and_back(cli: Cli, poses: PoseSequence, tmp_path: Path) -> None:
    for form in ("coco", "wholebody", "mediapipe", "dwpose", "openpose"):
        out = "folder" if form == "openpose" else f"{form}.json"
        done = cli("pose", "p.npz", "--out", out, "--format", form)
        assert done.code == 0, done.err
        assert done.out.startswith(f"{out}: 5 frames at 25 fps, blazepose_33@1")
        lacking = ("--size", "96x98", "--rate", "25") if form == "openpose" else ()
        assert cli("pose", out, "--out", "back.npz", "--force", *lacking).code == 0
        back = PoseSequence.load(tmp_path / "back.npz")
        assert np.array_equal(back.xy, poses.to(back.skeleton).xy, equal_nan=True)
        assert back.seconds == pytest.approx(poses.seconds) and back.size == (96, 98)


def test_pose_video_and_preview(cli: Cli, poses: PoseSequence, tmp_path: Path) -> None:
    from dancekit.video import probe, read_frames

    done = cli("pose", "p.npz", "--out", "o.npz", "--video", "v.mp4", "--preview", "p.png", "--json")
    assert done.code == 0, done.err
    info = probe(tmp_path / "v.mp4")
    assert (info.size, info.rate, info.frames) == ((96, 98), 25, 5)
    assert all(frame.rgb.max() > 150 for frame in read_frames(tmp_path / "v.mp4"))
    assert (tmp_path / "p.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["p.npz", "--out", "o.json"], 2, "which JSON?"),
        (["p.npz", "--out", "o.npz", "--format", "bvh"], 2, "there are npz, coco"),
        (["p.npz", "--out", "o.npz", "--format", "coco"], 2, "must end in .json"),
        (["p.npz", "--out", "o.json", "--format", "openpose"], 2, "name a folder"),
        (["p.npz", "--out", "full", "--format", "openpose"], 2, "full exists already"),
        (["p.npz", "--out", "o.npz", "pose.model=lite"], 2, "taken as it is"),
        (["p.npz", "--out", "p.npz", "--force"], 2, "is the input"),
        (["p.npz", "--out", "o.npz", "--video", "p.png"], 2, "must end in .mp4"),
        (["a.mp4", "--out", "o.npz", "--rate", "25"], 2, "for pose files"),
        (["full", "--out", "o.npz"], 1, "add --size"),
        (["full", "--out", "o.npz", "--size", "x"], 2, "is no size"),
        (["full", "--out", "o.npz", "--size", "9x9", "--rate", "0"], 2, "is no frame rate"),
        (["none.json", "--out", "o.npz"], 1, "none.json does not exist"),
    ],
)
def test_what_is_refused(
    cli: Cli, poses: PoseSequence, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a_000000_keypoints.json").write_text('{"people": []}')
    before = left_in(tmp_path)
    done = cli("pose", *arguments)
    assert done.code == code and words in done.err and done.err.count("\n") == 1, done.err
    assert left_in(tmp_path) == before
