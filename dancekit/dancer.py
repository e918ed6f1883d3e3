"""The dancer file: one safetensors file that holds a trained target, and how it is read and written.

The header alone says everything but the weights: the resolved recipe, `name@version` of every component, the
skeleton, the window, licence, consent, training record and metrics. The tensors are `generator.*`, `face.*`,
the target's poses (`target.xy`, `target.score`: any normalizer can be fitted later) and the clean plate as PNG
bytes (`plate.png`). Reading the header needs no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dancekit import __version__
from dancekit.config import Recipe
from dancekit.errors import DancerError, IncompatibleParts
from dancekit.registry import component_version
from dancekit.types import PoseSequence, Window, get_skeleton
from dancekit.weights.header import read_header, read_tensors, write_safetensors

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""Version of the layout described above; a file of a newer one is refused."""

LARGEST_TARGET_TRACK = 4096
"""Frames of target poses that are kept, evenly spaced, so that a long clip does not bloat the file."""

_VERSIONED = ("pose", "normalizer", "renderer", "generator", "background", "temporal", "face")


@dataclass(frozen=True, kw_only=True)
class DancerInfo:
    """What the header of a dancer file says.

    Attributes:
        recipe: The resolved recipe it was trained with.
        components: `name@version` of each component that shaped the weights, by kind.
        skeleton: Id of the skeleton of its poses and condition images, `blazepose_33@1`.
        window: What part of the target's frames the generator paints.
        rate: Frames per second of the training clip.
        licence: SPDX identifier of the weights, or "" if nobody said.
        consent: What the person shown agreed to, or "".
        training: Steps, seconds, machine, sha256 of the training clip and of the recipe.
        metrics: Measured numbers by protocol.
        version: dancekit's version that wrote it.
    """

    recipe: Recipe
    components: Mapping[str, str]
    skeleton: str
    window: Window
    rate: Fraction
    licence: str = ""
    consent: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__

    def to_json(self) -> dict[str, Any]:
        """Plain data for the header."""
        return {
            "format": FORMAT,
            "recipe": self.recipe.to_json(),
            "components": dict(self.components),
            "skeleton": self.skeleton,
            "window": self.window.to_json(),
            "rate": str(self.rate),
            "licence": self.licence,
            "consent": self.consent,
            "training": dict(self.training),
            "metrics": dict(self.metrics),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DancerInfo:
        """The reverse of `to_json`."""
        return cls(
            recipe=Recipe.from_json(data["recipe"]),
            components=data["components"],
            skeleton=data["skeleton"],
            window=Window.from_json(data["window"]),
            rate=Fraction(data["rate"]),
            licence=data["licence"],
            consent=data["consent"],
            training=data["training"],
            metrics=data["metrics"],
            version=data["version"],
        )


def component_ids(recipe: Recipe) -> dict[str, str]:
    """`name@version` of the components that shape the weights, by kind."""
    names = {kind: getattr(recipe, kind).name for kind in _VERSIONED}
    return {kind: f"{name}@{component_version(kind, name)}" for kind, name in names.items()}


def read_info(path: str | os.PathLike[str]) -> DancerInfo:
    """Read the header of a dancer file: no weights, no torch.

    Raises:
        DancerError: Not a dancer file, damaged, or of a newer format.
        RecipeError: It holds a recipe that this installation cannot build (a missing plugin, say).
    """
    path = Path(path)
    header = read_header(path)
    text = header.metadata.get("dancekit")
    if text is None:
        raise DancerError(
            f"{path} is a safetensors file, but not a dancer: its header has no 'dancekit' key",
            hint="dancekit train makes dancers",
        )
    try:
        data = json.loads(text)
        found = data["format"]
        if found != FORMAT:
            raise DancerError(
                f"{path} has dancer format {found}, this version reads {FORMAT}",
                hint="pip install -U dancekit",
            )
        return DancerInfo.from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DancerError(f"{path} has a damaged dancekit header: {type(error).__name__}: {error}") from error


def check_versions(info: DancerInfo, path: Path) -> None:
    """Refuse a dancer whose components compute something else today than when it was trained.

    Raises:
        IncompatibleParts: A component has another version here.
    """
    here = component_ids(info.recipe)
    wrong = [
        f"{kind}: file {theirs}, here {here.get(kind)}"
        for kind, theirs in info.components.items()
        if here.get(kind) != theirs
    ]
    if wrong:
        raise IncompatibleParts(
            f"{path} was trained with other components: {'; '.join(wrong)}",
            hint=f"install dancekit {info.version}, or train it again",
        )


def save_dancer(
    path: str | os.PathLike[str],
    info: DancerInfo,
    networks: Mapping[str, Tensor],
    *,
    target: PoseSequence,
    plate_png: bytes,
    half: bool = True,
) -> str:
    """Write a dancer file; the same content gives the same bytes.

    Args:
        path: Where to; replaced atomically.
        info: The header.
        networks: Tensors named `generator.<key>` and `face.<key>`.
        target: The target's filtered poses, in pixels of the clip.
        plate_png: The clean plate, PNG-encoded RGB at the clip's resolution.
        half: Store floating-point weights as fp16 (half the size; 1e-3 relative rounding).

    Returns:
        The file's sha256.
    """
    import torch

    tensors = {
        name: tensor.detach()
        .cpu()
        .contiguous()
        .to(torch.float16 if half and tensor.is_floating_point() else tensor.dtype)
        for name, tensor in networks.items()
    }
    if len(target) > LARGEST_TARGET_TRACK:
        target = target[np.linspace(0, len(target) - 1, LARGEST_TARGET_TRACK).round().astype(int)]
    tensors["target.xy"] = torch.from_numpy(target.xy.copy())
    tensors["target.score"] = torch.from_numpy(target.score.copy())
    tensors["target.pts"] = torch.from_numpy(target.pts.copy())
    tensors["plate.png"] = torch.frombuffer(bytearray(plate_png), dtype=torch.uint8)
    header = info.to_json() | {"time_base": str(target.time_base)}
    metadata = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"dancekit/{info.components['generator']}",
        "modelspec.implementation": "https://pypi.org/project/dancekit",
        "modelspec.title": Path(path).stem,
        "modelspec.license": info.licence,
        "dancekit": json.dumps(header, sort_keys=True, separators=(",", ":")),
    }
    return write_safetensors(Path(path), tensors, metadata)


def read_target(path: str | os.PathLike[str], info: DancerInfo) -> PoseSequence:
    """The target's poses, in pixels of its clip."""
    found = read_tensors(Path(path), ["target.xy", "target.score", "target.pts"])
    header = json.loads(read_header(Path(path)).metadata["dancekit"])
    return PoseSequence(
        xy=found["target.xy"].numpy(),
        score=found["target.score"].numpy(),
        pts=found["target.pts"].numpy(),
        time_base=Fraction(header["time_base"]),
        size=info.window.frame_size,
        skeleton=get_skeleton(info.skeleton),
    )


def read_plate(path: str | os.PathLike[str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The clean plate, (H, W, 3) uint8 RGB at the clip's resolution.

    Raises:
        DancerError: It cannot be decoded.
    """
    import cv2

    data = read_tensors(Path(path), ["plate.png"])["plate.png"].numpy()
    plate = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    if plate is None:
        raise DancerError(f"{path}: the clean plate in it cannot be decoded")
    return np.asarray(plate, np.uint8)
