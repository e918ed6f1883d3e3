"""From a state dict to the network it belongs to: family and parameters, by keys and shapes alone.

Each family proposes what its evidence says, also where a tensor or two are missing; the proposal whose keys and
shapes differ least from the state dict is the one, and the differences that are left are the caller's to tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dancekit.build import create
from dancekit.errors import DancekitError
from dancekit.weights.state_dict import differences, without_legacy_statistics

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """A network of dancekit.

    Attributes:
        kind: `generator` or `discriminator`.
        name: Of the component.
        params: Its recipe parameters.
        wired: `in_channels`, and `out_channels` of a generator.
        prefix: What the keys begin with in the original, where that is not what they begin with here.
    """

    kind: str
    name: str
    params: Mapping[str, Any]
    wired: Mapping[str, int]
    prefix: tuple[str, str] = ("", "")

    def build(self, *, meta: bool = False) -> nn.Module:
        """The network, initialized; with `meta` without allocating anything."""
        with torch.device("meta" if meta else "cpu"):
            network: nn.Module = create(self.kind, self.name, **self.params, **self.wired)
        return network

    def ours(self, state: State) -> dict[str, Tensor]:
        """A state dict of the original under the names that keys have here."""
        theirs, here = self.prefix
        return {here + key.removeprefix(theirs) if theirs else key: value for key, value in state.items()}

    def theirs(self, state: State) -> dict[str, Tensor]:
        """The reverse of `ours`."""
        there, here = self.prefix
        return {there + key.removeprefix(here) if there else key: value for key, value in state.items()}


def recognise(state: State) -> tuple[Architecture, dict[str, Tensor], list[str]]:
    """The network that a state dict of pix2pixHD, Everybody Dance Now or pix2pix belongs to.

    Args:
        state: Its tensors.

    Returns:
        The architecture; the tensors under the keys they have here, without legacy extras; and what keeps them
        from fitting exactly, one line a tensor.

    Raises:
        DancekitError: Its keys are those of no known family.
    """
    best: tuple[int, Architecture, dict[str, Tensor], list[str]] | None = None
    for architecture in _proposals(state):
        network = architecture.build(meta=True)
        found = without_legacy_statistics(architecture.ours(state), network)
        lines = differences(found, network)
        if best is None or len(lines) < best[0]:
            best = (len(lines), architecture, found, lines)
    if best is None:
        some = ", ".join(list(state)[:3])
        raise DancekitError(
            f"these are keys of no network of pix2pixHD, Everybody Dance Now or pix2pix: {some}, ...",
            hint="only generators and discriminators of these three can be converted",
        )
    return best[1], best[2], best[3]


def _proposals(state: State) -> Iterator[Architecture]:
    for propose in FAMILIES:
        yield from propose(state)


def _side(state: State, key: str, axis: int, default: int) -> int:
    tensor = state.get(key)
    return int(tensor.shape[axis]) if tensor is not None and tensor.dim() > axis else default


def _norm(state: State) -> str:
    """Batch norm has vectors of weights; instance norm has nothing (or old statistics)."""
    vectors = sum(key.endswith(".weight") and value.dim() == 1 for key, value in state.items())
    return "batch" if vectors else "instance"


def _numbers(state: State, pattern: str) -> set[int]:
    found = (re.match(pattern, key) for key in state)
    return {int(match[1]) for match in found if match}


def _residual_generators(state: State) -> Iterator[Architecture]:
    """pix2pixHD's global generator and enhancers, pix2pix's ResNet."""
    blocks = _numbers(state, r"model\.(\d+)\.conv_block\.")
    flat = _numbers(state, r"model\.(\d+)\.weight$")
    if not blocks and not (
        state.get("model.1.weight") is not None and state["model.1.weight"].shape[-1] == 7
    ):
        return
    enhancers = max(_numbers(state, r"model(\d+)_[12]\."), default=0)
    ngf = _side(state, "model.1.weight", 0, _side(state, "model.1.bias", 0, 0))
    ngf = ngf or _side(state, "model.4.weight", 0, 2) // 2
    norm = _norm(state)
    n_blocks = max(blocks) - min(blocks) + 1 if blocks else 0
    for n_down in range(1, 7):
        if blocks and min(blocks) not in (4 + 3 * n_down, 5 + 3 * n_down):
            continue  # one more: the first block may be what is missing
        count = n_blocks + (min(blocks) - 4 - 3 * n_down if blocks else 0)
        last = f"model.{5 + 6 * n_down + count}.weight"
        wired = {
            "in_channels": _side(state, "model.1.weight", 1, 3),
            "out_channels": _side(state, last, 0, 3),
        }
        common = {"ngf": ngf, "n_blocks": count, "norm": norm}
        if enhancers:
            yield from _enhancers(state, common | {"n_down": n_down}, wired, enhancers)
            continue
        yield Architecture("generator", "pix2pixhd", common | {"n_down": n_down}, wired)
        if n_down == 2 and flat:
            for dropout in (False, True):
                yield Architecture("generator", "resnet", common | {"dropout": dropout}, wired)


def _enhancers(
    state: State, common: dict[str, Any], wired: dict[str, int], enhancers: int
) -> Iterator[Architecture]:
    local = _numbers(state, rf"model{enhancers}_2\.(\d+)\.conv_block\.")
    blocks = max(local) + 1 if local else 0
    common = common | {
        "ngf": max(1, common["ngf"] // 2**enhancers),
        "n_enhancers": enhancers,
        "n_blocks_local": blocks,
    }
    out = _side(state, f"model{enhancers}_2.{blocks + 4}.weight", 0, 3)
    yield Architecture("generator", "pix2pixhd_local", common, wired | {"out_channels": out})


def _unets(state: State) -> Iterator[Architecture]:
    """pix2pix's U-Net; Everybody Dance Now's face generator."""
    nested = [key.count(".model") for key in state if key.startswith("model.model.")]
    if not nested:
        return
    norm = _norm(state)
    wired = {
        "in_channels": _side(state, "model.model.0.weight", 1, 3),
        "out_channels": _side(state, "model.model.3.weight", 1, 3),
    }
    ngf = _side(state, "model.model.0.weight", 0, _side(state, "model.model.1.model.1.weight", 1, 1))
    params = {"ngf": ngf, "depth": max(2, max(nested)), "norm": norm}
    yield Architecture("generator", "unet", params | {"batch_statistics": norm == "batch"}, wired)


def _multiscale(state: State) -> Iterator[Architecture]:
    """pix2pixHD's discriminator."""
    for features, first in ((True, "scale{}_layer0.0.weight"), (False, "layer{}.0.weight")):
        pattern = r"scale(\d+)_layer\d+\." if features else r"layer(\d+)\.\d+\."
        scales = _numbers(state, pattern)
        if not scales:
            continue
        num_d = max(scales) + 1
        norm = _norm(state)
        if features:
            n_layers = max(_numbers(state, r"scale\d+_layer(\d+)\.")) - 1
        else:
            n_layers = (max(_numbers(state, r"layer\d+\.(\d+)\.")) - 2) // 3
        sides = [(_side(state, first.format(s), 0, 0), _side(state, first.format(s), 1, 0)) for s in scales]
        ndf, channels = max(sides)
        params = {"ndf": max(1, ndf), "n_layers": max(1, n_layers), "num_d": num_d, "norm": norm}
        yield Architecture(
            "discriminator", "multiscale", params | {"features": features}, {"in_channels": max(1, channels)}
        )


