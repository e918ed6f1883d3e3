"""`dancekit pose`: the poses of a video as a file that numpy reads."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import Terminal
from dancekit.cli.options import (
    Device,
    Force,
    Json,
    Overrides,
    Quiet,
    RecipeName,
    Verbose,
    check_output,
    check_overrides,
)
from dancekit.errors import OutputExists, PoseError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dancekit.types import PoseSequence

SHEET_FRAMES = 12
SHEET_COLUMNS = 4
SHEET_WIDTH = 320
"""Frames of a contact sheet, how many in a row, and the width of each in pixels."""


def pose(
    video: Annotated[
        Path,
        typer.Argument(metavar="VIDEO|FILE", help="One person, or the largest of several; or a pose file."),
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the poses go: .npz, .json or a folder."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="npz, coco, wholebody, mediapipe, dwpose (.json), openpose (a folder). [dim]Default: npz[/]",
        ),
    ] = None,
    pose_video: Annotated[
        Path | None,
        typer.Option("--video", metavar="MP4", help="Also a pose video as DWPose draws it, to drive others."),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="PNG", help="Also a contact sheet with the skeleton drawn."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Of the frames, for pose files that do not say."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="FPS", help="25 or 30000/1001, for pose files that do not say."),
    ] = None,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Find the poses in a video and write them to a file.

    The file holds xy (T, K, 2) in pixels with NaN where a joint is missing,
    score (T, K), names (K) and pts (T); numpy.load reads it, and dancekit
    transfer takes it as a source. Pose files of other programs come in the
    same way: COCO, COCO-WholeBody, MediaPipe, ComfyUI's POSE_KEYPOINT, folders
    of OpenPose. They are converted as they are, without filters.

    Examples:
      dancekit pose idol.mp4 --out idol.npz
      dancekit pose idol.mp4 --out idol.npz --preview idol.png pose.model=lite
      dancekit pose idol.mp4 --out raw.npz "filters=[]"
      dancekit pose idol.mp4 --out idol.json --format dwpose --video drive.mp4
      dancekit pose keypoints/ --size 1920x1080 --rate 25 --out idol.npz
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    if out is None:
        raise UsageError("--out is missing", hint=f"dancekit pose {video} --out {video.stem}.npz")
    wanted = _check_format(form, out, force=force)
    for extra, suffixes in ((preview, (".png",)), (pose_video, (".mp4", ".m4v", ".mov", ".mkv"))):
        if extra is not None:
            check_output(extra, force=force, suffixes=suffixes)
    for extra in (out, preview, pose_video):
        if extra is not None and extra.exists() and video.exists() and extra.samefile(video):
            raise UsageError(f"{extra} is the input", hint="choose another name")

    from dancekit.pose.formats import is_pose_file

    if is_pose_file(video):
        if changes:
            raise UsageError(f"{changes[0]}: a pose file is converted as it is", hint="leave it out")
        poses, source, speed = _read_file(video, size, rate)
    else:
        if size or rate:
            raise UsageError("--size and --rate are for pose files", hint="a video says both itself")
        poses, speed = _find(terminal, video, recipe, changes, device)
        source = video
    _write(poses, out, wanted, speed)
    if pose_video is not None:
        write_pose_video(pose_video, poses, speed, force=force)
    if preview is not None:
        write_contact_sheet(preview, source, poses)
    facts = summarize(poses) | {"out": str(out), "format": wanted, "rate": str(speed)}
    terminal.result(
        f"{out}: {facts['frames']} frames at {float(speed):.4g} fps, {facts['skeleton']}, "
        f"person found in {facts['found'] * 100:.1f} %, joints seen {facts['joints_seen'] * 100:.1f} %"
    )
    terminal.json(facts)


def _check_format(form: str | None, out: Path, *, force: bool) -> str:
    """The format to write, and a place for it that is free."""
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


def _find(
    terminal: Terminal, video: Path, recipe: str, changes: list[str], device: str
) -> tuple[PoseSequence, Fraction]:
    """The poses of a video and its rate."""
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.data.poses import estimate_poses
    from dancekit.video import probe

    info = probe(video)  # first: it needs no torch
    settings = load_recipe(recipe, changes)
    with show_progress(terminal) as display:
        return estimate_poses(video, recipe=settings, device=device, progress=display), info.rate


def _read_file(path: Path, size: str | None, rate: str | None) -> tuple[PoseSequence, None, Fraction]:
    """The poses of a pose file, no video, and their rate."""
    from dancekit.pose.formats import read_poses

    given = _parse_rate(rate) if rate else None
    poses = read_poses(path, size=_parse_size(size) if size else None, rate=given)
    if not len(poses):
        raise PoseError(f"{path} holds no frames")
    speed = given or Fraction(poses.rate).limit_denominator(1001)
    if speed <= 0:  # a single frame
        raise PoseError(f"{path} does not say at which rate its frames are shown", hint="add --rate FPS")
    return poses, None, speed


def _parse_size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--size {text}: not a size", hint="WIDTHxHEIGHT in pixels, such as 1280x720")
    return int(parts[0]), int(parts[1])


def _parse_rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise UsageError(f"--rate {text}: not a frame rate", hint="such as 25, 29.97 or 30000/1001")
    return rate


def _write(poses: PoseSequence, out: Path, form: str, rate: Fraction) -> None:
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


def summarize(poses: PoseSequence) -> dict[str, Any]:
    """What a pose sequence holds, in numbers."""
    return {
        "frames": len(poses),
        "found": round(float(poses.found.mean()), 4),
        "joints_seen": round(float(poses.valid.mean()), 4),
        "skeleton": poses.skeleton.id,
        "size": list(poses.size),
        "seconds": round(float(poses.seconds[-1] - poses.seconds[0]), 3),
    }


def write_contact_sheet(path: Path, video: Path | None, poses: PoseSequence) -> None:
    """Write a PNG with the skeleton drawn on frames spread over the video.

    Args:
        path: The picture; appears whole.
        video: What the poses were found in; None draws on black.
        poses: One row a frame.

    Raises:
        DancekitError: It cannot be written.
    """
    import numpy as np

    from dancekit.data.files import write_png
    from dancekit.video import read_frames

    chosen = set(np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int).tolist())
    if video is None:
        tiles = [_tile(poses.plot(number)) for number in sorted(chosen)]
    else:
        tiles = [
            _tile(poses.plot(number, background=frame.rgb))
            for number, frame in enumerate(read_frames(video))
            if number in chosen
        ]
    while len(tiles) % SHEET_COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i : i + SHEET_COLUMNS], 1) for i in range(0, len(tiles), SHEET_COLUMNS)]
    write_png(path, np.concatenate(rows))


def _tile(picture: NDArray[np.uint8]) -> NDArray[Any]:
    import cv2

    height, width = picture.shape[:2]
    size = (SHEET_WIDTH, round(SHEET_WIDTH * height / width))
    tile: NDArray[Any] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return tile
