"""`dancekit show RUN`: how a training went, or goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dancekit.cli.console import Terminal
from dancekit.cli.progress import duration
from dancekit.errors import DancekitError, UsageError

if TYPE_CHECKING:
    from dancekit.training.run import Run

RECENT = 0.1
"""Share of the records that "now" is the mean of."""


def show_run(terminal: Terminal, folder: Path) -> None:
    """Steps, speed, checkpoints and losses of a run folder; read only.

    Raises:
        UsageError: The folder holds no run.
    """
    facts = run_facts(folder)
    rows = [
        ["recipe", facts["recipe"]],
        [
            "steps",
            f"{facts['step']} of {facts['steps']}" + (f", stage {facts['stage']}" if facts["stage"] else ""),
        ],
        ["state", facts["state"]],
    ]
    if facts["seconds"]:
        rows.append(["trained for", duration(facts["seconds"])])
        left = (
            "" if facts["state"] == "finished" else f", {duration(facts['seconds_left'])} left at this speed"
        )
        rows.append(["speed", f"{facts['frames_per_second']:.3g} frames/s{left}"])
    if facts["memory_mb"]:
        rows.append(["memory", f"{facts['memory_mb'] / 1000:.2f} GB at most"])
    rows.append(["checkpoints", ", ".join(facts["checkpoints"]) or "none yet"])
    if facts["best"]:
        rows.append(["best", f"step {facts['best']['step']}, {facts['best']['score']:.2f} dB in the mask"])
    rows += [[key, facts["files"][key]] for key in facts["files"]]
    terminal.table([folder.name or str(folder), ""], rows)
    if facts["losses"]:
        terminal.result("")
        terminal.table(
            ["loss", "first", "now", "least"],
            [
                [n, *(f"{each[k]:.4g}" for k in ("first", "now", "least"))]
                for n, each in facts["losses"].items()
            ],
        )
    terminal.json({"run": str(folder), **facts})


def run_facts(folder: Path) -> dict[str, Any]:
    """What a run folder says, as plain data.

    Raises:
        UsageError: It holds no run.
    """
    from dancekit.config import load_recipe
    from dancekit.training.checkpoint import list_checkpoints, read_best
    from dancekit.training.journal import read_records
    from dancekit.training.run import Run

    run = Run(folder)
    if not run.recipe_file.is_file():
        raise UsageError(f"{folder} is no run folder", hint="name what dancekit train --out has made")
    recipe = load_recipe(run.recipe_file)
    records = read_records(run.metrics_file)
    last = records[-1] if records else {}
    step, steps = int(last.get("step", 0)), recipe.train.steps
    saved = list_checkpoints(run.checkpoints)
    if saved:
        step = max(step, int(saved[-1].name.removeprefix("step-")))
    pace = float(np.median([r["seconds_per_step"] for r in records[-50:]])) if records else 0.0
    best = read_best(run.checkpoints)
    previews = sorted(run.previews.glob("*.png"))
    files = {
        "dancer": run.dancer,
        "best dancer": run.best,
        "curves": run.curves,
        "last preview": previews[-1] if previews else run.previews / "none",
        "diagnosis": run.diagnosis,
    }
    return {
        "recipe": recipe.summary,
        "step": step,
        "steps": steps,
        "stage": str(last.get("stage", "")),
        "state": _state(run, step, steps),
        "seconds": round(run.seconds(step), 1),
        "seconds_left": round(max(steps - step, 0) * pace, 1),
        "frames_per_second": _recent(records, "frames_per_second"),
        "memory_mb": max((int(r.get("memory_mb", 0)) for r in records), default=0),
        "checkpoints": [path.name for path in saved],
        "best": {"step": best[0], "score": best[1]} if best else None,
        "files": {name: str(path) for name, path in files.items() if path.exists()},
        "losses": _losses(records),
    }


def _state(run: Run, step: int, steps: int) -> str:
    from dancekit.training.lock import NAME, check_free

    try:
        check_free(run.folder)
    except DancekitError as error:
        return f"running: {error.message}"
    if run.diagnosis.exists():
        return "diverged"
    if step >= steps and run.dancer.exists():
        return "finished"
    how = "killed" if (run.folder / NAME).exists() else "stopped"
    return f"{how}; --resume goes on"


def _losses(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    from dancekit.training.curves import smooth, terms_of

    found = {}
    for name, (_, values) in terms_of(records).items():
        recent = max(1, round(RECENT * len(values)))
        found[name] = {
            "first": float(values[0]),
            "now": float(values[-recent:].mean()),
            "least": float(smooth(values).min()),
        }
    return found


def _recent(records: Sequence[Mapping[str, Any]], key: str) -> float:
    values = [float(record[key]) for record in records[-50:] if key in record]
    return float(np.median(values)) if values else 0.0
