"""Several people on the command line: listed, drawn, chosen, and never silently mistaken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Cli
from crossing import Actor, compose, load, plate_of

from dancekit.types import PoseSequence

LITE = "pose.model=lite"
FRAMES = 24


@pytest.fixture(scope="module")
def two(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped dancers, side by side; the right one is a little smaller."""
    samples = root / "zoo" / "samples"
    one = load(samples / "source.mp4", samples / "source.npz", FRAMES)
    other = load(samples / "truth.mp4", samples / "truth.npz", FRAMES)
    plate = plate_of(other)
    columns = np.zeros(FRAMES)
    actors = [Actor(one, 0, columns + 220, 500, 1.1), Actor(other, 0, columns + 545, 470)]
    return compose(plate, actors, FRAMES).write(tmp_path_factory.mktemp("two") / "two.mp4")


def middle(path: Path) -> float:
    return float(np.nanmean(PoseSequence.load(path).xy[..., 0]))


def test_listed_drawn_and_chosen(cli: Cli, cached: None, two: Path) -> None:
    got = cli("pose", two, "--people", "--json", "--preview", "people.png", LITE)
    assert got.code == 0, got.err
    told = json.loads(got.out)
    assert [person["id"] for person in told["people"]] == [1, 2] and told["ambiguous"] and told["cuts"] == []
    assert all(person["frames"] == FRAMES for person in told["people"])
    assert told["people"][0]["box"][0] < 300 < told["people"][1]["box"][0]
    assert told["sheet"] == "people.png" and Path("people.png").stat().st_size > 20_000
    assert cli("pose", two, "--people", "--preview", "people.png", LITE).code != 0  # not without --force

    listing = cli("pose", two, "--people", LITE).out
    assert "24 (100%)" in listing and "2 could be meant as well" in listing
    sheet = Path(listing.strip().splitlines()[-1])
    assert sheet.is_file() and sheet.suffix == ".png"

    for who, low, high in (("1", 150, 300), ("2", 480, 620), ("largest", 150, 300), ("550,300", 480, 620)):
        got = cli("pose", two, "--out", "one.npz", "--person", who, "--force", LITE)
        assert got.code == 0 and "could be meant" not in got.err and "about as large" not in got.err
        assert low < middle(Path("one.npz")) < high


def test_an_ambiguous_choice_is_said_and_shown(cli: Cli, cached: None, two: Path) -> None:
    got = cli("pose", two, "--out", "one.npz", LITE)
    said = " ".join(got.err.split())
    assert got.code == 0 and 150 < middle(Path("one.npz")) < 300
    assert (
        "2 people are about as large and as long there: person 1 is taken; --person 2 takes the other" in said
    )
    assert ".png shows them" in said.replace(".p ng", ".png").replace("\n", "")


def test_who_is_not_there_is_an_error_of_use(cli: Cli, cached: None, two: Path) -> None:
    for who, words in (
        ("3", "2 people are there"),
        ("nobody", "names nobody"),
        ("900,10", "outside of the picture"),
    ):
        got = cli("pose", two, "--out", "one.npz", "--person", who, LITE)
        assert got.code == 2 and words in " ".join(got.err.split()), got.err
    assert not Path("one.npz").exists()
    got = cli("pose", two, "--people", "--out", "one.npz")
    assert got.code == 2 and "--people only lists" in got.err


def test_transfer_dances_as_the_one_who_is_named(cli: Cli, cached: None, two: Path, dancer: Path) -> None:
    fitted = []
    for who in ("1", "2"):
        got = cli("transfer", two, "--dancer", dancer, "--out", f"{who}.mp4", "--person", who, "--json", LITE)
        assert got.code == 0, got.err
        fitted.append(json.loads(got.out)["fitted"])
    assert fitted[0] != fitted[1]


@pytest.mark.parametrize("command", ["dance", "retarget", "check", "train", "evaluate", "transfer"])
def test_every_command_knows_the_option(cli: Cli, command: str, two: Path, dancer: Path) -> None:
    arguments: dict[str, tuple[str | Path, ...]] = {
        "dance": (two, two),
        "retarget": (two, two),
        "check": (two,),
        "train": ("--target", two),
        "evaluate": (dancer, two),
        "transfer": (two, "--dancer", dancer),
    }
    got = cli(command, *arguments[command], "--person", "nobody")
    assert got.code == 2 and "names nobody" in got.err
