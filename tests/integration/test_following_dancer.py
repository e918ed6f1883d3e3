"""A dancer with a window that follows, from clip to video: trained, stopped, gone on with, painted, evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dancekit
from dancekit.config import load_recipe
from dancekit.dancer import read_info
from dancekit.data import training_set
from dancekit.transfer import Dancer, TransferOptions
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256

CHANGES = [
    "person_height=56",
    "reference=nearest",
    "reference.bank=4",
    "reference.gap=2",
    "train.steps=4",
    "train.checkpoint_every=2",
    "train.preview_every=4",
    "train.prefetch=0",
]


@pytest.fixture(scope="module")
def run(short_clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("follow") / "run"
    dancekit.train(short_clips["target"], load_recipe("tiny", CHANGES), out=folder, device="cpu")
    return folder


def test_the_dancer_says_that_its_window_follows(run: Path) -> None:
    info, data = read_info(run / "dancer.safetensors"), training_set.load(run / "data")
    assert info.format == 3
    assert info.follow == data.follow is not None
    assert data.frames.shape[1:3] == (64, 64)  # type: ignore[attr-defined]
    assert info.window.size == info.follow.canvas != (64, 64)
    assert list((run / "previews").glob("*.png"))


def test_a_stopped_training_goes_on_exactly(run: Path, short_clips: dict[str, Path], tmp_path: Path) -> None:
    recipe, again = load_recipe("tiny", CHANGES), tmp_path / "run"
    stops = iter([False, True])
    dancekit.train(short_clips["target"], recipe, out=again, device="cpu", should_stop=lambda: next(stops))
    dancekit.train(short_clips["target"], recipe, out=again, device="cpu", resume=True)
    one, two = (sorted((each / "checkpoints").glob("*4/generator.safetensors")) for each in (run, again))
    assert len(one) == len(two) == 1
    assert file_sha256(one[0]) == file_sha256(two[0])


def test_it_is_shown_in_the_whole_picture(run: Path, short_clips: dict[str, Path], tmp_path: Path) -> None:
    dancer = Dancer.load(run / "dancer.safetensors", device="cpu")
    poses = dancer.target[:4]
    poses.save(tmp_path / "dance.npz")
    for background in (None, "target"):
        out = tmp_path / f"{background}.mp4"
        options = TransferOptions(background=background, overrides=("normalizer=identity",))
        dancer.transfer(tmp_path / "dance.npz", out, options=options)
        assert probe(out).size == (512, 512)
        assert len(list(read_frames(out))) == 4
    shown = next(iter(read_frames(tmp_path / "target.mp4"))).rgb.astype(int)
    assert np.abs(shown[:20] - dancer.plate[:20]).mean() < 4  # the room, as it was
