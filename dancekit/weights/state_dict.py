"""State dicts of others: .safetensors, or .pth without running any code in it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dancekit.errors import ChecksumError, DancekitError
from dancekit.weights.header import file_sha256, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_WRAPPERS = ("state_dict", "model", "model_state_dict", "params")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file by name, on the CPU.

    A .pth file is read by `torch.load(weights_only=True)`: data, never code. A `module.` prefix that every key
    has (networks saved from DataParallel) is dropped, and a dictionary around the state dict is unwrapped.

    Raises:
        DancekitError: The file cannot be read, is damaged, or holds something else.
    """
    if path.suffix == ".safetensors":
        return read_tensors(path)
    import torch

    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error.strerror or error}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise DancekitError(
            f"{path} is no checkpoint that can be read as data: {first}",
            hint="save network.state_dict() with torch.save",
        ) from None
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise DancekitError(f"{path} holds no state dict", hint="save network.state_dict() with torch.save")
    odd = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise DancekitError(f"{path} holds no state dict: {', '.join(odd[:3])} are no tensors")
    prefixed = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if prefixed else key: value for key, value in content.items()}


def check_digest(path: Path, sha256: str) -> None:
    """Refuse a file whose sha256 is not the expected one; "" expects nothing.

    Raises:
        ChecksumError: With both digests.
    """
    if sha256 and (found := file_sha256(path)) != sha256.lower():
        raise ChecksumError(
            f"{path} has sha256 {found}, expected {sha256.lower()}", hint="get the file again"
        )


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def without_legacy_statistics(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Drop running statistics of instance norm layers, which torch before 0.4 saved and nobody reads."""
    from dancekit.layers import InstanceNorm2d

    modules = dict(network.named_modules())

    def stale(key: str) -> bool:
        owner, _, last = key.rpartition(".")
        return last in _STATISTICS and isinstance(modules.get(owner), InstanceNorm2d)

    return {key: value for key, value in state.items() if not stale(key)}


def differences(state: dict[str, Tensor], network: nn.Module) -> list[str]:
    """What keeps a state dict from being exactly a network's, one line a tensor; empty if nothing does."""
    own = network.state_dict()
    old = "num_batches_tracked"  # torch before 0.4.1 did not save it
    lines = [f"missing {key} {list(own[key].shape)}" for key in own if key not in state and old not in key]
    lines += [f"unexpected {key} {list(state[key].shape)}" for key in state if key not in own]
    lines += [
        f"shape of {key}: {list(state[key].shape)}, not {list(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    return lines


def copy_matching(network: nn.Module, state: Mapping[str, Tensor]) -> tuple[list[str], list[str], list[str]]:
    """Begin a larger network with what a smaller one has learnt: copy tensors of equal name and shape.

    So Everybody Dance Now goes from its global stage to the local one, and from two scales of discriminator to
    three.

    Args:
        network: What to fill; what is not in `state` stays as it was.
        state: The smaller network's.

    Returns:
        Names of the tensors that were copied, of those that were not (absent, or of another shape), and of
        those of `state` that have no place.
    """
    own = network.state_dict()
    copied = [key for key in own if key in state and state[key].shape == own[key].shape]
    network.load_state_dict({**own, **{key: state[key] for key in copied}})
    return copied, [key for key in own if key not in copied], [key for key in state if key not in own]


def widened(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Begin a network that sees or gives more channels with one that lacks the last of them.

    Args:
        network: What is to be filled.
        state: The narrower network's.

    Returns:
        The tensors that fit but for more input or output channels: `state`'s, and zeros for the new channels. Nothing
        if the two differ elsewhere, in widths of layers between, say.
    """
    import torch

    found = {}
    for key, own in network.state_dict().items():
        given = state.get(key)
        if given is None or given.ndim != own.ndim:
            return {}
        if given.shape == own.shape:
            continue
        other = [dim for dim in range(own.ndim) if given.shape[dim] != own.shape[dim]]
        (dim, *more) = other
        if more or dim > 1 or given.shape[dim] > own.shape[dim]:
            return {}
        found[key] = torch.zeros_like(own)
        found[key].narrow(dim, 0, given.shape[dim]).copy_(given)
    return found
