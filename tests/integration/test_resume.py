"""Killed with SIGKILL anywhere and resumed, training ends with the same weights, bit for bit, as one never killed."""

import hashlib
import multiprocessing
import os
import signal
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest
from resume_driver import train_until_killed

from dancekit import train
from dancekit.config import load_recipe
from dancekit.data.cache import cache_folder
from dancekit.data.cache_entries import clear
from dancekit.errors import OutputExists, UsageError
from dancekit.training.checkpoint import list_checkpoints, read_best
from dancekit.training.lock import NAME as LOCK
from dancekit.weights.header import read_tensors

OVERRIDES = [
    "train.steps=10",
    "train.checkpoint_every=3",
    "train.preview_every=100",
    "augmentations.affine.p=1",
    # everything that has a state of its own, or works beside the training thread
    "train.accumulate=2",
    "train.gradient_checkpointing=true",
    "train.keep={last: 2, best: true}",
    "train.hold_out=0.2",
    "train.pool=2",
    "train.prefetch=3",
    "losses=[{name: lsgan}, {name: feature_matching, weight: 10}, {name: l1, weight: 20, every: 2}]",
]

IMPORTED = [
    "dancekit.training",
    "dancekit.training.loop",
    "kornia",
    "resume_driver",
    "scipy.signal",
    "torch._dynamo",
]
"""By the process of which those that are killed are forked: each is a fresh one, but has not to import for 8 s."""


@pytest.fixture(scope="module")
def processes() -> BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def weights(run: Path) -> dict[str, str]:
    """sha256 of every file of the last checkpoint: networks, averages, optimizers, step."""
    last = list_checkpoints(run / "checkpoints")[-1]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(last.iterdir())}


def painted_by(dancer: Path) -> dict[str, bytes]:
    """The weights of a dancer file: its header also says how long it took."""
    return {name: tensor.numpy().tobytes() for name, tensor in read_tensors(dancer).items()}


def test_killed_again_and_again_it_ends_with_the_same_bits(short_clips, tmp_path, processes):
    target, log = str(short_clips["target"]), tmp_path / "log.txt"
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    recipe = load_recipe("tiny", OVERRIDES)
    assert [stage.name for stage in recipe.train.stages] == ["body", "face"]
    train(target, recipe, out=whole, device="cpu")
    clear(kinds=("frames",))  # so that there is something to prepare again
    for where in ("preparing", "first step", "writing a checkpoint", "after a stage's end"):
        given = (where, target, str(pieces), OVERRIDES, str(log), dict(os.environ))
        killed = processes.Process(target=train_until_killed, args=given)
        killed.start()
        killed.join(300)
        assert killed.exitcode == -signal.SIGKILL, (where, log.read_text())
    assert [path.name for path in list_checkpoints(pieces / "checkpoints")] == [
        "step-0000003",
        "step-0000006",
    ]
    assert (pieces / LOCK).exists(), "a killed run leaves its lock, which is no obstacle"
    result = train(target, recipe, out=pieces, device="cpu", resume=True)
    assert result.finished
    assert weights(pieces) == weights(whole)
    # four networks, two averages, four optimizers, two pools, the step and its score
    assert len(weights(whole)) == 13
    assert read_best(pieces / "checkpoints") == read_best(whole / "checkpoints")
    for name in ("dancer.safetensors", "best.safetensors"):
        assert painted_by(pieces / name) == painted_by(whole / name)
    assert not (pieces / LOCK).exists()
    steps = [line.split('"step": ')[1] for line in (pieces / "metrics.jsonl").read_text().splitlines()]
    assert steps == [f"{n}}}" for n in range(1, 11)]
    assert not list(pieces.rglob("*.part*"))
    assert not list(cache_folder("frames").glob(".*"))


@pytest.mark.usefixtures("poses_known")
def test_another_seed_gives_other_weights(short_clips, tmp_path):
    for seed in (0, 1):
        recipe = load_recipe("tiny", ["train.steps=1", f"train.seed={seed}"])
        train(short_clips["target"], recipe, out=tmp_path / str(seed), device="cpu")
    assert weights(tmp_path / "0") != weights(tmp_path / "1")


@pytest.mark.usefixtures("poses_known")
def test_a_run_is_neither_overwritten_nor_resumed_with_something_else(short_clips, tmp_path):
    recipe = load_recipe("tiny", ["train.steps=1"])
    run = tmp_path / "run"
    train(short_clips["target"], recipe, out=run, device="cpu")
    with pytest.raises(OutputExists, match="exists already"):
        train(short_clips["target"], recipe, out=run, device="cpu")
    with pytest.raises(UsageError, match="another recipe: generator differ"):
        train(
            short_clips["target"],
            load_recipe("tiny", ["generator.ngf=4"]),
            out=run,
            device="cpu",
            resume=True,
        )
    with pytest.raises(UsageError, match="another target"):
        train(short_clips["source"], recipe, out=run, device="cpu", resume=True)
    longer = train(
        short_clips["target"], load_recipe("tiny", ["train.steps=3"]), out=run, device="cpu", resume=True
    )
    assert longer.steps == 3
