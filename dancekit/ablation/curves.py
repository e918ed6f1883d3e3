"""Curves of an ablation: the losses of every arm over its training, the scores of every arm over the clip."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.ablation.arms import ArmState
from dancekit.ablation.matrix import Matrix
from dancekit.ablation.plot import Line, Panel, draw_panels
from dancekit.ablation.scoring import Scored
from dancekit.ablation.tables import BASELINE_TITLES
from dancekit.data.files import write_png

CURVES = "curves"

SMOOTH = 5
"""Log lines that a point of a loss' curve is the mean of: a GAN's losses jump from clip to clip."""

NO_LOSS = {"step", "stage", "seconds_per_step"}
"""Keys of a line of metrics.jsonl that are no loss."""


def write_curves(
    matrix: Matrix, states: Sequence[ArmState], scored: Mapping[str, Scored], out: Path
) -> list[Path]:
    """Write `curves/training.png`, and `curves/NAME.png` of each evaluation; what has nothing to show is left out."""
    drawn = {"training": loss_panels(states)}
    drawn |= {name: score_panels(matrix, each) for name, each in scored.items()}
    paths = []
    for name, panels in drawn.items():
        if panels:
            path = out / CURVES / f"{name}.png"
            write_png(path, draw_panels(panels))
            paths.append(path)
    return paths


def loss_panels(states: Sequence[ArmState]) -> list[Panel]:
    """A panel a loss, a line an arm."""
    lines: dict[str, list[Line]] = {}
    for state in states:
        for name, steps, values in _losses(state.run.metrics_file):
            line = Line(state.arm.title, steps, smoothed(values, SMOOTH))
            lines.setdefault(name, []).append(line)
    return [Panel(name, tuple(each), "step") for name, each in lines.items()]


def _losses(path: Path) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Name, steps and values of each loss of a run."""
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text().splitlines()]
    names = dict.fromkeys(key for record in records for key in record if key not in NO_LOSS)
    steps = np.array([record["step"] for record in records], np.float64)
    return [
        (name, steps, np.array([record.get(name, np.nan) for record in records], np.float64))
        for name in names
    ]


def smoothed(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The running mean over `width` values, centred, of those that are there; ends take what the series has."""
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    known = np.isfinite(windows)
    total = np.where(known, windows, 0.0).sum(1)
    count = known.sum(1)
    return np.where(np.isfinite(values) & (count > 0), total / np.maximum(count, 1), np.nan)


def score_panels(matrix: Matrix, scored: Scored) -> list[Panel]:
    """A panel a column of the tables, a line an arm or baseline, over the frames; clip numbers have none."""
    titles = {arm.name: arm.title for arm in matrix.arms}
    wanted = dict.fromkeys(
        (column.metric, column.region)
        for table in matrix.tables
        if table.scores == scored.scoring.name
        for column in table.columns
    )
    rows = [
        (BASELINE_TITLES[variant.name] if variant.kind == "baseline" else titles[name], variant)
        for name, evaluation in scored.evaluations.items()
        for variant in evaluation.variants
        if variant.kind in ("baseline", "result") and variant.name in (*BASELINE_TITLES, "result")
    ]
    rows = [row for row in rows if row[1].kind == "result"] + [row for row in rows if row[1].kind != "result"]
    panels = []
    for metric, region in wanted:
        lines = []
        for title, variant in rows:
            score = variant.score(metric, region)
            if score is not None and score.per_frame:
                series = np.array([np.nan if v is None else v for v in score.per_frame], np.float64)
                lines.append(Line(title, np.arange(len(series), dtype=np.float64), series))
        if lines:
            panels.append(Panel(f"{metric}, {region}", tuple(lines), "frame"))
    return panels
