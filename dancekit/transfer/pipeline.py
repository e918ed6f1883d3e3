"""A source video (or pose file) and a dancer in, a video of the target doing that dance out.

Two passes over the source: poses of the whole clip first, because smoothing and normalization need all of it;
then frames are painted and encoded one at a time, in constant memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit import __version__, registry
from dancekit.build import (
    PaintingParts,
    build_filters,
    build_normalizer,
    build_painting,
    build_pose,
    resolve_device,
)
from dancekit.config import Component, Recipe, override_recipe
from dancekit.dancer import (
    DancerInfo,
    check_versions,
    network_shapes,
    read_info,
    read_networks,
    read_plate,
    read_target,
)
from dancekit.data.coverage import Coverage, PoseRange
from dancekit.data.files import write_whole
from dancekit.data.framing import crop, letterbox, paste
from dancekit.data.poses import apply_filters, track_person
from dancekit.data.progress import Progress, silent
from dancekit.errors import DancerError, OutputExists, PoseError, UsageError
from dancekit.model import Painter
from dancekit.types import PoseSequence, get_skeleton
from dancekit.video import VideoWriter, probe
from dancekit.video.provenance import SYNTHETIC, synthetic_mark
from dancekit.weights.header import file_sha256

PAINTING_KEYS = ("size", "renderer", "generator", "background", "temporal", "face")
"""Recipe keys that the weights depend on: they cannot be overridden for a transfer."""


@dataclass(frozen=True)
class TransferResult:
    """What a transfer made.

    Attributes:
        out: The video.
        sidecar: JSON beside it: the fitted normalizer, frames, how far each pose is from what was filmed.
        frames: How many were painted (as many as the source has).
        missing: In how many of them nobody was found in the source.
        fitted: The normalizer's fitted numbers.
        coverage: Which frames' poses are out of the range of the dancer's training clip.
    """

    out: Path
    sidecar: Path
    frames: int
    missing: int
    fitted: Mapping[str, Any]
    coverage: Coverage


class Dancer:
    """A trained target: `Dancer.load("ava.safetensors").transfer("dance.mp4", "out.mp4")`.

    Attributes:
        path: The file.
        info: What its header says.
        target: The target's poses, in pixels of its clip.
    """

    def __init__(
        self, path: Path, info: DancerInfo, parts: PaintingParts, target: PoseSequence, device: str
    ) -> None:
        self.path = path
        self.info = info
        self.target = target
        self.painter = Painter(parts, get_skeleton(info.skeleton), crop(self.plate, info.window), device)
        self._device = device

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Dancer:
        """Open a dancer file, strictly: versions and shapes are compared before any weight is allocated.

        Args:
            path: The file.
            device: `cpu`, `cuda`, `mps` or `auto`.

        Raises:
            DancerError: Not a dancer file, damaged, or its weights do not fit its own recipe.
            IncompatibleParts: Its components compute something else in this version.
        """
        file = Path(path)
        info = read_info(file)
        check_versions(info, file)
        place = resolve_device(device)
        parts = _load_networks(file, info, place)
        return cls(file, info, parts, read_target(file, info), place)

    @cached_property
    def plate(self) -> NDArray[np.uint8]:
        """The target's clean plate, (H, W, 3) uint8 at its clip's resolution."""
        return read_plate(self.path)

    @cached_property
    def pose_range(self) -> PoseRange:
        """What the target did in its training clip: a pose far from all of that is painted badly."""
        return PoseRange(self.target)

    def poses_of(
        self, source: str | os.PathLike[str], *, recipe: Recipe | None = None, progress: Progress = silent
    ) -> PoseSequence:
        """The source's filtered poses in the dancer's skeleton; `source` is a video or what `dancekit pose` wrote."""
        settings = recipe or self.info.recipe
        if Path(source).suffix == ".npz":
            poses = PoseSequence.load(source).to(self.info.skeleton)
        else:
            backend = build_pose(settings, self._device)
            poses = track_person(source, backend, settings.pose, progress=progress).poses.to(
                self.info.skeleton
            )
            poses = apply_filters(poses, build_filters(settings))
        if not poses.found.any():
            raise PoseError(f"{source}: no person in any frame", hint="film one whole person in good light")
        return poses

    def retarget(
        self, poses: PoseSequence, normalizer: Component | None = None
    ) -> tuple[PoseSequence, dict[str, Any]]:
        """Fit and apply the normalizer: poses in pixels of the target's clip, and the fitted numbers."""
        component = normalizer or self.info.recipe.normalizer
        if not len(self.target) and component.name != "identity":
            raise PoseError(
                f"{self.path} holds no poses of a target, so {component.name} has nothing to fit to",
                hint="use normalizer=identity, or convert the checkpoint again with --target CLIP",
            )
        built = build_normalizer(component)
        fitted = dict(built.fit(poses, self.target))
        return built.apply(fitted, poses), fitted

    def paint(self, poses: PoseSequence) -> Iterator[NDArray[np.uint8]]:
        """Paint poses given in pixels of the target's clip: one (h, w, 3) uint8 window a frame."""
        return self.painter.paint(self.info.window.to_window(poses.xy), poses.score)

    def transfer(
        self,
        source: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        full_frame: bool = False,
        overrides: tuple[str, ...] | list[str] = (),
        crf: int = 18,
        force: bool = False,
        progress: Progress = silent,
    ) -> TransferResult:
        """Make the video.

        Args:
            source: A video, or a `.npz` of poses.
            out: The video to write; frames, rate and sound are the source's.
            full_frame: Put the window back on the target's clean plate, at the clip's own resolution.
            overrides: `key=value` for the recipe's pose, filters and normalizer.
            crf: H.264 quality, smaller is better and larger.
            force: Replace `out`.
            progress: Called with (what, done, total): `poses`, `painting`.

        Raises:
            VideoError: The source cannot be read, or `out` not be written.
            PoseError: Nobody is in the source, or too little to fit the normalizer.
            OutputExists: `out` is there already.
            UsageError: `out` is the source, whatever `force` says.
        """
        destination, origin = Path(out), Path(source)
        sidecar = destination.with_suffix(".json")
        for taken in (destination, sidecar):
            if taken.exists() and any(
                given.exists() and taken.samefile(given) for given in (origin, self.path)
            ):
                raise UsageError(f"{taken} is an input", hint="choose another name")
            if taken.exists() and not force:
                raise OutputExists(taken)
        recipe = self.overridden(overrides)
        poses = self.poses_of(origin, recipe=recipe, progress=progress)
        moved, fitted = self.retarget(poses, recipe.normalizer)
        video = None if origin.suffix == ".npz" else probe(origin)
        rate = video.rate if video else Fraction(poses.rate).limit_denominator(1001)
        window = self.info.window
        digest = file_sha256(self.path)
        with VideoWriter(
            destination,
            size=window.frame_size if full_frame else window.size,
            time_base=poses.time_base,
            rate=rate,
            sound_from=origin if video and video.audio else None,
            crf=crf,
            force=force,
            metadata=synthetic_mark(f"dancer {self.path.name} (sha256 {digest})"),
        ) as writer:
            for number, painted in enumerate(self.paint(moved)):
                shown = paste(self.plate, painted, window) if full_frame else letterbox(painted, window)
                writer.write(shown, int(poses.pts[number]))
                progress("painting", number + 1, len(poses))
        missing = int((~poses.found).sum())
        coverage = self.pose_range.coverage(moved)
        facts = {
            "source": origin.name,
            "dancer": self.path.name,
            "frames": len(poses),
            "frames_without_person": missing,
            "normalizer": {"name": recipe.normalizer.name, "fitted": fitted},
            "pose_range": coverage.to_json(),
            "provenance": {
                "synthetic": True,
                "digital_source_type": SYNTHETIC,
                "dancekit": __version__,
                "model": {
                    "sha256": digest,
                    "licence": self.info.licence,
                    "subject": self.info.subject,
                    "consent": self.info.consent,
                    "components": dict(self.info.components),
                },
                "post_processing": {
                    "poses": [component.model_dump(mode="json") for component in recipe.filters],
                    "retargeting": recipe.normalizer.name,
                    "face": self.info.recipe.face.name,
                    "background": self.info.recipe.background.name,
                    "full_frame": full_frame,
                    "encoding": f"H.264, crf {crf}",
                },
                "dropped_frames": len(poses) - writer.frames,
                "sound": origin.name if video and video.audio else None,
            },
        }
        write_whole(sidecar, json.dumps(facts, indent=2, sort_keys=True) + "\n")
        return TransferResult(destination, sidecar, len(poses), missing, fitted, coverage)

    def overridden(self, overrides: tuple[str, ...] | list[str]) -> Recipe:
        """The dancer's recipe with another pose backend, filters or normalizer.

        Raises:
            UsageError: An override changes what the weights depend on.
        """
        fixed = [text for text in overrides if text.partition("=")[0].split(".")[0] in PAINTING_KEYS]
        if fixed:
            raise UsageError(
                f"{', '.join(fixed)}: the dancer's weights depend on this",
                hint="a transfer can change pose, filters and normalizer; train again for the rest",
            )
        return override_recipe(self.info.recipe, list(overrides)) if overrides else self.info.recipe


