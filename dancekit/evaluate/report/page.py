"""What a report says, worked out from the numbers: plain data that the template prints and the scripts read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from dancekit.evaluate.report.explain import LADDER, REGIONS, VARIANTS, YARDSTICKS, Explained, explain
from dancekit.evaluate.result import Evaluation, Score, Variant

HEADLINES = (
    ("psnr", "mask"),
    ("ssim", "mask"),
    ("lpips", "mask"),
    ("sharpness", "mask"),
    ("warping_error", "mask"),
    ("pose_distance", "body"),
    ("psnr", "face"),
    ("lpips", "frame"),
    ("fid", "frame"),
    ("flicker", "frame"),
    ("psnr", "box"),
    ("ssim", "box"),
    ("psnr", "frame"),
    ("ssim", "frame"),
)
"""What is shown large, best first; the first `SHOWN` that were measured."""

SHOWN = 6
WORST = 8
"""Worst frames shown for each number."""

_COSTS = {
    "pose_of_truth": "Finding a pose costs",
    "true_source_pose": "Retargeting costs",
    "result": "Both together cost",
}

EQUAL_DB = 100.0
"""Equal frames have infinitely many dB; the curves show this instead."""


@dataclass(frozen=True)
class Row:
    """One variant's value of one metric, with its place on the metric's axis (0 to 100)."""

    index: int
    title: str
    kind: str
    value: str
    interval: str
    at: float | None
    low: float | None
    high: float | None
    change: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Panel:
    """A metric in a region over all variants."""

    title: str
    region: str
    unit: str
    better: str
    rows: list[Row]
    verdict: str
    beaten: bool = True


def short(title: str) -> str:
    """A variant's title as a heading: without the word that says its kind, with a capital unless it is a file."""
    words = title.removeprefix("baseline: ").strip() or title
    return words if Path(words).suffix else words[:1].upper() + words[1:]


def result_of(evaluation: Evaluation) -> Variant | None:
    """What the evaluation is about."""
    return next((variant for variant in evaluation.variants if variant.kind == "result"), None)


def headlines(evaluation: Evaluation) -> list[Panel]:
    """The most telling numbers of the result, each beside its baselines."""
    result = result_of(evaluation)
    if result is None:
        return []
    found = [score for key in HEADLINES if (score := result.score(*key)) and score.value is not None]
    rest = [score for score in result.scores if score.value is not None and score not in found]
    compared = [variant for variant in evaluation.variants if variant.kind != "ladder"]
    return [_panel(score, compared, evaluation.variants) for score in (found + rest)[:SHOWN]]


def _panel(score: Score, compared: Sequence[Variant], everyone: Sequence[Variant]) -> Panel:
    words = explain(score.metric)
    theirs = [(variant, variant.score(score.metric, score.region)) for variant in compared]
    measured = [
        (variant, other) for variant, other in theirs if other is not None and other.value is not None
    ]
    axis = Axis.over([other for _, other in measured])
    rows = [_row(everyone.index(variant), variant, other, words, axis) for variant, other in measured]
    verdict, beaten = _verdict(score, measured, words)
    return Panel(words.title, score.region, score.unit, better(score, words), rows, verdict, beaten)


def better(score: Score, words: Explained) -> str:
    """Which way is good, in words."""
    if words.ideal is not None:
        return f"best near {words.ideal:g}"
    return "higher is better" if score.higher_is_better else "lower is better"


def badness(value: float, higher_is_better: bool, words: Explained) -> float:
    """A number that grows as the value gets worse."""
    if words.ideal is not None:
        return abs(value - words.ideal)
    return -value if higher_is_better else value


def _verdict(score: Score, measured: Sequence[tuple[Variant, Score]], words: Explained) -> tuple[str, bool]:
    """A plain sentence on the result against its best baseline, and whether it is the better one."""
    baselines = [
        (variant, other)
        for variant, other in measured
        if variant.kind == "baseline" and variant.name not in YARDSTICKS
    ]
    if not baselines or not words.rivals or not _finite(score.value):
        return "", True

    def bad(pair: tuple[Variant, Score]) -> float:
        return badness(_value(pair[1]), score.higher_is_better, words)

    best, theirs = min(baselines, key=bad)
    margin = bad((best, theirs)) - badness(score.value, score.higher_is_better, words)
    name = short(best.title)
    name = name[:1].lower() + name[1:]
    by = _with_unit(f"{abs(margin):.{words.digits}f}", score.unit)
    if margin > 0:
        return f"{by} better than the best baseline, {name}.", True
    return (f"{by} worse than a baseline: {name}." if margin < 0 else f"No better than {name}."), False


