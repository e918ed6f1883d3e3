"""`dancekit retarget`: a dance fitted to another body, to look at before anything is trained or painted."""

from __future__ import annotations

import json
from collections.abc import Mapping
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

if TYPE_CHECKING:
    from dancekit.config import Recipe
    from dancekit.types import PoseSequence

SHEET, NUMBERS, POSES = "sheet.png", "fitted.json", "poses.npz"


def retarget(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE|POSE.npz", help="A video of the dance, or its poses.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET|POSE.npz", help="A video of who is to dance it, or their poses.")
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="[dim]Default: <source>_on_<target>[/]")
    ] = None,
    person: Who = None,
    target_person: Annotated[
        str | None, typer.Option("--target-person", metavar="WHO", help="The same in TARGET.")
    ] = None,
    recipe: RecipeName = "quick",
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Fit a dance to the target's body and place, and show it.

    Writes a contact sheet (source, target, and the source's poses on the
    target's frames), the fitted numbers as JSON, and the retargeted poses,
    and warns of what is wrong with the clips.

    Examples:
      dancekit retarget idol.mp4 me.mp4
      dancekit retarget idol.mp4 me.mp4 --out look normalizer=bones
      dancekit retarget idol.npz me.npz normalizer=affine --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    check_person(person, target_person)
    folder = out or Path(f"{source.stem}_on_{target.stem}")
    for name in (SHEET, NUMBERS, POSES):
        check_output(folder / name, force=force, suffixes=(Path(name).suffix,))

    from dancekit.build import build_normalizer
    from dancekit.config import load_recipe
    from dancekit.data.files import write_png, write_whole
    from dancekit.normalizers.advice import advise
    from dancekit.transfer.retarget_sheet import draw_sheet

    settings = load_recipe(recipe, changes)
    clips: dict[str, PoseSequence] = {}
    filters: dict[str, Any] = {}
    for who, path, whom in (("source", source, person), ("target", target, target_person)):
        clips[who], filters[who] = _poses(path, settings, device, terminal, who, whom)
    clips["source"] = clips["source"].to(clips["target"].skeleton)
    normalizer = build_normalizer(settings.normalizer)
    fitted = dict(normalizer.fit(clips["source"], clips["target"]))
    moved = normalizer.apply(fitted, clips["source"])
    warnings = list(
        dict.fromkeys(
            [
                *fitted["warnings"],
                *(line for who, clip in clips.items() for line in advise(clip, who)),
                *_outside(moved),
            ]
        )
    )
    sheet = draw_sheet((source, clips["source"]), (target, clips["target"]), moved)
    facts = {
        "source": source.name,
        "target": target.name,
        "normalizer": {"name": settings.normalizer.name, "fitted": fitted},
        "filters": filters,
        "warnings": warnings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_png(folder / SHEET, sheet)
    moved.save(folder / POSES)
    write_whole(folder / NUMBERS, json.dumps(facts, indent=2, sort_keys=True) + "\n")
    for line in warnings:
        terminal.warn(line)
    _show(terminal, settings.normalizer.name, fitted)
    terminal.result(f"{folder / SHEET}: look at it; the numbers are in {NUMBERS}, the poses in {POSES}")
    terminal.json(facts | {"out": str(folder)})


def _poses(
    path: Path, settings: Recipe, device: str, terminal: Terminal, who: str, person: str | None
) -> tuple[PoseSequence, dict[str, Any] | None]:
    """The filtered poses of a clip, and what the filters did; None for a file of poses, which is taken as it is."""
    from dancekit.build import build_filters, build_pose, resolve_device
    from dancekit.cli.progress import show_progress
    from dancekit.data.poses import apply_filters, track_person
    from dancekit.filters.report import compare_filtered, compare_parts
    from dancekit.pose.choice import refuse_for_poses
    from dancekit.types import PoseSequence

    if path.suffix == ".npz":
        refuse_for_poses(path, person)
        return PoseSequence.load(path), None
    backend = build_pose(settings, resolve_device(device))
    with show_progress(terminal) as display:
        raw = track_person(path, backend, settings.pose, person=person, progress=display).steady_poses
    poses = apply_filters(raw, build_filters(settings))
    report = compare_filtered(raw, poses)
    terminal.log(f"{who}, filters: {report}")
    parts = {part: each.as_json() for part, each in compare_parts(raw, poses).items()}
    return poses, report.as_json() | {"parts": parts}


def _outside(moved: PoseSequence) -> list[str]:
    """Whether the retargeted body leaves the target's frame."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        inside = ((moved.xy >= 0) & (moved.xy <= np.array(moved.size) - 1)).all(-1)
    out = float((moved.valid & ~inside).any(1).mean())
    return (
        [f"in {out:.0%} of the frames a part of the body is outside of the target's picture"]
        if out > 0.02
        else []
    )


def _show(terminal: Terminal, name: str, fitted: Mapping[str, Any]) -> None:
    """The fitted numbers as a table."""
    if "bones" in fitted:
        rows = [
            [bone, *(f"{entry[key]:.3f}" for key in ("ratio", "source", "target")), _frames(entry)]
            for bone, entry in fitted["bones"].items()
        ]
        terminal.table(["bone", "ratio", "source", "target", "frames"], rows)
    rows = [
        [key, f"{value:.4g}" if isinstance(value, float) else str(value)]
        for key, value in fitted.items()
        if isinstance(value, (int, float, str))
    ]
    rows += [
        [f"{who}.{key}", f"{value:.4g}"]
        for who in ("source", "target")
        for key, value in (fitted[who] if isinstance(fitted.get(who), Mapping) else {}).items()
    ]
    terminal.table(["number", "value"], rows, title=name)


def _frames(entry: Mapping[str, float]) -> str:
    return f"{entry['source_frames']:.0f}/{entry['target_frames']:.0f}"
