"""From a place on the source's floor to the same place on the target's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dancekit.normalizers.ground import Ground
from dancekit.normalizers.tree import Array


class Floor:
    """Moves points of the source's floor to the target's.

    Args:
        fitted: What `Bones.fit` returned.
    """

    def __init__(self, fitted: Mapping[str, Any]) -> None:
        self.fitted = fitted
        self.source, self.target = (
            Ground(**{key: fitted[who][key] for key in Ground.__dataclass_fields__})
            for who in ("source", "target")
        )

    def move(self, x: Array, row: Array) -> tuple[Array, Array]:
        """Where a point of the floor comes to lie.

        Depth in the person's own sizes is f / size. A step in depth of the source is the same step, in leg
        lengths, of the target.

        Args:
            x: (T,) columns in the source's frame.
            row: (T,) rows.

        Returns:
            (T, 2) pixels of the target's frame, and (T,) the scale of a body that stands there.
        """
        s, t, fitted = self.source, self.target, self.fitted
        size = s.size_at(row)
        if s.slope and t.slope:
            step = fitted["lens"] * fitted["stride"] * (1 / size - 1 / s.size)
            new = 1 / np.clip(1 / t.size + step, 1 / (3 * t.size), 3 / t.size)
            landing = t.row_of(new)
        else:
            new = np.full(len(row), t.size)
            landing = t.row + fitted["stride"] * new / size * (row - s.row)
        aside = (x - fitted["source"]["axis_px"]) / size - fitted["source"]["aside"]
        column = fitted["target"]["axis_px"] + new * (fitted["stride"] * aside + fitted["target"]["aside"])
        return np.stack([column, landing], -1), new / size
