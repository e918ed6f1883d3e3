"""Whether clips are fit for use, said before hours are spent on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence, VideoInfo, Window
from dancekit.video import read_frames

SHORTEST_TARGET = 20.0
"""Seconds below which a target shows too few poses to learn from."""

LEAST_FOUND = 0.9
LEAST_FEET = 0.8
"""Shares of frames below which a missing person, or missing feet, are worth a warning."""

LARGEST_ENLARGEMENT = 1.5
"""Window pixels per frame pixel above which the picture is visibly enlarged."""

MOVING = 0.2
"""Share of the background that may look different from its median before the camera is said to move."""

_SAMPLES = 16
_CAMERA_SECONDS = 60
_GREY_WIDTH = 160
_GREY_STEP = 20


@dataclass(frozen=True)
class ClipReport:
    """What a clip is like.

    Attributes:
        frames: How many.
        seconds: How long.
        rate: Frames per second.
        size: (W, H) pixels.
        found: Share of frames with a person.
        warnings: Sentences for the user.
    """

    frames: int
    seconds: float
    rate: float
    size: tuple[int, int]
    found: float
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, {self.frames} frames at {self.rate:.4g} fps, "
            f"{self.size[0]}x{self.size[1]}, person found in {self.found:.0%}"
        )


def check_source(info: VideoInfo, poses: PoseSequence) -> ClipReport:
    """Look at the clip whose dance is wanted.

    Args:
        info: From `probe`.
        poses: As found, unfiltered.
    """
    return _report(info, poses, _common(poses, "source"))


def check_target(info: VideoInfo, poses: PoseSequence, size: tuple[int, int]) -> ClipReport:
    """Look at the clip that a dancer is to be trained on; up to a minute of it is read for the camera.

    Args:
        info: From `probe`.
        poses: As found, unfiltered.
        size: (W, H) of the window that will be painted.

    Raises:
        VideoError: The clip cannot be read.
    """
    warnings = _common(poses, "target")
    seconds = _seconds(info, poses)
    if seconds < SHORTEST_TARGET:
        warnings.append(
            f"the target is {seconds:.0f} s long: what it does not do in that time cannot be learnt "
            f"({SHORTEST_TARGET:.0f} s at least, some minutes are better)"
        )
    enlargement = 1 / Window.around(poses.xy, size=size, frame_size=poses.size).scale
    if enlargement > LARGEST_ENLARGEMENT:
        warnings.append(
            f"the target is small in the picture and is enlarged {enlargement:.1f} times (film from nearer, "
            "or paint a smaller size)"
        )
    changed = background_change(info.path, poses, round(_CAMERA_SECONDS * info.rate))
    if changed > MOVING:
        warnings.append(
            f"the target's camera seems to move ({changed:.0%} of the background changes): the background "
            "will be blurred; put the camera on something"
        )
    return _report(info, poses, warnings)


def background_change(video: Path, poses: PoseSequence, frames: int) -> float:
    """Share of the background that differs from its own median, over frames spread through the clip.

    Each frame is compared in grey, 160 pixels wide, without the person's box and without its own change of
    brightness, so exposure and noise do not count.

    Args:
        video: The clip.
        poses: One row a frame.
        frames: Only the first so many are looked at.

    Returns:
        In [0, 1]; 0 if there are too few frames to tell.
    """
    last = min(frames, len(poses)) - 1
    chosen = set(np.linspace(0, max(last, 0), _SAMPLES).round().astype(int).tolist())
    pictures = []
    for number, frame in enumerate(read_frames(video, stop=last + 1)):
        if number in chosen:
            pictures.append(_background(frame.rgb, poses.xy[number]))
    if len(pictures) < 4:
        return 0.0
    stack = np.stack(pictures)
    seen = np.isfinite(stack).sum(0) >= len(stack) // 2
    if not seen.any():
        return 0.0
    part = stack[:, seen]
    part = part - np.nanmedian(part, axis=1, keepdims=True)
    difference = np.abs(part - np.nanmedian(part, axis=0))
    known = np.isfinite(difference)
    return float((difference[known] > _GREY_STEP).mean())


def _background(rgb: NDArray[np.uint8], xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """A small grey picture, NaN where the person is."""
    height, width = rgb.shape[:2]
    ratio = _GREY_WIDTH / width
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_GREY_WIDTH, max(1, round(height * ratio))), interpolation=cv2.INTER_AREA)
    picture: NDArray[Any] = small.astype(np.float32)
    points = xy[np.isfinite(xy).all(1)] * ratio
    if len(points):
        low, high = points.min(0), points.max(0)
        margin = 0.15 * float((high - low).max())
        left, top = np.maximum(low - margin, 0).astype(int)
        right, bottom = np.ceil(high + margin).astype(int)
        picture[top : bottom + 1, left : right + 1] = np.nan
    return picture


def _common(poses: PoseSequence, what: str) -> list[str]:
    warnings = []
    found = float(poses.found.mean())
    if found < LEAST_FOUND:
        warnings.append(f"nobody is found in {1 - found:.0%} of the {what}'s frames")
    ankles = [name for name in ("left_ankle", "right_ankle") if name in poses.skeleton]
    if ankles and poses.found.any():
        joints = [poses.skeleton.index(name) for name in ankles]
        both: NDArray[np.bool_] = np.all(poses.valid[:, joints], axis=1)
        share = float(both[poses.found].mean())
        if share < LEAST_FEET:
            warnings.append(
                f"the {what}'s feet are hidden or out of the picture in {1 - share:.0%} of the frames: "
                "size and place are guessed from the others"
            )
    return warnings


def _report(info: VideoInfo, poses: PoseSequence, warnings: list[str]) -> ClipReport:
    return ClipReport(
        frames=len(poses),
        seconds=_seconds(info, poses),
        rate=float(info.rate),
        size=info.size,
        found=float(poses.found.mean()),
        warnings=tuple(warnings),
    )


def _seconds(info: VideoInfo, poses: PoseSequence) -> float:
    return float(poses.seconds[-1] - poses.seconds[0]) + float(1 / info.rate)
