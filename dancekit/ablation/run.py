"""An ablation from beginning to end: train, score, and write tables, figures, curves and the page over them."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit.ablation.arms import ArmState, read_record
from dancekit.ablation.curves import write_curves
from dancekit.ablation.figures import write_figures
from dancekit.ablation.matrix import Matrix
from dancekit.ablation.scoring import Clips, Scored, score_arms
from dancekit.ablation.tables import Made, digits, how_markdown, table_markdown, to_json, write_tables
from dancekit.data.files import write_whole
from dancekit.data.progress import Progress, silent
from dancekit.evaluate.environment import environment
from dancekit.evaluate.tables import markdown
from dancekit.weights.header import file_sha256

RESULT, PAGE, TEXT = "ablation.json", "index.html", "tables.md"
"""All of it for programs, for a browser, and the tables for a document."""


@dataclass(frozen=True, eq=False)
class Result:
    """What an ablation left.

    Attributes:
        tables: In the matrix' order.
        figures: Files.
        curves: Files.
        notes: What is lacking in figures.
        data: All of it as plain data, as in `ablation.json`.
    """

    tables: Sequence[Made]
    figures: Sequence[Path]
    curves: Sequence[Path]
    notes: Sequence[str]
    data: Mapping[str, Any]


def report_arms(
    matrix: Matrix,
    states: Sequence[ArmState],
    clips: Clips,
    out: Path,
    *,
    anew: bool = False,
    device: str = "auto",
    progress: Progress = silent,
    on_arm: Callable[[str, str, bool], None] = lambda scoring, arm, kept: None,
) -> Result:
    """Score what is trained and write everything that is made of it; what was made before is replaced.

    Args:
        matrix: The ablation.
        states: Its arms, from `train_arms` or `look`.
        clips: What they are scored on.
        out: Folder of the ablation.
        anew: Score again what was scored already.
        device: `cpu`, `cuda`, `mps` or `auto`.
        progress: Called with (what, done, total).
        on_arm: Called with evaluation, arm, and whether its scores were there already.

    Raises:
        DancekitError: A subclass for each thing that can be wrong with the clips.
    """
    scored = score_arms(
        matrix, states, clips, out, anew=anew, device=device, progress=progress, on_arm=on_arm
    )
    tables = write_tables(matrix, scored, out)
    figures, notes = write_figures(matrix, states, scored, clips, out, device=device)
    curves = write_curves(matrix, states, scored, out)
    data = {
        "ablation": matrix.name,
        "matrix": matrix.model_dump(mode="json", by_alias=True),
        "inputs": _inputs(clips),
        "arms": [arm_facts(state) for state in states],
        "tables": [to_json(made) for made in tables],
        "figures": [path.relative_to(out).as_posix() for path in figures],
        "curves": [path.relative_to(out).as_posix() for path in curves],
        "evaluations": {name: _places(each, out) for name, each in scored.items()},
        "notes": notes,
        "environment": environment(device),
    }
    write_whole(out / RESULT, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    text = [f"# {matrix.name}", matrix.summary, markdown(arm_table(states)), *map(table_markdown, tables)]
    text.append(how_markdown(tables))
    write_whole(out / TEXT, "\n\n".join(part.rstrip() for part in text) + "\n")
    write_whole(out / PAGE, page(matrix, states, tables, data))
    return Result(tables, figures, curves, notes, data)


def _inputs(clips: Clips) -> dict[str, dict[str, str]]:
    files = {
        "target": clips.target,
        "source": clips.source,
        "truth": clips.truth,
        "truth_npz": clips.truth_npz,
    }
    return {
        role: {"name": path.name, "sha256": file_sha256(path)}
        for role, path in files.items()
        if path is not None and path.is_file()
    }


def arm_facts(state: ArmState) -> dict[str, Any]:
    """An arm as plain data."""
    return {
        "arm": state.arm.name,
        "title": state.arm.title,
        "from": state.arm.start or None,
        "run": str(state.run.folder),
        "size": list(state.recipe.size),
        "steps": state.steps,
        "of": state.recipe.train.steps,
        "finished": state.finished,
        "status": state.status,
        "seconds": state.seconds,
        "device": read_record(state.run).get("device", ""),
        "recipe_sha256": state.recipe.hash,
    }


def arm_table(states: Sequence[ArmState]) -> tuple[list[str], list[list[str]]]:
    """What was trained, for how many steps, and how long that took."""
    head = ["arm", "title", "from", "size", "steps", "minutes", ""]
    rows = [
        [
            state.arm.name,
            state.arm.title,
            state.arm.start or "-",
            "x".join(map(str, state.recipe.size)),
            str(state.steps),
            f"{state.seconds / 60:.1f}" if state.seconds else "-",
            "" if state.status == "finished" else state.status,
        ]
        for state in states
    ]
    return head, rows


def _places(scored: Scored, out: Path) -> dict[str, Any]:
    return {
        "protocol": scored.scoring.protocol,
        "on": scored.scoring.on,
        "arms": {name: folder.relative_to(out).as_posix() for name, folder in scored.folders.items()},
        "lacking": scored.lacking,
    }


# ---- the page ------------------------------------------------------------------------------------------------

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}
img{max-width:100%;height:auto;border:1px solid #ddd}.note{color:#555;font-size:13px}b{font-weight:650}"""


