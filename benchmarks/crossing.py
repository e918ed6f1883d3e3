"""Clips in which two people cross, with exact truth: cut-outs of rendered dancers, put on a plate in order of depth.

Used by `tracking.py` and by the tests. A scene is made of two clips with exact masks and keypoints (the shipped
samples, or `../shared/data/dancefloor`); who stands lower in the picture is in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.data.framing import clean_plate
from dancekit.types import get_skeleton
from dancekit.video import VideoWriter

Image = NDArray[np.uint8]
WIDTH = 768
"""Of the clips; the plate's sides are mirrored to fill it."""


@dataclass(frozen=True)
class Rendered:
    """A rendered clip: (T, H, W, 3) frames, (T, H, W) masks, (T, K, 2) keypoints, COCO-17 first."""

    frames: Image
    masks: NDArray[np.bool_]
    keypoints: NDArray[np.float32]

    def mirrored(self) -> Rendered:
        """Left and right exchanged, in the picture and in the joints' names."""
        keypoints = self.keypoints[:, get_skeleton("coco_17").mirror]
        keypoints[..., 0] = self.frames.shape[2] - 1 - keypoints[..., 0]
        return Rendered(self.frames[:, :, ::-1], self.masks[:, :, ::-1], keypoints)


@dataclass(frozen=True)
class Actor:
    """Somebody in a scene.

    Attributes:
        clip: Where they are cut out.
        start: First frame that is taken.
        path: (T,) column of the middle of the hips.
        ground: Row of the lowest point of the clip's masks.
        scale: Of the cut-out.
    """

    clip: Rendered
    start: int
    path: NDArray[np.float64]
    ground: float
    scale: float = 1.0


@dataclass(frozen=True)
class Scene:
    """A clip with exact truth: (T, H, W, 3) frames; per person (P, T, 17, 2) keypoints and (P, T) visible share."""

    frames: Image
    keypoints: NDArray[np.float32]
    visible: NDArray[np.float64]

    def write(self, path: Path) -> Path:
        height, width = self.frames.shape[1:3]
        with VideoWriter(
            path, size=(width, height), time_base=Fraction(1, 25), rate=Fraction(25), force=True
        ) as out:
            for number, frame in enumerate(self.frames):
                out.write(frame, number)
        return path


def load(video: Path, truth: Path, frames: int | None = None, start: int = 0) -> Rendered:
    """A rendered clip and its `.npz` with `keypoints` and `mask_bits`."""
    stop = None if frames is None else start + frames
    with av.open(str(video)) as container:
        pictures = []
        for number, frame in enumerate(container.decode(video=0)):
            if stop is not None and number >= stop:
                break
            if number >= start:
                pictures.append(frame.to_ndarray(format="rgb24"))
    with np.load(truth) as data:
        keypoints = data["keypoints"][start:stop, :17]
        masks = np.unpackbits(data["mask_bits"][start:stop], axis=2).astype(bool)
    return Rendered(np.stack(pictures), masks, keypoints)


def plate_of(clip: Rendered, width: int = WIDTH) -> Image:
    """The room without the person, its sides mirrored to fill the width."""
    chosen = np.linspace(0, len(clip.frames) - 1, min(24, len(clip.frames))).round().astype(int)
    plate = clean_plate(
        [clip.frames[n] for n in chosen], [clip.masks[n].astype(np.uint8) * 255 for n in chosen]
    )
    side = (width - plate.shape[1]) // 2
    return np.asarray(cv2.copyMakeBorder(plate, 0, 0, side, side, cv2.BORDER_REFLECT_101), np.uint8)


def compose(plate: Image, actors: list[Actor], frames: int) -> Scene:
    """Put the actors on the plate, who stands lower last."""
    pictures, everybody, visible = [], [], []
    for number in range(frames):
        layers = [_layer(actor, number, plate.shape[:2]) for actor in actors]
        picture = plate.astype(np.float32)
        free = [np.ones(plate.shape[:2], np.float32) for _ in actors]
        for index in sorted(range(len(actors)), key=lambda n: actors[n].ground):
            colours, alpha, _ = layers[index]
            picture += alpha[..., None] * (colours - picture)
            for other in range(len(actors)):
                if actors[other].ground < actors[index].ground:
                    free[other] *= 1 - alpha
        rng = np.random.default_rng(number)  # as a camera's noise: a plate without any would be too easy
        picture += rng.normal(0, 1.5, picture.shape)
        pictures.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        everybody.append([layer[2] for layer in layers])
        visible.append(
            [float((free[n] * layers[n][1]).sum() / max(layers[n][1].sum(), 1)) for n in range(len(actors))]
        )
    return Scene(
        np.stack(pictures),
        np.asarray(everybody, np.float32).transpose(1, 0, 2, 3),
        np.asarray(visible).T,
    )


def _layer(actor: Actor, number: int, shape: tuple[int, int]) -> tuple[Any, Any, NDArray[np.float32]]:
    """The actor's colours (H, W, 3), opacity (H, W) and keypoints (17, 2) on the plate."""
    clip, frame = actor.clip, actor.start + number
    hips = clip.keypoints[frame, 11:13].mean(0)
    lowest = np.flatnonzero(clip.masks[actor.start : actor.start + len(actor.path)].any((0, 2))).max()
    matrix = np.array(
        [[actor.scale, 0, actor.path[number] - actor.scale * hips[0]],
         [0, actor.scale, actor.ground - actor.scale * lowest]]
    )  # fmt: skip
    size = (shape[1], shape[0])
    mask = cv2.GaussianBlur(cv2.erode(clip.masks[frame].astype(np.float32), np.ones((3, 3))), (0, 0), 0.8)
    alpha = cv2.warpAffine(mask, matrix, size)
    colours = cv2.warpAffine(clip.frames[frame].astype(np.float32), matrix, size)
    return colours, alpha, (clip.keypoints[frame] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def crossing(
    kind: str, one: Rendered, other: Rendered, plate: Image, frames: int, *, start: tuple[int, int] = (0, 0)
) -> Scene:
    """Two people who move across the picture.

    Args:
        kind: `pass`: of one height; `hidden`: the one in front is half as large again and hides the other;
            `return`: the same, but they turn back where they meet; `pillar`: both go behind a pillar.
        one: Who is in front.
        other: Who is behind.
        plate: The room.
        frames: T.
        start: First frame of either clip.
    """
    height, width = plate.shape[:2]
    t = np.linspace(0, 1, frames)
    way = 0.55 * np.sin(np.pi * t) if kind == "return" else t
    left, right = 0.16 * width, 0.84 * width
    scale = 1.35 if kind in ("hidden", "return") else 1.0
    front = Actor(one, start[0], left + (right - left) * way, height - 8.0, scale)
    back = Actor(other, start[1], right + (left - right) * way, height - 50.0, 0.95)
    scene = compose(plate, [front, back], frames)
    return _behind_pillar(scene) if kind == "pillar" else scene


def _behind_pillar(scene: Scene) -> Scene:
    """A pillar in the middle of the picture, as broad as hides a person for a second."""
    frames, visible = scene.frames.copy(), scene.visible.copy()
    width = frames.shape[2]
    left, right = round(0.39 * width), round(0.61 * width)
    shade = np.clip(150 + 60 * np.sin(np.linspace(0.2, 2.9, right - left)), 0, 255)
    frames[:, :, left:right] = shade[None, None, :, None].astype(np.uint8)
    inside = (scene.keypoints[..., 0] >= left) & (scene.keypoints[..., 0] <= right)
    return Scene(frames, scene.keypoints, visible * (1 - inside.mean(-1)))
