"""Strokes as distance fields in torch: batched, on any device, differentiable with respect to the joints.

The same coverage as `strokes.py`, of every pixel by every stroke. A GPU does that at once; on a CPU
`strokes.py`, which visits covered pixels only, is many times faster.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dancekit.renderers.strokes import Figure

VALUES_AT_ONCE = 1 << 24
"""Frames are drawn in groups of about so many pixels times strokes (64 MiB of float32, a few times over)."""


def coverage(figure: Figure, xy: Tensor, score: Tensor, size: tuple[int, int]) -> Tensor:
    """How much every stroke covers every pixel.

    Args:
        figure: S strokes.
        xy: (T, K, 2) px, NaN where missing; the result is on its device, in its precision.
        score: (T, K).
        size: (W, H) of a picture.

    Returns:
        (T, S, H, W) in [0, 1]: clip(radius + 0.5 - distance, 0, 1), and 0 for a stroke whose joints are not
        both there.
    """
    start, end, seen = _segments(figure, xy, score)
    reach = torch.as_tensor(figure.radius + 0.5, dtype=start.dtype, device=xy.device)
    start, end, inside = _clip(start, end, reach[:, None] + 1.0, size)
    start, end, reach = start.to(xy.dtype), end.to(xy.dtype), reach.to(xy.dtype)
    column = torch.arange(size[0], dtype=xy.dtype, device=xy.device)
    row = torch.arange(size[1], dtype=xy.dtype, device=xy.device)
    along = (end - start)[..., None]
    length = (along * along).sum(-2).clamp_min(1e-12)[..., None]
    du, dv = column - start[..., :1], row - start[..., 1:]  # (T, S, W) and (T, S, H)
    part_u, part_v = du * along[..., 0, :] / length[..., 0], dv * along[..., 1, :] / length[..., 0]
    at = (part_u[..., None, :] + part_v[..., :, None]).clamp(0.0, 1.0)
    off_u = du[..., None, :] - at * along[..., 0, :, None]
    off_v = dv[..., :, None] - at * along[..., 1, :, None]
    # the root's slope is infinite on the line itself, where coverage is 1 whatever the distance
    distance = (off_u * off_u + off_v * off_v).clamp_min(1e-12).sqrt()
    covered = (reach[:, None, None] - distance).clamp(0.0, 1.0)
    return covered * (seen & inside)[..., None, None]


def brightness(figure: Figure, score: Tensor) -> Tensor:
    """(T, S) confidence of each stroke, as `Figure.brightness`."""
    first, second, start, end = _indices(figure, score.device)
    known = score.clamp(0.0, 1.0)
    point = torch.minimum(known[:, first], known[:, second])
    return torch.where(start == end, point[:, start], point[:, start] * point[:, end])


def groups(frames: int, strokes: int, size: tuple[int, int]) -> list[slice]:
    """Parts of a clip that are drawn at once."""
    step = max(1, VALUES_AT_ONCE // max(1, strokes * size[0] * size[1]))
    return [slice(first, first + step) for first in range(0, frames, step)]


def _indices(figure: Figure, device: torch.device) -> tuple[Tensor, ...]:
    arrays = (*figure.halves, figure.start, figure.end)
    return tuple(torch.as_tensor(array, device=device) for array in arrays)


def _segments(figure: Figure, xy: Tensor, score: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both ends of every stroke (T, S, 2) and whether they are known (T, S); in float64 where there is any."""
    figure.check(xy.shape, score.shape)
    first, second, begin, finish = _indices(figure, xy.device)
    known = (score > 0) & xy.isfinite().all(-1)
    exact = torch.float32 if xy.device.type == "mps" else torch.float64
    joints = torch.where(known[..., None], xy, torch.zeros_like(xy)).to(exact)
    points, there = (joints[:, first] + joints[:, second]) / 2, known[:, first] & known[:, second]
    return points[:, begin], points[:, finish], there[:, begin] & there[:, finish]


def _clip(start: Tensor, end: Tensor, margin: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """The parts of segments (..., S, 2) within the window and a margin (S, 1), and which have one (..., S).

    Liang and Barsky's; joints far outside would leave no digits for the pixels inside.
    """
    last = torch.tensor(size, dtype=start.dtype, device=start.device) - 1
    along = end - start
    moves = along != 0
    step = torch.where(moves, along, torch.ones_like(along))
    low, high = -margin - start, last + margin - start
    near, far = torch.minimum(low / step, high / step), torch.maximum(low / step, high / step)
    enter = near.masked_fill(~moves, -torch.inf).amax(-1, keepdim=True).clamp_min(0.0)
    leave = far.masked_fill(~moves, torch.inf).amin(-1, keepdim=True).clamp_max(1.0)
    within = moves | ((low <= 0) & (high >= 0))
    inside = within.all(-1) & (enter <= leave)[..., 0]
    ends = [
        torch.minimum(torch.maximum(start + part * along, -margin), last + margin) for part in (enter, leave)
    ]
    return ends[0], ends[1], inside
