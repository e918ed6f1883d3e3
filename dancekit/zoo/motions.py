"""The motion library: dances as pose files that ship, to transfer without a source video (`zoo/motions`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit.errors import ChecksumError, DancekitError
from dancekit.resources import data_path
from dancekit.weights.header import file_sha256

INDEX = "zoo/motions/index.json"


@dataclass(frozen=True)
class MotionFile:
    """A dance.

    Attributes:
        id: Its name: `dancekit transfer ID --dancer ...`.
        path: The pose file.
        sha256: Of the file.
        bytes: Its size.
        summary: One line.
        frames: How many.
        rate: Frames a second.
        skeleton: Of the poses.
        licence: SPDX identifier.
        credit: Whom to name, and what was changed.
    """

    id: str
    path: Path
    sha256: str
    bytes: int
    summary: str
    frames: int
    rate: float
    skeleton: str
    licence: str
    credit: str


def list_motions() -> list[MotionFile]:
    """All dances that ship, in the order of the index.

    Raises:
        DancekitError: The index is damaged.
    """
    index = data_path(INDEX)
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        return [
            MotionFile(path=index.with_name(Path(each["file"]).name), **_without(each, "file"))
            for each in content["motions"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DancekitError(
            f"{index} is damaged ({type(error).__name__}: {error})", hint="install dancekit again"
        ) from None


def find_motion(name: str) -> Path | None:
    """The pose file of a dance, its sha256 checked; None if there is no dance of that name.

    Raises:
        ChecksumError: The file is not the one that shipped.
    """
    for motion in list_motions():
        if motion.id == name:
            found = file_sha256(motion.path)
            if found != motion.sha256:
                raise ChecksumError(
                    f"{motion.path} has sha256 {found}, expected {motion.sha256}",
                    hint="install dancekit again",
                )
            return motion.path
    return None


def _without(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}
