"""The dancer file: one safetensors file that holds a trained target, and how it is read and written.

The header alone says everything but the weights: the resolved recipe, `name@version` of every component, the
skeleton, the window, licence, consent, training record and metrics. The tensors are `generator.*`, `face.*`,
`temporal.*` (a strategy that learns), the target's poses (`target.xy`, `target.score`: any normalizer can be fitted
later) and the clean plate as PNG bytes (`plate.png`). Reading the header needs no torch. Every key and tensor
stands in `docs/dancer-format.md`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dancekit import __version__
from dancekit.config import Recipe
from dancekit.errors import DancerError, IncompatibleParts, RecipeError, UnknownName
from dancekit.registry import component_version
from dancekit.registry.core import HOME, find
from dancekit.types import Following, PoseSequence, Window, get_skeleton
from dancekit.weights.header import read_header, read_tensors, write_safetensors
from dancekit.weights.quantize import SCALE, Storage, pack, unpack

if TYPE_CHECKING:
    from torch import Tensor

    from dancekit.data.references import ReferenceBank

FORMAT = 3
"""Newest version of the layout; older ones are read, a file of a newer one is refused."""

Subject = Literal["", "person", "rendered"]
"""Who is shown: a real person, or nobody real; "" if nobody said, which counts as a person."""

LARGEST_TARGET_TRACK = 4096
"""Frames of target poses that are kept, evenly spaced, so that a long clip does not bloat the file."""

PAINTING = ("pose", "normalizer", "renderer", "generator", "background", "reference", "temporal", "face")
"""Components that must be the same, version and all, when a dancer is used."""

NETWORKS = ("generator", "face", "temporal")
"""Prefixes of the tensors that are weights."""

_LOG = logging.getLogger(__name__)


_SINCE_2 = ("subject", "data_licence", "storage", "distributions")


@dataclass(frozen=True, kw_only=True)
class DancerInfo:
    """What the header of a dancer file says.

    Attributes:
        recipe: The resolved recipe it was trained with.
        components: `name@version` of every component, by its place in the recipe: `generator`, `losses[0]`.
        skeleton: Id of the skeleton of its poses and condition images, `blazepose_33@1`.
        window: What part of the target's frames the generator paints.
        rate: Frames per second of the training clip.
        licence: SPDX identifier of the weights, or "" if nobody said.
        consent: What the person shown agreed to, or "".
        training: Steps, seconds, machine, sha256 of the training clip and of the recipe.
        metrics: Measured numbers by protocol.
        version: dancekit's version that wrote it.
        subject: `rendered` if nobody real is shown, `person`, or "" if nobody said.
        data_licence: SPDX identifier of the training clip, or "".
        storage: How the weights are stored: fp32, fp16 or int8.
        distributions: Who provides the components that are not dancekit's own: `name version` by place.
        format: The file's version of the layout.
        follow: How the painted window moves over `window`; None: all of that is painted.
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
    subject: Subject = ""
    data_licence: str = ""
    storage: Storage = "fp16"
    distributions: Mapping[str, str] = field(default_factory=dict)
    format: int = 2
    follow: Following | None = None

    @property
    def written_format(self) -> int:
        """The oldest format that can say all of this."""
        return 2 if self.follow is None else 3

    @property
    def painted_size(self) -> tuple[int, int]:
        """(W, H) of what the generator paints."""
        return self.window.size if self.follow is None else self.follow.size

    @property
    def age(self) -> float | None:
        """Seconds from the frame that the generator was told of in training to the one it painted; None if unknown."""
        return min(self.recipe.train.strides) / float(self.rate) if self.rate > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the header, in format 2; in format 3 what has a window that follows."""
        following = {} if self.follow is None else {"follow": self.follow.to_json()}
        return {
            "format": self.written_format,
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
            "subject": self.subject,
            "data_licence": self.data_licence,
            "storage": self.storage,
            "distributions": dict(self.distributions),
        } | following

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DancerInfo:
        """The reverse of `to_json`, of any format: what format 1 lacks is empty, its weights are fp16 or fp32.

        Raises:
            ValueError: Numbers that do not go together.
        """
        recipe, window = Recipe.from_json(data["recipe"]), Window.from_json(data["window"])
        follow = Following.from_json(data["follow"]) if data["format"] > 2 else None
        if follow is not None and (follow.canvas != window.size or follow.size != recipe.size):
            raise ValueError("the window that follows does not fit what it moves over")
        return cls(
            recipe=recipe,
            components=data["components"],
            skeleton=data["skeleton"],
            window=window,
            rate=Fraction(data["rate"]),
            licence=data["licence"],
            consent=data["consent"],
            training=data["training"],
            metrics=data["metrics"],
            version=data["version"],
            **({key: data[key] for key in _SINCE_2} if data["format"] > 1 else {}),
            format=data["format"],
            follow=follow,
        )


def component_ids(recipe: Recipe) -> dict[str, str]:
    """`name@version` of every component, by its place in the recipe."""
    return {
        place: f"{component.name}@{component_version(kind, component.name)}"
        for place, kind, component in recipe.components()
    }


def plugin_distributions(recipe: Recipe) -> dict[str, str]:
    """`name version` of the distributions that provide a recipe's components, where that is not dancekit."""
    from importlib.metadata import version

    found = {}
    for place, kind, component in recipe.components():
        provider = find(kind, component.name).distribution
        if provider != HOME:
            found[place] = f"{provider} {version(provider)}"
    return found


