"""`dancekit pose`: the poses of a video as a file that numpy reads."""

from __future__ import annotations

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
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="One person, or the largest of several.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.npz", help="Where the poses go.")] = None,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="PNG", help="Also a contact sheet with the skeleton drawn."),
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
    transfer takes it as a source.

    Examples:
      dancekit pose idol.mp4 --out idol.npz
      dancekit pose idol.mp4 --out idol.npz --preview idol.png pose.model=lite
      dancekit pose idol.mp4 --out raw.npz "filters=[]"
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    if out is None:
        raise UsageError("--out is missing", hint=f"dancekit pose {video} --out {video.stem}.npz")
    check_output(out, force=force, suffixes=(".npz",))
    if preview is not None:
        check_output(preview, force=force, suffixes=(".png",))

    from dancekit.build import build_filters
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.data.poses import apply_filters, estimate_poses
    from dancekit.filters.report import compare_filtered
    from dancekit.video import probe

    info = probe(video)  # first: it needs no torch
    settings = load_recipe(recipe, changes)
    with show_progress(terminal) as display:
        raw = estimate_poses(video, recipe=settings, device=device, filtered=False, progress=display)
    poses = apply_filters(raw, build_filters(settings))
    report = compare_filtered(raw, poses)
    terminal.log(f"filters: {report}")
    out.parent.mkdir(parents=True, exist_ok=True)
    poses.save(out)
    if preview is not None:
        write_contact_sheet(preview, video, poses)
    facts = summarize(poses) | {"out": str(out), "rate": str(info.rate), "filters": report.as_json()}
    terminal.result(
        f"{out}: {facts['frames']} frames at {float(info.rate):.4g} fps, {facts['skeleton']}, "
        f"person found in {facts['found'] * 100:.1f} %, joints seen {facts['joints_seen'] * 100:.1f} %"
    )
    terminal.json(facts)


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
