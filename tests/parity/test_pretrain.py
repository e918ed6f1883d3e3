"""From one stage to the next: which tensors the original's loader takes over.

The case is not in the sample. Its README says what it shows (a global generator into a local one, two scales of
discriminator into three); whatever pairs of networks and lists of names it holds are found by what they are.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import Case, checks
from networks import network_of
from torch import nn

from dancekit.weights.state_dict import copy_matching

SOURCE = re.compile(
    r"pre|checkpoint|ckpt|source|from|saved|before|stage_?1|first|num_?D_?2|2_?scale|global", re.I
)
TARGET = re.compile(
    r"target|into|\bto\b|_to\b|net\b|new|after|stage_?2|second|num_?D_?3|3_?scale|local", re.I
)
TAKEN = re.compile(r"copied|loaded|equal|filled|taken|match|initiali[sz]ed_from", re.I)
FRESH = re.compile(r"fresh|un_?init|not_|missing|left|kept|unchanged|uninit|new", re.I)

Shapes = dict[str, list[int]]


class Holder(nn.Module):
    """Tensors of given names and shapes."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        for name, shape in shapes.items():
            owner: nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(owner, part):
                    owner.add_module(part, nn.Module())
                owner = owner.get_submodule(part)
            owner.register_buffer(last, torch.zeros(shape))


# ---- what a file holds


def is_name(text: Any) -> bool:
    """Whether it is the name of a tensor, or of the part of a network that it is in."""
    return isinstance(text, str) and bool(re.fullmatch(r"(facemodel|model|scale|layer)\w*(\.\w+)*", text))


def is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(side, int) for side in value)


def shapes_of(value: Any) -> Shapes | None:
    """[[name, shape, ...], ...] or {name: shape} or {name: {"shape": shape}}; None for anything else."""
    if isinstance(value, dict):
        value = [[key, v.get("shape") if isinstance(v, dict) else v] for key, v in value.items()]
    if not isinstance(value, list) or not value:
        return None
    pairs = [entry for entry in value if isinstance(entry, list) and len(entry) >= 2]
    if len(pairs) < len(value) or not all(is_name(pair[0]) and is_shape(pair[1]) for pair in pairs):
        return None
    return {pair[0]: pair[1] for pair in pairs}


def built(value: Any) -> Shapes | None:
    """The state dict of the network that constructor arguments describe; None for anything else."""
    if not isinstance(value, dict) or "input_nc" not in value:
        return None
    if "num_D" in value and "ndf" in value:
        kind = "MultiscaleDiscriminator"
        value = {"getIntermFeat": True, **value}
    elif "ngf" in value:
        local = value.get("netG") == "local" or ("netG" not in value and "n_local_enhancers" in value)
        kind = "LocalEnhancer" if local else "GlobalGenerator"
        value = {"output_nc": 3, **value}
    else:
        return None
    with torch.device("meta"):
        network = network_of("edn_load_pretrain", kind, value)
    return {key: list(tensor.shape) for key, tensor in network.state_dict().items()}


def names_of(path: str, value: Any) -> Iterator[tuple[str, list[str]]]:
    """Lists of names: [name, ...], {name: said of it} by what is said, [[name, said], ...], or a printed list."""
    if isinstance(value, str) and "[" in value:
        for printed in re.findall(r"\[[^\[\]]*\]", value):
            try:
                names = ast.literal_eval(printed)
            except (ValueError, SyntaxError):
                continue
            if names and all(is_name(name) for name in names):
                yield path, names
    if isinstance(value, list) and value and all(is_name(name) for name in value):
        yield path, value
    if isinstance(value, list) and value and all(isinstance(v, list) and len(v) == 2 for v in value):
        value = {v[0]: v[1] for v in value if isinstance(v[0], str)}
    if isinstance(value, dict) and value and all(is_name(key) for key in value):
        said: dict[str, list[str]] = {}
        for name, what in value.items():
            if isinstance(what, str | bool):
                word = {True: "copied", False: "fresh"}.get(what, str(what))  # type: ignore[call-overload]
                said.setdefault(word, []).append(name)
        for word, names in said.items():
            yield f"{path} {word}", names


@dataclass
class Transfer:
    """One network into another one, and what is said of it."""

    networks: dict[str, Shapes] = field(default_factory=dict)
    names: list[tuple[str, list[str]]] = field(default_factory=list)


def family(name: str) -> str:
    """Which network a tensor belongs to."""
    head = re.match(r"[a-z]+", name)
    return {"scale": "D", "layer": "D", "facemodel": "Dface"}.get(head[0] if head else "", "G")


