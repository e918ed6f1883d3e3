"""Bad input: one clear line on stderr, the right exit code, nothing on stdout, nothing left behind."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
from cli_tools import TINY, Cli, Outcome, left_in

from dancekit.cli import ls


def one_line(outcome: Outcome, code: int, *parts: str) -> None:
    assert outcome.code == code, outcome
    assert outcome.err.startswith("error: "), outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    assert not outcome.out
    for part in parts:
        assert part in outcome.err, outcome.err


@pytest.mark.parametrize(
    "command", [("train", "--target"), ("pose", "--out", "o.npz"), ("transfer", "--dancer", "D"), ("dance",)]
)
def test_missing_video(
    cli: Cli, dancer: Path, clips: tuple[Path, Path], tmp_path: Path, command: tuple[str, ...]
) -> None:
    words = [str(dancer) if word == "D" else word for word in command] + ["nope.mp4"]
    if command[0] == "dance":
        words.append(str(clips[1]))
    one_line(cli(*words), 1, "nope.mp4 does not exist")
    assert left_in(tmp_path) == []


def test_text_named_mp4(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("hello\n" * 50)
    one_line(cli("train", "--target", "notes.mp4"), 1, "notes.mp4 is a text file, not a video")
    assert left_in(tmp_path) == ["notes.mp4"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--recipe", "quik"], ["no recipe 'quik'", "did you mean 'quick'?"]),
        (["--recipe", "mine.yaml"], ["mine.yaml", "does not exist"]),
        (["generator=unett"], ["override 'generator=unett'", "did you mean 'unet'?"]),
        (["train.stepps=4"], ["train.stepps", "did you mean 'steps'?"]),
        (["generator.nfg=4"], ["nfg", "did you mean 'ngf'?"]),
        (["train.steps=many"], ["train.steps", "integer", "'many'"]),
        (["train.steps=0"], ["train.steps", "greater than 0"]),
        (["train.steps="], ["the value is missing"]),
        (["extra.mp4"], ["'extra.mp4' is not an override", "key=value"]),
        (["--seed", "3", "train.seed=4"], ["--seed 3 and train.seed= disagree"]),
        (["--seed", "x"], ["--seed", "valid integer", "see: dancekit train --help"]),
        (["--device", "tpu"], ["device 'tpu' is not available"]),
        (["--resume"], ["does not exist, there is nothing to resume"]),
        (["--resume", "--force"], ["contradict"]),
        (["--outt", "x"], ["no such option: --outt", "--out", "see: dancekit train --help"]),
    ],
)
def test_train_is_asked_for_what_cannot_be(
    cli: Cli, clips: tuple[Path, Path], tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    one_line(cli("train", "--target", clips[1], *words), 2, *parts)
    assert left_in(tmp_path) == []


def test_all_problems_of_a_recipe_each_on_a_line(cli: Cli, clips: tuple[Path, Path]) -> None:
    outcome = cli("train", "--target", clips[1], "train.stepps=4", "generator=unett", "size=[64]")
    lines = outcome.err.splitlines()
    assert outcome.code == 2
    assert len(lines) == 3
    assert all(line.startswith("error: override ") for line in lines)


def test_a_size_that_the_generator_cannot_paint(cli: Cli, clips: tuple[Path, Path]) -> None:
    outcome = cli("validate", "tiny", "size=[72, 64]", "generator.n_down=4")
    one_line(outcome, 2, "size [72, 64] does not suit generator pix2pixhd", "multiples of 16")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train"], ["the target is missing", "dancekit train --target VIDEO"]),
        (["train", "me.mp4"], ["dancekit train --target me.mp4"]),
        (["transfer", "a.mp4"], ["the dancer is missing"]),
        (["transfer"], ["missing argument", "SOURCE", "see: dancekit transfer --help"]),
        (["pose", "a.mp4"], ["--out is missing", "--out a.npz"]),
        (["pose", "a.mp4", "--out", "a.txt"], ["must end in .npz"]),
        (["transfer", "a.mp4", "--dancer", "d.safetensors", "--out", "a.txt"], ["must end in .mp4"]),
        (["dance", "a.mp4", "b.mp4", "--out", "."], ["must end in .mp4"]),
        (["trian"], ["there is no command 'trian'", "did you mean 'train'?"]),
        (["ls", "generators"], ["did you mean 'generator'?"]),
        (["show", "unett"], ["did you mean 'unet'?"]),
        (["show", "generator/unett"], ["did you mean 'unet'?"]),
        (["show", "gone.safetensors"], ["there is no file gone.safetensors"]),
        (["show", "none"], ["'none' means 3 things", "discriminator/none", "reference/none", "face/none"]),
        (["cp", "quik", "mine.yaml"], ["did you mean 'quick'?"]),
        (["cp", "quick", "mine"], ["no suffix .yaml"]),
        (["validate", "train.steps=4"], ["no recipe is named"]),
        (["validate", "quik"], ["did you mean 'quick'?"]),
    ],
)
def test_usage(cli: Cli, tmp_path: Path, words: list[str], parts: list[str]) -> None:
    one_line(cli(*words), 2, *parts)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("command", ["transfer", "show"])
@pytest.mark.parametrize(
    ("harm", "part"),
    [
        ("missing", "gone.safetensors"),
        ("pickle", "is a pickle or zip archive"),
        ("half", "is cut off"),
        ("empty", "is empty"),
        ("text", "is not a safetensors file"),
    ],
)
def test_broken_dancers(
    cli: Cli, dancer: Path, clips: tuple[Path, Path], tmp_path: Path, command: str, harm: str, part: str
) -> None:
    whole = dancer.read_bytes()
    content = {
        "pickle": pickle.dumps({"weight": [1.0]}),
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"not a header at all, but text\n",
    }
    path = tmp_path / ("gone.safetensors" if harm == "missing" else "ava.safetensors")
    if harm != "missing":
        path.write_bytes(content[harm])
    before = left_in(tmp_path)
    words = [clips[0], "--dancer", path] if command == "transfer" else [path]
    code = 2 if (harm, command) == ("missing", "show") else 1
    one_line(cli(command, *words), code, part)
    assert left_in(tmp_path) == before


def test_a_safetensors_file_that_is_no_dancer(cli: Cli, root: Path, clips: tuple[Path, Path]) -> None:
    foreign = root / "zoo" / "weights" / "blazepose_lite.safetensors"
    one_line(cli("transfer", clips[0], "--dancer", foreign), 1, "not a dancer")


def test_a_run_folder_instead_of_a_dancer(cli: Cli, run_folder: Path, clips: tuple[Path, Path]) -> None:
    one_line(
        cli("transfer", clips[0], "--dancer", run_folder),
        2,
        f"did you mean {run_folder / 'dancer.safetensors'}?",
    )


@pytest.mark.parametrize(
    "words",
    [
        ["transfer", "S", "--dancer", "D", "--out", "taken.mp4"],
        ["dance", "S", "T", "--out", "taken.mp4"],
        ["pose", "S", "--out", "taken.npz"],
        ["pose", "S", "--out", "new.npz", "--preview", "taken.png"],
        ["cp", "quick", "taken.yaml"],
        ["train", "--target", "T", "--out", "taken"],
    ],
)
def test_nothing_is_overwritten(
    cli: Cli, clips: tuple[Path, Path], dancer: Path, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "taken").mkdir()
    for path in (
        tmp_path / "taken" / "file",
        *(tmp_path / f"taken.{kind}" for kind in ("mp4", "npz", "png", "yaml")),
    ):
        path.write_text("mine")
    before = left_in(tmp_path)
    names = {"S": clips[0], "T": clips[1], "D": dancer}
    one_line(cli(*(names.get(word, word) for word in words)), 2, "taken", "exists already", "--force")
    assert left_in(tmp_path) == before
    assert all(path.read_text() == "mine" for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", ["transfer", "dance"])
def test_nor_is_a_file_where_the_numbers_go(
    cli: Cli, clips: tuple[Path, Path], dancer: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "show.json").write_text("mine")
    words = [clips[0], "--dancer", dancer] if command == "transfer" else [*clips, *TINY]
    one_line(cli(command, *words, "--out", "show.mp4", "-q"), 2, "show.json exists already")
    assert left_in(tmp_path) == ["show.json"]


def test_a_source_is_never_replaced_by_what_is_made_of_it(
    cli: Cli, clips: tuple[Path, Path], dancer: Path, tmp_path: Path
) -> None:
    source = tmp_path / "dance.mp4"
    source.write_bytes(clips[0].read_bytes())
    one_line(
        cli("transfer", source, "--dancer", dancer, "--out", "dance.mp4", "--force"),
        2,
        "dance.mp4 is an input",
    )
    assert source.read_bytes() == clips[0].read_bytes() and left_in(tmp_path) == ["dance.mp4"]


def test_an_override_that_the_weights_depend_on(cli: Cli, clips: tuple[Path, Path], dancer: Path) -> None:
    outcome = cli("transfer", clips[0], "--dancer", dancer, "--out", "o.mp4", "generator.ngf=4")
    one_line(outcome, 2, "generator.ngf=4", "train again")


class TestUnexpected:
    """Errors that no user caused."""

    def broken(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def fail(kind: str | None) -> None:
            raise error

        monkeypatch.setattr(ls, "list_all", fail)

    def test_one_line_that_calls_it_a_bug(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(monkeypatch, ZeroDivisionError("no\nway"))
        one_line(cli("ls"), 1, "ZeroDivisionError: no way", "this is a bug in dancekit", "-vv")

    @pytest.mark.parametrize("how", ["-vv", "environment"])
    def test_the_traceback_if_asked_for(self, cli: Cli, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        self.broken(monkeypatch, ZeroDivisionError("no way"))
        if how == "environment":
            monkeypatch.setenv("DANCEKIT_TRACEBACK", "1")
        outcome = cli("ls", *(["-vv"] if how == "-vv" else []))
        assert outcome.code == 1
        assert "Traceback" in outcome.err
        assert outcome.err.splitlines()[-1].startswith("error: ZeroDivisionError")

    def test_a_full_disk_is_no_bug(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/x/y"))
        outcome = cli("ls")
        one_line(outcome, 1, "/x/y: No space left on device")
        assert "bug" not in outcome.err

    def test_full_memory_is_no_bug(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(monkeypatch, MemoryError())
        one_line(cli("ls"), 1, "memory is full", "train.batch")

    def test_ctrl_c(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(monkeypatch, KeyboardInterrupt())
        one_line(cli("ls"), 130, "stopped by Ctrl-C")


def test_nobody_in_the_video(cli: Cli, tmp_path: Path) -> None:
    from fractions import Fraction

    import numpy as np

    from dancekit.video import VideoWriter

    with VideoWriter(
        tmp_path / "wall.mp4", size=(64, 64), time_base=Fraction(1, 25), rate=Fraction(25)
    ) as writer:
        for number in range(12):
            writer.write(np.full((64, 64, 3), 90, np.uint8), number)
    one_line(cli("train", "--target", "wall.mp4", *TINY, "-q"), 1, "wall.mp4: no person was found")
    one_line(cli("pose", "wall.mp4", "--out", "p.npz", *TINY, "-q"), 1, "wall.mp4: no person was found")
    one_line(cli("dance", "wall.mp4", "wall.mp4", *TINY, "-q"), 1, "wall.mp4: no person was found")
    assert left_in(tmp_path) == ["wall.mp4"]


def test_force_deletes_runs_only(cli: Cli, clips: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("mine")
    outcome = cli("train", "--target", clips[1], *TINY, "--out", "photos", "--force")
    one_line(outcome, 2, "photos holds files that are no run")
    assert (tmp_path / "photos" / "holiday.jpg").read_text() == "mine"