def _load_networks(path: Path, info: DancerInfo, device: str) -> PaintingParts:
    """Build on the meta device, compare with the header's shapes, and only then read the weights."""
    import torch

    with torch.device("meta"):
        parts = build_painting(_to_paint(info.recipe), get_skeleton(info.skeleton), device)
    networks = {"generator": parts.generator, "face": parts.face}
    expected = {
        f"{name}.{key}": list(value.shape)
        for name, module in networks.items()
        for key, value in module.state_dict().items()
    }
    found = network_shapes(path)
    if expected != found:
        wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        sample = ", ".join(
            f"{key} {found.get(key, 'missing')} (expected {expected.get(key, 'none')})" for key in wrong[:3]
        )
        raise DancerError(f"{path}: {len(wrong)} weights do not fit its own recipe: {sample}")
    tensors = read_networks(path)
    for name, module in networks.items():
        state = {key: tensors[f"{name}.{key}"] for key in module.state_dict()}
        module.load_state_dict(state, strict=True, assign=True)
        module.requires_grad_(False)
        module.to(device)
    return parts


def _to_paint(recipe: Recipe) -> Recipe:
    """Without parameters that matter to training only, such as a file of weights to begin with.

    That file is on the machine of whoever trained. And a dancer of a stranger must not make us look for files.
    """
    changes = {}
    for part in ("generator", "face"):
        component = getattr(recipe, part)
        idle = getattr(registry.load(part, component.name), "only_to_train", ())
        params = {key: value for key, value in component.params.items() if key not in idle}
        changes[part] = component.model_copy(update={"params": params})
    return recipe.model_copy(update=changes)