def read_info(path: str | os.PathLike[str]) -> DancerInfo:
    """Read the header of a dancer file: no weights, no torch.

    Raises:
        DancerError: Not a dancer file, damaged, of a newer format, or with a recipe of another version.
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
        check_format(path, data, kind="dancer")
        return DancerInfo.from_json(data)
    except RecipeError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        raise DancerError(
            f"{path} holds a recipe that this version cannot read: {error.problems[0]}{more}",
            hint=f"it was written by dancekit {str(data.get('version'))[:40]}, this is {__version__}",
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DancerError(f"{path} has a damaged dancekit header: {type(error).__name__}: {error}") from error


def stored_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The recipe as it stands in a dancer's header, without what later versions would add to it."""
    read_info(path)  # says what is wrong with the file
    recipe: dict[str, Any] = json.loads(read_header(path).metadata["dancekit"])["recipe"]
    usual = [field.alias or name for name, field in Recipe.model_fields.items()]  # the header sorts its keys
    return {
        key: recipe[key]
        for key in sorted(recipe, key=lambda key: usual.index(key) if key in usual else len(usual))
    }


def check_format(path: Path, data: Mapping[str, Any], *, kind: str) -> None:
    """Refuse a header of a newer format, or of another kind of file.

    Raises:
        DancerError: With what it is instead.
    """
    found, given = data["format"], data.get("kind", "dancer")
    if not isinstance(found, int) or not 1 <= found <= FORMAT:
        raise DancerError(
            f"{path} has dancer format {found}, this version reads 1 to {FORMAT}",
            hint="pip install -U dancekit",
        )
    if given != kind:
        raise DancerError(f"{path} is a {given} file, not a {kind}", hint=f"name the {kind}'s own file")


def check_versions(info: DancerInfo, path: Path) -> None:
    """Refuse a dancer whose components are missing, or compute something else today than when it was trained.

    Raises:
        IncompatibleParts: A component has another version here, or its plugin is not installed: then the
            message says which distribution had it.
    """
    wrong = []
    for place, kind, component in info.recipe.components():
        theirs = info.components.get(place)
        if theirs is None or not (place in PAINTING or kind == "filter"):
            continue
        try:
            here = f"{component.name}@{component_version(kind, component.name)}"
        except UnknownName as error:
            raise _missing_component(info, path, place, kind, component.name) from error
        if here == theirs:
            continue
        if kind == "filter":
            _LOG.warning("%s was trained with filter %s, here is %s", path, theirs, here)
        else:
            wrong.append(f"{place}: file {theirs}, here {here}")
    if wrong:
        raise IncompatibleParts(
            f"{path} was trained with other components: {'; '.join(wrong)}",
            hint=f"install dancekit {info.version}, or train it again",
        )


def _missing_component(info: DancerInfo, path: Path, place: str, kind: str, name: str) -> IncompatibleParts:
    provider = info.distributions.get(place, "")
    distribution, _, version = provider.partition(" ")
    if provider:
        hint = f"pip install '{distribution}=={version}'"
    else:
        hint = f"install the plugin that has it, or dancekit {info.version}; dancekit ls {kind} lists what is here"
    said = f" of the plugin {provider}" if provider else ""
    return IncompatibleParts(f"{path} needs the {kind} {name!r}{said}, which is not installed", hint=hint)


