"""Several people, each in a place of their own, trained on as one: for a dancer that others start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import Clip
from dancekit.data.training_set import TrainingSet


@dataclass(frozen=True, eq=False)
class Crowd(TrainingSet):
    """The target, and other people to learn from.

    All that describes the dancer (poses, window, plate, previews, what is held out for scores) is the target's.
    Clips come from everybody, in proportion to their frames: those of person p have the numbers from the sum of all
    before on.

    Attributes:
        others: People besides the target; windows of the target's size, poses of its skeleton.
    """

    others: tuple[TrainingSet, ...] = ()

    @classmethod
    def of(cls, target: TrainingSet, others: Sequence[TrainingSet]) -> Self:
        """Everybody."""
        return cls(**_fields(target), others=tuple(others))

    def members(self) -> Iterator[tuple[TrainingSet, int]]:
        """Everybody, with the number of their first frame."""
        first = 0
        for member in (TrainingSet(**_fields(self)), *self.others):
            yield member, first
            first += len(member)

    def starts(self, length: int, *, hold_out: float = 0.0) -> NDArray[np.intp]:
        """As of `TrainingSet`; of everybody the share `hold_out` is left out."""
        return np.concatenate(
            [first + member.starts(length, hold_out=hold_out) for member, first in self.members()]
        )

    def clip(self, start: int, length: int, *, stride: int = 1, size: tuple[int, int] | None = None) -> Clip:
        """As of `TrainingSet`; a clip is of one person, and its frames' numbers are those of their own video."""
        for person, (member, first) in enumerate(self.members()):
            if start < first + len(member):
                clip = member.clip(start - first, length, stride=stride, size=size)
                return dataclasses.replace(clip, person=person)
        raise IndexError(f"there is no frame {start}")


def _fields(data: TrainingSet) -> dict[str, Any]:
    return {each.name: getattr(data, each.name) for each in dataclasses.fields(TrainingSet)}