def page(matrix: Matrix, states: Sequence[ArmState], tables: Sequence[Made], data: Mapping[str, Any]) -> str:
    """Tables, figures and curves on one page; pictures and reports are linked where they lie."""
    name, facts = html.escape(matrix.name), data["environment"]
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{name}</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{_STYLE}</style><h1>{name}</h1><p>{html.escape(matrix.summary)}</p>",
        _html_table(*arm_table(states)),
    ]
    for made in tables:
        parts.append(f"<h2>{html.escape(made.title)}</h2>{_scores(made)}{_notes(made.notes)}")
    for name, how in {made.scores: made.how for made in tables}.items():
        parts.append(f"<h3>How {html.escape(name)} was measured</h3>{_notes(how)}")
    titles = {f"figures/{figure.name}.png": figure.title for figure in matrix.figures}
    for place in data["figures"]:
        parts.append(f"<h2>{html.escape(titles[place])}</h2><img src='{html.escape(place)}' alt=''>")
    parts.append(_notes(data["notes"]))
    for place in data["curves"]:
        parts.append(f"<h2>{html.escape(Path(place).stem)}</h2><img src='{html.escape(place)}' alt=''>")
    parts.append("<h2>Reports</h2><ul>")
    for each in data["evaluations"].values():
        for folder in each["arms"].values():
            text = html.escape(folder)
            parts.append(f"<li><a href='{text}/report.html'>{text}</a></li>")
    made_by = f"{facts['command']}; dancekit {facts['dancekit']}, {facts['processor']}, {facts['device']}"
    parts.append(f"</ul><p class='note'>{html.escape(made_by)}</p></html>")
    return "\n".join(parts) + "\n"


def _scores(made: Made) -> str:
    head = ["", *(each.title for each in made.heads)]
    rows = []
    for row in made.rows:
        cells = [html.escape(row.title)]
        for cell, each in zip(row.cells, made.heads, strict=True):
            text = "-" if cell.value is None else digits(cell.value)
            cells.append(f"<b>{text}</b>" if row.name in each.best else text)
        rows.append("<tr>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>")
    return (
        "<table><tr>"
        + "".join(f"<th>{html.escape(t)}</th>" for t in head)
        + "</tr>"
        + "".join(rows)
        + "</table>"
    )


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{html.escape(text)}</th>" for text in head)]
    lines += ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _notes(notes: Sequence[str]) -> str:
    return (
        f"<ul class='note'>{''.join(f'<li>{html.escape(note)}</li>' for note in notes)}</ul>" if notes else ""
    )
