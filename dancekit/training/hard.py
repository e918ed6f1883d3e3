"""Which frames are painted badly, as training goes on: clips of these can be drawn more often (`train.hard`).

Each clip that is learnt from leaves its error with its frames. What is drawn must not depend on how many batches are
made ahead, nor on when a run was stopped. So the errors take effect in periods: what is drawn in one was measured up to
the beginning of the period before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.data.sampling import MOST_OFTEN

if TYPE_CHECKING:
    from dancekit.data.training_set import TrainingSet

Errors = NDArray[np.float64]

PERIOD = 64
"""Steps; no fewer than batches may be made ahead (`train.prefetch`)."""

MIX = 0.3
"""Share of a new error in the running one."""


class HardFrames:
    """The running error of every frame, and what clips are drawn by.

    Args:
        members: Of every person the number of their first frame, and how many they have.
        hard: 0 for all alike, 1 in proportion to the error; between them the powers of it.
    """

    def __init__(self, members: Sequence[tuple[int, int]], hard: float) -> None:
        self._members, self._hard = list(members), hard
        self.error: Errors = np.full(sum(length for _, length in self._members), np.nan)
        self._in_effect: dict[int, Errors] = {}  # by period

    @classmethod
    def of(cls, data: TrainingSet, hard: float) -> HardFrames:
        """Of everybody in a training set."""
        return cls([(first, len(member)) for member, first in data.members()], hard)

    def note(self, step: int, errors: Mapping[int, tuple[NDArray[np.intp], float]]) -> None:
        """Remember the errors of a step.

        Args:
            step: Its number; they come in order.
            errors: Of each clip, by its number in the step, which frames it has and how badly they were painted.
        """
        for number in sorted(errors):
            frames, error = errors[number]
            before = self.error[frames]
            self.error[frames] = np.where(np.isnan(before), error, before + MIX * (error - before))
        if (step + 1) % PERIOD == 0:
            period = (step + 1) // PERIOD
            self._in_effect = {each: kept for each, kept in self._in_effect.items() if each >= period}
            self._in_effect[period + 1] = self.error.copy()

    def weights(self, step: int, starts: NDArray[np.intp], span: int) -> Errors | None:
        """How much more often a clip is drawn than the usual one.

        Args:
            step: Number of the step.
            starts: First frames of clips.
            span: Frames of the video that a clip spans; its middle one is looked at.

        Returns:
            (len(starts),) at most `MOST_OFTEN`, and at least that factor less; None as long as nothing is known.
        """
        known = self._in_effect.get(step // PERIOD)
        if known is None or not np.isfinite(known).any():
            return None
        error = self._between(known)[starts + span // 2]
        found = np.isfinite(error)
        usual = float(np.median(error[found])) if found.any() else 0.0
        if not usual > 0:
            return None
        ratio = np.clip(np.where(found, error, usual) / usual, 1 / MOST_OFTEN, MOST_OFTEN)
        return np.asarray(ratio**self._hard)

    def _between(self, error: Errors) -> Errors:
        """Frames that were not drawn yet have the error of those around them; of nobody drawn, NaN."""
        result = error.copy()
        for first, length in self._members:
            part = slice(first, first + length)
            known = np.flatnonzero(np.isfinite(error[part]))
            if len(known):
                result[part] = np.interp(np.arange(length), known, error[part][known])
        return result

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        kept = {f"period.{number}": error for number, error in self._in_effect.items()}
        return {name: torch.from_numpy(each.copy()) for name, each in {"error": self.error, **kept}.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The reverse of `state`."""
        self.error = tensors["error"].numpy().copy()
        self._in_effect = {
            int(name.partition(".")[2]): value.numpy().copy()
            for name, value in tensors.items()
            if name.startswith("period.")
        }


def clip_errors(fake: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """(B,) mean absolute error in the person's mask, of clips (B, T, 3, H, W); of whole frames where nobody is."""
    with torch.no_grad():
        apart = (fake.detach().float() - real.float()).abs().mean(2, keepdim=True)
        cover = mask.float()
        within = (apart * cover).sum((1, 2, 3, 4)) / cover.sum((1, 2, 3, 4)).clamp(min=1e-6)
        return torch.where(cover.sum((1, 2, 3, 4)) > 0, within, apart.mean((1, 2, 3, 4)))
