"""The report of an evaluation: one HTML file that holds its numbers, curves and videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import dancekit
from dancekit.data.files import write_whole
from dancekit.errors import DancekitError, OutputExists
from dancekit.evaluate.report import page
from dancekit.evaluate.report.embed import BUDGET, Embedded, embed
from dancekit.evaluate.report.html import render
from dancekit.evaluate.report.pictures import Pictures, take_pictures
from dancekit.evaluate.result import Evaluation

_STYLES = ("base.css", "report.css")
_SCRIPTS = ("bytes.js", "player.js", "curves.js", "closeups.js", "report.js")


def write_report(evaluation: Evaluation, out: Path, *, folder: Path, force: bool = False) -> None:
    """Write the report. It opens from the disk, needs no network, and holds copies of the videos.

    Args:
        evaluation: What was found.
        out: The HTML file.
        folder: What the evaluation's video paths are relative to.
        force: Replace `out`.

    Raises:
        OutputExists: `out` is there and `force` is off.
        DancekitError: The evaluation does not fit together: a curve or boxes of another length than it has
            frames. A video is missing, or the file cannot be written.
        VideoError: A video cannot be read.
    """
    if out.exists() and not force:
        raise OutputExists(out)
    _check(evaluation)
    rate = Fraction(evaluation.rate)
    paths = _videos(evaluation, folder)
    curves = page.series(evaluation)
    result = page.result_of(evaluation)
    pictures = take_pictures(
        paths.get(_key(evaluation.variants.index(result))) if result is not None else None,
        paths.get("truth"),
        frames=evaluation.frames,
        size=evaluation.size,
        chosen={frame for curve in curves for frame in curve["worst"]},
    )
    share = BUDGET // max(1, len(paths))
    videos = {
        key: embed(path, frames=evaluation.frames, rate=rate, budget=share) for key, path in paths.items()
    }
    text = render(
        "report.html",
        styles=_STYLES,
        scripts=_SCRIPTS,
        data=_data(evaluation, rate, videos, pictures, curves),
        videos={key: video.base64 for key, video in videos.items()},
        strip=pictures.strip,
        **_context(evaluation, rate, videos),
    )
    write_whole(out, text)


def _check(evaluation: Evaluation) -> None:
    """Curves and boxes have one entry a frame: the page looks them up by frame number."""
    lengths = {
        f"{variant.name}: {score.metric} in {score.region}": len(score.per_frame)
        for variant in evaluation.variants
        for score in variant.scores
        if score.per_frame
    } | {f"boxes of {region}": len(boxes) for region, boxes in evaluation.boxes.items()}
    for what, length in lengths.items():
        if length != evaluation.frames:
            raise DancekitError(
                f"{what} has {length} numbers for {evaluation.frames} frames", hint="evaluate again"
            )


def _key(index: int) -> str:
    return f"v{index}"


def _titles(evaluation: Evaluation) -> dict[str, str]:
    """Titles of all that can be looked at, in the order of the page: source, result, truth, the others."""
    titles = {_key(index): page.short(variant.title) for index, variant in enumerate(evaluation.variants)}
    first = next(iter(titles), None)
    ordered = {"source": "Source"} if evaluation.source_video else {}
    if first is not None:
        ordered[first] = titles.pop(first)
    if evaluation.real_video:
        ordered["truth"] = "Truth"
    return ordered | titles


def _videos(evaluation: Evaluation, folder: Path) -> dict[str, Path]:
    """All videos by key; a missing one is an error that names it."""
    named = {"source": evaluation.source_video, "truth": evaluation.real_video} | {
        _key(index): variant.video for index, variant in enumerate(evaluation.variants)
    }
    paths = {key: folder / name for key in _titles(evaluation) if (name := named[key]) is not None}
    for path in paths.values():
        if not path.is_file():
            raise DancekitError(
                f"{path}, a video of this evaluation, does not exist",
                hint="evaluate again, or move the videos back beside the evaluation's JSON",
            )
    return paths


def _data(
    evaluation: Evaluation,
    rate: Fraction,
    videos: dict[str, Embedded],
    pictures: Pictures,
    curves: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the scripts need."""
    kinds = {_key(index): variant.kind for index, variant in enumerate(evaluation.variants)}
    regions: dict[str, Any] = {}
    for region, boxes in evaluation.boxes.items():
        title = page.short(region.replace("_", " "))
        regions[title] = [box and [round(float(value), 1) for value in box] for box in boxes]
    if any(pictures.worst):
        regions["Where it differs most"] = pictures.worst
    return {
        "frames": evaluation.frames,
        "size": evaluation.size,
        "rate": [rate.numerator, rate.denominator],
        "views": [
            {
                "key": key,
                "title": title,
                "kind": kinds.get(key, key),
                "index": int(key[1:]) if key in kinds else None,
                "frames": videos[key].frames if key in videos else 0,
                "sound": key in videos and videos[key].sound,
            }
            for key, title in _titles(evaluation).items()
        ],
        "series": curves,
        "regions": regions,
        "thumbnails": pictures.thumbnails,
        "stripFrames": pictures.strip_frames,
        "warnings": page.warned(evaluation),
    }


def _context(evaluation: Evaluation, rate: Fraction, videos: dict[str, Embedded]) -> dict[str, Any]:
    """What the template prints."""
    protocol = evaluation.protocol
    titles = _titles(evaluation)
    name = str(protocol.get("name", "evaluation"))
    files = {role: str(file.get("name", "")) for role, file in evaluation.inputs.items()}
    subject = next((files[role] for role in ("fake", "result", "dancer") if files.get(role)), name)
    return {
        "subject": Path(subject).name,
        "name": name,
        "version": str(protocol.get("version", "")),
        "about": str(protocol.get("summary") or protocol.get("description") or ""),
        "frames": evaluation.frames,
        "size": evaluation.size,
        "rate": f"{float(rate):.5g}",
        "seconds": f"{float(evaluation.frames / rate):.1f}",
        "headlines": page.headlines(evaluation),
        "ladder": page.ladder(evaluation),
        "table": page.table(evaluation),
        "remarks": page.remarks(evaluation),
        "variants": [(index, page.short(v.title), v.kind) for index, v in enumerate(evaluation.variants)],
        "glossary": page.glossary(evaluation),
        "regions": page.regions(evaluation),
        "baselines": page.baselines(evaluation),
        "warnings": evaluation.warnings,
        "warned": page.warned(evaluation),
        "notes": [(titles[key], video.note) for key, video in videos.items() if video.note],
        "protocol": page.facts(protocol),
        "inputs": {key: dict(value) for key, value in evaluation.inputs.items()},
        "fitted": page.facts(evaluation.fitted),
        "environment": page.facts(evaluation.environment),
        "dancekit_version": dancekit.__version__,
    }