def _patches(state: State) -> Iterator[Architecture]:
    """pix2pix's PatchGAN; Everybody Dance Now's face discriminator."""
    for name in ("model", "facemodel"):
        flat = _numbers(state, rf"{name}\.(\d+)\.weight$")
        kernels = {
            tuple(v.shape[2:])
            for k, v in state.items()
            if re.match(rf"{name}\.\d+\.weight$", k) and v.dim() == 4
        }
        if not flat or kernels != {(4, 4)}:
            continue
        params = {
            "ndf": _side(state, f"{name}.0.weight", 0, _side(state, f"{name}.2.weight", 1, 1)),
            "n_layers": max(1, (max(flat) - 2) // 3),
            "norm": _norm(state),
        }
        wired = {"in_channels": _side(state, f"{name}.0.weight", 1, 6)}
        prefix = ("facemodel.", "model.") if name == "facemodel" else ("", "")
        for layout in ("pix2pixhd",) if name == "facemodel" else ("pix2pix", "pix2pixhd"):
            yield Architecture("discriminator", "patch", params | {"layout": layout}, wired, prefix)


def _pixels(state: State) -> Iterator[Architecture]:
    """pix2pix's pixel discriminator."""
    if not any(re.match(r"net\.\d+\.", key) for key in state):
        return
    params = {
        "ndf": _side(state, "net.0.weight", 0, _side(state, "net.2.weight", 1, 1)),
        "norm": _norm(state),
    }
    yield Architecture("discriminator", "pixel", params, {"in_channels": _side(state, "net.0.weight", 1, 6)})


FAMILIES: tuple[Callable[[State], Iterator[Architecture]], ...] = (
    _residual_generators,
    _unets,
    _multiscale,
    _patches,
    _pixels,
)
