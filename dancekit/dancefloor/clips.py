"""What is rendered: clips with their people, motions, room and camera, as plain data for other processes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancekit.dancefloor.benchmark_rooms import ROOM_A, ROOM_B, camera_a, camera_b
from dancekit.dancefloor.body import body_model
from dancekit.dancefloor.camera import Camera
from dancekit.dancefloor.choreography import RANGE_X, choreograph, crossing
from dancekit.dancefloor.dance import dance
from dancekit.dancefloor.expression import with_face
from dancekit.dancefloor.joints import FPS
from dancekit.dancefloor.looks import PERSON_A, PERSON_B, PersonSpec
from dancekit.dancefloor.mocap import FILES, read_recording, walk_along
from dancekit.dancefloor.motion import Motion, face_camera, join
from dancekit.dancefloor.people import draw_person
from dancekit.dancefloor.rates import frames_at
from dancekit.dancefloor.rig import Rig
from dancekit.dancefloor.rooms import RoomSpec
from dancekit.dancefloor.scene import QUALITIES, Quality
from dancekit.dancefloor.sets import draw_camera, draw_room
from dancekit.dancefloor.walk import walk_u_turn
from dancekit.errors import UnknownName

ARM_SPAN = 0.48
"""Half of what spread arms take, statures."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip to render.

    Attributes:
        name: Of its files.
        people: Who.
        motions: What each does; all of one length.
        room: Where.
        camera: From where.
        quality: How well.
        seed: Of the sensor's noise.
        made_from: What the file says about its origin: seeds, kind, recordings.
        rate: Frames a second that are rendered; motions have 25.
    """

    name: str
    people: tuple[PersonSpec, ...]
    motions: tuple[Motion, ...]
    room: RoomSpec
    camera: Camera
    quality: Quality
    seed: int
    made_from: dict[str, object]
    rate: Fraction = Fraction(FPS)

    def __len__(self) -> int:
        return frames_at(len(self.motions[0]), self.rate)


def people_clips(
    seed: int, count: int, frames: int, *, size: tuple[int, int], kind: str, quality: Quality
) -> list[Clip]:
    """One clip for each of `count` people: `person_SEED`, `person_SEED+1`, ...; a person depends on its seed only."""
    return [
        _solo(f"person_{number:04d}", number, choreograph(kind, frames, number), size, quality, kind)
        for number in range(seed, seed + count)
    ]


def pair_clips(seed: int, frames: int, *, size: tuple[int, int], kind: str, quality: Quality) -> list[Clip]:
    """A transfer with its right answer: source and target's own rest and training clips, and the target's truth.

    Source and truth are the same motion, face and gaze included, in two rooms before two cameras.
    """
    source, target = 2 * seed, 2 * seed + 1
    motion = choreograph(kind, frames, seed)
    rest_frames = min(125, frames)
    clips = [
        _solo("source_dance", source, motion, size, quality, kind),
        _solo("target_truth", target, motion, size, quality, kind),
        _solo("target_train", target, choreograph("mixed", 2 * frames, seed + 10**6), size, quality, "mixed"),
    ]
    walks = choreograph("walk", rest_frames, seed + 2 * 10**6)
    clips += [
        _solo("source_rest", source, walks, size, quality, "walk"),
        _solo("target_rest", target, walks, size, quality, "walk"),
    ]
    return clips


def _solo(name: str, seed: int, motion: Motion, size: tuple[int, int], quality: Quality, kind: str) -> Clip:
    """A person in their own room before their own camera: all three depend on the seed only."""
    rng = np.random.default_rng([seed, 0])
    person = draw_person(rng)
    stature = person.phenotype.stature
    half_width = RANGE_X * 0.5 * stature + ARM_SPAN * stature
    room = draw_room(rng, half_width=half_width)
    camera = draw_camera(rng, size, stature=stature, half_width=half_width, half_depth=0.15 * stature)
    noise = int(rng.integers(2**31)) + sum(map(ord, name))
    return Clip(name, (person,), (motion,), room, camera, quality, noise, {"person": seed, "motion": kind})


def crossing_clip(seed: int, frames: int, *, size: tuple[int, int], quality: Quality, count: int = 2) -> Clip:
    """People who change places again and again, the nearer ones hiding the others on the way."""
    rng = np.random.default_rng([seed, 3])
    people = tuple(draw_person(rng) for _ in range(count))
    reach = 0.62
    motions = []
    for number, person in enumerate(people):
        leg = Rig(body_model(), *body_model().rest(person.phenotype)).leg
        y = -0.38 + 0.76 * number / max(1, count - 1)
        side = 1 if number % 2 else -1
        motions.append(crossing(frames, seed + number, side=side, half_width=reach / leg, y=y / leg))
    stature = max(person.phenotype.stature for person in people)
    half_width = reach + ARM_SPAN * stature
    room = draw_room(rng, half_width=half_width)
    camera = draw_camera(rng, size, stature=stature, half_width=half_width, half_depth=0.7)
    return Clip(
        f"crossing_{seed:04d}",
        people,
        tuple(motions),
        room,
        camera,
        quality,
        int(rng.integers(2**31)),
        {"crossing": seed},
    )


# ---- the benchmark -----------------------------------------------------------------------------------------


BENCHMARK = ("source_rest", "target_rest", "source_dance", "target_truth", "target_train")


def benchmark_clips(
    *,
    mocap: Path | None = None,
    size: tuple[int, int] = (512, 512),
    quality: Quality = QUALITIES["fine"],
    only: Collection[str] = BENCHMARK,
) -> list[Clip]:
    """The five clips of the benchmark.

    Args:
        mocap: Folder with the recordings of `mocap.FILES`: the clips that figures were measured on. Without it
            all motion is procedural, as in the clips that ship (`zoo/samples`).
        size: (W, H) of the frames; square ones show the same.
        quality: How well.
        only: Names of those that are wanted.

    Raises:
        UnknownName: No such clip.
        UsageError: `mocap` lacks a recording.
    """
    if unknown := set(only) - set(BENCHMARK):
        raise UnknownName(
            f"the benchmark has no clip {', '.join(sorted(unknown))}", hint=f"it has {', '.join(BENCHMARK)}"
        )
    made_from: dict[str, object] = {"benchmark": 1}
    if mocap is not None:
        made_from["recordings"] = list(FILES)

    def clip(name: str) -> Clip:
        mine = name.startswith("source")
        if name.endswith("rest"):
            motion = _rest(mocap, -1.05, 0.75) if mine else _rest(mocap, -0.9, 0.55)
        else:
            motion = _train(mocap) if name == "target_train" else _source(mocap)
        # source_dance and target_truth share their face; the others keep the faces they always had
        face = 1 if mine or name == "target_truth" else 2
        return Clip(
            name=name,
            people=(PERSON_A if mine else PERSON_B,),
            motions=(with_face(motion, face, lively=False),),
            room=ROOM_A if mine else ROOM_B,
            camera=camera_a(size) if mine else camera_b(size),
            quality=quality,
            seed=sum(map(ord, name)),
            made_from=made_from,
        )

    return [clip(name) for name in BENCHMARK if name in only]


def _whirl(mocap: Path, first: int, last: int) -> Motion:
    return face_camera(read_recording(mocap / FILES[0])[first:last])


def _rest(mocap: Path | None, near: float, far: float) -> Motion:
    if mocap is None:
        return walk_u_turn(5.0, near=near, far=far)
    return walk_along(read_recording(mocap / FILES[1]), 5.0, near=near, far=far)


def _source(mocap: Path | None) -> Motion:
    if mocap is None:
        return dance(12.3, bpm=116, seed=23, range_x=0.5, range_y=0.3)[:300]
    first = dance(6.6, bpm=116, seed=23, range_x=0.5, range_y=0.3)
    return join([first, _whirl(mocap, 215, 345)], 12)[:300]


def _train(mocap: Path | None) -> Motion:
    first = dance(13, bpm=108, seed=11, range_x=0.50, range_y=0.30)
    third = dance(10.5, bpm=124, seed=5, range_x=0.55, range_y=0.35, energy=1.15)
    second = dance(
        17.5 if mocap is None else 9.2, bpm=98, seed=31, range_x=0.55, range_y=0.40, energy=1.1, depth=0.32
    )
    if mocap is None:
        return join([first, third, second], 12)[:1000]
    return join([first, second, third, _whirl(mocap, 4, 212)], 12)[:1000]
