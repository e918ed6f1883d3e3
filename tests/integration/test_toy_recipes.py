"""The recipes of the originals: a toy of each trains, in stages where it has some, and its dancer paints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dancekit
from dancekit.config import Recipe, load_recipe, recipe_names
from dancekit.dancer import read_info
from dancekit.errors import IncompatibleParts, OfflineError, OutputExists, UsageError
from dancekit.training import TrainResult
from dancekit.training.checkpoint import list_checkpoints
from dancekit.transfer import Dancer
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.weights.header import read_tensors

TOYS = [name for name in recipe_names() if name.startswith("toy/")]
REAL = ["edn/face", "edn/full", "edn/global", "edn/local", "pix2pix/unet", "pix2pixhd/base"]

SMALLER = {
    "summary",
    "size[0]",
    "size[1]",
    "pose.params.model",
    "generator.params.ngf",
    "discriminator.params.ndf",
    "face.params.ngf",
    "face.params.crop_size",
    "face_discriminator.params.ndf",
    "losses[2].params.backbone",
    "face_losses[1].params.backbone",
    "train.steps",
    "train.log_every",
    "train.stages[0].share",
    "train.stages[1].share",
}
"""What a toy may change: sizes, widths, lengths, the backbone whose weights have to be downloaded."""


@pytest.fixture(scope="module")
def clip(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of the shipped target, as few as there may be."""
    given = root / "zoo" / "samples" / "target.mp4"
    info, path = probe(given), tmp_path_factory.mktemp("clip") / "target.mp4"
    with VideoWriter(path, size=info.size, time_base=info.time_base, rate=info.rate) as writer:
        for frame in read_frames(given, stop=10):
            writer.write(frame.rgb, frame.pts)
    return path


@pytest.fixture(scope="module")
def poses_kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("poses")


