"""What `dancekit pose` reads and writes besides video: pose files of dancekit and of other programs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dancekit.cli.options import check_output, read_rate, read_size
from dancekit.errors import OutputExists, PoseError, UsageError

if TYPE_CHECKING:
    from dancekit.types import PoseSequence


def check_format(form: str | None, out: Path, *, force: bool) -> str:
    """The format to write, and a place for it that is free.

    Raises:
        UsageError: An unknown format, or a name that does not suit it.
        OutputExists: Something is there already.
    """
    formats = ("npz", "coco", "wholebody", "mediapipe", "dwpose", "openpose")
    if form is not None and form not in formats:
        raise UsageError(f"--format {form}: unknown", hint=f"there are {', '.join(formats)}")
    if form is None and out.suffix.lower() == ".json":
        raise UsageError(f"--out {out}: which JSON?", hint=f"--format {', '.join(formats[1:-1])}")
    if form != "openpose":
        check_output(out, force=force, suffixes=(".npz",) if form in (None, "npz") else (".json",))
        return form or "npz"
    if out.suffix:
        raise UsageError(f"--out {out}: OpenPose has a file for every frame", hint="name a folder")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not force)):
        raise OutputExists(out)
    return form


def read_pose_file(
    path: Path, *, size: str | None, rate: str | None, only_one: bool
) -> tuple[PoseSequence, Fraction]:
    """The poses of a file or folder, and their rate.

    Args:
        path: What `dancekit.pose.formats.read_poses` reads.
        size: `1920x1080`, where the file does not say.
        rate: `30000/1001`, where the file does not say.
        only_one: Of a folder of OpenPose's files, skip frames that show several people.

    Raises:
        UsageError: A size or rate that is none, or `only_one` for something else than a folder.
        PoseError: It cannot be read, or lacks size or rate.
    """
    from dancekit.pose.formats import read_poses
    from dancekit.pose.openpose import read_openpose

    frame = read_size(size) if size else None
    given = read_rate(rate) if rate else None
    if only_one and not path.is_dir():
        raise UsageError(f"{path} is no folder", hint="--only-one is for OpenPose's files")
    if only_one and frame is not None and given is not None:
        poses = read_openpose(path, size=frame, rate=given, people="only_one")
    else:
        poses = read_poses(path, size=frame, rate=given)
    if not len(poses):
        raise PoseError(f"{path} holds no frames")
    speed = given or Fraction(poses.rate).limit_denominator(1001)
    if speed <= 0:  # a single frame
        raise PoseError(f"{path} does not say at which rate its frames are shown", hint="add --rate FPS")
    return poses, speed


def write_pose_file(poses: PoseSequence, out: Path, form: str, rate: Fraction) -> None:
    """Write in a format that `check_format` allowed."""
    from dancekit.data.files import write_whole
    from dancekit.pose.formats import as_openpose, encode_poses
    from dancekit.pose.openpose import write_openpose

    out.parent.mkdir(parents=True, exist_ok=True)
    if form == "npz":
        poses.save(out)
    elif form == "openpose":
        write_openpose(as_openpose(poses, rate), out, stem=f"{out.name}_")
    else:
        write_whole(out, encode_poses(poses, form))


def write_pose_video(path: Path, poses: PoseSequence, rate: Fraction, *, force: bool = False) -> None:
    """Write what drives the diffusion peers: OpenPose's colours on black, a frame a frame.

    Args:
        path: The video; appears whole.
        poses: One row a frame.
        rate: Frames per second.
        force: Replace what is there.

    Raises:
        DancekitError: It cannot be written.
    """
    from dancekit.pose.formats.drawing import draw_dwpose
    from dancekit.video import VideoWriter

    start = int(poses.pts[0])
    with VideoWriter(path, size=poses.size, time_base=poses.time_base, rate=rate, force=force) as writer:
        for picture, pts in zip(draw_dwpose(poses), poses.pts.tolist(), strict=True):
            writer.write(picture, pts - start)
