"""Other settings of a filter for some parts of the body: `parts: {face: {window: 11}, hands: false}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from dancekit.errors import UsageError
from dancekit.types import PoseSequence

if TYPE_CHECKING:
    from dancekit.contracts import CausalFilter

HANDS = ("left_hand", "right_hand")
PARTS = ("body", "feet", "face", *HANDS)
"""Parts that skeletons have; `hands` stands for both hands."""

Parts = dict[str, dict[str, int | float] | Literal[False]] | None
"""What the parameter `parts` of every filter may be."""


_Filter = Callable[[PoseSequence], PoseSequence]


class PartFilters:
    """The filters of parts that have settings of their own.

    Args:
        name: The filter's name, for messages.
        make: Its class.
        own: What it was given itself; parts change single parameters of it.
        parts: Per part the parameters that differ there, or False to leave the part as it is.

    Raises:
        UsageError: No such part or parameter, or a value that the parameter does not take.
    """

    def __init__(self, name: str, make: Callable[..., _Filter], own: Mapping[str, Any], parts: Parts) -> None:
        self._filters: dict[str, _Filter | None] = {}
        hints = get_type_hints(getattr(make, "__init__"), include_extras=True)  # noqa: B009 - of a class
        for part, changes in (parts or {}).items():
            if part not in (*PARTS, "hands"):
                raise UsageError(
                    f"{name}: parts has {part!r}", hint=f"parts are {', '.join(PARTS)}, and hands for both"
                )
            made = None
            if changes is not False:
                for key, value in changes.items():
                    _check(f"{name}: parts.{part}", key, value, own, hints)
                made = make(**{**own, **changes})
            for each in HANDS if part == "hands" else (part,):
                if part != "hands" or each not in (parts or {}):  # one hand's own settings win
                    self._filters[each] = made

    def streams(self) -> PartFilters:
        """The same for a clip that comes piece by piece; of causal filters only."""
        copy = PartFilters.__new__(PartFilters)
        copy._filters = {
            part: None if own is None else cast("CausalFilter", own).stream()
            for part, own in self._filters.items()
        }
        return copy

    def apply(self, whole: _Filter, poses: PoseSequence) -> PoseSequence:
        """Filter all joints by `whole`, and those of parts with other settings by theirs."""
        result = whole(poses)
        if not any(poses.skeleton.parts.get(part) for part in self._filters):
            return result
        xy, score = result.xy.copy(), result.score.copy()
        for part, own in self._filters.items():
            joints = list(poses.skeleton.parts.get(part, ()))
            if joints:
                filtered = poses if own is None else own(poses)
                xy[:, joints], score[:, joints] = filtered.xy[:, joints], filtered.score[:, joints]
        return result.replace(xy=xy, score=score)


def _check(place: str, key: str, value: float, own: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    if key not in own:
        raise UsageError(f"{place} has no parameter {key!r}", hint=f"it has {', '.join(own)}")
    try:
        TypeAdapter(hints[key], config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{place}.{key} is {value!r}: {error.errors()[0]['msg']}") from None
