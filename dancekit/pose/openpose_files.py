"""OpenPose's keypoint files: flat lists x, y, confidence per person and part, as JSON or as OpenCV's YAML."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dancekit.errors import PoseError

PARTS = ("pose", "face", "hand_right", "hand_left")
"""Of a person, in the order in which the original returns them."""

JSON_SUFFIX, YAML_SUFFIX = "_keypoints.json", "_pose.yml"

Person = Mapping[str, Sequence[float]]
"""The flat list of each part; empty where it was not looked for."""

_DATA = re.compile(r"^\s*data:\s*\[(.*?)\]", re.DOTALL | re.MULTILINE)
_PLANE = re.compile(r"^\s*(rows|cols):\s*(\d+)", re.MULTILINE)
_SIZES = re.compile(r"^\s*sizes:\s*\[([^\]]*)\]", re.MULTILINE)


def frame_names(folder: Path) -> list[str]:
    """Names of the frames that have files, sorted; `frame000012` of `frame000012_keypoints.json`.

    Raises:
        PoseError: No such folder, or no keypoint file in it.
    """
    if not folder.is_dir():
        raise PoseError(f"{folder} is not a folder", hint="name the folder of OpenPose's keypoint files")
    names = {
        path.name.removesuffix(suffix)
        for suffix in (JSON_SUFFIX, YAML_SUFFIX)
        for path in folder.glob(f"*{suffix}")
    }
    if not names:
        raise PoseError(
            f"{folder} holds no keypoint files",
            hint=f"OpenPose writes *{JSON_SUFFIX} (--write_json) or *{YAML_SUFFIX} (--write_keypoint)",
        )
    return sorted(names)


def read_people(folder: Path, frame: str) -> list[Person]:
    """Everybody in a frame; YAML is looked for first, as in the original.

    Raises:
        PoseError: Neither file is there, or one is damaged; names it.
    """
    if (folder / f"{frame}{YAML_SUFFIX}").exists():
        return _read_yaml(folder, frame)
    path = folder / f"{frame}{JSON_SUFFIX}"
    if not path.exists():
        raise PoseError(
            f"{folder} has no keypoints of frame {frame}", hint=f"{path.name} or {frame}{YAML_SUFFIX}"
        )
    return parse_json(_text(path), path)


def concatenated(people: Sequence[Person]) -> dict[str, list[float]]:
    """All people as one, part by part: what the original makes of a frame.

    Nobody gives empty lists and two people lists of twice the length, neither of which it uses.
    """
    return {part: [value for person in people for value in person[part]] for part in PARTS}


def parse_json(text: str, path: Path) -> list[Person]:
    """The people of a `_keypoints.json`, of OpenPose 1.x (`pose_keypoints_2d`) or older (`pose_keypoints`).

    Args:
        text: Its content.
        path: For messages.

    Raises:
        PoseError: It is something else.
    """
    try:
        people = json.loads(text)["people"]
        found: list[Person] = [{part: _list(person, part) for part in PARTS} for person in people]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PoseError(
            f"{path} is not a keypoint file of OpenPose ({type(error).__name__}: {error})",
            hint="OpenPose writes them with --write_json",
        ) from None
    for person in found:
        for part, values in person.items():
            _check(values, path, part)
    return found


def parse_yaml(text: str, path: Path) -> list[list[float]]:
    """The people of one part's `.yml`, an OpenCV matrix of people x points x 3; read as text, in full precision.

    Args:
        text: Its content.
        path: For messages.

    Raises:
        PoseError: It is something else, or the numbers do not fill the matrix.
    """
    data = _DATA.search(text)
    if data is None:
        raise PoseError(f"{path} is not a keypoint file of OpenPose: it has no line of data")
    try:
        values = [float(word) for word in data[1].replace("\n", " ").split(",") if word.strip()]
        sizes = _SIZES.search(text)
        shape = [int(word) for word in sizes[1].split(",")] if sizes else _plane(text, len(values))
    except ValueError as error:
        raise PoseError(f"{path} is not a keypoint file of OpenPose: {error}") from None
    if not values:
        return []
    if math.prod(shape) != len(values):
        raise PoseError(f"{path} is damaged: {len(values)} numbers do not fill {shape}")
    _check(values, path, path.stem)
    people = shape[0] if len(shape) == 3 else 1
    each = len(values) // people
    return [values[person * each : (person + 1) * each] for person in range(people)]


def _read_yaml(folder: Path, frame: str) -> list[Person]:
    by_part = {}
    for part in PARTS:
        path = folder / f"{frame}_{part}.yml"
        by_part[part] = parse_yaml(_text(path), path) if path.exists() else []
    count = len(by_part["pose"])
    for part, lists in by_part.items():
        if lists and len(lists) != count:
            raise PoseError(
                f"{folder / frame}: {count} bodies, but {len(lists)} of {part}", hint="one file is damaged"
            )
    return [
        {part: lists[person] if lists else [] for part, lists in by_part.items()} for person in range(count)
    ]


def _plane(text: str, count: int) -> list[int]:
    """The shape of a matrix that OpenCV wrote as rows and columns of several channels; else one person's list."""
    found = {name: int(number) for name, number in _PLANE.findall(text)}
    if set(found) != {"rows", "cols"} or not found["rows"] * found["cols"]:
        return [count]
    return [found["rows"], found["cols"], count // (found["rows"] * found["cols"])]


def _list(person: Mapping[str, Any], part: str) -> list[float]:
    values = person.get(f"{part}_keypoints_2d", person.get(f"{part}_keypoints", []))
    return [float(value) for value in values]


def _check(values: Sequence[float], path: Path, part: str) -> None:
    if len(values) % 3:
        raise PoseError(f"{path} is damaged: {part} has {len(values)} numbers, which are no triples")
    if not all(math.isfinite(value) for value in values):
        raise PoseError(f"{path} is damaged: {part} holds a number that is not finite")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PoseError(f"{path} cannot be read: {error}") from None


def json_text(people: Sequence[Person]) -> str:
    """The content of a `_keypoints.json`."""
    entries = [
        {"person_id": [-1], **{f"{part}_keypoints_2d": list(person[part]) for part in PARTS}}
        for person in people
    ]
    return json.dumps({"version": 1.3, "people": entries})


def yaml_text(part: str, people: Sequence[Sequence[float]]) -> str:
    """The content of one part's `.yml`, which OpenCV's FileStorage reads."""
    points = len(people[0]) // 3 if people else 0
    shape = f"[ {len(people)}, {points}, 3 ]" if points else "[ 0 ]"
    numbers = ", ".join(repr(float(value)) for person in people for value in person)
    return f"%YAML:1.0\n---\n{part}_0: !!opencv-matrix\n   sizes: {shape}\n   dt: f\n   data: [ {numbers} ]\n"
