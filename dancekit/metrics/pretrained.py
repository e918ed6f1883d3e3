"""Networks that somebody else trained, for LPIPS and FID: the extra they need, and where their weights are.

Without its own weights such a network would still give numbers, only other ones. So weights are checked by
sha256, and where they cannot be had there is an error that says how to get them, and no number.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dancekit.errors import ChecksumError, DancekitError, MissingExtra, UsageError
from dancekit.weights.fetch import fetch
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Published:
    """A weight file as it was published.

    Attributes:
        url: Where it comes from; the last part is its name in torch's cache, too.
        sha256: Its digest.
    """

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


def import_extra(module: str) -> Any:
    """Import a module of the extra `evaluate`.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of while they are imported is their own affair
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{module.partition('.')[0]} is not installed", hint="pip install 'dancekit[evaluate]'"
        ) from error


def find_weights(published: Published, given: str | None, metric: str) -> Path:
    """The weight file to use: the one that is given, else torch's cache, else dancekit's, else a download.

    Args:
        published: The file that the metric's published numbers were made with.
        given: Path of a local file to use instead, taken as it is; None for the published one.
        metric: What needs it, for messages.

    Raises:
        UsageError: The given file does not exist.
        ChecksumError: A cached or downloaded file is not the published one.
        OfflineError: It would have to be downloaded and cannot be, or `DANCEKIT_OFFLINE` forbids it.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise UsageError(
                f"weights of {metric}: {given} does not exist",
                hint=f"download {published.url}, or leave the parameter out",
            )
        return path
    import torch

    cached = Path(torch.hub.get_dir()) / "checkpoints" / published.name
    if cached.is_file():
        found = file_sha256(cached)
        if found != published.sha256:
            raise ChecksumError(
                f"{cached} has sha256 {found}, expected {published.sha256}", hint="delete it and try again"
            )
        return cached
    return fetch(published.url, published.sha256, remedy=f"or do without {metric}")


def read_state(path: Path, metric: str) -> dict[str, Tensor]:
    """Tensors by name, from a safetensors file or from one of PyTorch; never runs code from the file.

    Raises:
        DancekitError: The file cannot be read as tensors.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        raise DancekitError(
            f"weights of {metric}: {path} cannot be read: {str(error).splitlines()[0]}", hint="get them again"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise DancekitError(f"weights of {metric}: {path} holds no tensors by name", hint="a state dict")
    return state
