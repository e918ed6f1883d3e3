"""`dancekit live` from the command line: what comes out, and one line for what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import make_video as mv
import numpy as np
import pytest
from live_stage import Seer, film
from make_dancer import make_dancer

from dancekit.cli.app import main
from dancekit.video import probe, read_frames

QUICK = ("--headless", "--device", "cpu", "--calibrate", "0", "normalizer=identity")


@pytest.fixture(scope="module")
def dancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("dancer") / "ava.safetensors")


@pytest.fixture(autouse=True)
def seer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seer:
    found = Seer()
    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", lambda *_, **__: found)
    monkeypatch.chdir(tmp_path)
    return found


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["live", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_film_as_the_camera(dancer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 10)
    code, out, err = run(
        capsys, "--dancer", dancer, "--source", source, "--record", "show.mp4", "--json", *QUICK
    )
    assert code == 0, err
    facts = json.loads(out)
    assert facts["painted"] + facts["dropped"] == 10
    assert facts["record"] == "show.mp4"
    assert facts["latency_ms"]["median"] >= 0
    assert len(list(read_frames(tmp_path / "show.mp4"))) == facts["painted"]
    code, _, err = run(capsys, "--dancer", dancer, "--source", source, "--record", "show.mp4", *QUICK)
    assert code == 2
    assert "show.mp4 exists already (choose another --record, or add --force to replace it)" in err
    code, out, err = run(
        capsys, "--dancer", dancer, "--source", source, "--record", "show.mp4", "--force", *QUICK
    )
    assert (code, out) == (0, "show.mp4\n")
    assert "frames/s, latency" in err


class Unplugged:
    """A camera that gives three frames."""

    def __init__(self, *_: object) -> None:
        self.frames = [np.full((120, 160, 3), 10 + 8 * n, np.uint8) for n in range(4)]

    def isOpened(self) -> bool:
        return True

    def set(self, *_: object) -> bool:
        return True

    def get(self, *_: object) -> float:
        return 30.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self) -> None:
        pass


def test_a_camera_that_disappears_is_one_line_and_the_record_is_kept(
    dancer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv2.VideoCapture", Unplugged)
    code, out, err = run(capsys, "--dancer", dancer, "--record", "show.mp4", *QUICK)
    assert code == 1
    assert not out
    assert err.strip().splitlines()[-1].startswith("error: camera 0 is gone (after 3 frames)")
    assert len(list(read_frames(tmp_path / "show.mp4"))) >= 1
    assert probe(tmp_path / "show.mp4").size == (64, 64)


def test_there_is_no_camera(
    dancer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unplugged, "isOpened", lambda _: False)
    monkeypatch.setattr("cv2.VideoCapture", Unplugged)
    monkeypatch.setattr("dancekit.live.camera.DEVICES", Path("nowhere"))
    monkeypatch.setattr("dancekit.live.camera._SYSTEM", "linux")
    code, out, err = run(capsys, "--dancer", dancer, "--source", "3", "--headless")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("error: there is no camera 3 (nowhere/video3): no camera is connected")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "the dancer is missing"),
        (
            ("--dancer", "nowhere.safetensors", "--headless"),
            1,
            "nowhere.safetensors cannot be read: No such file",
        ),
        (("--dancer", "DANCER", "--headless", "--serve", "0"), 2, "--headless shows nothing, --serve does"),
        (("--dancer", "DANCER", "--serve", "70000"), 2, "--serve 70000 is no port"),
        (
            ("--dancer", "DANCER", "--headless", "--record", "a.webm"),
            2,
            "--record a.webm: the name must end in",
        ),
        (("--dancer", "DANCER", "--headless", "--source", "none.mp4"), 1, "none.mp4 does not exist"),
        (("--dancer", "DANCER", "--headless", "--background", "source"), 2, "cannot be shown live"),
        (("--dancer", "DANCER", "--headless", "--duration", "x"), 2, "--duration x is no time"),
        (
            ("--dancer", "DANCER", "--headless", "--source", "FILM", "filters=[savgol]"),
            2,
            "filter savgol needs",
        ),
        (("--dancer", "DANCER", "--headless", "--source", "FILM", "size=[8,8]"), 2, "depend on this"),
    ],
)
def test_what_goes_wrong_is_one_line(
    dancer: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    names = {"DANCER": str(dancer), "FILM": str(film(tmp_path / "a.mp4", 3))}
    given = [names.get(word, word) for word in words]
    found, out, err = run(capsys, *given)
    assert (found, out) == (code, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_the_record_is_kept(
    dancer: Path, tmp_path: Path, root: Path, number: int, code: int
) -> None:
    source = mv.write_frames(tmp_path / "a.mp4", mv.moving(200, 160, 120))  # eight seconds
    # a program of its own: signals are for whole processes, and this one has other tests to run
    ended = subprocess.run(
        [
            *(
                sys.executable,
                "-X",
                "faulthandler",
                str(Path(__file__).with_name("live_program.py")),
                str(int(number)),
            ),
            *("--dancer", str(dancer), "--source", str(source), "--record", "show.mp4", *QUICK),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    said = json.loads(ended.stdout.splitlines()[-1])
    assert said["given"] <= 6  # at once: no more than the look that was under way, and the next one
    assert said["handler restored"]
    assert 1 <= len(list(read_frames(tmp_path / "show.mp4"))) <= 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "show.mp4"]
