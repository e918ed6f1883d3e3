"""Checkpoints: everything that training needs to go on exactly, as safetensors, each folder appearing at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dancekit.data.files import write_whole
from dancekit.errors import DancekitError
from dancekit.weights.header import read_tensors, write_safetensors

if TYPE_CHECKING:
    from dancekit.training.state import TrainingState

BEST = "best.json"
"""Which checkpoint is the best one: {"step": ..., "score": ...}."""


HARD = "hard.safetensors"
"""The running errors of frames, of a recipe with `train.hard`."""


class CannotSave(DancekitError):
    """A checkpoint that could not be written; the ones before it are as they were."""


def save_checkpoint(folder: Path, state: TrainingState, *, score: float | None = None) -> Path:
    """Write `folder/step-NNNNNN`; it appears complete or not at all.

    Args:
        folder: Of all checkpoints.
        state: What to keep.
        score: How good it is, if that was measured; kept with it.

    Raises:
        CannotSave: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{state.step:07d}"
    part = folder / f".{final.name}.{os.getpid()}.part"
    _remove_parts(folder)
    try:
        part.mkdir()
        for name, module in state.networks.items():
            write_safetensors(part / f"{name}.safetensors", dict(module.state_dict()), {"format": "pt"})
        for name, average in state.averages.items():
            write_safetensors(part / f"{name}.ema.safetensors", average.shadow, {"format": "pt"})
        for name, optimizer in state.optimizers.items():
            write_safetensors(part / f"{name}.optimizer.safetensors", _flatten(optimizer), {"format": "pt"})
        for name, pool in state.pools.items():
            if pool.images:
                write_safetensors(part / f"{name}.pool.safetensors", pool.state(), {"format": "pt"})
        if state.hard is not None:
            write_safetensors(part / HARD, state.hard.state(), {"format": "pt"})
        facts: dict[str, Any] = {
            "step": state.step,
            "winograd": state.winograd,
            "ema_updates": {name: ema.updates for name, ema in state.averages.items()},
        }
        if score is not None:
            facts["score"] = score
        (part / "state.json").write_text(json.dumps(facts, sort_keys=True))
        if final.exists():
            shutil.rmtree(final)
        part.rename(final)
    except (OSError, DancekitError) as error:  # write_safetensors looks for room first
        why = error.message if isinstance(error, DancekitError) else error.strerror or error
        raise CannotSave(f"cannot write checkpoint {final}: {why}", hint="free some space") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return final


def prune_checkpoints(folder: Path, last: int) -> None:
    """Delete all but the newest ones and the best one.

    Args:
        folder: Of all checkpoints.
        last: How many of the newest stay; more than one, in case the disk damages the newest.
    """
    best = read_best(folder)
    for old in list_checkpoints(folder)[:-last]:
        if best is None or step_of(old) != best[0]:
            shutil.rmtree(old, ignore_errors=True)


def read_best(folder: Path) -> tuple[int, float] | None:
    """Step and score of the best checkpoint so far; None if none was measured."""
    try:
        facts = json.loads((folder / BEST).read_text())
        return int(facts["step"]), float(facts["score"])
    except (OSError, ValueError, KeyError):
        return None


def note_best(folder: Path, step: int, score: float) -> None:
    """Remember which one is the best."""
    write_whole(folder / BEST, json.dumps({"step": step, "score": score}))


def score_of(path: Path) -> float | None:
    """The score that was kept with a checkpoint."""
    score = json.loads((path / "state.json").read_text()).get("score")
    return None if score is None else float(score)


def step_of(path: Path) -> int:
    """The step of a checkpoint, from its name."""
    return int(path.name.removeprefix("step-"))


def list_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").exists())


def load_checkpoint(path: Path, state: TrainingState) -> None:
    """Put a checkpoint's numbers into the networks, optimizers and averages, strictly.

    Raises:
        DancekitError: A file is damaged, or does not fit the recipe.
    """
    facts = json.loads((path / "state.json").read_text())
    for name, module in state.networks.items():
        found = read_tensors(path / f"{name}.safetensors")
        try:
            module.load_state_dict(found, strict=True)
        except RuntimeError as error:
            raise DancekitError(f"{path / name} does not fit the recipe: {error}") from None
    for name, average in state.averages.items():
        average.load(read_tensors(path / f"{name}.ema.safetensors"), facts["ema_updates"][name])
    for name, optimizer in state.optimizers.items():
        _unflatten(optimizer, read_tensors(path / f"{name}.optimizer.safetensors"))
    for name, pool in state.pools.items():
        if (saved := path / f"{name}.pool.safetensors").exists():
            pool.load(read_tensors(saved), state.device)
    if state.hard is not None:
        state.hard.load(read_tensors(path / HARD))
    state.step = int(facts["step"])
    state.use_winograd(bool(facts.get("winograd", False)))  # as it began, whatever is faster today


def _flatten(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's state as named tensors: `<parameter number>.<key>`."""
    tensors = {}
    for number, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            tensors[f"{number}.{key}"] = torch.as_tensor(value)
    return tensors


def _unflatten(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _remove_parts(folder: Path) -> None:
    for left in folder.glob(".*.part"):
        shutil.rmtree(left, ignore_errors=True)
