"""Official checkpoints become a dancer file: the networks as they are, a recipe that says what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import build_filters, build_painting, build_pose, create, resolve_device
from dancekit.config import Recipe, complete, load_recipe
from dancekit.critic import NETWORKS as CRITIC
from dancekit.critic import critic_path, save_critic
from dancekit.dancer import DancerInfo, component_ids, save_dancer
from dancekit.data.framing import clean_plate
from dancekit.data.poses import apply_filters, track_person
from dancekit.data.progress import Progress, silent
from dancekit.data.training_set import PLATE_FRAMES, mask_from_pose
from dancekit.errors import IncompatibleParts, OutputExists, UsageError
from dancekit.types import PoseSequence, Skeleton, Window
from dancekit.video import probe, read_frames
from dancekit.weights.header import file_sha256
from dancekit.zoo.official import ROLES, Network, read_official

DERIVED = ("generator", "discriminator", "face", "face_discriminator", "background", "reference", "temporal")
"""Recipe keys that follow from the checkpoints: they cannot be overridden."""

RATE = Fraction(25)
"""Frames per second that the header says where no target's clip does."""


@dataclass(frozen=True)
class Converted:
    """What became of the checkpoints.

    Attributes:
        out: The dancer file.
        sha256: Its digest.
        networks: `role: component (parameters)` of each network.
        normalizer: The one that is set; `identity` without a target.
        critic: The file of the discriminators beside it, None if there are none.
    """

    out: Path
    sha256: str
    networks: Mapping[str, str]
    normalizer: str
    critic: Path | None = None


