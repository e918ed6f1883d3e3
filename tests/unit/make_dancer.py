"""A dancer with weights drawn at random, and a pose backend that sees somebody in any picture: no training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import build_painting, window_step
from dancekit.config import load_recipe
from dancekit.contracts import PoseSpec
from dancekit.dancer import DancerInfo, component_ids, read_info, read_target, save_dancer
from dancekit.data.references import make_bank
from dancekit.data.training_set import TrainingSet
from dancekit.resources import data_path
from dancekit.types import Detections, PoseSequence, Window
from dancekit.types.following import choose_window

DEMO = "zoo/weights/demo.safetensors"
FRAME = (160, 120)
"""(W, H) of the dancer's clip."""


def dance(size: tuple[int, int]) -> PoseSequence:
    """Real poses, those of the shipped target, in pictures of (W, H)."""
    path = data_path(DEMO)
    poses = read_target(path, read_info(path))
    ratio = min(size[0] / poses.size[0], size[1] / poses.size[1])
    return poses.replace(xy=poses.xy * np.float32(ratio), size=size)


def texture(size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 with detail at every scale."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(40, 216, (6, 8, 3)).astype(np.float32), size)
    noise = rng.normal(0, 12, (size[1], size[0], 3))
    return np.clip(coarse + noise, 0, 255).astype(np.uint8)


def make_dancer(path: Path, *, seed: int = 0, changes: tuple[str, ...] = ()) -> Path:
    """Write a dancer file that paints 64x64 windows of a 160x120 clip; what it paints depends on its last frame."""
    recipe = load_recipe("tiny", list(changes))
    target = dance(FRAME)[:150]  # a long one costs a second for its range of poses
    torch.manual_seed(seed)
    parts = build_painting(recipe, target.skeleton)
    networks = {
        f"{name}.{key}": value * 4
        for name, module in parts.networks.items()
        for key, value in module.state_dict().items()
    }
    step = window_step(recipe, target.skeleton)
    window, follow = choose_window(target, size=recipe.size, person_height=recipe.person_height, step=step)
    info = DancerInfo(
        recipe=recipe,
        components=component_ids(recipe),
        skeleton=target.skeleton.id,
        window=window,
        follow=follow,
        rate=Fraction(25),
        licence="CC0-1.0",
    )
    _, png = cv2.imencode(".png", cv2.cvtColor(texture(FRAME, seed), cv2.COLOR_RGB2BGR))
    bank = make_bank(filmed(target, window), parts.reference)
    save_dancer(path, info, networks, target=target, plate_png=png.tobytes(), dtype="fp32", references=bank)
    return path


def filmed(target: PoseSequence, window: Window) -> TrainingSet:
    """Noise for frames, all of it the person."""
    shape = (len(target), window.size[1], window.size[0])
    frames = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return TrainingSet(frames, np.full(shape, 255, np.uint8), target, window, texture(FRAME))


class Everybody:
    """A pose backend: in frame n of any video somebody is in pose n of `dance`."""

    version = 1

    def __init__(self, *_: object, **_wired: object) -> None:
        self.spec = PoseSpec(dance(FRAME).skeleton, 1, True, "MIT")
        self.frames: list[NDArray[np.uint8]] = []

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        poses: PoseSequence | None = None
        for number, frame in enumerate(frames):
            height, width = frame.shape[:2]
            poses = poses or dance((width, height))
            row = number % len(poses)
            xy = np.nan_to_num(poses.xy[row])[None]
            low, high = xy[0].min(0), xy[0].max(0)
            mask = np.zeros((1, height, width), np.uint8)
            left, top, right, bottom = np.clip([*low, *high], 0, None).astype(int)
            mask[:, top:bottom, left:right] = 255
            yield Detections(
                xy=xy,
                score=poses.score[row][None],
                box=np.concatenate([low, high])[None].astype(np.float32),
                mask=mask,
            )
