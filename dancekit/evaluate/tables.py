"""An evaluation as tables of text: scores with intervals beside the baselines, the ladder and what each step costs."""

from __future__ import annotations

from collections.abc import Sequence

from dancekit.evaluate.ladder import ladder_costs
from dancekit.evaluate.result import Evaluation, Score, Variant

Table = tuple[list[str], list[list[str]]]
"""Head and rows."""

SHORT = {
    "nearest_neighbour": "nearest",
    "temporal_median": "median",
    "previous_frame": "frame before",
    "identity_normalizer": "not retargeted",
}
"""Baselines, as the head of a column."""

LADDER_SCORES = (("psnr", "mask"), ("ssim", "mask"), ("sharpness", "mask"), ("psnr", "box"), ("lpips", "box"))
"""What the ladder's table shows, as far as the protocol measures it."""


def score_table(evaluation: Evaluation) -> Table:
    """A row a score that there is: the result with its interval, and the baselines (`missing_notes` has the rest)."""
    result = evaluation.variants[0]
    baselines = [each for each in evaluation.variants if each.kind == "baseline"]
    head = ["metric", "where", "result", "95 % interval", *(SHORT.get(v.name, v.name) for v in baselines)]
    level = evaluation.protocol.get("intervals", {}).get("level", 0.95)
    head[3] = f"{level * 100:g} % interval"
    rows = []
    for score in result.scores:
        others = [variant.score(score.metric, score.region) for variant in baselines]
        if all(each is None or each.value is None for each in (score, *others)):
            continue
        unit = f"{score.unit}, " if score.unit else ""
        name = f"{score.metric.partition('@')[0]} ({unit}{good_direction(score)})"
        rows.append([name, score.region, _value(score), _interval(score), *map(_value, others)])
    return head, rows


def good_direction(score: Score) -> str:
    """What a good value of the metric is, in words."""
    if score.metric.startswith("sharpness@"):  # blur is below, noise above
        return "best near 1"
    return "higher is better" if score.higher_is_better else "lower is better"


def missing_notes(evaluation: Evaluation) -> list[str]:
    """Why scores of the result are not there, each reason once."""
    reasons: dict[str, list[str]] = {}
    for score in evaluation.variants[0].scores:
        if score.value is None:
            name = f"{score.metric.partition('@')[0]}/{score.region}"
            reasons.setdefault(score.why, []).append(name)
    return [f"{', '.join(names)}: {why}" for why, names in reasons.items()]


def ladder_table(evaluation: Evaluation) -> Table | None:
    """A row a rung, the result last; None without rungs."""
    rungs = [each for each in evaluation.variants if each.kind == "ladder"]
    if not rungs:
        return None
    result = evaluation.variants[0]
    shown = [
        (metric, region)
        for metric, region in LADDER_SCORES
        if (score := result.score(metric, region)) is not None and score.value is not None
    ]
    head = ["rung", *(f"{metric} ({region})" for metric, region in shown)]
    rows = [[_title(rung), *(_value(rung.score(*which)) for which in shown)] for rung in [*rungs, result]]
    return head, rows


def cost_table(evaluation: Evaluation, metric: str = "psnr", region: str = "mask") -> Table | None:
    """What each step of the ladder costs, with intervals; None without rungs."""
    costs = ladder_costs(evaluation, metric, region)
    if not costs:
        return None
    unit = next((s.unit for s in evaluation.variants[0].scores if s.metric == costs[0].metric), "")
    head = [
        f"what it costs in {metric} ({region}){', ' + unit if unit else ''}",
        "cost",
        "interval",
        "from",
        "to",
    ]
    rows = [
        [
            cost.what,
            f"{cost.value:+.2f}",
            "" if cost.low is None or cost.high is None else f"[{cost.low:+.2f}, {cost.high:+.2f}]",
            cost.better,
            cost.worse,
        ]
        for cost in costs
    ]
    first = next((each for each in evaluation.variants if each.name == costs[0].better), None)
    left = first.score(metric, region) if first is not None else None
    if left is not None:
        rows.append(["painting: what is left", f"at {_value(left)}", _interval(left), costs[0].better, ""])
    return head, rows


def markdown(table: Table) -> str:
    """A table for a document."""
    head, rows = table
    lines: list[Sequence[str]] = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _title(variant: Variant) -> str:
    return "the result: pose found in the source, retargeted" if variant.kind == "result" else variant.title


def _value(score: Score | None) -> str:
    return "-" if score is None or score.value is None else _digits(score.value)


def _interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return ""
    return f"[{_digits(score.low)}, {_digits(score.high)}]"


def _digits(value: float) -> str:
    """Four significant digits."""
    return f"{value:.2f}" if 10 <= abs(value) < 1000 else f"{value:.4g}"
