"""From a video to one person's poses (and masks), cached by the content of the video and the settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.build import build_filters, build_pose, component_id, resolve_device
from dancekit.config import Component, Recipe, load_recipe
from dancekit.contracts import Filter, PoseBackend
from dancekit.data.cache import cache_folder, content_key
from dancekit.data.masks import MaskTrack
from dancekit.data.progress import Progress, silent
from dancekit.errors import PoseError
from dancekit.pose.track import PersonTracker
from dancekit.types import PoseSequence, VideoInfo
from dancekit.video import probe, read_frames

_LOG = logging.getLogger(__name__)

FEWEST_FRAMES = 10
"""A clip with a person in fewer frames than this is refused: nothing can be fitted to it."""


@dataclass(frozen=True)
class Span:
    """A part of a clip.

    Attributes:
        since: Seconds after the first frame at which it begins.
        until: Seconds after the first frame before which it ends; None: the end.
    """

    since: Fraction | None = None
    until: Fraction | None = None

    def __str__(self) -> str:
        end = "the end" if self.until is None else f"{float(self.until):g} s"
        return f"from {float(self.since or 0):g} s to {end}"

    def of(self, poses: PoseSequence) -> PoseSequence:
        """The frames of it.

        Raises:
            PoseError: There is none.
        """
        inside = [
            (self.since or 0) <= second and (self.until is None or second < self.until)
            for second in ((int(pts) - int(poses.pts[0])) * poses.time_base for pts in poses.pts)
        ]
        if not any(inside):
            raise PoseError(f"no frame is left ({self})", hint="look at --start and --duration")
        return poses[np.flatnonzero(inside)]


WHOLE = Span()


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """What is known of the one person in a clip.

    Attributes:
        poses: Their keypoints, unfiltered.
        masks: Their masks, or None if the backend gives none.
    """

    poses: PoseSequence
    masks: MaskTrack | None


def estimate_poses(
    video: str | os.PathLike[str],
    *,
    recipe: Recipe | str = "quick",
    device: str = "auto",
    filtered: bool = True,
    progress: Progress = silent,
) -> PoseSequence:
    """The poses of the (largest) person in a video.

    Args:
        video: Any video that FFmpeg reads.
        recipe: Whose `pose` and `filters` to use.
        device: `cpu`, `cuda`, `mps` or `auto`.
        filtered: Whether the recipe's filters are applied.
        progress: Called with (what, done, total).

    Returns:
        xy (T, K, 2) pixels and score (T, K), one row for every frame of the video.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it, or hardly ever.
    """
    settings = load_recipe(recipe) if isinstance(recipe, str) else recipe
    backend = build_pose(settings, resolve_device(device))
    found = track_person(video, backend, settings.pose, progress=progress)
    return apply_filters(found.poses, build_filters(settings)) if filtered else found.poses


def apply_filters(poses: PoseSequence, filters: Sequence[Filter]) -> PoseSequence:
    """All filters, in order."""
    for step in filters:
        poses = step(poses)
    return poses


def track_person(
    video: str | os.PathLike[str],
    backend: PoseBackend,
    component: Component,
    *,
    progress: Progress = silent,
    cache: bool = True,
    masks: bool = True,
    span: Span = WHOLE,
    frames: Callable[[Iterable[NDArray[np.uint8]]], Iterator[NDArray[np.uint8]]] = iter,
) -> TrackedClip:
    """Detect, choose one person and follow them; read from the cache if this was done before.

    Args:
        video: The file.
        backend: Finds people.
        component: The recipe's entry that made the backend (part of the cache key).
        progress: Called with (what, done, total).
        cache: Whether to look into and write to the cache.
        masks: Whether masks are wanted; without them a long clip takes much less memory.
        span: The part of the video that is looked at.
        frames: What the decoded pictures go through on their way, such as a stage of a pipeline.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it, or in fewer than `FEWEST_FRAMES` frames.
    """
    path = Path(video)
    info = probe(path)
    place = None
    masks &= backend.spec.gives_mask
    if cache:
        place = _cache_place(path, backend, component, span)
        if (known := _read_cached(place, masks=masks)) is not None:
            return known
    found = _track(path, backend, info, masks, span, frames, progress)
    count = int(found.poses.found.sum())
    if count < FEWEST_FRAMES:
        what = (
            "no person was found"
            if not count
            else f"a person was found in {count} frame{'s' * (count > 1)} only"
        )
        raise PoseError(
            f"{path}: {what} (of {len(found.poses)} frames; at least {FEWEST_FRAMES} are needed)",
            hint="film one whole person in good light, or lower pose.detection_threshold",
        )
    if place is not None:
        _write_cached(place, found)
    return found


def is_tracked(video: str | os.PathLike[str], backend: PoseBackend, component: Component) -> bool:
    """Whether `track_person` would find its result in the cache; the arguments are the same."""
    return _cache_place(Path(video), backend, component).exists()


def _cache_place(path: Path, backend: PoseBackend, component: Component, span: Span = WHOLE) -> Path:
    settings: dict[str, Any] = {"poses": 1, "backend": component_id(backend, component)}
    if span != WHOLE:
        settings["span"] = [str(span.since), str(span.until)]
    return cache_folder("poses") / f"{content_key(path, settings)}.npz"


def _track(
    path: Path,
    backend: PoseBackend,
    info: VideoInfo,
    with_masks: bool,
    span: Span,
    through: Callable[[Iterable[NDArray[np.uint8]]], Iterator[NDArray[np.uint8]]],
    progress: Progress,
) -> TrackedClip:
    joints = len(backend.spec.skeleton)
    masks = MaskTrack(info.size) if with_masks else None
    total = info.frames if span == WHOLE else None
    xy: list[NDArray[np.float32]] = []
    score: list[NDArray[np.float32]] = []
    pts: list[int] = []

    def frames() -> Iterator[NDArray[np.uint8]]:
        for frame in read_frames(path, since=span.since, until=span.until):
            pts.append(frame.pts)
            yield frame.rgb

    tracker = PersonTracker()
    for people in backend.detect(through(frames())):
        chosen = tracker.update(people)
        if chosen is None:
            xy.append(np.full((joints, 2), np.nan, np.float32))
            score.append(np.zeros(joints, np.float32))
        else:
            xy.append(people.xy[chosen])
            score.append(people.score[chosen])
        if masks is not None:
            masks.append(None if chosen is None or people.mask is None else people.mask[chosen])
        progress("poses", len(xy), total)
    if not xy:
        raise PoseError(f"{path}: no frame is left of it ({span})", hint="look at --start and --duration")
    poses = PoseSequence(
        xy=np.stack(xy),
        score=np.stack(score),
        pts=np.array(pts[: len(xy)]),
        time_base=info.time_base,
        size=info.size,
        skeleton=backend.spec.skeleton,
    )
    return TrackedClip(poses, masks)


def _read_cached(path: Path, *, masks: bool) -> TrackedClip | None:
    mask_path = path.with_suffix(".masks.npz")
    if not path.exists() or (masks and not mask_path.exists()):
        return None
    try:
        poses = PoseSequence.load(path)
        return TrackedClip(poses, MaskTrack.load(mask_path) if masks else None)
    except (PoseError, OSError, ValueError, KeyError):
        return None  # a damaged cache entry is computed again and replaced


def _write_cached(path: Path, found: TrackedClip) -> None:
    """Keep what was found; without a place for it the work goes on, and is done again next time."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if found.masks is not None:
                np.savez(part, **found.masks.arrays())  # type: ignore[arg-type]
                part.replace(path.with_suffix(".masks.npz"))
            found.poses.save(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, PoseError) as error:
        why = getattr(error, "strerror", None) or str(error)
        _LOG.warning("the poses are not kept for next time: %s: %s (set DANCEKIT_CACHE)", path.parent, why)
