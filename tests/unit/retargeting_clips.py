"""Synthetic dancers in clips, and the normalizers that are tried on them."""

from __future__ import annotations

import numpy as np
from synthetic_dancer import Body, Camera, Dance, film, standing_pixels

from dancekit.normalizers.affine import Affine
from dancekit.normalizers.bones import Bones
from dancekit.normalizers.global_linear import GlobalLinear
from dancekit.normalizers.identity import Identity
from dancekit.normalizers.relative import Relative
from dancekit.types import PoseSequence

SOURCE = Body(1.8, arms=1.05), Camera(1.4, 4.5)
TARGET = Body(1.5, legs=1.04, arms=0.9, width=1.1), Camera(0.9, 4.0)
DANCE, TRAINING = Dance(frames=150, seed=1), Dance(frames=300, seed=2)
EVERY = {
    "identity": Identity,
    "global_linear": GlobalLinear,
    "affine": Affine,
    "relative": Relative,
    "bones": Bones,
}


def clip(dance: Dance, who=SOURCE, *, skeleton: str = "coco_17", noise: float = 0.5) -> PoseSequence:
    return film(dance.motion(), *who, skeleton=skeleton, noise=noise, seed=dance.seed)


def error(moved: PoseSequence, dance: Dance, who=TARGET) -> float:
    """Mean distance from what the target would really have done, percent of their standing height."""
    truth = clip(dance, who, noise=0).xy
    away = (
        np.linalg.norm(moved.to("coco_17").xy - truth, axis=-1)
        / standing_pixels(dance.motion(), *who)[:, None]
    )
    return 100 * float(np.nanmean(away))


def retargeted(
    dance: Dance, *, source: PoseSequence | None = None, target: PoseSequence | None = None, **kwargs
):
    normalizer = Bones(**kwargs)
    source = clip(dance) if source is None else source
    fitted = normalizer.fit(source, clip(TRAINING, TARGET) if target is None else target)
    return normalizer.apply(fitted, source), fitted


def hidden(poses: PoseSequence, *names: str, frames: slice = slice(None)) -> PoseSequence:
    score = poses.score.copy()
    for name in names:
        score[frames, poses.skeleton.index(name)] = 0
    return poses.replace(score=score)


def flipped(poses: PoseSequence) -> PoseSequence:
    mirror = poses.skeleton.mirror
    xy = poses.xy[:, mirror].copy()
    xy[..., 0] = poses.size[0] - 1 - xy[..., 0]
    return poses.replace(xy=xy, score=poses.score[:, mirror])


def scaled(poses: PoseSequence, factor: float) -> PoseSequence:
    width, height = poses.size
    return poses.replace(xy=poses.xy * factor, size=(round(width * factor), round(height * factor)))
