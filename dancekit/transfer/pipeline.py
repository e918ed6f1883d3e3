"""A trained target, loaded: poses in, pictures out, and whole transfers (`Dancer`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit import registry
from dancekit.build import (
    PaintingParts,
    build_filters,
    build_normalizer,
    build_painting,
    build_pose,
    build_runner,
    resolve_device,
)
from dancekit.config import Component, Recipe, override_recipe
from dancekit.contracts import PoseBackend, Runner
from dancekit.dancer import (
    DancerInfo,
    check_versions,
    network_shapes,
    read_info,
    read_networks,
    read_plate,
    read_references,
    read_target,
)
from dancekit.data.coverage import PoseRange
from dancekit.data.framing import crop
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import WHOLE, Span, TrackedClip, apply_filters, track_person
from dancekit.data.progress import Progress, silent
from dancekit.errors import DancerError, PoseError, UsageError
from dancekit.model import Painter
from dancekit.pose.choice import refuse_for_poses
from dancekit.transfer.int8 import use_int8
from dancekit.transfer.job import TransferResult, run_transfer
from dancekit.transfer.options import TransferOptions
from dancekit.transfer.stages import Pipeline
from dancekit.types import PoseSequence, get_skeleton

PAINTING_KEYS = (
    "size",
    "person_height",
    "renderer",
    "generator",
    "background",
    "reference",
    "temporal",
    "face",
)
"""Recipe keys that the weights depend on: they cannot be overridden for a transfer."""


class Dancer:
    """A trained target: `Dancer.load("ava.safetensors").transfer("dance.mp4", "out.mp4")`.

    Attributes:
        path: The file.
        info: What its header says.
        target: The target's poses, in pixels of its clip.
        int8: What painting in 8-bit integers changes, as it was measured; None where it paints in single precision.
    """

    def __init__(
        self,
        path: Path,
        info: DancerInfo,
        parts: PaintingParts,
        target: PoseSequence,
        device: str,
        runner: Runner | None = None,
    ) -> None:
        self.path = path
        self.info = info
        self.target = target
        self.painter = Painter(
            parts,
            get_skeleton(info.skeleton),
            crop(self.plate, info.window),
            device,
            bank=read_references(path, info),
            age=info.age,
            follow=info.follow,
        )
        self.int8: dict[str, Any] | None = None
        self._device = device
        self._runner = runner
        if runner is not None:
            self.painter.use(runner)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str = "auto",
        runner: str = "torch",
        threads: int | None = None,
        int8: bool = False,
    ) -> Dancer:
        """Open a dancer file, strictly: versions and shapes are compared before any weight is allocated.

        Args:
            path: The file.
            device: `cpu`, `cuda`, `mps` or `auto`.
            runner: What computes the generator and the pose networks: `dancekit ls runner`.
            threads: Of the runner; None: as many as torch takes.
            int8: Compute the generator in 8-bit integers, calibrated on the dancer's training poses.

        Raises:
            DancerError: Not a dancer file, damaged, or its weights do not fit its own recipe.
            IncompatibleParts: Its components compute something else in this version.
            UnknownName: There is no such runner.
            MissingExtra: The runner needs an extra that is not installed.
            UsageError: The runner cannot do that on this device.
            DancekitError: The runner gives other numbers than torch, or int8 other pictures.
        """
        file = Path(path)
        info = read_info(file)
        check_versions(info, file)
        place = resolve_device(device)
        chosen = None if runner == "torch" else build_runner(runner, device=place, threads=threads)
        parts = _load_networks(file, info, place)
        dancer = cls(file, info, parts, read_target(file, info), place, chosen)
        if int8:
            dancer.int8 = use_int8(dancer, chosen)
        return dancer

    @cached_property
    def plate(self) -> NDArray[np.uint8]:
        """The target's clean plate, (H, W, 3) uint8 at its clip's resolution."""
        return read_plate(self.path)

    @cached_property
    def pose_range(self) -> PoseRange:
        """What the target did in its training clip: a pose far from all of that is painted badly."""
        return PoseRange(self.target)

    def pose_backend(self, recipe: Recipe, *, masks: bool = True) -> PoseBackend:
        """The recipe's pose backend, computed where the dancer is and by the same runner."""
        return build_pose(recipe, self._device, self._runner, masks=masks)

    def poses_of(
        self,
        source: str | os.PathLike[str],
        *,
        recipe: Recipe | None = None,
        person: str | None = None,
        progress: Progress = silent,
    ) -> PoseSequence:
        """The source's filtered poses in the dancer's skeleton; `source` is a video or what `dancekit pose` wrote."""
        settings = recipe or self.info.recipe
        return self.find_poses(Path(source), settings, person=person, progress=progress)[0]

    def find_poses(
        self,
        source: Path,
        recipe: Recipe,
        *,
        span: Span = WHOLE,
        person: str | None = None,
        masks: bool = False,
        known: dict[str, TrackedClip] | None = None,
        line: Pipeline | None = None,
        progress: Progress = silent,
    ) -> tuple[PoseSequence, MaskTrack | None]:
        """As `poses_of`, and the source's masks if they are asked for (and its pose backend gives them).

        Args:
            source: A video or a `.npz`.
            recipe: Whose pose backend and filters.
            span: The part of it that is wanted.
            person: Whose, if there are several people: see `dancekit.data.poses.track_person`.
            masks: Whether masks are wanted; the poses are then those of the source's pictures, else the shake of
                the camera is taken out of them.
            known: What was found before, by pose backend: looked into and added to.
            line: Where the source is decoded.
            progress: Called with ("poses", done, total).

        Raises:
            PoseError: Nobody is in any frame.
        """
        found_masks = None
        if source.suffix == ".npz":
            refuse_for_poses(source, person)
            poses = span.of(PoseSequence.load(source)).to(self.info.skeleton)
        else:
            known = {} if known is None else known
            key = recipe.pose.model_dump_json()
            if key not in known:
                known[key] = track_person(
                    source,
                    self.pose_backend(recipe, masks=masks),
                    recipe.pose,
                    person=person,
                    progress=progress,
                    masks=masks,
                    span=span,
                    frames=iter if line is None else partial(line.run, "decode"),
                )
            found_masks = known[key].masks
            raw = known[key].poses if masks else known[key].steady_poses
            poses = apply_filters(raw.to(self.info.skeleton), build_filters(recipe))
        if not poses.found.any():
            raise PoseError(f"{source}: no person in any frame", hint="film one whole person in good light")
        return poses, found_masks

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
        return self.painter.paint(
            self.info.window.to_window(poses.xy), poses.score, cuts=poses.cuts, seconds=poses.seconds
        )

    def transfer(
        self,
        source: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        full_frame: bool = False,
        options: TransferOptions | None = None,
        overrides: tuple[str, ...] | list[str] = (),
        crf: int | None = None,
        force: bool = False,
        person: str | None = None,
        progress: Progress = silent,
    ) -> TransferResult:
        """Make the video; where the same transfer was stopped before, go on from there.

        Args:
            source: A video, or a `.npz` of poses.
            out: The result: a video, a `.gif`, or without a suffix a folder of pictures. Frames, rate and sound
                are the source's.
            full_frame: The same as `options.background = "target"`: the person on the target's clean plate, at
                the clip's own resolution.
            options: Background, size, part of the source, codec and more; the arguments here add to it.
            overrides: `key=value` for the recipe's pose, filters and normalizer.
            crf: Quality, smaller is better and larger.
            force: Replace `out`.
            person: Whose dance, if there are several people.
            progress: Called with (what, done, total): `poses`, `painting`.

        Raises:
            VideoError: The source cannot be read, or `out` not be written.
            PoseError: Nobody is in the source, or too little to fit the normalizer.
            OutputExists: `out` is there already.
            UsageError: Options that do not go together, or `out` is the source, whatever `force` says.
        """
        given = options or TransferOptions()
        whole = replace(
            given,
            background=given.background or ("target" if full_frame else None),
            overrides=(*given.overrides, *overrides),
            crf=given.crf if crf is None else crf,
            force=given.force or force,
            person=given.person or person,
        )
        return run_transfer([self], Path(source), Path(out), whole, progress)[0]

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
    networks = parts.networks
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
