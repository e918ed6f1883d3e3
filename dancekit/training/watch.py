"""Whether training still makes sense: finite, and not exploding; and what to try if not."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from dancekit.errors import DancekitError

MEMORY = 200
"""Steps that a term's usual size is the median of."""

FEWEST = 20
"""Steps before a size is called usual."""

FACTOR, FLOOR, PATIENCE = 100.0, 1.0, 20
"""A term explodes if it is this many times its usual size (or of `FLOOR`, if that is more) for so many steps in
a row. Adversarial losses swing by a factor of ten; a jump that comes back is none of our business."""


class Diverged(DancekitError):
    """Training makes no sense any more.

    Attributes:
        diagnosis: The step, the term, its last values, what to try: plain data.
    """

    def __init__(self, message: str, *, hint: str, diagnosis: Mapping[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.diagnosis = dict(diagnosis)


class LossWatch:
    """Looks at the record of every step."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._high: dict[str, int] = {}

    def check(self, step: int, record: Mapping[str, float]) -> None:
        """Look at a step.

        Raises:
            Diverged: A term is not finite, or has exploded.
        """
        for name, value in record.items():
            if not math.isfinite(value):
                raise self._diverged(step, name, f"{value}", record)
        for name, value in record.items():
            recent = self._recent.setdefault(name, deque(maxlen=MEMORY))
            usual = statistics.median(map(abs, recent)) if len(recent) >= FEWEST else math.inf
            if abs(value) > FACTOR * max(usual, FLOOR):
                self._high[name] = self._high.get(name, 0) + 1
                if self._high[name] >= PATIENCE:
                    text = f"{value:.3g}, usually {usual:.3g}, for {PATIENCE} steps"
                    raise self._diverged(step, name, text, record)
            else:
                self._high[name] = 0
                recent.append(value)

    def _diverged(self, step: int, name: str, value: str, record: Mapping[str, float]) -> Diverged:
        before = {
            key: [float(f"{x:.5g}") for x in list(recent)[-10:]] for key, recent in self._recent.items()
        }
        advice = remedies(name)
        return Diverged(
            f"step {step}: {name} is {value}: training has diverged",
            hint=advice[0],
            diagnosis={
                "step": step,
                "term": name,
                "value": value,
                "record": {key: str(each) for key, each in record.items()},
                "last_values": before,
                "try": advice,
            },
        )


def remedies(name: str) -> list[str]:
    """What to try when a term has gone wrong, the likeliest first."""
    side = "train.optimizer.lr_discriminator" if "d_" in name else "train.optimizer.lr"
    found = [f"half of {side}"]
    if "vanilla" in name or "wgan" in name:
        found.append("lsgan in place of it, which is calmer")
    if "perceptual" in name:
        found.append("a smaller weight of perceptual")
    if not name.startswith(("d_", "face_d_")):
        found.append("a larger train.batch or train.accumulate")
    found.append("train.precision=fp32, if it is bf16")
    return found
