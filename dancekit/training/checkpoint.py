"""Checkpoints: everything that training needs to go on exactly, as safetensors, each folder appearing at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dancekit.errors import DancekitError
from dancekit.weights.header import read_tensors, write_safetensors

if TYPE_CHECKING:
    from dancekit.training.state import TrainingState

KEEP = 2
"""Checkpoints kept: the newest, and the one before it in case the disk damaged the newest."""


def save_checkpoint(folder: Path, state: TrainingState) -> Path:
    """Write `folder/step-NNNNNN`; it appears complete or not at all. Older ones beyond `KEEP` are deleted.

    Raises:
        DancekitError: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{state.step:07d}"
    part = folder / f".{final.name}.{os.getpid()}.part"
    _remove_parts(folder)
    part.mkdir()
    try:
        for name, module in state.networks.items():
            write_safetensors(part / f"{name}.safetensors", dict(module.state_dict()), {"format": "pt"})
        for name, average in state.averages.items():
            write_safetensors(part / f"{name}.ema.safetensors", average.shadow, {"format": "pt"})
        for name, optimizer in state.optimizers.items():
            write_safetensors(part / f"{name}.optimizer.safetensors", _flatten(optimizer), {"format": "pt"})
        for name, pool in state.pools.items():
            if pool.images:
                write_safetensors(part / f"{name}.pool.safetensors", pool.state(), {"format": "pt"})
        facts = {
            "step": state.step,
            "ema_updates": {name: ema.updates for name, ema in state.averages.items()},
        }
        (part / "state.json").write_text(json.dumps(facts, sort_keys=True))
        if final.exists():
            shutil.rmtree(final)
        part.rename(final)
    except OSError as error:
        raise DancekitError(
            f"cannot write checkpoint {final}: {error.strerror or error}", hint="free some space"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for old in list_checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return final


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
    state.step = int(facts["step"])


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
