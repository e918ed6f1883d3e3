"""A dancer that others start from: several people in one run."""

import json

import pytest

import dancekit
from dancekit.cli.app import main
from dancekit.config import load_recipe
from dancekit.errors import UsageError
from dancekit.training.checkpoint import list_checkpoints
from dancekit.weights.header import read_tensors

pytestmark = pytest.mark.usefixtures("poses_known")
QUIET = [
    "train.preview_every=1000",
    "train.checkpoint_every=1000",
    "reference={name: nearest, params: {bank: 8}}",
]


def weights(run):
    last = list_checkpoints(run / "checkpoints")[-1]
    return {path.name: read_tensors(path) for path in last.glob("*.safetensors")}


def same(one, other):
    return all(value.equal(other[name][key]) for name, each in one.items() for key, value in each.items())


def test_everybody_is_learnt_from_and_a_stopped_run_goes_on_with_all(short_clips, tmp_path):
    recipe = load_recipe("tiny", ["train.steps=8", *QUIET])
    given = {"device": "cpu", "also": [short_clips["source"]]}
    whole = dancekit.train(short_clips["target"], recipe, out=tmp_path / "whole", **given)
    alone = dancekit.train(short_clips["target"], recipe, out=tmp_path / "alone", device="cpu")
    assert not same(weights(whole.run), weights(alone.run))
    steps = iter([False] * 3 + [True])
    half = tmp_path / "half"
    dancekit.train(short_clips["target"], recipe, out=half, should_stop=lambda: next(steps), **given)
    with pytest.raises(UsageError, match="was trained on other people"):
        dancekit.train(short_clips["target"], recipe, out=half, resume=True, device="cpu")
    dancekit.train(short_clips["target"], recipe, out=half, resume=True, **given)
    assert same(weights(whole.run), weights(half))
    inputs = json.loads((half / "provenance.json").read_text())["inputs"]
    assert inputs.keys() == {"target", "also_1"}


def test_the_command_takes_a_folder_and_says_what_it_holds_not(short_clips, tmp_path, capsys):
    people = tmp_path / "people"
    people.mkdir()
    words = ["train", "--target", str(short_clips["target"]), "--also", str(people), "--recipe", "tiny"]
    words += ["--out", str(tmp_path / "run"), "train.steps=2", "-q"]
    assert main(words) == 2
    assert "people holds no video" in capsys.readouterr().err
    for clip in short_clips.values():
        (people / clip.name).symlink_to(clip)
    assert main(words) == 0
    assert [place.name for place in (tmp_path / "run" / "others").iterdir()] == ["1"], (
        "the target is there already"
    )
