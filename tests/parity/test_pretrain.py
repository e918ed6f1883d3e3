"""From one stage to the next: which tensors the original's loader takes over. Not in the sample of cases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from cases import Case, checks
from torch import nn

from dancekit.weights.state_dict import copy_matching

SOURCE = re.compile(r"pre|checkpoint|ckpt|source|from|saved|global|before", re.I)
TAKEN = re.compile(r"copied|loaded|equal|filled|taken|match", re.I)
FRESH = re.compile(r"fresh|uninit|not_|missing|left|kept|unchanged", re.I)


class Holder(nn.Module):
    """Tensors of given names and shapes."""

    def __init__(self, shapes: dict[str, list[int]]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            owner: nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(owner, part):
                    owner.add_module(part, nn.Module())
                owner = owner.get_submodule(part)
            owner.register_buffer(last, torch.zeros(shape))


def shapes_of(value: Any) -> dict[str, list[int]] | None:
    """[[name, shape, ...], ...] or {name: shape} as the latter; None for anything else."""
    if isinstance(value, dict):
        value = list(value.items())
    if not (
        isinstance(value, list) and value and all(isinstance(v, list | tuple) and len(v) >= 2 for v in value)
    ):
        return None
    if not all(isinstance(v[0], str) and isinstance(v[1], list) for v in value):
        return None
    return {v[0]: v[1] for v in value}


def transfers(node: Any) -> Iterator[tuple[dict[str, dict[str, list[int]]], dict[str, list[str]]]]:
    """Every mapping that holds two state dicts' shapes, and its lists of names."""
    if isinstance(node, list):
        for each in node:
            yield from transfers(each)
    if not isinstance(node, dict):
        return
    dicts = {key: found for key, value in node.items() if (found := shapes_of(value)) is not None}
    names = {
        key: value
        for key, value in node.items()
        if isinstance(value, list) and all(isinstance(v, str) for v in value)
    }
    if len(dicts) == 2:
        yield dicts, names
    else:
        for value in node.values():
            yield from transfers(value)


@checks("edn_load_pretrain")
def test_loading_the_stage_before(case: Case) -> None:
    found = list(transfers(case.meta))
    assert found, f"{case.path}: no pair of state dicts found in it"
    for dicts, names in found:
        sources = [key for key in dicts if SOURCE.search(key)]
        assert len(sources) == 1, f"{case.path}: which of {list(dicts)} is loaded?"
        target = next(key for key in dicts if key != sources[0])
        copied, left, _ = copy_matching(
            Holder(dicts[target]), {key: torch.ones(shape) for key, shape in dicts[sources[0]].items()}
        )
        told = {key: set(value) & set(dicts[target]) for key, value in names.items()}
        taken = next((told[key] for key in told if TAKEN.search(key) and not FRESH.search(key)), None)
        fresh = next((told[key] for key in told if FRESH.search(key)), None)
        assert taken is not None or fresh is not None, f"{case.path}: nothing to compare in {list(names)}"
        assert taken is None or taken == set(copied)
        assert fresh is None or fresh == set(left)
