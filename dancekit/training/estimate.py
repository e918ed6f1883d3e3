"""What it will need: the recipe's own parts, timed and weighed on this machine for some seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dancekit.config import Recipe
from dancekit.contracts import PoseBackend
from dancekit.data.framing import crop
from dancekit.data.training_set import TrainingSet
from dancekit.model import Painter
from dancekit.training.report import peak_memory
from dancekit.training.state import TrainingState, stage_lengths
from dancekit.types import PoseSequence, Skeleton, Window, get_skeleton
from dancekit.video import read_frames

POSE_FRAMES = 12
"""Frames of the clip that the pose backend is timed on, after two that warm it up."""

TIMED_STEPS = 2
"""Steps of each stage that are timed, after one that warms it up."""

LONG = 8
"""Frames that are enough for any temporal strategy's view."""

PATIENCE = 8.0
"""Seconds after which a part is timed no further: on a slow machine one step says enough."""

_STANDING = {
    "nose": (0.5, 0.12), "left_eye": (0.515, 0.1), "right_eye": (0.485, 0.1),
    "left_ear": (0.53, 0.11), "right_ear": (0.47, 0.11),
    "left_shoulder": (0.58, 0.26), "right_shoulder": (0.42, 0.26),
    "left_elbow": (0.63, 0.4), "right_elbow": (0.37, 0.4),
    "left_wrist": (0.65, 0.53), "right_wrist": (0.35, 0.53),
    "left_hip": (0.55, 0.52), "right_hip": (0.45, 0.52),
    "left_knee": (0.56, 0.72), "right_knee": (0.44, 0.72),
    "left_ankle": (0.57, 0.92), "right_ankle": (0.43, 0.92),
}  # fmt: skip
"""COCO's joints of somebody who stands in the middle, in parts of the picture."""


@dataclass(frozen=True)
class Speeds:
    """Seconds that this machine needs.

    Attributes:
        pose: For finding the pose in a frame, reading it included.
        steps: For a training step of each stage.
        paint: For painting a frame.
    """

    pose: float
    steps: tuple[float, ...]
    paint: float

    def training(self, recipe: Recipe, done: int = 0) -> float:
        """Seconds of training that are left after `done` steps."""
        ends = np.concatenate([[0], np.cumsum(stage_lengths(recipe))])
        left = [max(int(end) - max(int(start), done), 0) for start, end in pairwise(ends)]
        return float(sum(n * seconds for n, seconds in zip(left, self.steps, strict=True)))


@dataclass(frozen=True)
class Needs:
    """What a training needs.

    Attributes:
        poses_seconds: For the poses of the clip; None if there was no clip to time them on.
        step_seconds: For a step of each stage.
        training_seconds: For all steps.
        memory: Bytes at most: of the GPU, or of the whole process on a CPU.
        checkpoint: Bytes of a checkpoint.
        checkpoints_disk: Bytes of those that are kept, and the one being written.
        frames_disk: Bytes of the clip's frames and masks; shared with other runs on the clip.
        results_disk: Bytes of the dancer (and the best one) and all previews, about.
    """

    poses_seconds: float | None
    step_seconds: tuple[float, ...]
    training_seconds: float
    memory: int
    checkpoint: int
    checkpoints_disk: int
    frames_disk: int
    results_disk: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def measure_needs(
    recipe: Recipe, backend: PoseBackend, frames: int, device: str, *, video: Path | None = None
) -> Needs:
    """Take two steps of each stage on made-up frames, and count.

    Args:
        recipe: Complete.
        backend: Its pose backend.
        frames: T of the clip.
        device: `cpu`, `cuda` or `mps`.
        video: The clip, to time the poses on.

    Raises:
        VideoError: The clip cannot be read.
        IncompatibleParts: The recipe's parts do not fit.
    """
    poses = None if video is None else frames * time_poses(backend, video)
    state = TrainingState(recipe, made_up_for(recipe, backend.spec.skeleton), device)
    state.compile()
    steps = time_steps(state)
    state.close()
    checkpoint = checkpoint_bytes(state)
    dancer = sum(_bytes(average.shadow.values()) for average in state.averages.values())
    settings, (width, height) = recipe.train, recipe.size
    previews = math.ceil(settings.steps / settings.preview_every)
    return Needs(
        poses_seconds=poses,
        step_seconds=steps,
        training_seconds=Speeds(0.0, steps, 0.0).training(recipe),
        memory=peak_memory(device),
        checkpoint=checkpoint,
        checkpoints_disk=checkpoint * (settings.keep.last + settings.keep.best + 1),
        frames_disk=frames * width * height * 4,
        # a preview of five columns and three rows; PNG halves photographs
        results_disk=dancer * (1 + settings.keep.best) + previews * 5 * 3 * width * height * 3 // 2,
    )


