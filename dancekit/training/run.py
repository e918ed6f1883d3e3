"""The run folder: what was asked for, what happened, and what training can go on from.

```
recipe.yaml          the resolved recipe
provenance.json      versions, seed, device, sha256 of the inputs
metrics.jsonl        one record a line
data/                the target's frames, masks and poses, decoded once
previews/            step-0000500.png
checkpoints/         step-0000500/
dancer.safetensors   the result
before/1/            run folder of the first recipe of a chain, and so on
```
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit import __version__
from dancekit.config import Recipe, load_recipe
from dancekit.data.files import write_whole
from dancekit.errors import OutputExists, UsageError

NOT_OF_THE_WEIGHTS = ("summary", "normalizer", "policy")
"""Keys of a recipe that training does not look at: they may differ when a run is resumed."""

FREE_TO_CHANGE = {"steps", "checkpoint_every", "preview_every", "log_every"}
"""Keys under `train` that may differ when a run is resumed."""


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

    def log(self, record: dict[str, Any]) -> None:
        """Append one record to metrics.jsonl."""
        with self.metrics_file.open("a") as file:
            file.write(json.dumps(record, sort_keys=True) + "\n")

    def seconds(self, steps: int) -> float:
        """About how long so many steps took, over all sessions: from the logged seconds a step."""
        if not self.metrics_file.exists():
            return 0.0
        records = [json.loads(line) for line in self.metrics_file.read_text().splitlines()]
        return steps * sum(float(record["seconds_per_step"]) for record in records) / max(1, len(records))

    def forget_after(self, step: int) -> None:
        """Drop log lines of steps that a kill has undone, and a half-written last line."""
        if not self.metrics_file.exists():
            return
        kept = []
        for line in self.metrics_file.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue
        write_whole(self.metrics_file, "".join(kept))


def check_run(folder: Path, recipe: Recipe, inputs: dict[str, str], *, resume: bool, force: bool) -> None:
    """Refuse a run folder before any work is done; changes nothing. The arguments are those of `open_run`.

    Raises:
        OutputExists: The folder exists, and neither was asked for.
        UsageError: It holds a run of another recipe or other inputs, or something else that `force` must not
            delete.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the run")
    if not folder.exists() or not any(folder.iterdir()):
        return
    run = Run(folder)
    if resume:
        check_same(run, recipe, inputs)
    elif not force:
        raise OutputExists(folder)
    elif not run.recipe_file.exists():
        raise UsageError(
            f"{folder} holds files that are no run, they are not deleted", hint="choose another --out"
        )


def open_run(
    folder: Path, recipe: Recipe, inputs: dict[str, str], *, device: str, resume: bool, force: bool
) -> Run:
    """Make the run folder, or open the one that is to be resumed.

    Args:
        folder: Where.
        recipe: What is asked for now.
        inputs: sha256 by role (`target`).
        device: Where it trains.
        resume: Go on if the folder holds a run of the same recipe and inputs.
        force: Delete the run that is there.

    Raises:
        UsageError: As `check_run`.
    """
    check_run(folder, recipe, inputs, resume=resume, force=force)
    run = Run(folder)
    if folder.exists() and not resume:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(run.recipe_file, recipe.to_yaml())
    write_whole(run.provenance_file, json.dumps(provenance(recipe, inputs, device), indent=2, sort_keys=True))
    return run


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


def run_inputs(target_sha256: str, person: str | None) -> dict[str, str]:
    """What a run is bound to: the target's file, and who of several people in it, if that was said."""
    return {"target": target_sha256} | ({} if person is None else {"person": person})


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
    if before != inputs and before.get("target") == inputs.get("target"):
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
