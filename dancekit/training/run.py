"""The run folder: what was asked for, what happened, and what training can go on from.

```
recipe.yaml          the resolved recipe
provenance.json      versions, seed, device, sha256 of the inputs
metrics.jsonl        one record a line
curves.png           the losses, drawn with every preview
data/                the target's frames, masks and poses, decoded once
others/1/            the same of somebody else who is learnt from, and so on
previews/            step-0000500.png
checkpoints/         step-0000500/
dancer.safetensors   the result
before/1/            run folder of the first recipe of a chain, and so on
best.safetensors     the dancer of the best checkpoint, with `train.keep.best`
diagnosis.json       why it stopped, if training diverged
running.json         who is at work here, while somebody is
tensorboard/         with `train.loggers: [tensorboard]`
```
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit import __version__
from dancekit.config import Recipe, load_recipe
from dancekit.data.files import write_whole
from dancekit.errors import OutputExists, UsageError
from dancekit.training.journal import read_records
from dancekit.training.lock import NAME as LOCK
from dancekit.training.lock import check_free

NOT_OF_THE_WEIGHTS = ("summary", "normalizer", "policy")
"""Keys of a recipe that training does not look at: they may differ when a run is resumed."""

FREE_TO_CHANGE = {
    *("steps", "checkpoint_every", "preview_every", "log_every"),
    *("prefetch", "keep", "loggers", "gradient_checkpointing"),
}
"""Keys under `train` that may differ when a run is resumed: what is learnt does not depend on them."""


@dataclass(frozen=True)
class Run:
    """Paths of a run folder."""

    folder: Path

    @property
    def recipe_file(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    @property
    def provenance_file(self) -> Path:
        """Versions and hashes."""
        return self.folder / "provenance.json"

    @property
    def metrics_file(self) -> Path:
        """One JSON record a line."""
        return self.folder / "metrics.jsonl"

    @property
    def data(self) -> Path:
        """The training set."""
        return self.folder / "data"

    def others(self, count: int | None = None) -> list[Path]:
        """The training sets of other people: so many, or those that are there."""
        folder = self.folder / "others"
        if count is None:
            count = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
        return [folder / str(number) for number in range(1, count + 1)]

    @property
    def previews(self) -> Path:
        """Pictures while training."""
        return self.folder / "previews"

    @property
    def checkpoints(self) -> Path:
        """Checkpoint folders."""
        return self.folder / "checkpoints"

    @property
    def dancer(self) -> Path:
        """The result."""
        return self.folder / "dancer.safetensors"

    @property
    def curves(self) -> Path:
        """The losses, drawn."""
        return self.folder / "curves.png"

    @property
    def best(self) -> Path:
        """The dancer of the best checkpoint."""
        return self.folder / "best.safetensors"

    @property
    def diagnosis(self) -> Path:
        """Why training diverged."""
        return self.folder / "diagnosis.json"

    def seconds(self, steps: int) -> float:
        """About how long so many steps took, over all sessions: from the logged seconds a step."""
        records = read_records(self.metrics_file)
        return steps * sum(float(record["seconds_per_step"]) for record in records) / max(1, len(records))


def check_run(
    folder: Path,
    recipe: Recipe,
    inputs: dict[str, str],
    *,
    resume: bool,
    force: bool,
    locked: bool = False,
) -> None:
    """Refuse a run folder before any work is done; changes nothing.

    The arguments are those of `open_run`; `locked` says that this process holds the folder's lock.

    Raises:
        OutputExists: The folder exists, and neither was asked for.
        DancekitError: Another process is at work in it.
        UsageError: It holds a run of another recipe or other inputs, or something else that `force` must not
            delete.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the run")
    if not folder.exists() or not any(path.name != LOCK for path in folder.iterdir()):
        return
    run = Run(folder)
    if not locked:
        check_free(folder)
    if resume:
        check_same(run, recipe, inputs)
    elif not force:
        raise OutputExists(folder)
    elif not run.recipe_file.exists():
        raise UsageError(
            f"{folder} holds files that are no run, they are not deleted", hint="choose another --out"
        )


