"""Everybody in a video, told apart through the whole clip, and the one of them who is meant."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.build import component_id
from dancekit.config import Component
from dancekit.contracts import FindsPeople, PoseBackend
from dancekit.data.cache import cache_folder, content_key
from dancekit.data.camera import CameraMotion
from dancekit.data.clip_reader import ClipReader
from dancekit.data.masks import MaskTrack
from dancekit.data.progress import Progress, silent
from dancekit.errors import PoseError, UsageError
from dancekit.pose.appearance import clothes
from dancekit.pose.choice import Choice, choose_person, rivals
from dancekit.pose.identities import identify
from dancekit.types import Detections, PoseSequence, VideoInfo, get_skeleton
from dancekit.video import probe

_LOG = logging.getLogger(__name__)

FEWEST_FRAMES = 10
"""Who is seen in fewer frames than this is not listed: a glimpse, or nobody at all."""

SEVERAL = 0.1
"""Share of the frames that show two people or more from which on a clip is one of several people."""


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody in a clip.

    Attributes:
        number: From 1; 1 is who is largest and longest there.
        poses: Their keypoints, one row for every frame of the clip.
        boxes: (T, 4) float32 pixels left, top, right, bottom; NaN where they are not seen.
        masks: Their masks, or None if the backend gives none.
    """

    number: int
    poses: PoseSequence
    boxes: NDArray[np.float32]
    masks: MaskTrack | None

    @property
    def frames(self) -> NDArray[np.intp]:
        """Numbers of the frames in which they are seen."""
        return np.flatnonzero(np.isfinite(self.boxes[:, 0]))

    @property
    def length(self) -> float:
        """Median length of their box, pixels."""
        sides = self.boxes[self.frames]
        return float(np.median(np.maximum(sides[:, 2] - sides[:, 0], sides[:, 3] - sides[:, 1])))

    def to_json(self) -> dict[str, Any]:
        """The listing's facts."""
        seconds, frames = self.poses.seconds, self.frames
        return {
            "id": self.number,
            "frames": len(frames),
            "share": round(len(frames) / len(self.poses), 4),
            "first_seconds": round(float(seconds[frames[0]] - seconds[0]), 3),
            "last_seconds": round(float(seconds[frames[-1]] - seconds[0]), 3),
            "length_px": round(self.length, 1),
            "box": [round(float(side), 1) for side in np.median(self.boxes[frames], axis=0)],
        }


@dataclass(frozen=True, eq=False)
class People:
    """Everybody in a clip.

    Attributes:
        persons: The largest and longest seen first.
        several: Whether two or more are there at once in a good part of the clip, or there are several in turn.
        camera: What the camera does.
    """

    persons: tuple[Person, ...]
    several: bool
    camera: CameraMotion

    def choose(self, choice: Choice, size: tuple[int, int]) -> Person:
        """The person who is meant.

        Raises:
            UsageError: There is no such person.
        """
        return self.persons[choose_person(choice, [person.boxes for person in self.persons], size)]

    def rivals(self) -> list[Person]:
        """Those who could be meant as well as the first one."""
        return [self.persons[n] for n in rivals([person.boxes for person in self.persons])]


def find_people(
    video: str | os.PathLike[str],
    backend: PoseBackend,
    component: Component,
    *,
    progress: Progress = silent,
    cache: bool = True,
) -> People:
    """Detect everybody in a video and tell them apart; read from the cache if this was done before.

    Args:
        video: The file.
        backend: Finds people.
        component: The recipe's entry that made the backend (part of the cache key).
        progress: Called with (what, done, total).
        cache: Whether to look into and write to the cache.

    Raises:
        VideoError: The video cannot be read.
        PoseError: Nobody is in it for `FEWEST_FRAMES` frames.
        UsageError: The backend finds one person only.
    """
    path = Path(video)
    info = probe(path)
    place = people_place(path, backend, component) if cache else None
    if place is not None and (known := _load(place, masks=backend.spec.gives_mask)) is not None:
        return known
    found = people_of(look_at_everybody(ClipReader(path), backend, info, progress, total=info.frames))
    if not found.persons:
        raise PoseError(
            f"{path}: nobody was found in {FEWEST_FRAMES} frames or more",
            hint="film one whole person in good light, or lower pose.detection_threshold",
        )
    if place is not None:
        keep(found, place)
    return found


def finds_people(backend: PoseBackend) -> bool:
    """Whether a backend can find several people."""
    return backend.spec.max_people != 1 or isinstance(backend, FindsPeople)


def people_place(path: Path, backend: PoseBackend, component: Component) -> Path:
    """Where everybody in a clip is kept in the cache."""
    key = content_key(path, {"people": 1, "backend": component_id(backend, component)})
    return cache_folder("people") / f"{key}.npz"


@dataclass(frozen=True, eq=False)
class Everybody:
    """All detections of a clip, before anybody is told apart."""

    detections: list[Detections]
    wears: list[NDArray[np.float32]]
    masks: MaskTrack | None
    reader: ClipReader
    info: VideoInfo
    skeleton: str


