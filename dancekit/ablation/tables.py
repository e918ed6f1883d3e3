"""The tables of an ablation: rows of baselines and arms, columns of scores; what could not be measured is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from dancekit.ablation.matrix import Column, Matrix, Table
from dancekit.ablation.scoring import Scored
from dancekit.data.files import write_whole
from dancekit.errors import UsageError
from dancekit.evaluate.compare import Difference, compare
from dancekit.evaluate.result import Evaluation, Score, Variant
from dancekit.evaluate.tables import good_direction, markdown

TABLES = "tables"

FEW = 0.5
"""Of the frames: a value from fewer than this part of them is shown with their number."""

BASELINE_TITLES = {
    "nearest_neighbour": "Nearest neighbour",
    "temporal_median": "Temporal median",
    "previous_frame": "The true frame before",
    "identity_normalizer": "Not retargeted",
}


@dataclass(frozen=True)
class Cell:
    """A score in a table.

    Attributes:
        value: None where there is none.
        low: Lower end of the interval, if there is one.
        high: Upper end.
        frames: How many frames were measured.
        why: Why there is no value, or a remark that belongs to it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    frames: int = 0
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: Of the arm or baseline.
        title: What people read.
        cells: One a column.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Head:
    """The head of a column.

    Attributes:
        title: What people read.
        metric: `name@version`; the name alone where nothing was measured.
        region: Where it looks.
        unit: Of the values.
        direction: What a good value is, in words.
        best: Names of the rows with the best value: of a number whose direction is known.
    """

    title: str
    metric: str
    region: str
    unit: str = ""
    direction: str = ""
    best: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What an arm is against the arm above it, in one column.

    Attributes:
        arm: Its title.
        against: The other's.
        column: The column's title.
        difference: Value minus the other's value.
        low: Lower end of the paired interval; None for a clip's number.
        high: Upper end.
        better: True, False, or None where it is within chance.
    """

    arm: str
    against: str
    column: str
    difference: float
    low: float | None
    high: float | None
    better: bool | None


@dataclass(frozen=True)
class Made:
    """A finished table.

    Attributes:
        name: Of its files.
        title: Its caption.
        heads: Of the columns that are shown.
        rows: Top to bottom.
        steps: Each arm against the one above it.
        notes: What is left out and why.
        scores: The evaluation that it shows.
        how: How that was measured; the same for all tables of one evaluation.
    """

    name: str
    title: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    scores: str
    how: tuple[str, ...]


def make_table(table: Table, scored: Scored, titles: Mapping[str, str]) -> Made:
    """Put a table together.

    A column without a single value is left out, and its note says why.

    Args:
        table: What the matrix says.
        scored: The scores.
        titles: Of the arms, by name.
    """
    names = list(table.rows or scored.scoring.arms)
    there = [name for name in names if name in scored.evaluations]
    notes = [
        f"{titles[n]} is lacking: {scored.lacking.get(n, 'not scored')}" for n in names if n not in there
    ]
    variants = _variants(table, scored, there, titles, notes)
    columns, heads, rows = _filled(table.columns, variants, notes)
    steps = [
        step
        for above, below in pairwise(there)
        for step in _steps(above, below, scored.evaluations, columns, titles)
    ]
    return Made(
        name=table.name,
        title=table.title,
        heads=heads,
        rows=rows,
        steps=tuple(steps),
        notes=tuple(dict.fromkeys(notes)),
        scores=scored.scoring.name,
        how=tuple(_how(scored.evaluations[there[0]])) if there else (),
    )


def _variants(
    table: Table, scored: Scored, there: Sequence[str], titles: Mapping[str, str], notes: list[str]
) -> list[tuple[str, str, Variant]]:
    """Name, title and scores of each row."""
    found = []
    for name in table.baselines:
        holder = next((v for e in scored.evaluations.values() for v in e.variants if v.name == name), None)
        if holder is None:
            notes.append(f"{BASELINE_TITLES[name]} is lacking: the protocol does not score it here")
        else:
            found.append((name, BASELINE_TITLES[name], holder))
    return found + [(name, titles[name], scored.evaluations[name].variants[0]) for name in there]


def _filled(
    columns: Sequence[Column], variants: Sequence[tuple[str, str, Variant]], notes: list[str]
) -> tuple[list[Column], tuple[Head, ...], tuple[Row, ...]]:
    """The columns in which something was measured."""
    kept, heads, cells = [], [], []
    for column in columns:
        scores = [variant.score(column.metric, column.region) for _, _, variant in variants]
        if not any(score is not None and score.value is not None for score in scores):
            reasons = {score.why or "nothing to measure" for score in scores if score is not None}
            why = "; ".join(sorted(reasons)) or "the protocol does not measure it"
            notes.append(f"column {column.title} is left out: {why}")
            continue
        kept.append(column)
        heads.append(_head(column, scores, [name for name, _, _ in variants]))
        cells.append([_cell(score) for score in scores])
    rows = [
        Row(name, title, tuple(column[number] for column in cells))
        for number, (name, title, _) in enumerate(variants)
    ]
    return kept, tuple(heads), tuple(rows)


def _head(column: Column, scores: Sequence[Score | None], names: Sequence[str]) -> Head:
    some = next(score for score in scores if score is not None and score.value is not None)
    best: tuple[str, ...] = ()
    if not good_direction(some).startswith("best near"):
        values = {n: s.value for n, s in zip(names, scores, strict=True) if s and s.value is not None}
        top = (max if some.higher_is_better else min)(values.values())
        best = tuple(name for name, value in values.items() if value == top)
    return Head(column.title, some.metric, column.region, some.unit, good_direction(some), best)


def _cell(score: Score | None) -> Cell:
    if score is None:
        return Cell(None, why="the protocol does not measure it")
    return Cell(score.value, score.low, score.high, score.frames, score.why)


def _steps(
    above: str,
    below: str,
    evaluations: Mapping[str, Evaluation],
    columns: Sequence[Column],
    titles: Mapping[str, str],
) -> list[Step]:
    """An arm against the one above it; nothing where they cannot be compared frame by frame."""
    first, other = evaluations[above], evaluations[below]
    if first.size != other.size:
        return []
    try:
        (found,) = compare([above, below], [first, other])
    except UsageError:
        return []
    known = {(each.metric.partition("@")[0], each.region): each for each in found.differences}
    return [
        _step(titles[below], titles[above], column, known[column.metric, column.region], other)
        for column in columns
        if (column.metric, column.region) in known
    ]


def _step(arm: str, against: str, column: Column, found: Difference, other: Evaluation) -> Step:
    """A difference; of a score that is best near 1 a larger value is neither better nor worse."""
    score = other.variants[0].score(column.metric, column.region)
    near = score is not None and good_direction(score).startswith("best near")
    better = None if near else found.better
    return Step(arm, against, column.title, found.other - found.first, found.low, found.high, better)


def _how(evaluation: Evaluation) -> list[str]:
    """How it was measured."""
    protocol, facts = evaluation.protocol, evaluation.environment
    size = "x".join(map(str, evaluation.size))
    seen = facts.get("detector")
    by = f"; poses found by {seen}" if seen else ""
    return [
        f"protocol {protocol['name']}, version {protocol['version']}: {evaluation.frames} frames of {size}{by}",
        *evaluation.warnings,
    ]


# ---- as files ------------------------------------------------------------------------------------------------


def table_markdown(made: Made) -> str:
    """Caption, table, differences and what is left out, for a document; the best value of a column is bold."""
    head = ["", *(f"{each.title} ({_direction(each)})" for each in made.heads)]
    frames = max((cell.frames for row in made.rows for cell in row.cells), default=0)
    rows = [
        [
            row.title,
            *(
                _shown(cell, row.name in each.best, frames)
                for cell, each in zip(row.cells, made.heads, strict=True)
            ),
        ]
        for row in made.rows
    ]
    parts = [f"**{made.title}**", markdown((head, rows))]
    if made.steps:
        parts.append(
            markdown((["", "against", "column", "difference", "interval", ""], _step_rows(made.steps)))
        )
    if made.notes:
        parts.append(listed(made.notes))
    return "\n\n".join(parts) + "\n"


def how_markdown(tables: Sequence[Made]) -> str:
    """How each evaluation was measured, once for all tables that show it."""
    how = {made.scores: made.how for made in tables if made.how}
    return "\n\n".join(f"How `{name}` was measured:\n\n{listed(texts)}" for name, texts in how.items()) + "\n"


def listed(texts: Sequence[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {text}" for text in texts)


def _direction(head: Head) -> str:
    unit = f"{head.unit}, " if head.unit else ""
    return unit + head.direction.replace(" is better", "")


def _shown(cell: Cell, best: bool, frames: int) -> str:
    """A value; with the number of its frames where that is much less than the table's `frames`."""
    if cell.value is None:
        return "-"
    text = f"**{digits(cell.value)}**" if best else digits(cell.value)
    few = 0 < cell.frames < FEW * frames
    return f"{text} ({cell.frames} frame{'s' if cell.frames > 1 else ''})" if few else text


