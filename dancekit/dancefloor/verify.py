"""Checks that a clip's truth and its pixels agree: keypoints, masks, planted feet, flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.jit import Bools, Singles
from dancekit.dancefloor.keypoints import NAMES
from dancekit.dancefloor.truth import VISIBLE, ClipTruth
from dancekit.data.progress import Progress, silent
from dancekit.errors import VideoError
from dancekit.video.read import read_frames

REPROJECTION = 0.02
"""Pixels that a keypoint may lie from its projection."""

IN_MASK = 0.93
"""Share of the visible body joints that must lie on their person's mask, or 3 pixels beside it."""

MISSED = 0.04
"""Share of the strongly changed pixels that may lie off all masks: mirror images on the floor, codec."""

SLIDE = 0.35
"""Metres a second: most that the 90th percentile of a planted foot's speed may be."""

FLOW_GAIN = 0.7
"""A frame warped by the flow must differ from the one before by at most this share of what it does unwarped."""

_CHANGED = 48
"""Grey levels by which a pixel must leave the empty room to count as strongly changed."""

_MOVING = 1.5
"""Pixels of flow from which on the gain of warping is measured."""


@dataclass
class ClipCheck:
    """What was found in a clip.

    Attributes:
        name: Of the clip.
        frames: How many.
        people: How many.
        reprojection: Largest distance of a keypoint from its projection, pixels.
        in_mask: Share of visible body joints on their mask.
        missed: Share of strongly changed pixels off the masks; None if the empty room is never seen.
        slide: 90th percentile of the speed of planted feet, metres a second; None if no foot is planted.
        flow: Error after warping over error without; None if there is no flow.
        problems: What is wrong, one sentence each.
    """

    name: str
    frames: int
    people: int
    reprojection: float = 0.0
    in_mask: float = 1.0
    missed: float | None = None
    slide: float | None = None
    flow: float | None = None
    problems: list[str] = field(default_factory=list)


def verify_folder(folder: Path, *, progress: Progress = silent) -> list[ClipCheck]:
    """Check every clip of a folder.

    Raises:
        VideoError: There is none.
        PoseError: A truth is damaged.
    """
    videos = sorted(path for path in folder.glob("*.mp4") if path.with_suffix(".npz").exists())
    if not videos:
        raise VideoError(
            f"{folder} has no clip: no .mp4 with an .npz beside it",
            hint=f"dancekit dancefloor render --out {folder}",
        )
    checks = []
    for number, video in enumerate(videos, 1):
        checks.append(verify_clip(video))
        progress("clips", number, len(videos))
    return checks


def verify_clip(video: Path) -> ClipCheck:
    """Check `NAME.mp4` against `NAME.npz`."""
    truth = ClipTruth.load(video.with_suffix(".npz"))
    check = ClipCheck(video.stem, len(truth), truth.people)
    frames = np.stack([frame.rgb for frame in read_frames(video)])
    if frames.shape[:3] != (len(truth), *truth.camera.size[::-1]):
        check.problems.append(
            f"the video is {frames.shape[:3]}, the truth {(len(truth), *truth.camera.size[::-1])}"
        )
        return check
    check.reprojection = _reprojection(truth)
    check.in_mask = _joints_in_mask(truth)
    check.missed = _missed(truth, frames)
    check.slide = _slide(truth)
    check.flow = _flow_error(truth, frames) if truth.flow is not None else None
    for what, value, limit, better in (
        ("keypoints are {:.2f} px from their projection", check.reprojection, REPROJECTION, "at most"),
        ("{:.3f} of the visible joints lie on their mask", check.in_mask, IN_MASK, "at least"),
        ("{:.3f} of the changed pixels lie off the masks", check.missed, MISSED, "at most"),
        ("planted feet move at {:.2f} m/s", check.slide, SLIDE, "at most"),
        ("warped by the flow, {:.2f} of the error is left", check.flow, FLOW_GAIN, "at most"),
    ):
        if value is not None and (value > limit if better == "at most" else value < limit):
            check.problems.append(f"{what.format(value)}, {better} {limit} is right")
    return check


def _reprojection(truth: ClipTruth) -> float:
    projected, _ = truth.camera.project(truth.places.reshape(-1, 3).astype(float))
    return float(np.abs(projected - truth.keypoints.reshape(-1, 2)).max())