def look_at_everybody(
    reader: ClipReader, backend: PoseBackend, info: VideoInfo, progress: Progress, *, total: int | None
) -> Everybody:
    """Detect everybody in every frame, and look at what they wear.

    Args:
        reader: Of the clip.
        backend: Finds them.
        info: Of the clip.
        progress: Called with ("people", done, total).
        total: Frames to read, if that is known.

    Raises:
        UsageError: The backend finds one person only.
    """
    if not finds_people(backend):
        raise UsageError(
            f"{type(backend).__name__} finds one person only",
            hint="pose=blazepose or pose=rtmlib find several",
        )
    detect: Callable[[Any], Any] = (
        backend.detect_people if isinstance(backend, FindsPeople) else backend.detect
    )
    skeleton = backend.spec.skeleton
    masks = MaskTrack(info.size) if backend.spec.gives_mask else None
    detections, wears = [], []
    for scene in reader.scenes():
        for people in detect(scene):
            wears.append(clothes(reader.taken(), people, skeleton))
            for person in range(len(people)):
                if masks is not None:
                    masks.append(None if people.mask is None else people.mask[person])
            detections.append(Detections(people.xy, people.score, people.box))
            progress("people", len(detections), total)
    return Everybody(detections, wears, masks, reader, info, skeleton.id)


def people_of(everybody: Everybody) -> People:
    """Tell them apart."""
    found, reader, info = everybody.detections, everybody.reader, everybody.info
    skeleton = get_skeleton(everybody.skeleton)
    numbers = identify(found, everybody.wears, skeleton, rate=float(info.rate), cuts=reader.cuts)
    offsets = np.cumsum([0, *(len(people) for people in found)])
    total = max((number for row in numbers for number in row), default=-1) + 1
    persons: list[Person] = []
    for number in range(total):
        places = [row.index(number) if number in row else None for row in numbers]
        if sum(place is not None for place in places) < FEWEST_FRAMES:
            continue
        poses, boxes = _one(found, places, everybody)
        masks = None
        if everybody.masks is not None:
            masks = everybody.masks.pick(
                [None if place is None else int(offsets[n]) + place for n, place in enumerate(places)]
            )
        persons.append(Person(len(persons) + 1, poses, boxes, masks))
    at_once = sum(len(people) > 1 for people in found)
    several = len(persons) > 1 and at_once > SEVERAL * len(found)
    camera = reader.camera(persons[0].poses) if persons else CameraMotion(float("nan"))
    return People(tuple(persons), several, camera)


def _one(
    found: Sequence[Detections], places: Sequence[int | None], everybody: Everybody
) -> tuple[PoseSequence, NDArray[np.float32]]:
    skeleton = get_skeleton(everybody.skeleton)
    xy = np.full((len(places), len(skeleton), 2), np.nan, np.float32)
    score = np.zeros((len(places), len(skeleton)), np.float32)
    boxes = np.full((len(places), 4), np.nan, np.float32)
    for frame, place in enumerate(places):
        if place is not None:
            people = found[frame]
            xy[frame], score[frame], boxes[frame] = people.xy[place], people.score[place], people.box[place]
    poses = PoseSequence(
        xy=xy,
        score=score,
        pts=np.array(everybody.reader.pts, np.int64),
        time_base=everybody.info.time_base,
        size=everybody.info.size,
        skeleton=skeleton,
        cuts=tuple(everybody.reader.cuts),
    )
    return poses, boxes


def keep(people: People, place: Path) -> None:
    """Write everybody to the cache; without a place for it the work goes on, and is done again next time."""
    first = people.persons[0].poses
    header = {
        "skeleton": first.skeleton.id,
        "time_base": str(first.time_base),
        "size": list(first.size),
        "cuts": list(first.cuts),
        "several": people.several,
    }
    data: dict[str, Any] = {
        "header": np.array(json.dumps(header, sort_keys=True)),
        "pts": first.pts,
        "xy": np.stack([person.poses.xy for person in people.persons]),
        "score": np.stack([person.poses.score for person in people.persons]),
        "boxes": np.stack([person.boxes for person in people.persons]),
        **people.camera.arrays(),
    }
    for person in people.persons:
        if person.masks is not None:
            data |= {f"{key}_{person.number}": value for key, value in person.masks.arrays().items()}
    write_cached(place, data)


def write_cached(place: Path, data: dict[str, Any]) -> bool:
    """Write an npz to the cache, whole; where that is not possible, say so; whether it is there."""
    part = place.with_name(f".{place.stem}.{os.getpid()}.part.npz")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.savez(part, **data)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        why = getattr(error, "strerror", None) or str(error)
        _LOG.warning("the poses are not kept for next time: %s: %s (set DANCEKIT_CACHE)", place.parent, why)
        return False
    return True


def _load(place: Path, *, masks: bool) -> People | None:
    """What is kept there; None where masks are wanted and it was found without."""
    if not place.exists():
        return None
    try:
        with np.load(place, allow_pickle=False) as file:
            data = dict(file)
        header = json.loads(str(data["header"]))
        persons = []
        for index, (xy, score, boxes) in enumerate(
            zip(data["xy"], data["score"], data["boxes"], strict=True)
        ):
            poses = PoseSequence(
                xy=xy,
                score=score,
                pts=data["pts"],
                time_base=Fraction(header["time_base"]),
                size=tuple(header["size"]),
                skeleton=get_skeleton(header["skeleton"]),
                cuts=tuple(header["cuts"]),
            )
            persons.append(Person(index + 1, poses, boxes, _masks(data, index + 1)))
        if masks and any(person.masks is None for person in persons):
            return None
        return People(tuple(persons), bool(header["several"]), CameraMotion.from_arrays(data))
    except (PoseError, OSError, ValueError, KeyError):
        return None  # a damaged cache entry is computed again and replaced


def _masks(data: dict[str, Any], number: int) -> MaskTrack | None:
    names = ("mask_bytes", "mask_lengths", "mask_size")
    if f"{names[0]}_{number}" not in data:
        return None
    return MaskTrack.from_arrays({name: data[f"{name}_{number}"] for name in names})