@dataclass(frozen=True)
class Axis:
    """Maps values to 0..100."""

    low: float
    high: float

    @classmethod
    def over(cls, scores: Iterable[Score]) -> Axis:
        """An axis that holds all values and intervals, with room at its ends."""
        values = [
            value for score in scores for value in (score.value, score.low, score.high) if _finite(value)
        ]
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.08 or abs(high) * 0.08 or 1.0
        return cls(low - room, high + room)

    def at(self, value: float | None) -> float | None:
        """Place of a value, None where there is none."""
        if not _finite(value):
            return None
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def _row(index: int, variant: Variant, score: Score, words: Explained, axis: Axis) -> Row:
    return Row(
        index,
        short(variant.title),
        variant.kind,
        number(score.value, words.digits),
        interval(score, words.digits),
        axis.at(score.value),
        axis.at(score.low),
        axis.at(score.high),
    )


def ladder(evaluation: Evaluation) -> Panel | None:
    """The error ladder in dB: each rung, and what it costs against the first; None without a ladder."""
    rungs = [variant for variant in evaluation.variants if variant.kind == "ladder"]
    result = result_of(evaluation)
    if not rungs:
        return None
    everyone = [*rungs, *([result] if result is not None else [])]
    for region in ("mask", "box", "frame"):
        scores = [(variant, variant.score("psnr", region)) for variant in everyone]
        measured = [(variant, score) for variant, score in scores if score and score.value is not None]
        if measured and measured[0][0].kind == "ladder":
            break
    else:
        return None
    words, axis = explain("psnr"), Axis.over([score for _, score in measured])
    top, first = measured[0]
    rows, sentences = [], []
    for variant, score in measured:
        cost = _value(first) - _value(score)
        row = _row(evaluation.variants.index(variant), variant, score, words, axis)
        change = "" if variant is top else f"{-cost:+.2f} dB".replace("-", "−")
        rows.append(replace(row, change=change, meaning=LADDER.get(variant.name, "")))
        if variant.name in _COSTS:
            sentences.append(f"{_COSTS[variant.name]} {number(cost, 2)} dB.")
    sentences.insert(0, f"With the right pose, painting reaches {number(first.value, 2)} dB.")
    return Panel(words.title, region, "dB", better(first, words), rows, " ".join(sentences))


def remarks(evaluation: Evaluation) -> list[str]:
    """What the scores say of themselves, each once: why there is no value, or what belongs to it."""
    return list(dict.fromkeys(s.why for v in evaluation.variants for s in v.scores if s.why))


def table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Every number: one group a metric and region, one cell a variant, with the best one marked."""
    notes = remarks(evaluation)
    groups = []
    for metric, region in _keys(evaluation):
        words = explain(metric)
        scores = [variant.score(metric, region) for variant in evaluation.variants]
        known = [score for score in scores if score is not None]
        values = [
            badness(score.value, score.higher_is_better, words) for score in known if score.value is not None
        ]
        least = min(values) if len(values) > 1 else None  # alone, nothing is best
        groups.append(
            {
                "title": words.title,
                "region": region,
                "unit": known[0].unit,
                "better": better(known[0], words),
                "cells": [_cell(score, words, least, notes) for score in scores],
            }
        )
    return groups


def _cell(score: Score | None, words: Explained, least: float | None, notes: list[str]) -> dict[str, Any]:
    if score is None:
        return {"value": "–", "interval": "", "note": None, "best": False, "available": False}
    available = score.value is not None
    best = score.value is not None and badness(score.value, score.higher_is_better, words) == least
    return {
        "value": number(score.value, words.digits) if available else "not available",
        "interval": interval(score, words.digits),
        "note": notes.index(score.why) + 1 if score.why else None,
        "best": best,
        "available": available,
    }


def glossary(evaluation: Evaluation) -> list[dict[str, str]]:
    """Each metric in words, once."""
    seen: dict[str, dict[str, str]] = {}
    for metric, _ in _keys(evaluation):
        words = explain(metric)
        score = next(s for v in evaluation.variants for s in v.scores if s.metric == metric)
        seen.setdefault(
            metric,
            {"title": words.title, "metric": metric, "text": words.text, "better": better(score, words)},
        )
    return list(seen.values())


def regions(evaluation: Evaluation) -> dict[str, str]:
    """The regions that occur, in words."""
    return {region: REGIONS.get(region, "") for region in dict.fromkeys(key[1] for key in _keys(evaluation))}


def baselines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Title and meaning of each baseline."""
    return [
        (short(variant.title), VARIANTS.get(variant.name, ""))
        for variant in evaluation.variants
        if variant.kind == "baseline"
    ]


