"""`dancekit check`: whether a video will do as a target, and what else to film for a dance."""

from __future__ import annotations

import math
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
    Who,
    check_output,
    check_overrides,
    check_person,
)
from dancekit.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dancekit.config import Recipe
    from dancekit.contracts import PoseBackend
    from dancekit.data.check import ClipReport
    from dancekit.data.coverage import Coverage
    from dancekit.types import PoseSequence

POSES = 6
"""How many poses to film are shown."""

TILE_HEIGHT, COLUMNS = 360, 3
"""Of the picture of them, pixels and pictures in a row."""

NEW_DANCE = 0.02
"""Share of the dance outside of what was filmed below which nothing more needs to be filmed."""


def check(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A video of who is to dance.")],
    overrides: Overrides = None,
    source: Annotated[
        Path | None,
        typer.Option("--for", metavar="SOURCE", help="The dance: is all of it within what was filmed?"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PNG", help="With --for: a picture of the poses to film as well."),
    ] = None,
    person: Who = None,
    for_person: Annotated[
        str | None, typer.Option("--for-person", metavar="WHO", help="The same in the video of --for.")
    ] = None,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say what a video is like as a target, before hours are spent on it.

    Looks at how often the person is found, hidden feet and hands, how much the
    joints tremble, what the picture cuts off, camera, light and length. With
    --for it also fits the dance to the target's body and says how much of it
    is outside of what was filmed, and which poses to film for that. Warnings
    do not change the exit code; a clip that cannot be used at all does.

    Examples:
      dancekit check me.mp4
      dancekit check me.mp4 --for idol.mp4 --out film-these.png
      dancekit check me.mp4 --for idol.npz normalizer=identity --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    check_person(person, for_person)
    if out is not None:
        if source is None:
            raise UsageError("--out needs --for", hint=f"dancekit check {target} --for SOURCE --out {out}")
        check_output(out, force=force, suffixes=(".png",))

    from dancekit.build import build_pose, resolve_device
    from dancekit.cli.progress import show_progress
    from dancekit.config import load_recipe
    from dancekit.data.check import check_target
    from dancekit.data.poses import track_person
    from dancekit.video import probe

    info = probe(target)
    if source is not None and source.suffix != ".npz":
        probe(source)
    settings = load_recipe(recipe, changes)
    backend = build_pose(settings, resolve_device(device))
    with show_progress(terminal) as display:
        found = track_person(target, backend, settings.pose, person=person, progress=display)
        raw = found.steady_poses
        report = check_target(
            info, found.poses, settings.size, person_height=settings.person_height, camera=found.camera
        )
        told = _tell_target(terminal, target, report)
        if source is not None:
            dance = _poses_of(source, backend, settings, display, for_person)
            told |= {"for": _tell_coverage(terminal, source, dance, raw, settings, out)}
    terminal.json(told)


def _tell_target(terminal: Terminal, target: Path, report: ClipReport) -> dict[str, Any]:
    terminal.result(f"{target}: {report}")
    terminal.table(
        ("measure", "value"), [(name, _value(name, value)) for name, value in sorted(report.measures.items())]
    )
    for warning in report.warnings:
        terminal.result(f"warning: {warning}")
    if not report.warnings:
        terminal.result("nothing to complain of")
    return {
        "target": str(target),
        "frames": report.frames,
        "seconds": round(report.seconds, 3),
        "rate": report.rate,
        "size": list(report.size),
        "measures": {name: _number(value) for name, value in report.measures.items()},
        "warnings": list(report.warnings),
    }


def _poses_of(
    source: Path, backend: PoseBackend, recipe: Recipe, display: Any, person: str | None
) -> PoseSequence:
    """The dance's filtered poses, in the skeleton of the target's."""
    from dancekit.build import build_filters
    from dancekit.data.poses import apply_filters, track_person
    from dancekit.pose.choice import refuse_for_poses
    from dancekit.types import PoseSequence

    if source.suffix == ".npz":
        refuse_for_poses(source, person)
        return PoseSequence.load(source).to(backend.spec.skeleton)
    found = track_person(source, backend, recipe.pose, person=person, progress=display).steady_poses
    return apply_filters(found, build_filters(recipe))


def _tell_coverage(
    terminal: Terminal,
    source: Path,
    dance: PoseSequence,
    filmed: PoseSequence,
    recipe: Recipe,
    out: Path | None,
) -> dict[str, Any]:
    """Fit the dance to the target, compare, and name the poses to film."""
    from dancekit.build import build_filters, build_normalizer
    from dancekit.data.coverage import PoseRange, poses_to_film
    from dancekit.data.poses import apply_filters

    filmed = apply_filters(filmed, build_filters(recipe))
    normalizer = build_normalizer(recipe.normalizer)
    fitted = normalizer.fit(dance, filmed)
    moved = normalizer.apply(fitted, dance)
    coverage = PoseRange(filmed).coverage(moved)
    frames = poses_to_film(moved, coverage, POSES)
    moments = [round(float(dance.seconds[frame] - dance.seconds[0]), 2) for frame in frames]
    warnings = [*fitted.get("warnings", ()), *_sentences(coverage, moments, out)]
    for warning in warnings:
        terminal.result(f"warning: {warning}")
    if not warnings:
        terminal.result(f"{source}: all of the dance is within what was filmed ({coverage.share:.0%} is not)")
    if out is not None:
        if frames:
            write_poses_to_film(out, None if source.suffix == ".npz" else source, dance, frames)
            terminal.result(str(out))
        else:
            terminal.log(f"no pose is left to film: {out} is not written")
    return {
        "source": str(source),
        "outside": _number(coverage.share),
        "poses_to_film": [
            {"frame": frame, "seconds": second} for frame, second in zip(frames, moments, strict=True)
        ],
        "picture": str(out) if out is not None and frames else None,
        "warnings": warnings,
        "pose_range": coverage.to_json(),
    }


def _sentences(coverage: Coverage, moments: list[float], out: Path | None) -> list[str]:
    if coverage.share != coverage.share:
        return ["too little was filmed to say which poses of the dance are missing (some minutes are better)"]
    place = []
    if coverage.share_out_of_place > NEW_DANCE:
        place = [
            f"in {coverage.share_out_of_place:.0%} of the dance the target stands where they were never filmed: "
            f"film them there as well"
        ]
    if coverage.share <= NEW_DANCE or not moments:
        return place
    when = ", ".join(f"{second // 60:.0f}:{second % 60:04.1f}" for second in moments)
    which = "this pose" if len(moments) == 1 else f"these {len(moments)} poses"
    see = "" if out is not None else "; --out PNG shows them"
    return [
        f"{coverage.share:.0%} of the dance is outside what was filmed; film {which} as well, "
        f"the source has {'it' if len(moments) == 1 else 'them'} at {when}{see}",
        *place,
    ]


def write_poses_to_film(path: Path, video: Path | None, poses: PoseSequence, frames: list[int]) -> None:
    """Write a PNG of some moments of the dance, each with its skeleton and time.

    Args:
        path: The picture; appears whole.
        video: The dance; None draws on black.
        poses: One row a frame of the dance, in its pixels.
        frames: Which.

    Raises:
        DancekitError: It cannot be written.
        VideoError: The dance cannot be read.
    """
    import numpy as np

    from dancekit.data.files import write_png
    from dancekit.video import read_frames

    backgrounds: dict[int, NDArray[np.uint8]] = {}
    if video is not None:
        for number, frame in enumerate(read_frames(video, stop=max(frames) + 1)):
            if number in frames:
                backgrounds[number] = frame.rgb
    tiles = []
    for moment in frames:
        seconds = float(poses.seconds[moment] - poses.seconds[0])
        tiles.append(_tile(poses.plot(moment, background=backgrounds.get(moment)), seconds))
    while len(tiles) > COLUMNS and len(tiles) % COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[n : n + COLUMNS], 1) for n in range(0, len(tiles), COLUMNS)]
    write_png(path, np.concatenate(rows))


def _tile(picture: NDArray[np.uint8], seconds: float) -> NDArray[Any]:
    import cv2

    height, width = picture.shape[:2]
    size = (round(width * TILE_HEIGHT / height), TILE_HEIGHT)
    tile: NDArray[Any] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    text = f"{seconds // 60:.0f}:{seconds % 60:04.1f}"
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(tile, text, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
    return tile


_UNITS = {
    "jitter": " % of the height",
    "enlargement": " times",
    "brightness": " of 255",
    "flicker": " of 255",
}


def _value(name: str, value: float) -> str:
    if value != value:
        return "unknown"
    if name == "camera_shift":
        return f"{value:.2%}" if math.isfinite(value) else "another place"
    return f"{value:.2f}{_UNITS[name]}" if name in _UNITS else f"{value:.0%}"


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
