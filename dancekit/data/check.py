"""Whether clips are fit for use, said before hours are spent on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.data.body import body_measures
from dancekit.data.camera import LARGE, CameraMotion
from dancekit.types import PoseSequence, VideoInfo
from dancekit.types.following import choose_window
from dancekit.video import read_frames

SHORTEST_TARGET = 20.0
"""Seconds below which a target shows too few poses to learn from."""

LARGEST_ENLARGEMENT = 1.5
"""Window pixels per frame pixel above which the picture is visibly enlarged."""

MOVING = 0.2
"""Share of the background that may look different from its median before the camera is said to move."""

DARK, LARGEST_CLIPPED, LARGEST_FLICKER = 45.0, 0.25, 25.0
"""Grey level of the person, white share of it, and change of the light in grey levels, worth a warning."""

_WHITE = 250
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
        measures: Further numbers by name, `jitter`, `feet`, `hands`, `cut`, ...; those that were looked at.
        warnings: Sentences for the user.
    """

    frames: int
    seconds: float
    rate: float
    size: tuple[int, int]
    found: float
    measures: Mapping[str, float]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, {self.frames} frames at {self.rate:.4g} fps, "
            f"{self.size[0]}x{self.size[1]}, person found in {self.found:.0%}"
        )


def check_source(info: VideoInfo, poses: PoseSequence, *, camera: CameraMotion | None = None) -> ClipReport:
    """Look at the clip whose dance is wanted.

    Args:
        info: From `probe`.
        poses: As found, unfiltered.
        camera: What the camera does, if that was measured.
    """
    measures, warnings = body_measures(poses, "source")
    if camera is not None and camera.kind != "unknown":
        measures["camera_shift"] = camera.shift
        if camera.kind == "moves" and np.isfinite(camera.shift):
            warnings.append(
                f"the source's camera moves by {camera.shift:.1%} of the picture: its shake is taken out of the "
                "dance, its slow movement is not"
            )
    return _report(info, poses, measures, warnings)


def check_target(
    info: VideoInfo,
    poses: PoseSequence,
    size: tuple[int, int],
    *,
    person_height: int = 0,
    camera: CameraMotion | None = None,
) -> ClipReport:
    """Look at the clip that a dancer is to be trained on; up to a minute of it is read for the camera.

    Args:
        info: From `probe`.
        poses: As found, unfiltered.
        size: (W, H) of the window that will be painted.
        person_height: Of the recipe.
        camera: What the camera does, if that was measured.

    Raises:
        VideoError: The clip cannot be read.
    """
    measures, warnings = body_measures(poses, "target")
    seconds = _seconds(info, poses)
    if seconds < SHORTEST_TARGET:
        warnings.append(
            f"the target is {seconds:.0f} s long: what it does not do in that time cannot be learnt "
            f"({SHORTEST_TARGET:.0f} s at least, some minutes are better)"
        )
    window, _ = choose_window(poses, size=size, person_height=person_height, step=1)
    measures["enlargement"] = enlargement = 1 / window.scale
    if enlargement > LARGEST_ENLARGEMENT:
        warnings.append(
            f"the target is small in the picture and is enlarged {enlargement:.1f} times (film from nearer, "
            "or paint a smaller size)"
        )
    look = look_at(info.path, poses, round(_CAMERA_SECONDS * info.rate))
    measures |= {"background_change": look.changed, "brightness": look.brightness, "flicker": look.flicker}
    warnings += _camera(camera, measures, poses)
    if look.changed > MOVING and (camera is None or camera.kind in ("still", "unknown")):
        warnings.append(
            f"the target's camera seems to move ({look.changed:.0%} of the background changes): the background "
            "will be blurred; put the camera on something"
        )
    warnings += _light(look)
    return _report(info, poses, measures, warnings)


def _camera(camera: CameraMotion | None, measures: dict[str, float], poses: PoseSequence) -> list[str]:
    """What is said of the target's camera; its shift becomes a measure."""
    warnings = []
    if poses.cuts:
        warnings.append(
            f"the target is cut {len(poses.cuts)} time{'s' * (len(poses.cuts) > 1)}: no training clip spans a cut"
        )
    if camera is None or camera.kind == "unknown":
        return warnings
    measures["camera_shift"] = camera.shift
    if np.isinf(camera.shift):
        warnings.append(
            "the target shows another place after a cut: background plate needs one camera that stands still; "
            "train on one of the scenes, or use background=painted"
        )
    elif camera.kind == "moves":
        warnings.append(
            f"the target's camera moves by {camera.shift:.1%} of the picture (at most {LARGE:.0%} for background "
            "plate): put the camera on something and film again, or use background=painted"
        )
    elif camera.kind == "shake":
        warnings.append(
            f"the target's camera shakes by {camera.shift:.1%} of the picture: it is taken out for training, which "
            "costs a little sharpness; put the camera on something"
        )
    return warnings


