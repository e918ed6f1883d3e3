"""From a video to one person's poses (and masks), cached by the content of the video and the settings."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.build import build_filters, build_pose, build_runner, component_id, resolve_device
from dancekit.config import Component, Recipe, load_recipe
from dancekit.contracts import Filter, FindsPeople, PoseBackend
from dancekit.data.cache import cache_folder, content_key
from dancekit.data.camera import CameraMotion, steady_poses
from dancekit.data.clip_reader import ClipReader, Stage
from dancekit.data.masks import MaskTrack
from dancekit.data.people import (
    SEVERAL,
    Person,
    find_people,
    keep,
    look_at_everybody,
    people_of,
    people_place,
    write_cached,
)
from dancekit.data.people_sheet import keep_sheet
from dancekit.data.progress import Progress, silent
from dancekit.data.span import WHOLE as WHOLE
from dancekit.data.span import Span as Span
from dancekit.errors import PoseError
from dancekit.pose.choice import parse_choice
from dancekit.pose.track import PersonTracker, assemble
from dancekit.types import PoseSequence, VideoInfo
from dancekit.video import probe

_LOG = logging.getLogger(__name__)

FEWEST_FRAMES = 10
"""A clip with a person in fewer frames than this is refused: nothing can be fitted to it."""

PROBE_SECONDS = 2.0
"""How often a clip of one person is asked whether there are others."""

TRACKING = 2
"""Grows when the same backend would give other poses of a clip."""

_PROBES = 6  # at least so many in a short clip
_SURE = 2  # so many of them must show several people


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """What is known of the one person in a clip.

    Attributes:
        poses: Their keypoints, unfiltered, in pixels of the frames.
        masks: Their masks, or None if the backend gives none.
        camera: What the camera does.
    """

    poses: PoseSequence
    masks: MaskTrack | None
    camera: CameraMotion = field(default_factory=lambda: CameraMotion(0.0))

    @property
    def steady_poses(self) -> PoseSequence:
        """The poses as a camera that does not shake would have seen them."""
        return steady_poses(self.poses, self.camera)


def estimate_poses(
    video: str | os.PathLike[str],
    *,
    recipe: Recipe | str = "quick",
    device: str = "auto",
    runner: str = "torch",
    filtered: bool = True,
    person: str | None = None,
    progress: Progress = silent,
) -> PoseSequence:
    """The poses of one person in a video.

    Args:
        video: Any video that FFmpeg reads.
        recipe: Whose `pose` and `filters` to use.
        device: `cpu`, `cuda`, `mps` or `auto`.
        runner: What computes the networks: `dancekit ls runner`.
        filtered: Whether the recipe's filters are applied.
        person: Who: `largest`, `center`, a number of `dancekit pose VIDEO --people`, or `x,y`; the largest if None.
        progress: Called with (what, done, total).

    Returns:
        xy (T, K, 2) pixels and score (T, K), one row for every frame of the video.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it, or hardly ever.
        UsageError: There is no such person.
    """
    settings = load_recipe(recipe) if isinstance(recipe, str) else recipe
    place = resolve_device(device)
    chosen = None if runner == "torch" else build_runner(runner, device=place)
    backend = build_pose(settings, place, chosen)
    found = track_person(video, backend, settings.pose, person=person, progress=progress)
    return apply_filters(found.poses, build_filters(settings)) if filtered else found.poses


def apply_filters(poses: PoseSequence, filters: Sequence[Filter]) -> PoseSequence:
    """All filters, in order; scene by scene, so that nothing is smoothed over a cut."""
    if not poses.cuts:
        for step in filters:
            poses = step(poses)
        return poses
    bounds = [0, *poses.cuts, len(poses)]
    parts = [apply_filters(poses[a:b], filters) for a, b in itertools.pairwise(bounds)]
    return poses.replace(
        xy=np.concatenate([part.xy for part in parts]), score=np.concatenate([part.score for part in parts])
    )


def track_person(
    video: str | os.PathLike[str],
    backend: PoseBackend,
    component: Component,
    *,
    person: str | None = None,
    progress: Progress = silent,
    cache: bool = True,
    masks: bool = True,
    span: Span = WHOLE,
    frames: Stage = iter,
) -> TrackedClip:
    """Detect, choose one person and follow them; read from the cache if this was done before.

    A clip of one person is followed with `backend.detect`, and looked at every `PROBE_SECONDS` for others. If
    there are any, everybody is found and told apart, and the largest is taken; where somebody else could be meant
    as well, a warning says so and names a picture of them all.

    Args:
        video: The file.
        backend: Finds people.
        component: The recipe's entry that made the backend (part of the cache key).
        person: Who: `largest`, `center`, a number of `dancekit pose VIDEO --people`, or `x,y`; the largest if None.
        progress: Called with (what, done, total).
        cache: Whether to look into and write to the cache.
        masks: Whether masks are wanted; without them a long clip takes much less memory.
        span: The part of the video that is looked at; several people are told apart in the whole of it.
        frames: What the decoded pictures go through on their way, such as a stage of a pipeline.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it, or in fewer than `FEWEST_FRAMES` frames.
        UsageError: There is no such person.
    """
    path = Path(video)
    info = probe(path)
    choice = parse_choice(person or "largest")
    if choice.kind == "largest":
        look = _Look(path, info, backend, component, masks and backend.spec.gives_mask, span, frames, cache)
        if (alone := _alone(look, progress)) is not None:
            return alone
    people = find_people(path, backend, component, progress=progress, cache=cache)
    chosen = people.choose(choice, info.size)
    if person is None and (rivals := people.rivals()):
        _say_rivals(path, chosen, rivals, people.persons)
    found = _part(TrackedClip(chosen.poses, chosen.masks, people.camera), span)
    _check_found(path, found.poses)
    return found


def is_tracked(
    video: str | os.PathLike[str], backend: PoseBackend, component: Component, *, person: str | None = None
) -> bool:
    """Whether `track_person` would find its result in the cache; the arguments are the same."""
    path = Path(video)
    if people_place(path, backend, component).exists():
        return True
    return parse_choice(person or "largest").kind == "largest" and _place(path, backend, component).exists()


@dataclass(frozen=True, eq=False)
class _Look:
    """A clip and how it is looked at."""

    path: Path
    info: VideoInfo
    backend: PoseBackend
    component: Component
    masks: bool
    span: Span
    through: Stage
    cache: bool

    @property
    def place(self) -> Path:
        """Where the one person is kept in the cache."""
        return _place(self.path, self.backend, self.component, self.span)

    @property
    def people_place(self) -> Path:
        """Where everybody is."""
        return people_place(self.path, self.backend, self.component)

    @property
    def total(self) -> int | None:
        """Frames to look at, if that is known."""
        return self.info.frames if self.span == WHOLE else None


def _alone(look: _Look, progress: Progress) -> TrackedClip | None:
    """The one person of a clip; None if there are several."""
    if look.cache:
        if (known := _read_cached(look.place, masks=look.masks)) is not None:
            return known
        if look.people_place.exists() and find_people(look.path, look.backend, look.component).several:
            return None
    found = _follow(look, progress) if look.backend.spec.max_people == 1 else _follow_in_crowd(look, progress)
    if found is None:
        return None
    _check_found(look.path, found.poses)
    if look.cache:
        _write_cached(look.place, found)
    return found


def _part(found: TrackedClip, span: Span) -> TrackedClip:
    if span == WHOLE:
        return found
    frames = span.frames(found.poses)
    masks = None if found.masks is None else found.masks.pick([int(number) for number in frames])
    matrices = found.camera.matrices
    camera = CameraMotion(found.camera.shift, None if matrices is None else matrices[frames])
    return TrackedClip(found.poses[frames], masks, camera)


def _check_found(path: Path, poses: PoseSequence) -> None:
    count = int(poses.found.sum())
    if count < FEWEST_FRAMES:
        what = (
            "no person was found"
            if not count
            else f"a person was found in {count} frame{'s' * (count > 1)} only"
        )
        raise PoseError(
            f"{path}: {what} (of {len(poses)} frames; at least {FEWEST_FRAMES} are needed)",
            hint="film one whole person in good light, or lower pose.detection_threshold",
        )


def _say_rivals(path: Path, chosen: Person, rivals: list[Person], persons: Sequence[Person]) -> None:
    names = ", ".join(str(each.number) for each in rivals)
    sheet = keep_sheet(path, persons)
    shown = f"; {sheet} shows them" if sheet is not None else ""
    _LOG.warning(
        "%s: %d people are about as large and as long there: person %d is taken; --person %s %s the other%s "
        "(or center, or X,Y)%s",
        path, len(rivals) + 1, chosen.number, names, "takes" if len(rivals) == 1 else "take",
        "" if len(rivals) == 1 else "s", shown,
    )  # fmt: skip


def _place(path: Path, backend: PoseBackend, component: Component, span: Span = WHOLE) -> Path:
    settings: dict[str, Any] = {"poses": TRACKING, "backend": component_id(backend, component)}
    if span != WHOLE:
        settings["span"] = [str(span.since), str(span.until)]
    return cache_folder("poses") / f"{content_key(path, settings)}.npz"


def _follow(look: _Look, progress: Progress) -> TrackedClip | None:
    """The person whom the backend follows; None if there turn out to be several."""
    backend, info = look.backend, look.info
    joints = len(backend.spec.skeleton)
    masks = MaskTrack(info.size) if look.masks else None
    xy: list[NDArray[np.float32]] = []
    score: list[NDArray[np.float32]] = []
    reader = ClipReader(look.path, span=look.span, through=look.through)
    probes = _Probes(backend, float(info.rate), look.total)
    for scene in reader.scenes():
        tracker = PersonTracker()
        for people in backend.detect(scene):
            probes.look(reader.taken())
            if probes.several:
                return None
            chosen = tracker.update(people)
            if chosen is None:
                xy.append(np.full((joints, 2), np.nan, np.float32))
                score.append(np.zeros(joints, np.float32))
            else:
                xy.append(people.xy[chosen])
                score.append(people.score[chosen])
            if masks is not None:
                masks.append(None if chosen is None or people.mask is None else people.mask[chosen])
            progress("poses", len(xy), look.total)
    if not xy:
        raise _no_frame(look)
    poses = PoseSequence(
        xy=np.stack(xy),
        score=np.stack(score),
        pts=np.array(reader.pts[: len(xy)]),
        time_base=info.time_base,
        size=info.size,
        skeleton=backend.spec.skeleton,
        cuts=tuple(reader.cuts),
    )
    return TrackedClip(poses, masks, reader.camera(poses))


class _Probes:
    """Looks for others in some frames of a clip of one person."""

    def __init__(self, backend: PoseBackend, rate: float, frames: int | None) -> None:
        self._backend = backend if isinstance(backend, FindsPeople) else None
        every = round(PROBE_SECONDS * rate)
        self._every = max(1, every if frames is None else min(every, frames // _PROBES))
        self._expected = (frames or 0) // self._every
        self._frame = self._crowded = 0

    def look(self, frame: NDArray[np.uint8]) -> None:
        """Take the next frame of the clip."""
        if self._backend is not None and self._frame % self._every == 0:
            self._crowded += any(len(people) > 1 for people in self._backend.detect_people([frame]))
        self._frame += 1

    @property
    def several(self) -> bool:
        """Whether enough probes have shown several people."""
        probes = max(self._expected, 1 + (self._frame - 1) // self._every)
        return self._crowded >= max(_SURE, SEVERAL * probes)


def _follow_in_crowd(look: _Look, progress: Progress) -> TrackedClip | None:
    """The one person whom a backend for any number finds; None if there are several.

    Everybody in a whole clip is in the cache then.
    """
    reader = ClipReader(look.path, span=look.span, through=look.through)
    everybody = look_at_everybody(reader, look.backend, look.info, progress, total=look.total)
    if not everybody.detections:
        raise _no_frame(look)
    people = people_of(everybody)
    if people.several:
        if look.cache and look.span == WHOLE:
            keep(people, look.people_place)
        return None
    tracker, cuts, chosen = PersonTracker(), set(reader.cuts), []
    for number, each in enumerate(everybody.detections):
        tracker = PersonTracker() if number in cuts else tracker
        chosen.append(tracker.update(each))
    skeleton = look.backend.spec.skeleton
    poses, _ = assemble(
        everybody.detections, reader.pts, look.info.time_base, look.info.size, skeleton, chosen=chosen
    )
    poses = poses.replace(cuts=tuple(reader.cuts))
    masks = everybody.masks
    if masks is not None:
        offsets = np.cumsum([0, *(len(each) for each in everybody.detections)])
        masks = masks.pick([None if n is None else int(offsets[t]) + n for t, n in enumerate(chosen)])
    return TrackedClip(poses, masks, reader.camera(poses))


def _no_frame(look: _Look) -> PoseError:
    return PoseError(
        f"{look.path}: no frame is left of it ({look.span})", hint="look at --start and --duration"
    )


def _read_cached(path: Path, *, masks: bool) -> TrackedClip | None:
    mask_path, camera_path = path.with_suffix(".masks.npz"), path.with_suffix(".camera.npz")
    if not path.exists() or not camera_path.exists() or (masks and not mask_path.exists()):
        return None
    try:
        poses = PoseSequence.load(path)
        with np.load(camera_path, allow_pickle=False) as data:
            camera = CameraMotion.from_arrays(data)
        return TrackedClip(poses, MaskTrack.load(mask_path) if masks else None, camera)
    except (PoseError, OSError, ValueError, KeyError):
        return None  # a damaged cache entry is computed again and replaced


def _write_cached(path: Path, found: TrackedClip) -> None:
    """Keep what was found, the poses last; without a place for it the work is done again next time."""
    if found.masks is not None and not write_cached(path.with_suffix(".masks.npz"), found.masks.arrays()):
        return
    if not write_cached(path.with_suffix(".camera.npz"), found.camera.arrays()):
        return
    try:
        found.poses.save(path)
    except PoseError as error:
        _LOG.warning("the poses are not kept for next time: %s (set DANCEKIT_CACHE)", error)
