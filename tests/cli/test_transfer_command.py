"""`dancekit transfer`: what comes out under which name, and what is refused before any work."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from cli_tools import Cli, left_in

from dancekit.cli.options import read_seconds
from dancekit.errors import UsageError
from dancekit.video import probe

pytestmark = pytest.mark.usefixtures("cached")
Clips = tuple[Path, Path]
OVER = "normalizer=identity"


def test_two_dancers_and_a_montage(cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
    for name in ("ava", "ben"):  # as `dancekit train` leaves them
        (tmp_path / "runs" / name).mkdir(parents=True)
        shutil.copy(dancer, tmp_path / "runs" / name / "dancer.safetensors")
    files = [tmp_path / "runs" / name / "dancer.safetensors" for name in ("ava", "ben")]
    done = cli(
        *("transfer", clips[0], "--dancer", files[0], "--dancer", files[1], "--out", "show.mp4"),
        *("--start", "0.2", "--duration", "0.6", "--json", OVER),
    )
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["out"] == "show.mp4"
    assert [each["out"] for each in facts["dancers"]] == ["show_ava.mp4", "show_ben.mp4"]
    assert [each["frames"] for each in facts["dancers"]] == [15, 15]
    sizes = {name: probe(tmp_path / name).size for name in ("show.mp4", "show_ava.mp4", "show_ben.mp4")}
    assert sizes == {"show.mp4": (192, 64), "show_ava.mp4": (64, 64), "show_ben.mp4": (64, 64)}
    assert [name for name in left_in(tmp_path) if "part" in name] == []


def test_a_folder_of_transparent_pictures(cli: Cli, clips: Clips, dancer: Path, tmp_path: Path) -> None:
    import cv2

    words = ("transfer", clips[0], "--dancer", dancer, "--background", "transparent", OVER)
    done = cli(*words, "--out", "pictures", "--size", "100x200")
    assert (done.code, done.out) == (0, "pictures\n"), done.err
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == [f"{number:06d}.png" for number in range(24)]
    picture = cv2.imread(str(tmp_path / "pictures" / names[0]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (200, 100, 4)
    assert cli(*words, "--out", "pictures").code == 2
    assert "without sound" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--full-frame", "--background", "source"], "--full-frame is --background target, not source"),
        (["--background", "transparent"], "name a .webm, or a folder for PNG pictures"),
        (["--background", "beach.png"], "there is no such picture"),
        (["--size", "64"], "--size 64 is no size"),
        (["--size", "4x4"], "16 to 16384"),
        (["--start", "soon"], "--start soon is no time"),
        (["--duration", "0"], "not above 0"),
        (["--codec", "vp9"], "vp9 does not go into .mp4"),
        (["--crf", "99"], "crf 99 is not between 0"),
        (["--out", "a.txt"], "must end in .mp4"),
    ],
)
def test_what_is_refused(
    cli: Cli, clips: Clips, dancer: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    done = cli("transfer", clips[0], "--dancer", dancer, OVER, *words)
    assert done.code == 2
    assert message in done.err
    assert left_in(tmp_path) == []


def test_training_on_parts_of_two_takes(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    """A run of its own, which goes on; and what is no range."""
    words = ("train", "--target", clips[1], "--target", clips[1], "--recipe", "tiny", "--device", "cpu")
    wrong = cli(*words, "--range", "0.5", "--range", "-", "--out", "runs/me", "train.steps=2")
    assert wrong.code == 2 and "--range 0.5 is no range" in wrong.err
    for steps, more in ((2, ()), (3, ("--resume",))):
        done = cli(
            *words,
            "--range=0.4-",
            "--range=-0.48",
            "--out",
            "runs/me",
            f"train.steps={steps}",
            "--json",
            *more,
        )
        assert done.code == 0, done.err
        assert json.loads(done.out)["steps"] == steps
    joined = probe(tmp_path / "runs" / "me.target.mp4")
    assert joined.frames == 14 + 12


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", Fraction(25, 2)), ("1:05", 65), ("1:02:03.5", Fraction(7447, 2)), ("90", 90), ("0", 0)],
)
def test_times(text: str, seconds: Fraction) -> None:
    assert read_seconds("--start", text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "-1", "1:2:3:4", "a", "1:-2"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        read_seconds("--start", text)