def series(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Per-frame curves: one entry a metric and region that has any, headline first, with its worst frames."""
    curves = []
    for metric, region in sorted(_keys(evaluation), key=_rank):
        words = explain(metric)
        scores = [variant.score(metric, region) for variant in evaluation.variants]
        known = next((score for score in scores if score is not None and score.per_frame), None)
        if known is None:
            continue
        values = [
            [_plain(value, known.unit) for value in score.per_frame]
            if score is not None and score.per_frame
            else None
            for score in scores
        ]
        curves.append(
            {
                "metric": metric,
                "region": region,
                "title": words.title,
                "unit": known.unit,
                "digits": words.digits,
                "better": better(known, words),
                "values": values,
                "worst": _worst(evaluation, values, known.higher_is_better, words),
            }
        )
    return curves


def _worst(
    evaluation: Evaluation,
    values: list[list[float | None] | None],
    higher_is_better: bool,
    words: Explained,
) -> list[int]:
    """Numbers of the result's worst frames, worst first, none within a fifth of a second of another."""
    result = result_of(evaluation)
    curve = values[evaluation.variants.index(result)] if result is not None else None
    if not curve:
        return []
    apart = max(1, evaluation.frames // 100, 5 if evaluation.frames > 50 else 1)
    order = sorted(
        (frame for frame, value in enumerate(curve) if value is not None),
        key=lambda frame: -badness(_number(curve[frame]), higher_is_better, words),
    )
    chosen: list[int] = []
    for frame in order:
        if all(abs(frame - other) >= apart for other in chosen):
            chosen.append(frame)
        if len(chosen) == WORST:
            break
    return chosen


def warned(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Frame warnings, runs of frames with one text together."""
    runs: list[dict[str, Any]] = []
    for frame in sorted(evaluation.frame_warnings):
        text = evaluation.frame_warnings[frame]
        if runs and runs[-1]["last"] == frame - 1 and runs[-1]["text"] == text:
            runs[-1]["last"] = frame
        else:
            runs.append({"first": frame, "last": frame, "text": text})
    return runs


def facts(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows of a table: dotted key and value."""
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += facts(value, f"{name}.")
        elif isinstance(value, list | tuple):
            between = "; " if any(isinstance(item, Mapping) for item in value) else ", "
            rows.append((name, between.join(_fact(item) for item in value)))
        else:
            rows.append((name, _fact(value)))
    return rows


def _fact(value: Any) -> str:
    """A value on one line: `{name: psnr, regions: [mask, box], params: {}}` is `psnr: regions mask, box`."""
    if isinstance(value, Mapping):
        rest = [
            f"{key} {_fact(item)}" for key, item in value.items() if key != "name" and item not in ({}, [])
        ]
        return ": ".join(part for part in (str(value.get("name", "")), ", ".join(rest)) if part)
    if isinstance(value, list | tuple):
        return ", ".join(_fact(item) for item in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def number(value: float | None, digits: int) -> str:
    """A value for reading, with a true minus."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def interval(score: Score, digits: int) -> str:
    """`low to high`, or "" where there is none."""
    if not (_finite(score.low) and _finite(score.high)):
        return ""
    return f"{number(score.low, digits)} to {number(score.high, digits)}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def _keys(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Metric and region of all scores, in the order of the result's own."""
    return list(dict.fromkeys((s.metric, s.region) for v in evaluation.variants for s in v.scores))


def _rank(key: tuple[str, str]) -> int:
    name = (key[0].partition("@")[0], key[1])
    return HEADLINES.index(name) if name in HEADLINES else len(HEADLINES)


def _plain(value: float | None, unit: str) -> float | None:
    """A number that JSON has: short, finite."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return math.copysign(EQUAL_DB, value) if unit == "dB" else None
    return float(f"{value:.5g}")


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _number(value: float | None) -> float:
    assert value is not None
    return value


def _value(score: Score) -> float:
    return _number(score.value)