@pytest.fixture(autouse=True)
def cached(_own_world: None, poses_kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all, so that poses are found once."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(poses_kept))


def differences(one: Any, other: Any, at: str = "") -> set[str]:
    """Paths at which two resolved recipes differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        parts = [differences(one[k], other[k], f"{at}.{k}" if at else k) for k in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        parts = [differences(a, b, f"{at}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return set() if one == other else {at}
    return set().union(*parts)


def logged(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_each_original_has_a_toy() -> None:
    assert sorted(f"toy/{name}" for name in REAL) == TOYS
    assert set(REAL) <= set(recipe_names())


@pytest.mark.parametrize("name", REAL)
def test_a_toy_is_the_same_recipe_but_for_its_size(name: str) -> None:
    real, toy = load_recipe(name), load_recipe(f"toy/{name}")
    assert len(real.chain) == len(toy.chain)
    for one, other in zip(real.chain, toy.chain, strict=True):
        found = differences(one.to_json() | {"before": []}, other.to_json() | {"before": []})
        assert found <= SMALLER, found - SMALLER
        assert other.train.steps == 2
        assert all(a <= b for a, b in zip(other.size, one.size, strict=True))


@pytest.mark.parametrize("name", [name for name in REAL if name.startswith("edn/")])
def test_the_stages_are_those_of_the_chain(name: str) -> None:
    """`edn/full` holds no copy that could drift."""
    whole = load_recipe("edn/full")
    stages = {"edn/global": 0, "edn/local": 1, "edn/face": 2, "edn/full": 2}
    own = load_recipe(name).to_json() | {"before": [], "summary": ""}
    assert whole.chain[stages[name]].to_json() | {"before": [], "summary": ""} == own


def check_trained(recipe: Recipe, run: Path) -> None:
    """Both steps have been taken, every term is there, and all that should learn has moved."""
    records = logged(run)
    assert [record["step"] for record in records] == [1, 2]
    last = records[-1]
    body = any("generator" in stage.modules for stage in recipe.train.stages)
    framed = any(stage.judge == "frame" for stage in recipe.train.stages)
    assert all(term.name in last for term in recipe.losses if body or framed)
    assert all(f"face_{term.name}" in last for term in recipe.face_losses if recipe.face.name != "none")
    assert all(np.isfinite(value) for key, value in last.items() if key not in ("step", "stage"))


def check_paints(dancer: Path, clip: Path, out: Path, size: tuple[int, int]) -> None:
    """It dances the clip's ten frames."""
    assert Dancer.load(dancer, device="cpu").transfer(clip, out).frames == 10
    assert probe(out).size == size


def weights_of(run: Path, network: str) -> dict[str, torch.Tensor]:
    return read_tensors(list_checkpoints(run / "checkpoints")[-1] / f"{network}.safetensors")


@pytest.mark.parametrize("name", ["toy/pix2pix/unet", "toy/pix2pixhd/base"])
def test_two_steps_and_a_frame(name: str, clip: Path, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    result = dancekit.train(clip, recipe, out=tmp_path / "run", device="cpu")
    assert (result.steps, result.finished) == (2, True)
    check_trained(recipe, result.run)
    check_paints(result.dancer, clip, tmp_path / "out.mp4", recipe.size)


STILL = [f"before[1].train.optimizer.{key}=1e-12" for key in ("lr", "lr_discriminator")]
"""The second stage stands still, so that what it took over is seen at its end."""


@pytest.fixture(scope="module")
def chain(clip: Path, poses_kept: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """toy/edn/full, stopped in the midst of its second stage, refused what does not fit, and gone on with."""
    recipe, asked = load_recipe("toy/edn/full", STILL), iter([False, False, True])
    run = tmp_path_factory.mktemp("chain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(poses_kept))
        stopped = dancekit.train(clip, recipe, out=run, device="cpu", should_stop=lambda: next(asked))
        assert (stopped.steps, stopped.finished, stopped.run) == (3, False, run)
        with pytest.raises(OutputExists):
            dancekit.train(clip, recipe, out=run, device="cpu")
        with pytest.raises(UsageError, match="another recipe"):
            other = load_recipe("toy/edn/full", [*STILL, "before[0].generator.n_blocks=8"])
            dancekit.train(clip, other, out=run, device="cpu", resume=True)
        return dancekit.train(clip, recipe, out=run, device="cpu", resume=True)


def test_the_stages_train_one_from_the_other(chain: TrainResult) -> None:
    recipe, run = load_recipe("toy/edn/full", STILL), chain.run
    assert (chain.steps, chain.finished, chain.dancer) == (6, True, run / "dancer.safetensors")
    runs = [run / "before" / "1", run / "before" / "2", run]
    for each, folder in zip(recipe.chain, runs, strict=True):
        check_trained(each, folder)
    first, second, third = (weights_of(folder, "generator") for folder in runs)
    taken = [key for key in second if key in first and second[key].shape == first[key].shape]
    assert set(first) - set(taken) == {"model.38.weight", "model.38.bias"}  # the layer to the image goes
    assert all(torch.allclose(second[key], first[key], atol=1e-9) for key in taken)
    assert all(third[key].equal(second[key]) for key in second)  # frozen in the face stage
    critics = [weights_of(folder, "discriminator")["scale0_layer0.0.weight"] for folder in runs]
    assert torch.allclose(critics[1], critics[0], atol=1e-9)
    assert not critics[2].equal(critics[1])  # learns again in the second step of the face stage


def test_each_stage_leaves_a_dancer_that_paints(chain: TrainResult, clip: Path, tmp_path: Path) -> None:
    sizes = {
        chain.run / "before" / "1": (64, 32),
        chain.run / "before" / "2": (128, 64),
        chain.run: (128, 64),
    }
    for number, (run, size) in enumerate(sizes.items()):
        check_paints(run / "dancer.safetensors", clip, tmp_path / f"{number}.mp4", size)
    assert read_info(chain.dancer).recipe == load_recipe("toy/edn/full", STILL)


def test_a_trained_stage_takes_the_place_of_those_before(
    chain: TrainResult, clip: Path, tmp_path: Path
) -> None:
    """A chain can begin at its end, from a stage that was trained elsewhere."""
    recipe, local = load_recipe("toy/edn/full", STILL), chain.run / "before" / "2"
    run = dancekit.train(clip, recipe, out=tmp_path / "run", device="cpu", start_from=local).run
    assert not (run / "before").exists()
    one, other = weights_of(chain.run, "face"), weights_of(run, "face")
    assert all(value.equal(other[key]) for key, value in one.items())


@pytest.mark.parametrize("name", [name for name in REAL if name != "pix2pix/unet"])
def test_without_vgg19_nothing_begins_and_the_remedy_is_said(name: str, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match=r"VGG19.*vgg19-dcbb9e9d\.pth") as caught:
        dancekit.train(clip, load_recipe(name), out=tmp_path / "run", device="cpu")
    assert "losses.perceptual.backbone=blazepose" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()


def test_stages_that_do_not_fit_one_another_are_refused_before_the_first(clip: Path, tmp_path: Path) -> None:
    recipe = load_recipe("toy/edn/full", ["before[0].generator.ngf=16"])
    with pytest.raises(IncompatibleParts, match=r"can take over no weight of before\[0\]"):
        dancekit.train(clip, recipe, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