def _step_rows(steps: Sequence[Step]) -> list[list[str]]:
    verdict = {True: "better", False: "worse", None: ""}
    return [
        [
            step.arm,
            step.against,
            step.column,
            f"{step.difference:+.3g}",
            "" if step.low is None or step.high is None else f"[{step.low:+.3g}, {step.high:+.3g}]",
            verdict[step.better],
        ]
        for step in steps
    ]


def digits(value: float) -> str:
    """Four significant digits at least, five decimals at most: 0.89564, 2.3935, 25.31, 118.2."""
    return f"{value:.5f}" if abs(value) < 1 else f"{value:#.5g}" if abs(value) < 10 else f"{value:#.4g}"


def write_tables(matrix: Matrix, scored: Mapping[str, Scored], out: Path) -> list[Made]:
    """Write `tables/NAME.md` and `.json` of each."""
    titles = {arm.name: arm.title for arm in matrix.arms}
    made = [make_table(table, scored[table.scores], titles) for table in matrix.tables]
    for each in made:
        write_whole(out / TABLES / f"{each.name}.md", f"{table_markdown(each)}\n{how_markdown([each])}")
        write_whole(out / TABLES / f"{each.name}.json", json.dumps(to_json(each), indent=1) + "\n")
    return made


def to_json(made: Made) -> dict[str, Any]:
    """Plain data."""
    return asdict(made)
