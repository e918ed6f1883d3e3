"""Scene cuts: frames with which another picture begins, found while a video is read.

PySceneDetect (BSD-3) was considered: its detectors decide on a frame and its neighbours, so that a photographer's
flash is two cuts to them, and a dancer's jump cut in one and the same room is none. What is compared here is the
texture, each place normalised by its own surroundings, which light does not change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

AHEAD = 6
"""Frames that are looked at before a cut is believed: what returns to the old picture sooner was a flash."""

LEAST = 0.045
"""Difference of two frames' textures (0 to about 1) below which there is no cut: a small person's jump."""

OUTSTANDING = 3.0
"""How many times larger than those of the two steps before and after the difference must be: dancing is not."""

_SURE, _SURE_OUTSTANDING = 0.6, 1.4  # of pictures that have nothing in common
_LASTING = 0.6  # the part of the difference that must last
_STEPS = 2
_WIDTH, _READ = 96, 384
_FLAT = 0.25  # of the picture's contrast: texture that counts as none, such as a codec's at its key frames

T = TypeVar("T")


def texture(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What is compared: a small grey picture, locally normalised: its light does not matter, only its edges."""
    stride = max(1, max(rgb.shape) // _READ)  # of a large frame every so many pixels do
    rgb = np.ascontiguousarray(rgb[::stride, ::stride])
    height, width = rgb.shape[:2]
    size = (_WIDTH, max(8, round(_WIDTH * height / width)))
    if height > width:
        size = (max(8, round(_WIDTH * width / height)), _WIDTH)
    small = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey = (small - small.mean(dtype=np.float32)) / (small.std(dtype=np.float32) + 4)
    rest = grey - cv2.GaussianBlur(grey, (0, 0), 4)
    spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), 4))
    return np.asarray(rest / (spread + _FLAT), np.float32)


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Mean absolute difference of two textures: 0 for the same, about 0.6 to 0.9 for pictures of different places."""
    return float(np.abs(one - other).mean())


class CutFinder:
    """Says of each frame whether a new scene begins with it, `AHEAD` frames later."""

    def __init__(self) -> None:
        self._seen: deque[NDArray[np.float32]] = deque(maxlen=2 * AHEAD + 1)
        self._steps: deque[float] = deque(maxlen=2 * AHEAD + 1)

    def update(self, rgb: NDArray[np.uint8]) -> bool:
        """Take a frame; whether the one `AHEAD` frames before it begins a new scene."""
        seen = texture(rgb)
        self._steps.append(difference(self._seen[-1], seen) if self._seen else 0.0)
        self._seen.append(seen)
        return len(self._seen) > AHEAD + 1 and self._is_cut(len(self._seen) - 1 - AHEAD)

    def rest(self) -> list[bool]:
        """The answers for the last `AHEAD` frames, in order: after them nothing comes that could take them back."""
        last = len(self._seen) - 1
        return [place > 0 and self._is_cut(place) for place in range(max(last - AHEAD + 1, 0), last + 1)]

    def _is_cut(self, place: int) -> bool:
        steps = list(self._steps)
        step = steps[place]
        around = [*steps[max(place - _STEPS, 0) : place], *steps[place + 1 : place + 1 + _STEPS]]
        if step < LEAST:
            return False
        outstanding = _SURE_OUTSTANDING if step > _SURE else OUTSTANDING
        if step < outstanding * max(around, default=0.0):
            return False
        seen = list(self._seen)
        lasting = min(
            difference(old, new) for old in seen[max(place - AHEAD, 0) : place] for new in seen[place:]
        )
        return lasting > _LASTING * step


def scenes(frames: Iterable[T], picture: Any) -> Iterator[tuple[T, bool]]:
    """Each frame with whether a new scene begins with it, read `AHEAD` frames ahead.

    Args:
        frames: Anything that has a picture.
        picture: Called with one, gives its (H, W, 3) uint8.

    Yields:
        The same, in order; the first begins no new scene.
    """
    finder, held = CutFinder(), deque[T]()
    for frame in frames:
        held.append(frame)
        cut = finder.update(picture(frame))
        if len(held) > AHEAD:
            yield held.popleft(), cut
    yield from zip(held, finder.rest()[-len(held) :] if held else [], strict=True)


def find_cuts(frames: Iterable[NDArray[np.uint8]]) -> list[int]:
    """Frames with which a new scene begins.

    Args:
        frames: (H, W, 3) uint8 RGB, in order.
    """
    return [number for number, (_, cut) in enumerate(scenes(frames, lambda frame: frame)) if cut]
