"""Training learns, with any objective, and finds out early what cannot work."""

import json
from pathlib import Path

import numpy as np
import pytest

import dancekit
from dancekit.config import load_recipe
from dancekit.errors import IncompatibleParts
from dancekit.training.checkpoint import list_checkpoints
from dancekit.weights.header import read_tensors

pytestmark = pytest.mark.usefixtures("poses_known")
QUIET = ["train.preview_every=1000", "train.checkpoint_every=1000"]


def logged(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_it_learns(short_clips, tmp_path):
    """Forty steps on a second of video already bring the picture nearer to the true one."""
    run = tmp_path / "run"
    dancekit.train(
        short_clips["target"], load_recipe("tiny", ["train.steps=40", *QUIET]), out=run, device="cpu"
    )
    l1 = [record["l1"] for record in logged(run) if "l1" in record]
    assert len(l1) > 30
    assert np.mean(l1[-5:]) < 0.9 * np.mean(l1[:5])


def test_an_objective_without_an_adversarial_loss_trains_no_discriminator(short_clips, tmp_path):
    only_l1 = ["losses=[{name: l1}]", "face_losses=[{name: l1}]"]
    weights = []
    for steps in (1, 10):  # with ten, the face stage too
        run = tmp_path / str(steps)
        recipe = load_recipe("tiny", [*only_l1, f"train.steps={steps}", *QUIET])
        dancekit.train(short_clips["target"], recipe, out=run, device="cpu")
        last = list_checkpoints(run / "checkpoints")[-1]
        weights.append({p.name: read_tensors(p) for p in last.glob("*.safetensors")})
    assert {"l1", "face_l1"} <= {key for record in logged(run) for key in record}
    for name in ("discriminator.safetensors", "face_discriminator.safetensors"):
        assert all(value.equal(weights[1][name][key]) for key, value in weights[0][name].items())
    moved = weights[0]["generator.safetensors"]
    assert not all(value.equal(weights[1]["generator.safetensors"][key]) for key, value in moved.items())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["size=[72, 64]", "generator.n_down=4"], "multiples of 16"),
        (["discriminator=none"], "need a discriminator"),
    ],
)
def test_parts_that_do_not_fit_cost_no_run(short_clips, tmp_path, wrong, words):
    """Said before the poses are looked for, and before --force deletes what is there."""
    run = tmp_path / "run"
    recipe = load_recipe("tiny", ["train.steps=1", *QUIET])
    dancekit.train(short_clips["target"], recipe, out=run, device="cpu")
    before = sorted(run.rglob("*"))
    asked = []
    for folder, force in ((run, True), (tmp_path / "new", False)):
        with pytest.raises(IncompatibleParts, match=words):
            dancekit.train(
                short_clips["target"],
                load_recipe("tiny", wrong),
                out=folder,
                device="cpu",
                force=force,
                progress=lambda *report: asked.append(report),
            )
    assert sorted(run.rglob("*")) == before
    assert not (tmp_path / "new").exists()
    assert not asked