def checkpoint_bytes(state: TrainingState) -> int:
    """Bytes of a checkpoint of a state that has taken a step in every stage (before, optimizers are empty)."""
    networks = sum(_bytes(network.state_dict().values()) for network in state.networks.values())
    averages = sum(_bytes(average.shadow.values()) for average in state.averages.values())
    moments = sum(
        _bytes(value for value in entry.values() if isinstance(value, torch.Tensor))
        for optimizer in state.optimizers.values()
        for entry in optimizer.state.values()
    )
    pools = sum(_bytes(pool.images) for pool in state.pools.values())
    return networks + averages + moments + pools


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def measure_speeds(recipe: Recipe, backend: PoseBackend, video: Path, device: str) -> Speeds:
    """Time the recipe's parts: poses on the first frames of a clip, real steps on made-up frames, painting.

    Args:
        recipe: Complete.
        backend: Its pose backend.
        video: A clip.
        device: `cpu`, `cuda` or `mps`.

    Raises:
        VideoError: The clip cannot be read.
        IncompatibleParts: The recipe's parts do not fit.
    """
    pose = time_poses(backend, video)
    state = TrainingState(recipe, made_up_for(recipe, backend.spec.skeleton), device)
    state.compile()
    steps = time_steps(state)
    state.close()
    return Speeds(pose=pose, steps=steps, paint=time_painting(state))


def time_poses(backend: PoseBackend, video: Path) -> float:
    """Seconds a frame, on the first frames of a clip."""
    for _ in backend.detect(frame.rgb for frame in read_frames(video, stop=2)):
        pass
    began, count = time.perf_counter(), 0
    for _ in backend.detect(frame.rgb for frame in read_frames(video, stop=POSE_FRAMES)):
        count += 1
        if time.perf_counter() - began > PATIENCE:
            break
    return (time.perf_counter() - began) / max(count, 1)


def time_steps(state: TrainingState) -> tuple[float, ...]:
    """Seconds a step of each stage; the state is changed and of no use for training afterwards."""
    found, start = [], 0
    for stage, length in zip(state.recipe.train.stages, stage_lengths(state.recipe), strict=True):
        seconds: list[float] = []
        for offset in range(min(1 + TIMED_STEPS, length)):
            state.step = start + offset
            seconds.append(_timed(state))
            if sum(seconds) > PATIENCE:
                break
        # The first step of a stage allocates; later ones are what most steps are like. With a run-up it is every
        # second one that is longer.
        usual = seconds[1:] or seconds
        found.append(sum(usual) / len(usual) if stage.run_up and usual else min(usual, default=0.0))
        start += length
    return tuple(found)


def _timed(state: TrainingState) -> float:
    _wait(state.device)
    began = time.perf_counter()
    state.advance()
    _wait(state.device)
    return time.perf_counter() - began


def time_painting(state: TrainingState) -> float:
    """Seconds a frame."""
    data = state.data
    plate = crop(data.plate, data.window)
    painter = Painter(
        state.painting, data.target.skeleton, plate, state.device, bank=state.bank, follow=data.follow
    )
    xy = data.window.to_window(data.target.xy)
    moments = [time.perf_counter()]
    for _ in painter.paint(xy[:4], data.target.score[:4]):
        moments.append(time.perf_counter())
        if moments[-1] - moments[0] > PATIENCE:
            break
    return float(np.diff(moments).min())


def made_up_for(recipe: Recipe, skeleton: Skeleton) -> TrainingSet:
    """A made-up training set that is long enough for a recipe's clips."""
    strides, stages = recipe.train.strides, recipe.train.stages
    longest = max(each.run_up + (each.frames or LONG) - 1 for each in stages) * strides[-1] + 1
    return made_up_target(recipe.size, skeleton, longest)


def made_up_target(size: tuple[int, int], skeleton: Skeleton, frames: int = 8) -> TrainingSet:
    """A training set of noise with somebody standing in it, in memory: as much work as a real one.

    Args:
        size: (W, H) of the window.
        skeleton: Of the poses.
        frames: T.
    """
    rng = np.random.default_rng(0)
    width, height = size
    pictures = rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    masks = np.zeros((frames, height, width), np.uint8)
    masks[:, height // 10 : -height // 20, width // 3 : -width // 3] = 255
    return TrainingSet(
        frames=pictures,
        masks=masks,
        target=_standing(size, skeleton, frames),
        window=Window.full(size),
        plate=pictures[0],
    )


def _standing(size: tuple[int, int], skeleton: Skeleton, frames: int) -> PoseSequence:
    from fractions import Fraction

    coco = get_skeleton("coco_17")
    points: Sequence[tuple[float, float]] = [_STANDING[name] for name in coco.joints]
    xy = np.tile(np.array(points, np.float32) * np.array(size, np.float32), (frames, 1, 1))
    xy += np.arange(frames, dtype=np.float32)[:, None, None] * 0.5
    poses = PoseSequence(
        xy=xy,
        score=np.ones(xy.shape[:2], np.float32),
        pts=np.arange(frames),
        time_base=Fraction(1, 25),
        size=size,
        skeleton=coco,
    )
    return poses.to(skeleton)


def _wait(device: str) -> None:
    """A GPU works behind the program's back: wait until it has done what it was told."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
