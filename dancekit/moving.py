"""A painter's past, seen from where its window is now: what was painted is moved by whole pixels, so nothing blurs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.contracts import State
from dancekit.errors import DancekitError

FEATHER = 0.04
"""Of the window's shorter side: who reaches beyond it fades out there."""

PLACE = "place"
"""Key of a state that says where the window was: (2,) int64 left and top, pixels of the canvas."""


def part_of(canvas: Tensor, place: NDArray[np.intp], size: tuple[int, int]) -> Tensor:
    """The window of (B, C, H, W) at a place, (B, C, h, w)."""
    left, top = int(place[0]), int(place[1])
    return canvas[:, :, top : top + size[1], left : left + size[0]]


def inserted(canvas: Tensor, window: Tensor, place: NDArray[np.intp]) -> Tensor:
    """A copy of (B, C, H, W) with a window of (B, C, h, w) in it."""
    whole = canvas.to(window.dtype, copy=True)
    left, top = int(place[0]), int(place[1])
    whole[:, :, top : top + window.shape[2], left : left + window.shape[3]] = window
    return whole


def edge_of(size: tuple[int, int], canvas: tuple[int, int], place: NDArray[np.intp]) -> Tensor:
    """(1, 1, h, w): 1 inside, falling to 0 at those edges of the window that lie within the canvas."""
    width = max(1.0, FEATHER * min(size))
    ramps = []
    for axis in (0, 1):
        centre = torch.arange(size[axis]) + 0.5
        inside = torch.ones(size[axis])
        if place[axis] > 0:
            inside = torch.minimum(inside, centre / width)
        if place[axis] + size[axis] < canvas[axis]:
            inside = torch.minimum(inside, (size[axis] - centre) / width)
        ramps.append(inside * inside * (3 - 2 * inside))
    return (ramps[1][:, None] * ramps[0])[None, None]


def moved_state(state: State | None, place: NDArray[np.intp], plate: Tensor, nobody: Tensor) -> State | None:
    """What a temporal strategy is told of the past, in pixels of where the window is now.

    What comes in at an edge was not painted: there the image is the plate, the condition that of nobody, the rest 0.

    Args:
        state: With `PLACE`; None at the start of a clip.
        place: (2,) where the window is now.
        plate: (1, 3, h, w) the plate in it.
        nobody: (1, C, h, w) the condition image without a person.

    Raises:
        DancekitError: A tensor of the state cannot be moved by whole pixels.
    """
    if state is None:
        return None
    then = state[PLACE].tolist()
    across, down = (int(before) - int(now) for before, now in zip(then, place, strict=True))
    rest = {key: value for key, value in state.items() if key != PLACE}
    if not across and not down:
        return rest
    fills = {"image": plate, "condition": nobody}
    return {
        key: _moved(key, value, across, down, plate.shape[2:], fills.get(key)) for key, value in rest.items()
    }


def _moved(key: str, value: Tensor, across: int, down: int, size: torch.Size, fill: Tensor | None) -> Tensor:
    """(B, C, h, w), or a whole fraction of that size, moved right and down; other shapes as they are."""
    if value.dim() != 4 or value.shape[2:] == (1, 1):
        return value
    parts = [whole // side for whole, side in zip(size, value.shape[2:], strict=True)]
    exact = all(p * side == whole for p, side, whole in zip(parts, value.shape[2:], size, strict=True))
    if not exact or across % parts[1] or down % parts[0]:
        raise DancekitError(
            f"the state {key!r} of the temporal strategy cannot follow a window that moves",
            hint="person_height=0, or temporal=previous_frame",
        )
    across, down = across // parts[1], down // parts[0]
    height, width = value.shape[2:]
    result = torch.zeros_like(value) if fill is None else fill.to(value).expand_as(value).clone()
    if abs(across) >= width or abs(down) >= height:
        return result
    rows, columns = _overlap(down, height), _overlap(across, width)
    result[:, :, rows[0], columns[0]] = value[:, :, rows[1], columns[1]]
    return result


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where to, and where from."""
    return slice(max(shift, 0), length + min(shift, 0)), slice(max(-shift, 0), length - max(shift, 0))
