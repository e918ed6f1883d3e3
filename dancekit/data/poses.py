"""From a video to one person's poses (and masks), cached by the content of the video and the settings."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.build import build_filters, build_pose, component_id, resolve_device
from dancekit.config import Component, Recipe, load_recipe
from dancekit.contracts import Filter, FindsPeople, PoseBackend
from dancekit.data.cache import cache_folder, content_key
from dancekit.data.camera import CameraMotion, steady_poses
from dancekit.data.clip_reader import ClipReader
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
    filtered: bool = True,
    person: str | None = None,
    progress: Progress = silent,
) -> PoseSequence:
    """The poses of one person in a video.

    Args:
        video: Any video that FFmpeg reads.
        recipe: Whose `pose` and `filters` to use.
        device: `cpu`, `cuda`, `mps` or `auto`.
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
    backend = build_pose(settings, resolve_device(device))
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

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it, or in fewer than `FEWEST_FRAMES` frames.
        UsageError: There is no such person.
    """
    path = Path(video)
    info = probe(path)
    choice = parse_choice(person or "largest")
    alone: TrackedClip | None = None
    if choice.kind == "largest":
        alone = _alone(path, backend, component, info, progress, cache=cache)
    if alone is not None:
        return alone
    people = find_people(path, backend, component, progress=progress, cache=cache)
    chosen = people.choose(choice, info.size)
    if person is None and (rivals := people.rivals()):
        _say_rivals(path, chosen, rivals, people.persons)
    found = TrackedClip(chosen.poses, chosen.masks, people.camera)
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


def _alone(
    path: Path,
    backend: PoseBackend,
    component: Component,
    info: VideoInfo,
    progress: Progress,
    *,
    cache: bool,
) -> TrackedClip | None:
    """The one person of a clip; None if there are several."""
    place = _place(path, backend, component) if cache else None
    if place is not None:
        if (known := _read_cached(place, masks=backend.spec.gives_mask)) is not None:
            return known
        if people_place(path, backend, component).exists() and find_people(path, backend, component).several:
            return None
    if backend.spec.max_people == 1:
        found = _follow(path, backend, info, progress)
    else:
        found = _follow_in_crowd(path, backend, component, info, progress, cache=cache)
    if found is None:
        return None
    _check_found(path, found.poses)
    if place is not None:
        _write_cached(place, found)
    return found


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


def _place(path: Path, backend: PoseBackend, component: Component) -> Path:
    key = content_key(path, {"poses": 2, "backend": component_id(backend, component)})
    return cache_folder("poses") / f"{key}.npz"


def _follow(path: Path, backend: PoseBackend, info: VideoInfo, progress: Progress) -> TrackedClip | None:
    """The person whom the backend follows; None if there turn out to be several."""
    joints = len(backend.spec.skeleton)
    masks = MaskTrack(info.size) if backend.spec.gives_mask else None
    xy: list[NDArray[np.float32]] = []
    score: list[NDArray[np.float32]] = []
    reader, probes = ClipReader(path), _Probes(backend, info)
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
            progress("poses", len(xy), info.frames)
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

    def __init__(self, backend: PoseBackend, info: VideoInfo) -> None:
        self._backend = backend if isinstance(backend, FindsPeople) else None
        every = round(PROBE_SECONDS * info.rate)
        if info.frames:
            every = min(every, info.frames // _PROBES)
        self._every, self._expected = max(1, every), (info.frames or 0) // max(1, every)
        self._frame = self._crowded = 0

    def look(self, frame: NDArray[np.uint8]) -> None:
        """Take the next frame of the clip."""
        if self._backend is not None and self._frame % self._every == 0:
            self._crowded += (
                max((len(people) for people in self._backend.detect_people([frame])), default=0) > 1
            )
        self._frame += 1

    @property
    def several(self) -> bool:
        """Whether enough probes have shown several people."""
        probes = max(self._expected, 1 + (self._frame - 1) // self._every)
        return self._crowded >= max(_SURE, SEVERAL * probes)


def _follow_in_crowd(
    path: Path,
    backend: PoseBackend,
    component: Component,
    info: VideoInfo,
    progress: Progress,
    *,
    cache: bool,
) -> TrackedClip | None:
    """The one person whom a backend for any number finds; None, with everybody in the cache, if there are several."""
    everybody = look_at_everybody(path, backend, info, progress)
    people = people_of(everybody)
    if people.several:
        if cache:
            keep(people, people_place(path, backend, component))
        return None
    tracker, cuts, chosen = PersonTracker(), set(everybody.reader.cuts), []
    for number, each in enumerate(everybody.detections):
        tracker = PersonTracker() if number in cuts else tracker
        chosen.append(tracker.update(each))
    skeleton = backend.spec.skeleton
    poses, _ = assemble(
        everybody.detections, everybody.reader.pts, info.time_base, info.size, skeleton, chosen=chosen
    )
    poses = poses.replace(cuts=tuple(everybody.reader.cuts))
    masks = everybody.masks
    if masks is not None:
        offsets = np.cumsum([0, *(len(each) for each in everybody.detections)])
        masks = masks.pick([None if n is None else int(offsets[t]) + n for t, n in enumerate(chosen)])
    return TrackedClip(poses, masks, everybody.reader.camera(poses))


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