def _joints_in_mask(truth: ClipTruth) -> float:
    """Share of the visible COCO joints on the mask grown by 3 pixels."""
    grow = np.ones((7, 7), np.uint8)
    hits, total = 0, 0
    width, height = truth.camera.size
    for frame in range(len(truth)):
        for person in range(truth.people):
            mask = cv2.dilate(truth.mask(frame, person).astype(np.uint8), grow)
            shown = truth.visibility[frame, person, :17] == VISIBLE
            x, y = np.round(truth.keypoints[frame, person, :17][shown]).astype(int).T
            hits += int(mask[y.clip(0, height - 1), x.clip(0, width - 1)].sum())
            total += int(shown.sum())
    return hits / max(total, 1)


def _missed(truth: ClipTruth, frames: NDArray[np.uint8]) -> float | None:
    """Share of the pixels far from the empty room's colour that lie off all masks, 2 pixels of slack."""
    everybody = np.stack([_all_masks(truth, frame) for frame in range(len(truth))])
    plate, known = empty_room(frames, everybody)
    if not known.any():
        return None
    grow = np.ones((5, 5), np.uint8)
    off, total = 0, 0
    for image, mask in zip(frames, everybody, strict=True):
        changed = _changed(image.astype(np.float32), plate) & known
        off += int((changed & (cv2.dilate(mask.astype(np.uint8), grow) == 0)).sum())
        total += int(changed.sum())
    return off / max(total, 1)


def _changed(image: Singles, plate: Singles) -> Bools:
    """(H, W) where a frame is far from the empty room, and not only darker: that would be a shadow."""
    scale = (image * plate).sum(-1) / np.maximum((plate * plate).sum(-1), 1.0)
    beyond_shadow = np.abs(image - np.clip(scale, 0.2, 1.0)[..., None] * plate).max(-1) > _CHANGED / 2
    return np.asarray((np.abs(image - plate).max(-1) > _CHANGED) & beyond_shadow)


def _all_masks(truth: ClipTruth, frame: int) -> Bools:
    return np.asarray(np.any([truth.mask(frame, person) for person in range(truth.people)], axis=0))


def empty_room(frames: NDArray[np.uint8], masks: Bools) -> tuple[Singles, Bools]:
    """Median colour (H, W, 3) of each pixel while nobody is there, and (H, W) where that is known.

    Args:
        frames: (T, H, W, 3).
        masks: (T, H, W).
    """
    every = max(1, len(frames) // 40)
    some = frames[::every].astype(np.float32)
    grown = (
        np.stack([cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) for mask in masks[::every]])
        > 0
    )
    some[grown] = np.nan
    known = np.asarray(~grown.all(0))
    plate = np.zeros(frames.shape[1:], np.float32)
    plate[known] = np.nanmedian(some[:, known], axis=0)
    return plate, known


def _slide(truth: ClipTruth) -> float | None:
    """90th percentile of the speed of the slower of heel and big toe of planted feet, metres a second."""
    speeds = []
    for k, side in enumerate(("left", "right")):
        ends = [NAMES.index(f"{side}_{part}") for part in ("heel", "big_toe")]
        moves = np.linalg.norm(np.diff(truth.places[:, :, ends, :2], axis=0), axis=-1).min(-1) * truth.rate
        speeds.append(moves[truth.contact[1:, :, k] & truth.contact[:-1, :, k]])
    planted = np.concatenate(speeds)
    return float(np.percentile(planted, 90)) if len(planted) else None


def _flow_error(truth: ClipTruth, frames: NDArray[np.uint8]) -> float | None:
    """Error of each frame warped from the next by the flow, over the error unwarped, where people move."""
    height, width = frames.shape[1:3]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    warped_error, still_error = 0.0, 0.0
    for number in range(len(frames) - 1):
        flow, seen = truth.flow_from(number)
        moving = seen & (np.linalg.norm(flow, axis=-1) > _MOVING)
        if not moving.any():
            continue
        following = frames[number + 1].astype(np.float32)
        warped = cv2.remap(following, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
        now = frames[number].astype(np.float32)
        warped_error += float(np.abs(np.asarray(warped) - now)[moving].sum())
        still_error += float(np.abs(following - now)[moving].sum())
    return warped_error / still_error if still_error else None


def worst(checks: Sequence[ClipCheck]) -> list[str]:
    """All problems, each with its clip."""
    return [f"{check.name}: {problem}" for check in checks for problem in check.problems]
