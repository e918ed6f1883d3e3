"""`dancekit pose`: the poses of a video, or of OpenPose's files, as a file that numpy reads."""

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
    read_rate,
    read_size,
)
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
            metavar="VIDEO|FOLDER",
            help="One person, or the largest of several; or a folder of OpenPose's keypoint files.",
        ),
    ],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.npz", help="Where the poses go.")] = None,
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
        typer.Option("--size", metavar="WxH", help="For a FOLDER: of the frames; its files do not say."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="FPS", help="For a FOLDER: frames per second.")
    ] = None,
    only_one: Annotated[
        bool,
        typer.Option("--only-one", help="For a FOLDER: skip frames with several people, follow nobody."),
    ] = False,
    canvas: Annotated[
        bool, typer.Option("--letterbox", help="Put them on 1920x1080, scaled to fit and centred.")
    ] = False,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Find the poses in a video, or read OpenPose's, and write them to a file.

    The file holds xy (T, K, 2) in pixels with NaN where a joint is missing,
    score (T, K), names (K) and pts (T); numpy.load reads it, and dancekit
    transfer takes it as a source. The recipe's filters are applied;
    "filters=[]" leaves them away.

    Examples:
      dancekit pose idol.mp4 --out idol.npz
      dancekit pose idol.mp4 --out idol.npz --preview idol.png pose.model=lite
      dancekit pose idol.mp4 --out raw.npz "filters=[]"
      dancekit pose keypoints/ --out idol.npz --size 1920x1080 --rate 30
      dancekit pose keypoints/ --out a.npz --size 960x540 --rate 30 --letterbox
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    if out is None:
        raise UsageError("--out is missing", hint=f"dancekit pose {video} --out {video.stem}.npz")
    folder = video.is_dir()
    _check_folder_options(video, folder, size, rate, preview, only_one)
    check_output(out, force=force, suffixes=(".npz",))
    if preview is not None:
        check_output(preview, force=force, suffixes=(".png",))

    from dancekit.build import build_filters
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.data.poses import apply_filters
    from dancekit.filters.report import compare_filtered
    from dancekit.types import get_skeleton

    if skeleton is not None:
        get_skeleton(skeleton)
    settings = load_recipe(recipe, changes)
    if folder:
        fps = read_rate(rate or "")
        raw = _read_folder(video, read_size(size or ""), fps, only_one=only_one)
    else:
        from dancekit.video import probe

        fps = probe(video).rate  # first: it needs no torch
        from dancekit.data.poses import estimate_poses

        with show_progress(terminal) as display:
            raw = estimate_poses(video, recipe=settings, device=device, filtered=False, progress=display)
    filtered = apply_filters(raw, build_filters(settings))
    report = compare_filtered(raw, filtered)
    terminal.log(f"filters: {report}")
    poses = _converted(filtered, skeleton, canvas=canvas)
    out.parent.mkdir(parents=True, exist_ok=True)
    poses.save(out)
    if preview is not None:
        write_contact_sheet(preview, video, filtered)
    facts = summarize(poses) | {"out": str(out), "rate": str(fps), "filters": report.as_json()}
    terminal.result(
        f"{out}: {facts['frames']} frames at {float(fps):.4g} fps, {facts['skeleton']}, "
        f"person found in {facts['found'] * 100:.1f} %, joints seen {facts['joints_seen'] * 100:.1f} %"
    )
    terminal.json(facts)


def _read_folder(folder: Path, size: tuple[int, int], rate: Fraction, *, only_one: bool) -> PoseSequence:
    """OpenPose's files."""
    from dancekit.pose.openpose import read_openpose

    return read_openpose(folder, size=size, rate=rate, people="only_one" if only_one else "track")


def _converted(poses: PoseSequence, skeleton: str | None, *, canvas: bool) -> PoseSequence:
    """On the canvas, and as other joints, where that is asked for."""
    if canvas:
        from dancekit.pose.openpose import letterbox

        poses = letterbox(poses)
    return poses if skeleton is None else poses.to(skeleton)


def _check_folder_options(
    source: Path, folder: bool, size: str | None, rate: str | None, preview: Path | None, only_one: bool
) -> None:
    """Options that only a folder has, or only a video."""
    if folder and (size is None or rate is None):
        raise UsageError(
            f"{source} is a folder of keypoint files, which say neither frame size nor frame rate",
            hint="--size 1920x1080 --rate 30",
        )
    if folder and preview is not None:
        raise UsageError("--preview draws on frames, and a folder of keypoint files has none")
    if not folder and (size is not None or rate is not None or only_one):
        raise UsageError(
            f"{source} is no folder", hint="--size, --rate and --only-one are for keypoint files"
        )


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


def write_contact_sheet(path: Path, video: Path, poses: PoseSequence) -> None:
    """Write a PNG with the skeleton drawn on frames spread over the video.

    Args:
        path: The picture; appears whole.
        video: What the poses were found in.
        poses: One row a frame.

    Raises:
        DancekitError: It cannot be written.
    """
    import numpy as np

    from dancekit.data.files import write_png
    from dancekit.video import read_frames

    chosen = set(np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int).tolist())
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