@dataclass(frozen=True)
class Look:
    """What some frames of a clip look like.

    Attributes:
        changed: Share of the background that differs from its own median; 0 if there are too few frames to
            tell. Each frame is compared in grey, 160 pixels wide, without the person's box and without its own
            change of brightness, so exposure and noise do not count.
        brightness: Median over the frames of the person's mean grey level, 0 to 255.
        clipped: Share of the pixels of the person's box that are white beyond what the camera can show.
        flicker: How much the background's brightness goes up and down about its own median: the range
            between the 10th and the 90th percentile of the frames, grey levels.
    """

    changed: float
    brightness: float
    clipped: float
    flicker: float


def look_at(video: Path, poses: PoseSequence, frames: int) -> Look:
    """Look at frames spread through the clip.

    Args:
        video: The clip.
        poses: One row a frame.
        frames: Only the first so many are looked at.

    Raises:
        VideoError: The clip cannot be read.
    """
    last = min(frames, len(poses)) - 1
    chosen = set(np.linspace(0, max(last, 0), _SAMPLES).round().astype(int).tolist())
    backgrounds, light, clipped = [], [], []
    for number, frame in enumerate(read_frames(video, stop=last + 1)):
        if number not in chosen:
            continue
        grey, person = _small(frame.rgb, poses.xy[number])
        if person.any():
            light.append(float(grey[person].mean()))
            clipped.append(float((grey[person] > _WHITE).mean()))
        backgrounds.append(np.where(_box(grey.shape, frame.rgb.shape[1], poses.xy[number]), np.nan, grey))
    changed, flicker = _changes(backgrounds)
    return Look(
        changed=changed,
        brightness=float(np.median(light)) if light else float("nan"),
        clipped=float(np.median(clipped)) if clipped else float("nan"),
        flicker=flicker,
    )


def _changes(backgrounds: list[NDArray[Any]]) -> tuple[float, float]:
    """Share of the background that changes, and how much its brightness does."""
    if len(backgrounds) < 4:
        return 0.0, 0.0
    stack = np.stack(backgrounds)
    seen = np.isfinite(stack).sum(0) >= len(stack) // 2
    if not seen.any():
        return 0.0, 0.0
    part = stack[:, seen]
    # each pixel against itself: the person's box hides another part of the background in every frame
    low, high = np.nanquantile(np.nanmedian(part - np.nanmedian(part, axis=0), axis=1), [0.1, 0.9])
    part = part - np.nanmedian(part, axis=1, keepdims=True)
    difference = np.abs(part - np.nanmedian(part, axis=0))
    known = np.isfinite(difference)
    return float((difference[known] > _GREY_STEP).mean()), float(high - low)


def _light(look: Look) -> list[str]:
    warnings = []
    if look.brightness < DARK:
        warnings.append(
            f"the target is dark (grey level {look.brightness:.0f} of 255): dark pictures are noisy and hide the "
            "limbs; turn on more light, not behind the person"
        )
    if look.clipped > LARGEST_CLIPPED:
        warnings.append(
            f"{look.clipped:.0%} of the target is white beyond what the camera shows: lower the exposure"
        )
    if look.flicker > LARGEST_FLICKER:
        warnings.append(
            f"the light changes by {look.flicker:.0f} grey levels: lock the exposure of the camera, and film "
            "away from windows and lamps that change"
        )
    return warnings


def _small(rgb: NDArray[np.uint8], xy: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A grey picture 160 pixels wide, float32, and where the person's trunk and limbs are in it."""
    height, width = rgb.shape[:2]
    ratio = _GREY_WIDTH / width
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_GREY_WIDTH, max(1, round(height * ratio))), interpolation=cv2.INTER_AREA)
    points = xy[np.isfinite(xy).all(1)] * ratio
    person = np.zeros(small.shape, np.uint8)
    if len(points) >= 3:
        hull = cv2.convexHull(np.clip(points, -1e4, 1e4).astype(np.float32)).round().astype(np.int32)
        cv2.fillConvexPoly(person, hull, 1)
    return small.astype(np.float32), person > 0


def _box(shape: tuple[int, ...], width: int, xy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The person's box and a margin, in the small picture."""
    inside = np.zeros(shape, bool)
    points = xy[np.isfinite(xy).all(1)] * (_GREY_WIDTH / width)
    if len(points):
        low, high = points.min(0), points.max(0)
        margin = 0.15 * float((high - low).max())
        left, top = np.maximum(low - margin, 0).astype(int)
        right, bottom = np.ceil(high + margin).astype(int)
        inside[top : bottom + 1, left : right + 1] = True
    return inside


def _report(
    info: VideoInfo, poses: PoseSequence, measures: dict[str, float], warnings: list[str]
) -> ClipReport:
    return ClipReport(
        frames=len(poses),
        seconds=_seconds(info, poses),
        rate=float(info.rate),
        size=info.size,
        found=float(poses.found.mean()),
        measures=measures,
        warnings=tuple(warnings),
    )


def _seconds(info: VideoInfo, poses: PoseSequence) -> float:
    return float(poses.seconds[-1] - poses.seconds[0]) + float(1 / info.rate)
