"""The plain loop trained on a target and kept as a dancer file: what `quality.py` measures recipes against.

Networks, losses and step are those of `plain_loop.py`: the original's structure in plain fp32, pairs of frames, no
perceptual loss. Poses, window and condition images are dancekit's, and so is the painting: the trained weights are
copied into dancekit's generator of the same layout, which computes the same (`tests/unit/test_quality_benchmark.py`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import torch
from plain_loop import PlainLoop

from dancekit.build import build_filters, build_painting, build_pose, component_id
from dancekit.config import Recipe, load_recipe
from dancekit.dancer import DancerInfo, component_ids, save_dancer
from dancekit.data import training_set
from dancekit.data.poses import TRACKING, track_person
from dancekit.training.batch import draw_clips, make_batch
from dancekit.training.checkpoint import list_checkpoints
from dancekit.training.plan import ClipPlan
from dancekit.video import probe
from dancekit.weights.header import read_tensors, write_safetensors

PLAIN = [
    "background=painted",
    "reference=none",
    "face=none",
    "augmentations=[]",
    "temporal=previous_frame",
    "train.ema=0",
]
"""What makes the recipe of a plain loop's dancer paint as the loop does."""


def plain_recipe(recipe: str, overrides: list[str]) -> Recipe:
    """A recipe with the plain loop's networks: pix2pixHD's generator, nothing else that paints."""
    stages = "train.stages=[{name: body, share: 1.0, modules: [generator]}]"
    return load_recipe(recipe, [*overrides, *PLAIN, stages])


class PlainDancer:
    """A run of the plain loop.

    Args:
        target: The clip.
        recipe: From `plain_recipe`.
        folder: Of the run.
    """

    def __init__(self, target: Path, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.rate = Fraction(probe(target).rate)
        self.data = _data(target, recipe, folder / "data")
        self.painting = build_painting(recipe, self.data.target.skeleton)
        torch.manual_seed(recipe.train.seed)
        generator, discriminator = recipe.generator.params, recipe.discriminator.params
        self.loop = PlainLoop(
            ngf=generator["ngf"],
            n_down=generator["n_down"],
            n_blocks=generator["n_blocks"],
            ndf=discriminator["ndf"],
            num_d=discriminator["num_d"],
            pair=True,
            vgg=None,
        )
        self.step = 0
        self._plan = ClipPlan(recipe.size, 2)
        self._starts = self.data.starts(2)
        if found := list_checkpoints(self.folder / "checkpoints"):
            self._load(found[-1])

    def train(self, told: Callable[[int], bool], save_at: Callable[[int], bool]) -> None:
        """Step until `told` says True after a step; checkpoints where `save_at` says so and at the end."""
        while True:
            clips = draw_clips(
                self.data, [], self._plan, starts=lambda span: (self._starts, None), batch=1,
                seed=self.recipe.train.seed, step=self.step,
            )  # fmt: skip
            batch = make_batch(clips, self.painting, "cpu")
            labels = [batch.conditions[:, t] for t in range(2)]
            self.loop.step(labels, [batch.real[:, t] for t in range(2)])
            self.step += 1
            stop = told(self.step)
            if stop or save_at(self.step):
                self._save()
            if stop:
                return

    def dancer(self, path: Path) -> None:
        """What has been learnt, as a dancer file."""
        copy_weights(self.loop.generator, self.painting.generator)
        networks = {f"generator.{key}": value for key, value in self.painting.generator.state_dict().items()}
        info = DancerInfo(
            recipe=self.recipe,
            components=component_ids(self.recipe),
            skeleton=self.data.target.skeleton.id,
            window=self.data.window,
            rate=self.rate,
            training={"steps": self.step, "plain_loop": True},
        )
        _, png = cv2.imencode(".png", cv2.cvtColor(self.data.plate, cv2.COLOR_RGB2BGR))
        save_dancer(path, info, networks, target=self.data.target, plate_png=png.tobytes())

    # ---- to go on ------------------------------------------------------------------------------------------

    def _parts(self) -> dict[str, Any]:
        loop = self.loop
        twice = loop.optimizer_g.adam  # type: ignore[union-attr]
        return {"generator": (loop.generator, twice), "discriminator": (loop.discriminator, loop.optimizer_d)}

    def _save(self) -> None:
        final = self.folder / "checkpoints" / f"step-{self.step:07d}"
        part = final.with_name(f".{final.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, (network, optimizer) in self._parts().items():
            write_safetensors(part / f"{name}.safetensors", dict(network.state_dict()), {"format": "pt"})
            moments = {
                f"{number}.{key}": torch.as_tensor(value)
                for number, values in optimizer.state_dict()["state"].items()
                for key, value in values.items()
            }
            write_safetensors(part / f"{name}.optimizer.safetensors", moments, {"format": "pt"})
        (part / "state.json").write_text(json.dumps({"step": self.step}))
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)
        for old in list_checkpoints(final.parent)[:-2]:
            shutil.rmtree(old)

    def _load(self, folder: Path) -> None:
        for name, (network, optimizer) in self._parts().items():
            network.load_state_dict(read_tensors(folder / f"{name}.safetensors"))
            moments: dict[int, dict[str, Any]] = {}
            for key, value in read_tensors(folder / f"{name}.optimizer.safetensors").items():
                number, _, what = key.partition(".")
                moments.setdefault(int(number), {})[what] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step = int(json.loads((folder / "state.json").read_text())["step"])


def copy_weights(plain: torch.nn.Module, ours: torch.nn.Module) -> None:
    """From the plain loop's generator into dancekit's: the same layers in the same order, under other names."""
    given, wanted = list(plain.parameters()), list(ours.parameters())
    if [each.shape for each in given] != [each.shape for each in wanted]:
        raise SystemExit("the plain loop's generator has other layers than the recipe's")
    with torch.no_grad():
        for theirs, own in zip(given, wanted, strict=True):
            own.copy_(theirs)


def _data(target: Path, recipe: Recipe, folder: Path) -> training_set.TrainingSet:
    """As `dancekit train` prepares it; frames and poses come from the same cache."""
    if folder.exists():
        return training_set.load(folder)
    backend = build_pose(recipe, "cpu")
    tracked = track_person(target, backend, recipe.pose)
    built = build_filters(recipe)
    settings = {
        "pose": component_id(backend, recipe.pose),
        "filters": [
            {"name": each.name, "params": each.params, "version": made.version}
            for each, made in zip(recipe.filters, built, strict=True)
        ],
        "size": recipe.size,
        "person": None,
        "tracking": TRACKING,
    }
    return training_set.prepare(
        target, tracked, filters=built, size=recipe.size, folder=folder, settings=settings
    )