def transfers(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Every network and list of names: its path, `network` or `names`, and itself."""
    shapes = shapes_of(node) or built(node)
    if shapes is not None:
        yield path, "network", shapes
        return
    found = list(names_of(" ".join(path), node))
    for where, names in found:
        yield (*path[:-1], where), "names", names
    if found:
        return
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from transfers(value, (*path, str(key)))


def by_network(meta: dict[str, Any]) -> list[Transfer]:
    """What belongs together: the same case of a list, the same kind of network."""
    groups: dict[tuple[str, str], Transfer] = {}
    for path, what, value in transfers(meta):
        number = next((step for step in path if step.isdigit()), "")
        kind = family(next(iter(value)))
        group = groups.setdefault((number, kind), Transfer())
        if what == "network":
            group.networks[" ".join(path)] = value
        else:
            group.names.append((path[-1], value))
    return [group for group in groups.values() if group.networks or group.names]


def source_and_target(group: Transfer) -> tuple[Shapes, Shapes]:
    """Which is loaded into which: by their names, else by the order in which they stand."""
    places = list(group.networks)
    assert len(places) == 2, f"two networks expected: {places}"
    scores = [bool(SOURCE.search(place)) - bool(TARGET.search(place)) for place in places]
    first = 1 if scores[1] > scores[0] else 0
    return group.networks[places[first]], group.networks[places[1 - first]]


# ---- the check


def check_transfer(group: Transfer) -> int:
    """How many lists of names were compared."""
    source, target = source_and_target(group)
    copied, left, unused = copy_matching(
        Holder(target), {key: torch.ones(shape) for key, shape in source.items()}
    )
    misfits = [key for key in left if key in source]
    tops = {name.partition(".")[0] for name in left}
    allowed = {
        "copied": [set(copied)],
        "fresh": [set(left), tops, set(left) - set(misfits)],
        "other": [set(target), set(source), set(unused), set(misfits), {n.partition(".")[0] for n in unused}],
    }
    compared = 0
    for where, names in group.names:
        word = where.rsplit(" ", 1)[-1]
        kind = "fresh" if FRESH.search(word) else "copied" if TAKEN.search(word) else "any"
        sets = allowed[kind] if kind != "any" else [each for sets in allowed.values() for each in sets]
        assert set(names) in sets, f"{where}: {sorted(names)[:4]}... is not what dancekit takes over"
        compared += set(names) in [*allowed["copied"], *allowed["fresh"]]
    return compared


@checks("edn_load_pretrain*")
def test_loading_the_stage_before(case: Case) -> None:
    groups = by_network(case.meta)
    assert groups, f"{case.path}: no networks and no lists of names found in it"
    for group in groups:
        assert check_transfer(group), f"{case.path}: nothing to compare in {[w for w, _ in group.names]}"


# ---- the check itself, on cases made here


def listed(kind: str, args: dict[str, Any]) -> list[list[Any]]:
    """A state dict as the cases write it: name, shape, type."""
    network = network_of("edn_load_pretrain", kind, args)
    return [[key, list(value.shape), "float32"] for key, value in network.state_dict().items()]


GLOBAL = {"input_nc": 6, "output_nc": 3, "ngf": 8, "n_downsample_global": 2, "n_blocks_global": 1}
LOCAL = {**GLOBAL, "ngf": 4, "n_local_enhancers": 1, "n_blocks_local": 1, "netG": "local"}
TWO = {"input_nc": 12, "ndf": 4, "n_layers_D": 3, "num_D": 2, "getIntermFeat": True}
THREE = {**TWO, "num_D": 3}


def facts() -> dict[str, Any]:
    """Worked out here, by name and shape."""
    nets = {
        "G": (listed("GlobalGenerator", GLOBAL), listed("LocalEnhancer", LOCAL)),
        "D": (listed("MultiscaleDiscriminator", TWO), listed("MultiscaleDiscriminator", THREE)),
    }
    found: dict[str, Any] = {}
    for name, (source, target) in nets.items():
        old = {key: shape for key, shape, _ in source}
        copied = [key for key, shape, _ in target if old.get(key) == shape]
        fresh = [key for key, _, _ in target if key not in copied]
        assert copied and fresh
        found[name] = (source, target, copied, fresh)
    return found


def nested(known: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"checkpoint": source, "network": target, "copied": copied, "not_initialized": fresh}
        for name, (source, target, copied, fresh) in known.items()
    }


def flat(known: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"repo": "x"}
    for name, (source, target, copied, _) in known.items():
        result |= {
            f"state_dict_{name}_pretrained": source,
            f"state_dict_{name}": target,
            f"loaded_{name}": copied,
        }
    return result


def numbered(known: dict[str, Any]) -> dict[str, Any]:
    cases = [
        {
            "net": name,
            "global": {key: shape for key, shape, _ in source},
            "local": {key: {"shape": shape} for key, shape, _ in target},
            "printed": f"not initialized {sorted({key.partition('.')[0] for key in fresh})}",
        }
        for name, (source, target, _, fresh) in known.items()
    ]
    return {"cases": cases}


def told_one_by_one(known: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "args_from": GLOBAL if name == "G" else TWO,
            "args_to": LOCAL if name == "G" else THREE,
            "tensors": {key: "copied" if key in copied else "fresh" for key, _, _ in target},
        }
        for name, (_, target, copied, _) in known.items()
    }


@pytest.mark.parametrize("style", [nested, flat, numbered, told_one_by_one])
def test_a_transfer_however_it_is_written(tmp_path: Path, style: Any) -> None:
    known, file = facts(), tmp_path / "edn_load_pretrain.json"
    file.write_text(json.dumps(style(known)))
    test_loading_the_stage_before(Case(file.stem, file))
    for name in known:
        source, target, copied, fresh = known[name]
        wrong = known | {name: (source, target, copied[1:], [*fresh[:-1], copied[0]])}
        if style is numbered:  # it says the parts alone
            wrong = known | {
                name: (source, target, copied, ["model9.1.weight" if name == "G" else "scale7_layer0.0.bias"])
            }
        file.write_text(json.dumps(style(wrong)))
        with pytest.raises(AssertionError):
            test_loading_the_stage_before(Case(file.stem, file))


@pytest.mark.parametrize("content", [{}, {"repo": "x", "cases": []}, {"copied": ["model.1.weight"]}])
def test_nothing_to_compare_fails(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "edn_load_pretrain.json"
    file.write_text(json.dumps(content))
    with pytest.raises(AssertionError):
        test_loading_the_stage_before(Case(file.stem, file))
