"""A picture of what a dancer can do, for its card."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.transfer.pipeline import Dancer


def dancer_picture(dancer: Dancer, frames: int = 4) -> NDArray[np.uint8]:
    """Frames of the dancer's own training clip, evenly spaced: the condition image above, what it paints below.

    Args:
        dancer: Loaded.
        frames: How many, side by side.

    Returns:
        (2 h, frames * w, 3) uint8 RGB.
    """
    poses = dancer.target
    middle = np.linspace(0, len(poses) - 1, 2 * frames + 1).round().astype(int)[1::2]
    columns = []
    for number in middle:
        # a few frames before: a generator with a history begins with an empty one
        few = poses[np.arange(max(0, number - 5), number + 1)]
        painted = list(dancer.paint(few))[-1]
        figure = dancer.painter.sticks(dancer.info.window.to_window(few.xy)[-1], few.score[-1])
        columns.append(np.concatenate([figure, painted]))
    return np.concatenate(columns, axis=1)