def save_dancer(
    path: str | os.PathLike[str],
    info: DancerInfo,
    networks: Mapping[str, Tensor],
    *,
    target: PoseSequence,
    plate_png: bytes,
    dtype: Storage = "fp16",
    title: str = "",
    references: ReferenceBank | None = None,
) -> str:
    """Write a dancer file; the same content gives the same bytes.

    Args:
        path: Where to; replaced atomically.
        info: The header; its `storage` and `distributions` are set here.
        networks: Tensors named `generator.<key>`, `face.<key>` and `temporal.<key>`.
        target: The target's filtered poses, in pixels of the clip.
        plate_png: The clean plate, PNG-encoded RGB at the clip's resolution.
        dtype: Storage of floating-point weights: fp32, fp16 (half the size; 1e-3 relative rounding) or int8 (a
            quarter; `dancekit.weights.quantize`).
        title: Name for model browsers; the file's if empty.
        references: What references are chosen from, if the recipe has any.

    Returns:
        The file's sha256.
    """
    import torch

    tensors = pack(networks, dtype)
    if len(target) > LARGEST_TARGET_TRACK:
        target = target[np.linspace(0, len(target) - 1, LARGEST_TARGET_TRACK).round().astype(int)]
    tensors["target.xy"] = torch.from_numpy(target.xy.copy())
    tensors["target.score"] = torch.from_numpy(target.score.copy())
    tensors["target.pts"] = torch.from_numpy(target.pts.copy())
    tensors["plate.png"] = torch.frombuffer(bytearray(plate_png), dtype=torch.uint8)
    if references is not None:
        tensors["references.png"] = torch.frombuffer(bytearray(references.png()), dtype=torch.uint8)
        tensors["references.xy"] = torch.from_numpy(references.poses.xy.copy())
        tensors["references.score"] = torch.from_numpy(references.poses.score.copy())
        tensors["references.frame"] = torch.from_numpy(references.numbers.copy())
    changed = {"storage": dtype, "distributions": plugin_distributions(info.recipe)}
    header = info.to_json() | changed | {"time_base": str(target.time_base)}
    return write_safetensors(Path(path), tensors, file_metadata(info, header, title=title or Path(path).stem))


def file_metadata(info: DancerInfo, header: Mapping[str, Any], *, title: str) -> dict[str, str]:
    """The `__metadata__` of a dancer's file: ModelSpec 1.0.1 for others, the key `dancekit` for us."""
    return {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"dancekit/{info.components['generator']}",
        "modelspec.implementation": "https://pypi.org/project/dancekit",
        "modelspec.title": title,
        "modelspec.license": info.licence,
        "dancekit": json.dumps(header, sort_keys=True, separators=(",", ":")),
    }


def network_shapes(path: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Shapes of the weights by name (`generator.<key>`, `face.<key>`, `temporal.<key>`), from the header alone."""
    return {
        name: list(tensor.shape)
        for name, tensor in read_header(path).tensors.items()
        if name.partition(".")[0] in NETWORKS
    }


def read_networks(path: str | os.PathLike[str], networks: Collection[str] = NETWORKS) -> dict[str, Tensor]:
    """The weights by name, floating-point ones as float32 whatever their storage.

    Args:
        path: A dancer file.
        networks: Which; what zoo convert wrote of format 1 holds discriminators, too.

    Raises:
        DancerError: The file is damaged, or int8 weights and their scales do not go together.
    """
    names = [
        name for name in read_header(path).tensors if name.removeprefix(SCALE).partition(".")[0] in networks
    ]
    try:
        return unpack(read_tensors(path, names))
    except DancerError as error:
        raise DancerError(
            error.message if str(path) in error.message else f"{path}: {error.message}", hint=error.hint
        ) from None


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


def read_references(path: str | os.PathLike[str], info: DancerInfo) -> ReferenceBank | None:
    """What references are chosen from; None if the recipe has none.

    Raises:
        DancerError: They are missing or damaged.
    """
    from dancekit.data.references import ReferenceBank

    if info.recipe.reference.name == "none":
        return None
    names = [f"references.{key}" for key in ("png", "xy", "score", "frame")]
    missing = [name for name in names if name not in read_header(Path(path)).tensors]
    if missing:
        raise DancerError(f"{path} holds no {', '.join(missing)}, which its recipe needs")
    found = read_tensors(Path(path), names)
    data, xy, score, frame = (found[name].numpy() for name in names)
    try:
        return ReferenceBank.from_png(
            data, xy, score, frame, size=info.painted_size, skeleton=get_skeleton(info.skeleton)
        )
    except DancerError as error:
        raise DancerError(f"{path}: {error.message}", hint=error.hint) from None