def convert(
    paths: Sequence[Path],
    out: Path,
    *,
    target: Path | None = None,
    recipe: str = "quick",
    overrides: Sequence[str] = (),
    licence: str = "",
    consent: str = "",
    device: str = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> Converted:
    """Convert checkpoints of pix2pixHD, Everybody Dance Now or pix2pix; exactly, or nothing is written.

    Args:
        paths: Their files: the generator, and any of discriminator, face generator and face discriminator.
        out: The dancer file.
        target: The clip it was trained on, of the proportions of the window: gives the poses that normalizers
            fit to. Without one, only `normalizer=identity` is possible.
        recipe: What all else comes from: pose backend, filters, normalizer, renderer.
        overrides: `key=value` for it; `size=[1024, 512]` and `renderer` are what the checkpoint cannot tell.
        licence: SPDX identifier for the dancer file.
        consent: What the person shown agreed to, for the dancer file.
        device: Where poses are found.
        force: Replace `out`.
        progress: Called with (what, done, total): `poses`.

    Raises:
        CheckpointError: All tensors that do not fit.
        IncompatibleParts: The networks do not fit the renderer or the size.
        UsageError: An override of what the checkpoints say, or another normalizer than `identity` without a
            target.
    """
    for file in (out, critic_path(out)):
        if file.exists() and not force:
            raise OutputExists(file)
    networks = read_official(paths)
    settings = _recipe(networks, recipe, overrides, has_target=target is not None)
    backend = build_pose(settings, resolve_device(device) if target else "cpu")
    skeleton = backend.spec.skeleton
    settings = _with_history(settings, networks, skeleton)
    _check_fit(settings, networks, skeleton)
    window = Window.full(settings.size)
    rate = RATE
    poses = _nobody(skeleton, settings.size)
    plate = np.full((settings.size[1], settings.size[0], 3), 127, np.uint8)
    if target is not None:
        window = _window(target, settings.size)
        rate = probe(target).rate
        tracked = track_person(target, backend, settings.pose, progress=progress)
        poses = apply_filters(tracked.poses, build_filters(settings))
        plate = _plate(target, poses)
    info = DancerInfo(
        recipe=settings,
        components=component_ids(settings),
        skeleton=skeleton.id,
        window=window,
        rate=rate,
        licence=licence,
        consent=consent,
        training={
            "converted_from": {role: file_sha256(network.path) for role, network in networks.items()},
            **({"inputs": {"target": file_sha256(target)}} if target else {}),
        },
    )
    tensors = {
        f"{ROLES[role]}.{key}": value
        for role, network in networks.items()
        for key, value in _complete(network).items()
    }
    _, png = cv2.imencode(".png", cv2.cvtColor(plate, cv2.COLOR_RGB2BGR))
    out.parent.mkdir(parents=True, exist_ok=True)
    judges = {name: value for name, value in tensors.items() if name.partition(".")[0] in CRITIC}
    painting = {name: value for name, value in tensors.items() if name not in judges}
    digest = save_dancer(out, info, painting, target=poses, plate_png=png.tobytes(), dtype="fp32")
    critic = save_critic(out, info, judges, dancer_sha256=digest, dtype="fp32")
    told = {role: _told(network) for role, network in networks.items()}
    return Converted(out, digest, told, settings.normalizer.name, critic)


def _told(network: Network) -> str:
    params = ", ".join(f"{key} {value}" for key, value in network.architecture.params.items())
    return f"{network.architecture.name} ({params})"


def _complete(network: Network) -> dict[str, Any]:
    """The state, with counters of batch norm that torch before 0.4.1 did not save."""
    keys = network.architecture.build(meta=True).state_dict()
    return {key: network.state.get(key, torch.zeros((), dtype=torch.int64)) for key in keys}


def _recipe(
    networks: Mapping[str, Network], base: str, overrides: Sequence[str], *, has_target: bool
) -> Recipe:
    """The base recipe with the components that the networks are."""
    derived = [text for text in overrides if text.partition("=")[0].partition(".")[0] in DERIVED]
    if derived:
        raise UsageError(
            f"{', '.join(derived)}: the checkpoints say what this is",
            hint="size, renderer, pose, filters and normalizer can be set",
        )
    lines = ["background=painted", "reference=none", f"size={_usual_size(networks['G'])}"]
    if not has_target:
        lines.append("normalizer=identity")
    for role, part in ROLES.items():
        if role in networks and role != "Gface":
            lines += _as_overrides(part, networks[role].architecture.name, networks[role].architecture.params)
    if "Gface" in networks:
        lines += _as_overrides("face", "edn", _face_params(networks["Gface"]))
    else:
        lines.append("face=none")
    recipe = load_recipe(base, [*lines, *overrides])
    if not has_target and recipe.normalizer.name != "identity":
        raise UsageError(
            f"normalizer={recipe.normalizer.name} fits to the poses of the target, and there are none",
            hint="give --target CLIP, or leave normalizer=identity",
        )
    return recipe


def _as_overrides(part: str, name: str, params: Mapping[str, Any]) -> list[str]:
    lines = [f"{part}={name}"]
    for key, value in params.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f"{part}.{key}={text}")
    return lines


def _face_params(network: Network) -> dict[str, Any]:
    """The refiner around a face generator; it is not clamped, as in the original."""
    found = network.architecture
    if found.name == "unet" and found.params["depth"] == 5 and found.params["norm"] == "batch":
        return {"network": "unet", "ngf": found.params["ngf"], "clamp": False}
    if found.name == "pix2pixhd" and found.params["norm"] == "instance":
        return {"network": "global", "clamp": False} | {
            key: found.params[key] for key in ("ngf", "n_down", "n_blocks")
        }
    raise UsageError(
        f"{network.path}: {_told(network)} is no face generator of Everybody Dance Now",
        hint="its are a global generator with instance norm, or a U-Net of five levels with batch norm",
    )


def _usual_size(generator: Network) -> list[int]:
    """The size that the originals train such a network at; `size=` overrides it."""
    found = generator.architecture
    if found.name == "unet":
        return [max(32, 2 ** found.params["depth"])] * 2
    if found.name == "resnet":
        return [256, 256]
    return [512, 256] if found.name == "pix2pixhd" and found.wired["in_channels"] == 6 else [1024, 512]


