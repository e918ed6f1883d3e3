"""What is known of the true frames that a dancer is compared with: their windows, the person's mask and poses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.build import build_filters, build_pose
from dancekit.config import Component, Recipe
from dancekit.data import training_set
from dancekit.data.masks import MaskTrack
from dancekit.data.poses import TrackedClip, apply_filters, track_person
from dancekit.data.progress import Progress
from dancekit.errors import VideoError
from dancekit.evaluate.frames import ArrayFrames, Chosen, Source, Windowed, open_frames
from dancekit.evaluate.truth import ExactTruth
from dancekit.pose.blazepose import BlazePose
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence

Mask = NDArray[np.bool_]


@dataclass(eq=False)
class Known:
    """The true frames and what is known of the person in them.

    Attributes:
        count: Frames that are compared.
        rate: Frames a second.
        frames: The dancer's window of the true frames; None where there are none.
        poses: Found in the true video and filtered, in pixels of the clip.
        mask: Of a frame, (h, w), in the window.
        detected: Found in the true video, unfiltered.
        warnings: About it.
    """

    count: int
    rate: Fraction
    frames: Source | None = None
    poses: PoseSequence | None = None
    mask: Callable[[int], Mask] | None = None
    detected: PoseSequence | None = None
    warnings: list[str] = field(default_factory=list)


def known_clip(
    dancer: Dancer,
    recipe: Recipe,
    clip: Path,
    truth: ExactTruth | None,
    device: str,
    progress: Progress,
    person: str | None = None,
) -> Known:
    """A video filmed (or rendered) like the training clip.

    Raises:
        VideoError: It has another frame size than the training clip, or the exact truth belongs to another video.
        PoseError: Nobody is in it.
    """
    window, source = dancer.info.window, open_frames(clip)
    if source.size != window.frame_size:
        raise VideoError(
            f"{clip} is {source.size[0]}x{source.size[1]}, {dancer.path} paints a window of frames of "
            f"{window.frame_size[0]}x{window.frame_size[1]}",
            hint="the true video must be filmed like the training clip: same camera, place and size",
        )
    if truth is not None and len(truth) != source.count:
        raise VideoError(
            f"{truth.path} has {len(truth)} frames, {clip} {source.count}: they do not belong together"
        )
    tracked, poses = tracked_poses(clip, dancer, recipe, device, progress, person)
    known = Known(source.count, source.rate or dancer.info.rate, Windowed(source, window), poses)
    known.detected = tracked.poses.to(dancer.info.skeleton)
    if truth is not None and truth.mask_bits is not None:
        known.mask = lambda number: np.asarray(truth.mask(number, window.frame_size, window), np.bool_)
    else:
        masks = tracked.masks or _blazepose_masks(clip, device, progress, person)
        known.mask = lambda number: np.asarray(masks.in_window(number, window) > 127)
        known.warnings.append("the person's masks are found by the pose backend, not exact")
    return known


def held_out(dancer: Dancer) -> tuple[int, int] | None:
    """First and one after the last frame of the training clip that training never looked at, if there are any."""
    found = dancer.info.training.get("held_out")
    return None if found is None else (int(found[0]), int(found[1]))


def only(known: Known, first: int, last: int) -> Known:
    """Frames `first` to `last - 1`, as a clip of their own."""
    mask, part = known.mask, slice(first, last)
    assert known.frames is not None and known.poses is not None
    return Known(
        count=last - first,
        rate=known.rate,
        frames=Chosen(known.frames, first, last),
        poses=known.poses[part],
        mask=None if mask is None else lambda number: mask(number + first),
        detected=None if known.detected is None else known.detected[part],
        warnings=known.warnings,
    )


def known_run(dancer: Dancer, rate: Fraction) -> Known:
    """The frames of the training clip that a run folder keeps.

    Raises:
        VideoError: It keeps none.
    """
    folder = dancer.path.with_name("data")
    if not (folder / "frames.npy").exists():
        raise VideoError(
            f"{folder} holds no frames of the training clip", hint="name a clip: dancekit evaluate RUN CLIP"
        )
    data = training_set.load(folder)
    known = Known(len(data), rate, ArrayFrames(str(folder), data.frames, rate), data.target)
    known.mask = lambda number: np.asarray(data.masks[number] > 127)
    known.warnings.append("the person's masks are those of training, found by the pose backend, not exact")
    return known


def tracked_poses(
    clip: Path, dancer: Dancer, recipe: Recipe, device: str, progress: Progress, person: str | None = None
) -> tuple[TrackedClip, PoseSequence]:
    """The person as found, and the filtered poses as the dancer was trained on such (cached by content)."""
    backend = build_pose(recipe, device)
    tracked = track_person(clip, backend, recipe.pose, person=person, progress=progress)
    poses = tracked.poses.to(dancer.info.skeleton)
    return tracked, apply_filters(poses, build_filters(recipe))


def _blazepose_masks(clip: Path, device: str, progress: Progress, person: str | None) -> MaskTrack:
    """Masks for dancers whose pose backend gives none."""
    backend, component = BlazePose(device=device), Component(name="blazepose")
    found = track_person(clip, backend, component, person=person, progress=progress)
    assert found.masks is not None
    return found.masks