def open_run(
    folder: Path,
    recipe: Recipe,
    inputs: dict[str, str],
    *,
    device: str,
    resume: bool,
    force: bool,
    processes: int = 1,
) -> Run:
    """Make the run folder, or open the one that is to be resumed; its lock is held already.

    Args:
        folder: Where.
        recipe: What is asked for now.
        inputs: sha256 by role (`target`).
        device: Where it trains.
        resume: Go on if the folder holds a run of the same recipe and inputs.
        force: Delete the run that is there.
        processes: How many train it.

    Raises:
        UsageError: As `check_run`.
    """
    check_run(folder, recipe, inputs, resume=resume, force=force, locked=True)
    run = Run(folder)
    if folder.exists() and not resume:
        empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(run.recipe_file, recipe.to_yaml())
    facts = provenance(recipe, inputs, device) | {"processes": processes}
    write_whole(run.provenance_file, json.dumps(facts, indent=2, sort_keys=True))
    return run


def empty(folder: Path) -> None:
    """Delete everything in a run folder but its lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def provenance(recipe: Recipe, inputs: dict[str, str], device: str) -> dict[str, Any]:
    """Versions, seed, device, and the sha256 of everything that went in."""
    import torch

    return {
        "dancekit": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "device": device,
        "argv": sys.argv,
        "seed": recipe.train.seed,
        "recipe_sha256": recipe.hash,
        "inputs": inputs,
    }


def run_inputs(target_sha256: str, person: str | None, others: Sequence[str] = ()) -> dict[str, str]:
    """What a run is bound to: the target's file; who of several people in it, if that was said; others' files."""
    also = {f"also_{number}": digest for number, digest in enumerate(others, 1)}
    return {"target": target_sha256} | ({} if person is None else {"person": person}) | also


def check_same(run: Run, recipe: Recipe, inputs: dict[str, str]) -> None:
    """Whether a run can go on with a recipe and inputs.

    Raises:
        UsageError: It is no run folder, or was trained on another target or with another recipe.
    """
    if not run.recipe_file.exists() or not run.provenance_file.exists():
        raise UsageError(
            f"{run.folder} is not a run folder", hint="choose another --out, or add --force to replace it"
        )
    before = json.loads(run.provenance_file.read_text())["inputs"]
    if before.get("target") == inputs.get("target") and before.get("person") == inputs.get("person"):
        if before != inputs:
            raise UsageError(
                f"{run.folder} was trained on other people beside the target",
                hint="give the same --also in the same order, choose another --out, or add --force to replace it",
            )
    elif before.get("target") == inputs.get("target"):
        whom = [each.get("person") for each in (before, inputs)]
        raise UsageError(
            f"{run.folder} was trained on {_whom(whom[0])} of the target, now it is {_whom(whom[1])}",
            hint="give the same --person, choose another --out, or add --force to replace it",
        )
    if before != inputs:
        raise UsageError(
            f"{run.folder} was trained on another target (sha256 {before.get('target', '?')[:12]}, "
            f"now {inputs.get('target', '?')[:12]})",
            hint="choose another --out, or add --force to replace it",
        )
    old, new = (_comparable(r) for r in (load_recipe(run.recipe_file), recipe))
    if old != new:
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        raise UsageError(
            f"{run.folder} was trained with another recipe: {', '.join(changed)} differ",
            hint="resume with the same recipe, choose another --out, or add --force to replace it",
        )


def _whom(person: str | None) -> str:
    return "the largest person (no --person)" if person is None else f"--person {person}"


def _comparable(recipe: Recipe) -> dict[str, Any]:
    data = recipe.to_json()
    for key in NOT_OF_THE_WEIGHTS:
        data.pop(key, None)
    data["train"] = {key: value for key, value in data["train"].items() if key not in FREE_TO_CHANGE}
    data["before"] = [_comparable(each) for each in recipe.before]
    return data
