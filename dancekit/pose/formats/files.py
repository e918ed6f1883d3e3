"""Which format a pose file has, and the one function that reads them all."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from dancekit.errors import PoseError, UsageError
from dancekit.pose.formats.coco import is_coco, read_coco, write_coco
from dancekit.pose.formats.dwpose import is_dwpose, read_dwpose, write_dwpose
from dancekit.pose.formats.mediapipe import is_mediapipe, read_mediapipe, write_mediapipe
from dancekit.pose.formats.people import Source
from dancekit.pose.openpose import read_openpose, write_openpose
from dancekit.types import PoseSequence

Format = Literal["npz", "coco", "wholebody", "mediapipe", "dwpose", "openpose"]
FORMATS: tuple[str, ...] = get_args(Format)

_READERS = ((is_coco, read_coco), (is_mediapipe, read_mediapipe), (is_dwpose, read_dwpose))


def is_pose_file(path: Path) -> bool:
    """Whether a path is taken for poses rather than for a video: `.npz`, `.json`, or a folder."""
    return path.is_dir() or path.suffix.lower() in (".npz", ".json")


def read_poses(path: Path, *, size: tuple[int, int] | None = None, rate: Fraction | None = None) -> PoseSequence:
    """Read a pose file; what it is shows in it.

    Args:
        path: `.npz` of dancekit; `.json` of COCO, COCO-WholeBody, MediaPipe or DWPose (ComfyUI); a folder of
            OpenPose's files.
        size: (W, H) of the frames, where the file does not say.
        rate: Frames per second, where the file does not say.

    Returns:
        One person's poses, in the skeleton of the format; of several people the largest.

    Raises:
        PoseError: Not a pose file, damaged, or it lacks size or times and they are not given.
    """
    if path.is_dir():
        if size is None or rate is None:
            missing = "--size WIDTHxHEIGHT" if size is None else "--rate FPS"
            raise PoseError(f"{path}: OpenPose's files say neither size nor time", hint=f"add {missing}")
        return read_openpose(path, size=size, rate=rate)
    if path.suffix.lower() == ".npz":
        return PoseSequence.load(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PoseError(f"{path} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:
        raise PoseError(f"{path} is not JSON ({' '.join(str(error).split())})") from None
    source = Source(path, data, size, rate)
    for fits, read in _READERS:
        if fits(data):
            try:
                return read(source)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
                what = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise PoseError(f"{path} is damaged ({what})", hint="write it again") from None
    raise PoseError(
        f"{path} holds no poses of a known kind",
        hint="COCO, COCO-WholeBody, MediaPipe or ComfyUI's POSE_KEYPOINT; for OpenPose name the folder",
    )


def write_poses(poses: PoseSequence, path: Path, form: str) -> str | None:
    """Write a pose file; converted to the skeleton of the format where it is another.

    Args:
        poses: What to write.
        path: The file; a folder for `openpose`.
        form: One of `FORMATS`.

    Returns:
        The text to write for the JSON formats; None where it is written already.

    Raises:
        PoseError: It cannot be written.
        UnknownName: The poses have no joint of the format.
        UsageError: No such format.
    """
    if form == "npz":
        poses.save(path)
        return None
    if form == "openpose":
        write_openpose(poses, path)
        return None
    if form == "mediapipe":
        return write_mediapipe(poses)
    if form == "dwpose":
        return write_dwpose(poses)
    if form in ("coco", "wholebody"):
        return write_coco(poses, whole=form == "wholebody")
    raise UsageError(f"no pose format {form!r}", hint=f"there are {', '.join(FORMATS)}")
