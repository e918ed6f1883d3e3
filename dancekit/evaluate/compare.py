"""What differs between results: recipes, scores, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dancekit.errors import DancekitError, UsageError
from dancekit.evaluate.bootstrap import block_bootstrap
from dancekit.evaluate.output import JSON
from dancekit.evaluate.protocols import Intervals
from dancekit.evaluate.result import Evaluation, Score

PLACES = (JSON, f"evaluation/{JSON}")
"""Where the evaluation of a folder lies."""


@dataclass(frozen=True)
class Difference:
    """One score of another result against the first one's.

    Attributes:
        metric: `name@version`.
        region: Where.
        unit: Of the values.
        first: The first result's value.
        other: The other's.
        low: Lower end of the paired interval of other - first; None for a clip's number.
        high: Upper end.
        better: True, False, or None where it is within chance (or nobody can tell).
    """

    metric: str
    region: str
    unit: str
    first: float
    other: float
    low: float | None
    high: float | None
    better: bool | None


@dataclass(frozen=True)
class Comparison:
    """One other result against the first.

    Attributes:
        first: Name of the first.
        other: Name of the other.
        differences: Of every score that both have.
        recipe: Keys of the recipes that differ, as `key: first -> other`; None where a recipe is not known.
        sentence: All of it for people.
    """

    first: str
    other: str
    differences: tuple[Difference, ...]
    recipe: tuple[str, ...] | None
    sentence: str


def load_evaluation(place: Path) -> Evaluation:
    """The evaluation of a folder (of an evaluation or a run) or a JSON file.

    Raises:
        UsageError: There is none; says how to make one.
        DancekitError: The file is damaged.
    """
    path = place
    if place.is_dir():
        found = [place / name for name in PLACES if (place / name).exists()]
        if not found:
            hint = f"dancekit evaluate {place} --out {place / 'evaluation'}"
            raise UsageError(f"{place} holds no {JSON}", hint=f"make one: {hint}")
        path = found[0]
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="name a run folder or an evaluation.json")
    try:
        return Evaluation.load(path)
    except (ValueError, KeyError, TypeError) as error:
        raise DancekitError(f"{path} is no evaluation: {type(error).__name__}: {error}") from None


def compare(names: Sequence[str], evaluations: Sequence[Evaluation]) -> list[Comparison]:
    """Every evaluation against the first one.

    Args:
        names: What to call them.
        evaluations: Two at least, of one protocol and the same true frames.

    Raises:
        UsageError: Fewer than two, or they measured something else.
    """
    if len(evaluations) < 2:
        raise UsageError("a comparison needs two results", hint="dancekit compare RUN RUN")
    for name, evaluation in zip(names[1:], evaluations[1:], strict=True):
        _check_alike(names[0], evaluations[0], name, evaluation)
    return [
        _against(names[0], evaluations[0], name, evaluation)
        for name, evaluation in zip(names[1:], evaluations[1:], strict=True)
    ]


def _check_alike(first_name: str, first: Evaluation, name: str, other: Evaluation) -> None:
    settings = [{k: v for k, v in each.protocol.items() if k != "description"} for each in (first, other)]
    if settings[0] != settings[1]:
        changed = sorted(k for k in settings[0] | settings[1] if settings[0].get(k) != settings[1].get(k))
        raise UsageError(
            f"{first_name} and {name} were measured by different protocols: {', '.join(changed)} differ",
            hint="evaluate both with one --protocol",
        )
    truths = [each.inputs.get("real", each.inputs.get("source", {})).get("sha256") for each in (first, other)]
    if truths[0] != truths[1] or first.frames != other.frames or first.rate != other.rate:
        raise UsageError(
            f"{first_name} and {name} were not measured on the same frames",
            hint="evaluate both against one clip",
        )


def _against(first_name: str, first: Evaluation, name: str, other: Evaluation) -> Comparison:
    theirs = {(s.metric, s.region): s for s in other.variants[0].scores}
    differences = []
    for mine in first.variants[0].scores:
        score = theirs.get((mine.metric, mine.region))
        if score is not None and mine.value is not None and score.value is not None:
            differences.append(_difference(mine, score, first))
    recipe = _recipe_changes(first.environment.get("recipe"), other.environment.get("recipe"))
    sentence = _sentence(first_name, name, differences, recipe)
    return Comparison(first_name, name, tuple(differences), recipe, sentence)


def _difference(mine: Score, score: Score, evaluation: Evaluation) -> Difference:
    assert mine.value is not None and score.value is not None
    low = high = better = None
    if mine.per_frame and len(mine.per_frame) == len(score.per_frame):
        settings = Intervals.model_validate(evaluation.protocol["intervals"])
        found = block_bootstrap(
            _series(score) - _series(mine),
            block=max(1, round(settings.block_seconds * float(Fraction(evaluation.rate)))),
            samples=settings.samples,
            level=settings.level,
            seed=settings.seed,
        )
        if np.isfinite(found.low):
            low, high = found.low, found.high
            if low > 0 or high < 0:
                better = (low > 0) == mine.higher_is_better
    return Difference(mine.metric, mine.region, mine.unit, mine.value, score.value, low, high, better)


def _series(score: Score) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in score.per_frame], np.float64)


def _recipe_changes(first: Any, other: Any) -> tuple[str, ...] | None:
    if not isinstance(first, Mapping) or not isinstance(other, Mapping):
        return None
    mine, theirs = _flat(first), _flat(other)
    keys = [key for key in dict.fromkeys([*mine, *theirs]) if key != "summary"]
    lacking = "not there"
    return tuple(
        f"{key}: {mine.get(key, lacking)} -> {theirs.get(key, lacking)}"
        for key in keys
        if mine.get(key, lacking) != theirs.get(key, lacking)
    )


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    """Leaves by dotted path, as an override would name them."""
    if isinstance(data, Mapping):
        items = [(f"{path}.{key}" if path else str(key), value) for key, value in data.items()]
    elif isinstance(data, list) and any(isinstance(item, Mapping) for item in data):
        items = [(f"{path}[{index}]", value) for index, value in enumerate(data)]
    else:
        return {path.replace(".params.", "."): data}
    return {key: value for name, part in items for key, value in _flat(part, name).items()}


def _sentence(
    first: str, name: str, differences: Sequence[Difference], recipe: tuple[str, ...] | None
) -> str:
    if recipe is None:
        text = f"How {name} and {first} were made is not known for both."
    elif recipe:
        text = f"{name} differs from {first} in {_listed(list(recipe))}."
    else:
        text = f"{name} and {first} have the same recipe."
    better = [_told(each) for each in differences if each.better is True]
    worse = [_told(each) for each in differences if each.better is False]
    if better:
        text += f" It is better in {_listed(better)}."
    if worse:
        text += f" It is worse in {_listed(worse)}."
    if not better and not worse:
        return f"{text} No score differs by more than chance."
    same = sum(each.better is None and each.low is not None for each in differences)
    if same:
        text += f" {same} other score{'s differ' if same > 1 else ' differs'} by no more than chance."
    return text


def _told(each: Difference) -> str:
    unit = f" {each.unit}" if each.unit else ""
    assert each.low is not None and each.high is not None
    return (
        f"{each.metric.partition('@')[0]} ({each.region}) by {each.other - each.first:+.3g}{unit} "
        f"[{each.low:+.3g}, {each.high:+.3g}]"
    )


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