def _with_history(recipe: Recipe, networks: Mapping[str, Network], skeleton: Skeleton) -> Recipe:
    """The temporal strategy that the generator's input channels tell of."""
    renderer = create(
        "renderer", recipe.renderer.name, **recipe.renderer.params, skeleton=skeleton, size=recipe.size
    )
    drawn, taken = renderer.spec.channels, networks["G"].architecture.wired["in_channels"]
    name = {drawn: "single", drawn + 3: "previous_frame"}.get(taken)
    if name is None:
        raise IncompatibleParts(
            f"{networks['G'].path}: the generator takes {taken} channels, renderer {recipe.renderer.name} "
            f"draws {drawn} ({drawn + 3} with the previous frame)",
            hint="renderer=NAME chooses the one it was trained with (dancekit ls renderer)",
        )
    if recipe.temporal.name == name:
        return recipe
    temporal = recipe.temporal.model_copy(update={"name": name, "params": {}})
    return complete(recipe.model_copy(update={"temporal": temporal}))


def _check_fit(recipe: Recipe, networks: Mapping[str, Network], skeleton: Skeleton) -> None:
    """The recipe must build exactly these networks.

    Raises:
        IncompatibleParts: The size or the channels of a network do not suit the rest.
    """
    with torch.device("meta"):
        parts = build_painting(recipe, skeleton)
        channels = parts.renderer.spec.channels
    expected = {
        "D": parts.temporal.discriminator_channels(channels),
        "Gface": channels + 3,
        "Dface": channels + 3,
    }
    for role, count in expected.items():
        if role in networks and networks[role].architecture.wired["in_channels"] != count:
            raise IncompatibleParts(
                f"{networks[role].path}: {role} takes {networks[role].architecture.wired['in_channels']} channels, "
                f"and would be given {count}",
                hint="is it of another training run, or renderer=NAME wrong?",
            )
    for role, module in (("G", parts.generator), ("Gface", parts.face)):
        if role in networks:
            own = {key: value.shape for key, value in module.state_dict().items()}
            wrong = [key for key, value in networks[role].state.items() if own.get(key) != value.shape]
            if wrong:
                raise IncompatibleParts(
                    f"{networks[role].path}: {wrong[0]} does not fit the recipe's {ROLES[role]}",
                    hint="the generator paints an image of 3 channels",
                )


def _nobody(skeleton: Skeleton, size: tuple[int, int]) -> PoseSequence:
    """No poses of a target."""
    return PoseSequence(
        xy=np.zeros((0, len(skeleton), 2), np.float32),
        score=np.zeros((0, len(skeleton)), np.float32),
        pts=np.zeros(0, np.int64),
        time_base=1 / RATE,
        size=size,
        skeleton=skeleton,
    )


def _window(target: Path, size: tuple[int, int]) -> Window:
    """The whole frame of the clip, scaled to the window.

    Raises:
        UsageError: It has other proportions: the originals squash their frames, a window never does.
    """
    width, height = probe(target).size
    if width * size[1] != height * size[0]:
        raise UsageError(
            f"{target} is {width}x{height}, which is not of the proportions of {size[0]}x{size[1]}, the size the "
            "network was trained at",
            hint=f"ffmpeg -i {target.name} -vf scale={size[0]}:{size[1]},setsar=1 squashed.mp4 makes the frames "
            "that the originals train on, or size=[W, H] says another size",
        )
    return Window(left=0.0, top=0.0, scale=width / size[0], size=size, frame_size=(width, height))


def _plate(target: Path, poses: PoseSequence) -> NDArray[np.uint8]:
    """The clip's clean plate."""
    chosen = set(np.linspace(0, len(poses) - 1, min(PLATE_FRAMES, len(poses))).round().astype(int).tolist())
    frames, masks = [], []
    for number, frame in enumerate(read_frames(target)):
        if number in chosen:
            frames.append(frame.rgb)
            masks.append(mask_from_pose(poses, number))
    return clean_plate(frames, masks)
