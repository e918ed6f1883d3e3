"""Which format a pose file has, and the one function that reads them all."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from dancekit.errors import PoseError, UnknownName
from dancekit.pose.formats.coco import is_coco, read_coco, write_coco
from dancekit.pose.formats.dwpose import is_dwpose, read_dwpose, write_dwpose
from dancekit.pose.formats.mediapipe import is_mediapipe, read_mediapipe, write_mediapipe
from dancekit.pose.formats.people import Source
from dancekit.pose.openpose import read_openpose
from dancekit.types import PoseSequence

Format = Literal["npz", "coco", "wholebody", "mediapipe", "dwpose", "openpose"]
FORMATS: tuple[str, ...] = get_args(Format)

_READERS = ((is_coco, read_coco), (is_mediapipe, read_mediapipe), (is_dwpose, read_dwpose))


def is_pose_file(path: Path) -> bool:
    """Whether a path is taken for poses rather than for a video: `.npz`, `.json`, or a folder."""
    return path.is_dir() or path.suffix.lower() in (".npz", ".json")


def read_poses(
    path: Path, *, size: tuple[int, int] | None = None, rate: Fraction | None = None
) -> PoseSequence:
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


def encode_poses(poses: PoseSequence, form: str) -> str:
    """The text of a JSON file; poses are converted to the skeleton of the format where it is another.

    Args:
        poses: What to write.
        form: `coco`, `wholebody`, `mediapipe` or `dwpose`.

    Raises:
        UnknownName: No such format, or the poses have no joint of it.
    """
    if form == "mediapipe":
        return write_mediapipe(poses)
    if form == "dwpose":
        return write_dwpose(poses)
    if form in ("coco", "wholebody"):
        return write_coco(poses, whole=form == "wholebody")
    raise UnknownName(f"no JSON pose format {form!r}", hint="coco, wholebody, mediapipe or dwpose")


def as_openpose(poses: PoseSequence, rate: Fraction) -> PoseSequence:
    """Poses as `dancekit.pose.openpose.write_openpose` takes them.

    In a body of OpenPose (BODY_25 unless they are in one), with face and hands where there are any, and frames
    numbered from 0, as the files hold no times.
    """
    name = poses.skeleton.name
    if not name.startswith(("body_18", "body_23", "body_25")):
        name = "body_25_face_hands" if poses.skeleton.parts.get("left_hand") else "body_25"
    return poses.to(name).replace(pts=np.arange(len(poses)), time_base=1 / rate)
