"""A protocol's metrics, made and fed: per frame, per clip or on poses, each in its regions, as `Score`s at the end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dancekit import registry
from dancekit.build import create
from dancekit.contracts import ClipMetric, Metric
from dancekit.errors import ChecksumError, IncompatibleParts, MissingExtra, OfflineError, UsageError
from dancekit.evaluate.bootstrap import block_bootstrap
from dancekit.evaluate.protocols import MetricTerm, Protocol
from dancekit.evaluate.result import Score
from dancekit.types import PoseSequence

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Kind = Literal["frame", "clip", "pose"]

EQUAL_DB = 100.0
"""What two equal frames count as, in dB: infinity has no mean."""

_LACKING = (OfflineError, ChecksumError, MissingExtra)
"""Weights or packages that are not there: the metric is not available, and nothing takes its place."""


@dataclass(frozen=True)
class Measure:
    """A metric of a protocol that can be made.

    Attributes:
        term: The protocol's entry.
        kind: What it is fed with.
        make: An instance, for a region: metrics of frames are made once and shared, so that they can keep what
            they made of the true frames; a clip's metric is new each time.
        id: `name@version`.
        context: Frames before the one scored that it must see.
        unit: Of its numbers.
        higher_is_better: Which way is good.
        weights: sha256 of the weights it looks with, or "".
        why: Why it cannot be used here, or "".
    """

    term: MetricTerm
    kind: Kind
    make: Callable[[str], Any]
    id: str
    context: int = 0
    unit: str = ""
    higher_is_better: bool = True
    weights: str = ""
    why: str = ""


def make_measures(protocol: Protocol, device: str, rate: Fraction) -> list[Measure]:
    """All metrics of a protocol, in order; one whose weights or packages are lacking says so in `why`.

    Args:
        protocol: Whose.
        device: Where networks run.
        rate: Of the compared frames, a second.

    Raises:
        UnknownName: There is no such metric.
        UsageError: A parameter is wrong, or a region does not suit the metric.
    """
    return [_measure(term, protocol, device, rate) for term in protocol.metrics]


def metric_weights(measures: Iterable[Measure]) -> dict[str, str]:
    """sha256 of the weights of each metric that has some, by its id: other weights give other numbers."""
    return {measure.id: measure.weights for measure in measures if measure.weights}


def _measure(term: MetricTerm, protocol: Protocol, device: str, rate: Fraction) -> Measure:
    target = registry.load("metric", term.name)
    kind = _kind(target)
    allowed = (
        ("all", "body", "face", "hands") if kind == "pose" else ("frame", "mask", "box", "face", "hands")
    )
    wrong = [region for region in term.regions if region not in allowed]
    if wrong:
        raise UsageError(
            f"protocol {protocol.name}: metric {term.name} cannot look at {wrong[0]!r}",
            hint=f"its regions are {', '.join(allowed)}",
        )
    known = inspect.signature(target).parameters
    given: dict[str, Any] = {"device": device, "rate": float(rate)}
    wired = {key: value for key, value in given.items() if key in known}
    if kind == "pose" and "part" not in known and term.regions != ["all"]:
        raise UsageError(
            f"protocol {protocol.name}: metric {term.name} has no parts", hint="its only region is all"
        )

    def make(region: str) -> Any:
        part = {"part": region} if kind == "pose" and "part" in known else {}
        return create("metric", term.name, **{**term.params, **part}, **wired)

    facts: dict[str, Any] = {
        "id": f"{term.name}@{target.version}",
        "unit": target.unit,
        "higher_is_better": target.higher_is_better,
        "context": getattr(target, "context", 0),
    }
    try:
        shared = make(term.regions[0])
    except _LACKING as error:
        return Measure(term, kind, make, why=f"not available: {error}", **facts)
    except UsageError as error:
        if not _has_right_params(term):
            raise
        return Measure(term, kind, make, why=f"not available: {error}", **facts)
    facts["weights"] = getattr(shared, "weights_sha256", "")
    return Measure(term, kind, (lambda _: shared) if kind == "frame" else make, **facts)


def _has_right_params(term: MetricTerm) -> bool:
    """Whether the metric refuses the clip (too low a rate) and not the protocol."""
    try:
        registry.parameters("metric", term.name).model_validate(term.params)
    except ValidationError:
        return False
    return True


def _kind(target: Any) -> Kind:
    if hasattr(target, "update"):
        return "clip"
    return "frame" if "mask" in inspect.signature(target.__call__).parameters else "pose"


@dataclass(eq=False)
class FrameScorer:
    """Feeds the metrics of frames and clips with one painted stream, chunk by chunk.

    Args:
        measures: Those of kind `frame` and `clip`.
        clip_length: Frames after which a clip metric starts anew, or None.
        skip: Frames at the start that are not scored.
    """

    measures: list[Measure]
    clip_length: int | None
    skip: int = 0
    _tail: tuple[Image, Image, Mapping[str, Mask | None]] | None = None
    _values: dict[tuple[str, str], list[NDArray[np.float64]]] = field(default_factory=dict)
    _clips: dict[tuple[str, str], _Clips] = field(default_factory=dict)
    _why: dict[str, str] = field(default_factory=dict)
    _done: int = 0

    def update(self, fake: Image, real: Image, masks: Mapping[str, Mask | None]) -> None:
        """The next frames: (T, H, W, 3) twice, and (T, H, W) or None by region."""
        seen = len(fake)
        history = 0 if self._tail is None else len(self._tail[0])
        if self._tail is not None and history:
            fake, real = (
                np.concatenate([old, new]) for old, new in zip(self._tail[:2], (fake, real), strict=True)
            )
            masks = {name: _joined(self._tail[2][name], mask) for name, mask in masks.items()}
        views = _Views(fake, real, masks)
        for measure in self.measures:
            if measure.why or measure.id in self._why:
                continue
            try:
                self._feed(measure, views, history, seen)
            except UsageError as error:  # too small for it: said in its scores
                self._why[measure.id] = f"not available: {error}"
        self._done += seen
        keep = max((m.context for m in self.measures), default=0)
        part = slice(max(0, len(fake) - keep), len(fake))
        self._tail = (
            fake[part].copy(),
            real[part].copy(),
            {name: None if mask is None else mask[part].copy() for name, mask in masks.items()},
        )

    def _feed(self, measure: Measure, views: _Views, history: int, seen: int) -> None:
        regions = measure.term.regions
        if measure.kind == "frame":
            context = min(measure.context, history)
            fake, real, masks = views.last(seen + context, regions)
            for region, values in _score(measure.make(regions[0]), fake, real, masks).items():
                self._values.setdefault((measure.id, region), []).append(values[context:])
            return
        late = max(0, self.skip - self._done)
        if late < seen:
            fake, real, masks = views.last(seen - late, regions)
            for region in regions:
                key = (measure.id, region)
                clips = self._clips.setdefault(key, _Clips(partial(measure.make, region), self.clip_length))
                clips.update(fake, real, masks[region])

    def scores(self, protocol: Protocol, rate: Fraction, reason: Callable[[str], str]) -> list[Score]:
        """Everything measured; `reason` says why nothing could be in a region."""
        found = []
        for measure in self.measures:
            for region in measure.term.regions:
                why = measure.why or self._why.get(measure.id, "")
                if why:
                    found.append(missing_score(measure, region, why))
                elif measure.kind == "clip":
                    value, frames = self._clips[measure.id, region].result()
                    found.append(_clip_score(measure, region, value, frames, reason(region)))
                else:
                    values = np.concatenate(self._values[measure.id, region])
                    values[: self.skip] = np.nan
                    found.append(series_score(measure, region, values, protocol, rate, reason(region)))
        return found


class _Views:
    """The last frames of a chunk.

    Equal requests give the very same arrays, so that metrics can keep what they made of the true frames.
    """

    def __init__(self, fake: Image, real: Image, masks: Mapping[str, Mask | None]) -> None:
        self._all = fake, real, masks
        self._made: dict[int, tuple[Image, Image]] = {}

    def last(self, count: int, regions: Iterable[str]) -> tuple[Image, Image, dict[str, Mask | None]]:
        fake, real, masks = self._all
        first = len(fake) - count
        if count not in self._made:
            self._made[count] = (fake[first:], real[first:])
        chosen = {region: masks[region] for region in regions}
        return *self._made[count], {k: None if m is None else m[first:] for k, m in chosen.items()}


class _Clips:
    """One clip metric over the clips of a video."""

    def __init__(self, make: Callable[[], ClipMetric], length: int | None) -> None:
        self._make, self._length = make, length
        self._metric = make()
        self._in_clip = 0
        self._frames = 0
        self._results: list[float] = []

    def update(self, fake: Image, real: Image, mask: Mask | None) -> None:
        start = 0
        while start < len(fake):
            room = len(fake) if self._length is None else self._length - self._in_clip
            part = slice(start, min(len(fake), start + room))
            self._metric.update(fake[part], real[part], None if mask is None else mask[part])
            self._in_clip += part.stop - part.start
            start = part.stop
            if self._in_clip == self._length:
                self._end_clip()

    def _end_clip(self) -> None:
        self._results.append(self._metric.result())
        self._frames += self._in_clip
        self._metric, self._in_clip = self._make(), 0

    def result(self) -> tuple[float, int]:
        if self._length is None:
            self._end_clip()
        known = [value for value in self._results if np.isfinite(value)]
        return (float(np.mean(known)) if known else float("nan")), self._frames


def pose_scores(
    measures: Iterable[Measure],
    fake: PoseSequence,
    real: PoseSequence,
    protocol: Protocol,
    rate: Fraction,
    *,
    skip: int = 0,
    remark: str = "",
) -> list[Score]:
    """The metrics of poses, each on its parts.

    Args:
        measures: Those of kind `pose`.
        fake: Poses in the painted frames.
        real: Poses in the true ones (or those that were asked for), of the same skeleton and frames.
        protocol: For intervals.
        rate: Frames a second.
        skip: Frames at the start that are not scored.
        remark: Belongs to every number.
    """
    found = []
    for measure in measures:
        for part in measure.term.regions:
            if measure.why:
                found.append(missing_score(measure, part, measure.why))
                continue
            try:
                values = np.asarray(measure.make(part)(fake, real), np.float64).copy()
            except (UsageError, IncompatibleParts) as error:
                found.append(missing_score(measure, part, f"not available: {error.message}"))
                continue
            values[:skip] = np.nan
            why = "no frame in which the poses can be compared"
            found.append(series_score(measure, part, values, protocol, rate, why, remark=remark))
    return found


def series_score(
    measure: Measure,
    region: str,
    values: NDArray[np.float64],
    protocol: Protocol,
    rate: Fraction,
    empty: str,
    *,
    remark: str = "",
) -> Score:
    """A score from one number a frame: its mean and interval."""
    if measure.unit == "dB":
        values = np.minimum(values, EQUAL_DB)
    values = np.where(np.isfinite(values), values, np.nan)
    settings = protocol.intervals
    interval = block_bootstrap(
        values,
        block=max(1, round(settings.block_seconds * float(rate))),
        samples=settings.samples,
        level=settings.level,
        seed=settings.seed,
    )
    if not interval.frames:
        return missing_score(measure, region, empty)
    short = "" if np.isfinite(interval.low) else "too short a clip for an interval"
    return Score(
        metric=measure.id,
        region=region,
        value=interval.mean,
        low=_or_none(interval.low),
        high=_or_none(interval.high),
        unit=measure.unit,
        higher_is_better=measure.higher_is_better,
        frames=interval.frames,
        per_frame=tuple(_or_none(value) for value in values),
        why="; ".join(text for text in (remark, short) if text),
    )


def missing_score(measure: Measure, region: str, why: str) -> Score:
    """A score that there is none of."""
    return Score(measure.id, region, None, None, None, measure.unit, measure.higher_is_better, 0, (), why)


def _clip_score(measure: Measure, region: str, value: float, frames: int, empty: str) -> Score:
    if not np.isfinite(value):
        return missing_score(measure, region, empty)
    return Score(measure.id, region, value, None, None, measure.unit, measure.higher_is_better, frames)


def _score(
    metric: Metric, fake: Image, real: Image, masks: dict[str, Mask | None]
) -> dict[str, NDArray[np.float64]]:
    """All regions, in one pass where the metric can."""
    together = getattr(metric, "regions", None)
    if together is not None:
        scored: dict[str, NDArray[np.float64]] = together(fake, real, masks)
        return scored
    return {region: metric(fake, real, mask) for region, mask in masks.items()}


def _joined(old: Mask | None, new: Mask | None) -> Mask | None:
    return None if old is None or new is None else np.concatenate([old, new])


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
