"""Files of the official layouts: `latest_net_G.pth` and its kin, read strictly and written back."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dancekit.config import Component
from dancekit.critic import read_critic
from dancekit.dancer import read_info, read_networks
from dancekit.errors import CheckpointError, DancekitError, OutputExists, UsageError
from dancekit.weights.state_dict import read_state_dict
from dancekit.zoo.architecture import Architecture, recognise

ROLES = {"G": "generator", "D": "discriminator", "Gface": "face", "Dface": "face_discriminator"}
"""Networks as the originals name them in their files, and what they are here."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network read from an official checkpoint.

    Attributes:
        path: Its file.
        architecture: What it is.
        state: Its tensors under the keys they have here.
    """

    path: Path
    architecture: Architecture
    state: Mapping[str, Tensor]


def read_official(paths: Sequence[Path]) -> dict[str, Network]:
    """Read checkpoints of pix2pixHD, Everybody Dance Now and pix2pix, each exactly or not at all.

    Args:
        paths: One file a network; `<epoch>_net_<G|D|Gface|Dface>.pth` says which one it is, else its keys do.

    Returns:
        The networks by role: G, D, Gface, Dface.

    Raises:
        CheckpointError: Every tensor of every file that is missing, unexpected or of another shape.
        DancekitError: A file cannot be read, or is of no known family.
        UsageError: Two files for one role, or none for G.
    """
    networks: dict[str, Network] = {}
    problems: list[str] = []
    for path in paths:
        try:
            architecture, state, lines = recognise(read_state_dict(path))
        except DancekitError as error:
            raise DancekitError(
                error.message if str(path) in error.message else f"{path}: {error.message}", hint=error.hint
            ) from None
        if lines:
            told = ", ".join(f"{key} {value}" for key, value in architecture.params.items())
            problems.append(
                f"{path} is nearest to {architecture.kind} {architecture.name} ({told}), but not exactly that:"
            )
            problems += [f"{path}: {line}" for line in lines]
        role = _role(path, architecture)
        if role in networks:
            raise UsageError(
                f"{networks[role].path} and {path} are both {role}",
                hint="name files <epoch>_net_<G|D|Gface|Dface>.pth, as the originals do",
            )
        networks[role] = Network(path, architecture, state)
    if problems:
        raise CheckpointError(problems, hint="nothing was written")
    if "G" not in networks:
        raise UsageError("no generator among the checkpoints", hint="give <epoch>_net_G.pth as well")
    return networks


def _role(path: Path, architecture: Architecture) -> str:
    """From the file's name, else from the keys.

    Raises:
        UsageError: The name says another kind of network than the keys.
    """
    named = re.search(r"net_(G|D|Gface|Dface)$", path.stem)
    face = architecture.prefix[0] == "facemodel."
    by_keys = "G" if architecture.kind == "generator" else "Dface" if face else "D"
    role = named[1] if named else by_keys
    if (role[0] == "G") != (architecture.kind == "generator"):
        raise UsageError(
            f"{path} is named {role}, but holds a {architecture.kind}", hint="is it the right file?"
        )
    return role


def write_official(dancer: Path, folder: Path, *, force: bool = False) -> list[Path]:
    """Write a dancer's networks as the originals save theirs: `latest_net_<role>.pth`, plain state dicts.

    Args:
        dancer: A dancer file of networks that the originals have.
        folder: Where to; it is made.
        force: Replace files that are there.

    Returns:
        The files.

    Raises:
        DancekitError: A network has no counterpart in the originals.
        OutputExists: A file is there already.
    """
    info = read_info(dancer)
    tensors = read_networks(dancer, tuple(ROLES.values())) | read_critic(dancer)
    files: dict[Path, dict[str, Tensor]] = {}
    for role, part in ROLES.items():
        state = {
            name.removeprefix(f"{part}."): value
            for name, value in tensors.items()
            if name.startswith(f"{part}.")
        }
        if not state:
            continue
        _check_counterpart(dancer, part, getattr(info.recipe, part), info.recipe.background)
        if role == "Dface":
            state = {key.replace("model.", "facemodel.", 1): value for key, value in state.items()}
        _, _, differences = recognise(state)
        if differences:
            raise CheckpointError([f"{dancer}: {part}: {line}" for line in differences])
        files[folder / f"latest_net_{role}.pth"] = state
    for path in files:
        if path.exists() and not force:
            raise OutputExists(path)
    folder.mkdir(parents=True, exist_ok=True)
    for path, state in files.items():
        part_file = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            torch.save(state, part_file)
            part_file.replace(path)
        except OSError as error:
            raise DancekitError(f"{path} cannot be written: {error.strerror or error}") from None
        finally:
            part_file.unlink(missing_ok=True)
    return list(files)


def _check_counterpart(dancer: Path, part: str, component: Component, background: Component) -> None:
    known = {
        "generator": ("pix2pixhd", "pix2pixhd_local", "resnet", "unet"),
        "discriminator": ("multiscale", "patch", "pixel"),
        "face": ("edn",),
        "face_discriminator": ("patch",),
    }
    if component.name not in known[part]:
        raise DancekitError(
            f"{dancer}: {part} {component.name} has no counterpart in the originals",
            hint=f"they have {', '.join(known[part])}",
        )
    if part == "generator" and background.name != "painted":
        raise DancekitError(
            f"{dancer}: its generator paints for background {background.name}, which the originals do not have",
            hint="only background painted can be converted",
        )
