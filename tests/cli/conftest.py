"""Running the command line in this process, and clips short enough to train on in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import TINY, Cli, Outcome

FRAMES = 24


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("train", ...)` in an empty current folder."""
    from dancekit.cli.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DANCEKIT_TRACEBACK", raising=False)

    def run(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def clips(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Source and target: the first frames of the shipped samples, the source with its sound."""
    from dancekit.video import VideoWriter, probe, read_frames

    folder = tmp_path_factory.mktemp("clips")
    made = []
    for name in ("source", "target"):
        given = root / "zoo" / "samples" / f"{name}.mp4"
        info, path = probe(given), folder / f"{name}.mp4"
        sound = given if info.audio else None
        with VideoWriter(
            path, size=info.size, time_base=info.time_base, rate=info.rate, sound_from=sound
        ) as writer:
            for frame in read_frames(given, stop=FRAMES):
                writer.write(frame.rgb, frame.pts)
        made.append(path)
    return made[0], made[1]


@pytest.fixture(scope="session")
def known_poses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all tests, so that the poses of the clips are found once."""
    return tmp_path_factory.mktemp("poses")


@pytest.fixture
def cached(known_poses: Path, monkeypatch: pytest.MonkeyPatch, _own_world: None) -> None:
    """Use that cache."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(known_poses))


@pytest.fixture(scope="session")
def run_folder(clips: tuple[Path, Path], known_poses: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps."""
    from dancekit.cli.app import main

    run = tmp_path_factory.mktemp("runs") / "ava"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(known_poses))
        patch.setenv("DANCEKIT_OFFLINE", "1")
        code = main(["train", "--target", str(clips[1]), *TINY, "train.steps=3", "--out", str(run), "-q"])
    assert code == 0
    return run


@pytest.fixture
def dancer(run_folder: Path) -> Path:
    """A dancer file, hardly trained."""
    return run_folder / "dancer.safetensors"
