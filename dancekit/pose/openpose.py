"""Import of what OpenPose has written: a folder of keypoint files, and back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.pose.openpose_files import (
    JSON_SUFFIX,
    PARTS,
    Person,
    concatenated,
    frame_names,
    json_text,
    read_people,
    yaml_text,
)
from dancekit.pose.track import assemble
from dancekit.types import Detections, PoseSequence, Skeleton, get_skeleton
from dancekit.types.canvas import CANVAS, Letterbox

BODIES = {18: "body_18", 23: "body_23", 25: "body_25"}
"""Body layouts by their number of points."""

POINTS = {"face": 70, "hand_right": 21, "hand_left": 21}
"""Of the other parts."""

_NUMBER = re.compile(r"(\d+)$")


def read_openpose(
    folder: Path,
    *,
    size: tuple[int, int],
    rate: Fraction,
    people: Literal["track", "only_one"] = "track",
) -> PoseSequence:
    """The poses of one person from a folder of keypoint files.

    Frames are sorted by name. Where all names end in a number, a missing one is a frame that was lost: the
    times of the others stay what they were.

    Args:
        folder: With `*_keypoints.json`, or with `*_pose.yml` and the `.yml` of other parts beside them.
        size: (W, H) of the frames, pixels; the files do not say.
        rate: Frames per second; the files do not say.
        people: `track`: one person is followed through frames that show several. `only_one`: a frame that
            does not show exactly one person counts as empty, as in the original, which lists all people one
            after another and skips what has a wrong length.

    Returns:
        In the skeleton `body_18`, `body_23` or `body_25`, with face and hands (`body_25_face_hands`) if any
        file holds some.

    Raises:
        PoseError: No keypoint files, a damaged one, or a body with another number of points; names the file.
    """
    names = frame_names(folder)
    frames = [read_people(folder, name) for name in names]
    skeleton = _skeleton(frames, [folder / name for name in names])
    detections = [
        _detections(everybody, skeleton, folder / name) for everybody, name in zip(frames, names, strict=True)
    ]
    chosen = None
    if people == "only_one":
        body = 3 * len(skeleton.parts["body"] + skeleton.parts.get("feet", ()))
        chosen = [
            0 if len(concatenated(everybody)["pose"]) == body and len(found) else None
            for everybody, found in zip(frames, detections, strict=True)
        ]
    return assemble(
        detections, _times(names), 1 / Fraction(rate), (int(size[0]), int(size[1])), skeleton, chosen=chosen
    )[0]


def write_openpose(
    poses: PoseSequence, folder: Path, *, form: Literal["json", "yaml"] = "json", stem: str = "frame"
) -> list[Path]:
    """Write the keypoint files that OpenPose would have written; reading them gives the same poses.

    Args:
        poses: In a body layout of OpenPose, with face and hands or without.
        folder: Is made; files of the same names are replaced.
        form: One JSON file a frame, or one YAML file a frame and part.
        stem: Names are `<stem>000012_keypoints.json`, the number being the frame's `pts`.

    Raises:
        PoseError: The skeleton is none of OpenPose's.
    """
    body = _body_of(poses.skeleton)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, frame in enumerate(poses.pts.tolist()):
        name = f"{stem}{frame:06d}"
        people = [_person(poses, number, body)] if poses.found[number] else []
        texts = (
            {f"{name}{JSON_SUFFIX}": json_text(people)}
            if form == "json"
            else {f"{name}_{part}.yml": yaml_text(part, [p[part] for p in people]) for part in PARTS}
        )
        for file, text in texts.items():
            (folder / file).write_text(text)
            written.append(folder / file)
    return written


def letterbox(poses: PoseSequence) -> PoseSequence:
    """The same poses on the 1920x1080 canvas of Everybody Dance Now, scaled to fit and centred."""
    if poses.size == CANVAS:
        return poses
    return poses.replace(xy=Letterbox.around(poses.size)(poses.xy), size=CANVAS)


def body_layout(points: int, where: Path | str) -> str:
    """`body_25` for 25 points.

    Raises:
        PoseError: OpenPose has no body of so many points.
    """
    if points not in BODIES:
        raise PoseError(
            f"{where}: a body of {points} points",
            hint=f"OpenPose has bodies of {', '.join(map(str, BODIES))}",
        )
    return BODIES[points]


def _skeleton(frames: Sequence[Sequence[Person]], places: Sequence[Path]) -> Skeleton:
    """What all the frames hold."""
    found: dict[str, Path] = {}
    more = False
    for everybody, place in zip(frames, places, strict=True):
        for person in everybody:
            if person["pose"]:
                found.setdefault(body_layout(len(person["pose"]) // 3, place), place)
            more = more or any(len(person[part]) for part in POINTS)
    if not found:
        raise PoseError(f"{places[0].parent}: nobody is in any of {len(places)} frames")
    if len(found) > 1:
        said = " and ".join(f"{layout} ({place.name})" for layout, place in found.items())
        raise PoseError(f"{places[0].parent} mixes bodies: {said}", hint="keep one kind in a folder")
    (layout,) = found
    return get_skeleton(f"{layout}_face_hands" if more else layout)


def _detections(people: Sequence[Person], skeleton: Skeleton, place: Path) -> Detections:
    """Everybody in a frame of whom a joint is seen."""
    body = tuple(sorted(skeleton.parts["body"] + skeleton.parts.get("feet", ())))
    rows = {"pose": body, "face": skeleton.parts.get("face", ())}
    rows |= {
        "hand_right": skeleton.parts.get("right_hand", ()),
        "hand_left": skeleton.parts.get("left_hand", ()),
    }
    found = np.zeros((len(people), len(skeleton), 3), np.float32)
    for number, person in enumerate(people):
        for part, joints in rows.items():
            values = person[part]
            if not values:
                continue
            if len(values) != 3 * len(joints):
                raise PoseError(f"{place}: {part} has {len(values) // 3} points, expected {len(joints)}")
            found[number, list(joints)] = np.reshape(values, (-1, 3))
    seen = found[..., 2] > 0
    found = found[seen.any(1)]
    seen = seen[seen.any(1)]
    xy = np.where(seen[..., None], found[..., :2], np.nan).astype(np.float32)
    box = np.concatenate([np.nanmin(xy, 1), np.nanmax(xy, 1)], 1) if len(xy) else np.zeros((0, 4), np.float32)
    return Detections(xy, np.where(seen, found[..., 2], 0).astype(np.float32), box)


def _times(names: Sequence[str]) -> NDArray[np.int64]:
    """Frame numbers from the ends of the names; 0, 1, 2, ... where they have none."""
    numbers = [int(match[1]) if (match := _NUMBER.search(name)) else None for name in names]
    known = [number for number in numbers if number is not None]
    if len(known) == len(names) and all(b > a for a, b in itertools.pairwise(known)):
        return np.array(known, np.int64)
    return np.arange(len(names))


def _body_of(skeleton: Skeleton) -> str:
    plain = skeleton.name.removesuffix("_face_hands")
    if plain not in BODIES.values():
        raise PoseError(f"{skeleton.id} is no skeleton of OpenPose", hint='poses.to("body_25") makes it one')
    return plain


def _person(poses: PoseSequence, frame: int, body: str) -> dict[str, list[float]]:
    triples = np.concatenate([np.nan_to_num(poses.xy[frame]), poses.score[frame][:, None]], 1)
    parts = poses.skeleton.parts
    rows = {
        "pose": list(range(len(get_skeleton(body)))),
        "face": list(parts.get("face", ())),
        "hand_right": list(parts.get("right_hand", ())),
        "hand_left": list(parts.get("left_hand", ())),
    }
    # the shortest decimals that single precision reads back as the same number
    return {part: [float(str(value)) for value in triples[joints].ravel()] for part, joints in rows.items()}
