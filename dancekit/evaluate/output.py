"""What an evaluation leaves: `evaluation.json`, `scores.csv`, `per_frame.csv`, videos, `report.html`."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dancekit.data.files import write_whole
from dancekit.errors import OutputExists, UsageError
from dancekit.evaluate.result import Evaluation

JSON = "evaluation.json"
SCORES = "scores.csv"
PER_FRAME = "per_frame.csv"
REPORT = "report.html"


def check_folder(out: Path, *, force: bool) -> None:
    """Refuse a folder before any work is done.

    Raises:
        OutputExists: It is there, and `force` is off.
        UsageError: It is a file, or holds something else than an evaluation, which `force` must not delete.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"--out {out} is a file", hint="name a folder")
    if not any(out.iterdir()):
        return
    if not force:
        raise OutputExists(out)
    if not (out / JSON).exists():
        raise UsageError(
            f"{out} holds files that are no evaluation, they are not deleted", hint="choose another --out"
        )


@contextmanager
def output_folder(out: Path | None, *, force: bool) -> Iterator[Path | None]:
    """A hidden folder that becomes `out` when its block ends well, and vanishes when it does not.

    Args:
        out: None for nothing.
        force: Whether an evaluation that is there is replaced.

    Raises:
        OutputExists, UsageError: As `check_folder`.
    """
    if out is None:
        yield None
        return
    check_folder(out, force=force)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        yield part
        if out.exists():
            shutil.rmtree(out)
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write the JSON and both tables.

    Raises:
        DancekitError: The disk is full, or the place cannot be written to.
    """
    text = json.dumps(evaluation.to_json(), indent=1, allow_nan=False, ensure_ascii=False)
    write_whole(folder / JSON, text + "\n")
    write_whole(folder / SCORES, _scores(evaluation))
    write_whole(folder / PER_FRAME, _per_frame(evaluation))


def _scores(evaluation: Evaluation) -> str:
    head = [
        "variant",
        "metric",
        "region",
        "value",
        "low",
        "high",
        "unit",
        "higher_is_better",
        "frames",
        "why",
    ]
    rows = [
        [
            variant.name,
            score.metric,
            score.region,
            _number(score.value),
            _number(score.low),
            _number(score.high),
            score.unit,
            str(score.higher_is_better).lower(),
            score.frames,
            score.why,
        ]
        for variant in evaluation.variants
        for score in variant.scores
    ]
    return _csv([head, *rows])


def _per_frame(evaluation: Evaluation) -> str:
    columns = [
        (f"{variant.name}/{score.metric}/{score.region}", score.per_frame)
        for variant in evaluation.variants
        for score in variant.scores
        if score.per_frame
    ]
    head = ["frame", "warning", *(name for name, _ in columns)]
    rows = [
        [
            number,
            evaluation.frame_warnings.get(number, ""),
            *(_number(series[number]) for _, series in columns),
        ]
        for number in range(evaluation.frames)
    ]
    return _csv([head, *rows])


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
