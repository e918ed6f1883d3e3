"""`dancekit pose`: the poses of a video, or of a pose file of another program, as a file."""

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
    Runner,
    Threads,
    Verbose,
    Who,
    check_output,
    check_overrides,
    check_person,
)
from dancekit.cli.pose_files import check_format, read_pose_file, write_pose_file, write_pose_video
from dancekit.errors import UsageError

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
        typer.Argument(
            metavar="VIDEO|FILE|FOLDER",
            help="A video of one person, or of several; or a pose file; or a folder of OpenPose's files.",
        ),
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
    skeleton: Annotated[
        str | None,
        typer.Option("--skeleton", metavar="NAME", help="Write them as these joints, such as body_23."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Of the frames, for pose files that do not say."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="FPS", help="25 or 30000/1001, for pose files that do not say."),
    ] = None,
    only_one: Annotated[
        bool,
        typer.Option("--only-one", help="For a FOLDER: skip frames with several people, follow nobody."),
    ] = False,
    canvas: Annotated[
        bool, typer.Option("--letterbox", help="Put them on 1920x1080, scaled to fit and centred.")
    ] = False,
    person: Who = None,
    people: Annotated[
        bool,
        typer.Option("--people", help="List everybody in VIDEO, with a picture of them; write no poses."),
    ] = False,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    runner: Runner = "torch",
    threads: Threads = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Find the poses in a video and write them to a file.

    The file holds xy (T, K, 2) in pixels with NaN where a joint is missing,
    score (T, K), names (K) and pts (T); numpy.load reads it, and dancekit
    transfer takes it as a source. Pose files of other programs come in the
    same way: COCO, COCO-WholeBody, MediaPipe, ComfyUI's POSE_KEYPOINT, folders
    of OpenPose. What is found in a video goes through the recipe's filters; a
    pose file is taken as it is unless you name filters.

    Examples:
      dancekit pose idol.mp4 --out idol.npz
      dancekit pose idol.mp4 --out idol.npz --preview idol.png pose.model=lite
      dancekit pose idol.mp4 --out raw.npz "filters=[]"
      dancekit pose idol.mp4 --out idol.json --format dwpose --video drive.mp4
      dancekit pose crowd.mp4 --people
      dancekit pose crowd.mp4 --out second.npz --person 2
      dancekit pose keypoints/ --size 1920x1080 --rate 25 --out idol.npz
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    check_person(person)
    if people:
        from dancekit.cli.pose_people import list_people

        list_people(terminal, video, recipe, changes, device, preview, force=force, asked=(out, person))
        return
    if out is None:
        raise UsageError("--out is missing", hint=f"dancekit pose {video} --out {video.stem}.npz")
    wanted = check_format(form, out, force=force)
    _check_outputs(video, (out, preview, pose_video), force=force)
    if skeleton is not None:
        from dancekit.types import get_skeleton

        get_skeleton(skeleton)

    from dancekit.pose.formats import is_pose_file

    filters: dict[str, Any] = {}
    if is_pose_file(video):
        _refuse_for_file(video, changes, person)
        poses, speed = read_pose_file(video, size=size, rate=rate, only_one=only_one)
        source = None
        if changes:
            poses, filters = _filtered(terminal, poses, recipe, changes)
    else:
        if size or rate or only_one:
            raise UsageError(
                f"{video} is a video: --size, --rate and --only-one are for pose files",
                hint="a video says both itself",
            )
        raw, speed = _find(terminal, video, recipe, changes, (device, runner, threads), person)
        poses, filters = _filtered(terminal, raw, recipe, changes)
        source = video
    found = poses
    if canvas:
        from dancekit.pose.openpose import letterbox

        poses = letterbox(poses)
    if skeleton is not None:
        poses = poses.to(skeleton)
    write_pose_file(poses, out, wanted, speed)
    if pose_video is not None:
        write_pose_video(pose_video, poses, speed, force=force)
    if preview is not None:
        write_contact_sheet(preview, source, found)
    facts = summarize(poses) | {"out": str(out), "format": wanted, "rate": str(speed), "filters": filters}
    terminal.result(
        f"{out}: {facts['frames']} frames at {float(speed):.4g} fps, {facts['skeleton']}, "
        f"person found in {facts['found'] * 100:.1f} %, joints seen {facts['joints_seen'] * 100:.1f} %"
    )
    terminal.json(facts)


def _refuse_for_file(file: Path, changes: list[str], person: str | None) -> None:
    """Refuse what makes sense for a video only."""
    if person is not None:
        raise UsageError(
            f"{file} is a pose file: --person is for videos", hint="the largest person of it is taken"
        )
    if other := [change for change in changes if not change.startswith("filters")]:
        raise UsageError(f"{other[0]}: a pose file is taken as it is", hint="only filters can be named")


def _check_outputs(video: Path, outputs: tuple[Path, Path | None, Path | None], *, force: bool) -> None:
    """Whether the places for a contact sheet and a pose video are free, and nothing is the input."""
    _, preview, pose_video = outputs
    for extra, suffixes in ((preview, (".png",)), (pose_video, (".mp4", ".m4v", ".mov", ".mkv"))):
        if extra is not None:
            check_output(extra, force=force, suffixes=suffixes)
    for place in outputs:
        if place is not None and place.exists() and video.exists() and place.samefile(video):
            raise UsageError(f"{place} is the input", hint="choose another name")


def _find(
    terminal: Terminal,
    video: Path,
    recipe: str,
    changes: list[str],
    machine: tuple[str, str, int | None],
    person: str | None,
) -> tuple[PoseSequence, Fraction]:
    """The poses of a video as they are found (by device, runner and so many threads), and its rate."""
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.video import probe

    info = probe(video)  # first: it needs no torch
    from dancekit.data.poses import estimate_poses
    from dancekit.runners.threads import use_threads

    settings = load_recipe(recipe, changes)
    device, runner, threads = machine
    use_threads(threads)
    with show_progress(terminal) as display:
        raw = estimate_poses(
            video,
            recipe=settings,
            device=device,
            runner=runner,
            filtered=False,
            person=person,
            progress=display,
        )
    return raw, info.rate


def _filtered(
    terminal: Terminal, raw: PoseSequence, recipe: str, changes: list[str]
) -> tuple[PoseSequence, dict[str, Any]]:
    """Through the recipe's filters, and what they did."""
    from dancekit.build import build_filters
    from dancekit.config import load_recipe
    from dancekit.data.poses import apply_filters
    from dancekit.filters.report import compare_filtered, compare_parts

    poses = apply_filters(raw, build_filters(load_recipe(recipe, changes)))
    report = compare_filtered(raw, poses)
    terminal.log(f"filters: {report}")
    parts = compare_parts(raw, poses)
    for part, each in parts.items():
        terminal.log(f"filters, {part.replace('_', ' ')}: {each}")
    return poses, report.as_json() | {"parts": {part: each.as_json() for part, each in parts.items()}}


def summarize(poses: PoseSequence) -> dict[str, Any]:
    """What a pose sequence holds, in numbers."""
    return {
        "frames": len(poses),
        "found": round(float(poses.found.mean()), 4),
        "joints_seen": round(float(poses.valid.mean()), 4),
        "skeleton": poses.skeleton.id,
        "size": list(poses.size),
        "cuts": list(poses.cuts),
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
