"""The stick figure: limbs as antialiased strokes, joints as dots, left and right in different colours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.renderers.palettes import DOTS, DOTTED, limbs
from dancekit.types import Skeleton, skeleton_names
from dancekit.types.conversion import source_joints

Array = NDArray[np.float64]

PIXELS_AT_ONCE = 1 << 19
"""Frames are drawn in groups of about so many pixels: memory stays constant."""

DOT_RADIUS = 0.8
"""Of a joint, in line widths."""

LEAST_WIDTH = 1.0
"""Pixels: a thinner line would fade rather than get thinner."""


class Sticks:
    """Draws an RGB stick figure on black, values in [0, 1].

    Every limb is a capsule: pixels are covered by clip(radius + 0.5 - distance to the limb, 0, 1), the
    distance measured in float between pixel centres, so a joint that moves by a hundredth of a pixel moves
    the picture by as much. Depth is unknown, so there is no order: where limbs cross, their colours are mixed
    by coverage, and a limb behind another stays visible. Joints are dots on top. Limbs that leave the window
    are drawn up to its edge. A joint that is missing (score 0 or NaN) draws neither its dot nor its limbs.

    Colours are in `palettes.py`. EDN's own figure (ellipses of constant width, white ground) is another
    renderer.

    Args:
        line_width: Width of a limb as a fraction of the window's height (at least one pixel).
        hands: Draw fingers, where the skeleton has any.
        face: Draw the mouth and the 68 face points, where the skeleton has any. Nose, eyes and ears are
            always drawn.
        skeleton: What the joints are (wired).
        size: (W, H) of the window in pixels (wired).
    """

    version: int = 1

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        size: tuple[int, int],
        line_width: Annotated[float, Field(gt=0, le=0.1)] = 0.008,
        hands: bool = True,
        face: bool = True,
    ) -> None:
        self.spec = RendererSpec(channels=3, value_range=(0.0, 1.0), skeletons=skeleton_names())
        self.skeleton = skeleton
        self.size = (int(size[0]), int(size[1]))
        width = line_width * self.size[1]
        table = limbs(skeleton, hands=hands, face=face)
        names = list(dict.fromkeys(joint for limb in table for joint in (limb.start, limb.end)))
        sources = [[skeleton.index(part) for part in source_joints(name, skeleton)] for name in names]
        # a point is the mean of two joints: twice the same one, unless it is made up
        self._halves = np.array([parts[0] for parts in sources]), np.array([parts[-1] for parts in sources])
        dots = [n for n, name in enumerate(names) if name in skeleton and name.endswith(DOTTED)]
        dot_colours = [DOTS[skeleton.side(sources[n][0])] for n in dots]
        dot_radius = DOT_RADIUS * max(width, LEAST_WIDTH)
        # strokes: first all limbs, then all dots (limbs of no length)
        self._limbs = len(table)
        self._start = np.array([names.index(limb.start) for limb in table] + dots)
        self._end = np.array([names.index(limb.end) for limb in table] + dots)
        self._colour = np.array([limb.colour for limb in table] + dot_colours)
        radii = [max(width * limb.width, LEAST_WIDTH) / 2 for limb in table]
        self._radius = np.array(radii + [dot_radius] * len(dots))

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).

        Returns:
            (T, 3, H, W) float32 on the CPU in [0, 1].
        """
        if xy.shape != (*score.shape, 2) or score.ndim != 2 or score.shape[1] != len(self.skeleton):
            raise ValueError(
                f"xy {xy.shape} and score {score.shape} are not (T, K, 2) and (T, K) of {self.skeleton.id}"
            )
        width, height = self.size
        pictures = np.zeros((len(xy), 3, height, width), np.float32)
        points = np.where((score > 0)[..., None], xy, np.nan).astype(np.float64)
        points = (points[:, self._halves[0]] + points[:, self._halves[1]]) / 2
        group = max(1, PIXELS_AT_ONCE // (width * height))
        for first in range(0, len(xy), group):
            self._draw(points[first : first + group], pictures[first : first + group])
        return torch.from_numpy(pictures)

    def _draw(self, points: Array, pictures: NDArray[np.float32]) -> None:
        seen = np.isfinite(points[..., 0]) & np.isfinite(points[..., 1])
        frame, stroke = np.nonzero(seen[:, self._start] & seen[:, self._end])
        start, end = points[frame, self._start[stroke]], points[frame, self._end[stroke]]
        index, coverage, which = _strokes(start, end, self._radius[stroke], frame, self.size)
        which = stroke[which]
        for layer in (which < self._limbs, which >= self._limbs):
            _paint(pictures, index[layer], coverage[layer], self._colour[which[layer]])


def _paint(pictures: NDArray[np.float32], index: NDArray[np.intp], coverage: Array, colour: Array) -> None:
    """Lay strokes over the pictures: mixed by coverage among themselves, over what was there."""
    frames, channels, height, width = pictures.shape
    marked = np.zeros(frames * height * width, bool)
    marked[index] = True
    touched = np.flatnonzero(marked)
    number = np.empty(len(marked), np.intp)
    number[touched] = np.arange(len(touched))
    place = number[index]
    total = np.bincount(place, coverage, len(touched))
    share = 1.0 / np.maximum(total, 1.0)
    beneath = np.maximum(1.0 - total, 0.0)
    frame, pixel = np.divmod(touched, height * width)
    flat = pictures.reshape(frames, channels, -1)
    for channel in range(channels):
        mixed = np.bincount(place, coverage * colour[:, channel], len(touched)) * share
        flat[frame, channel, pixel] = flat[frame, channel, pixel] * beneath + mixed


def _strokes(
    start: Array, end: Array, radius: Array, frame: NDArray[np.intp], size: tuple[int, int]
) -> tuple[NDArray[np.intp], Array, NDArray[np.intp]]:
    """Pixels that N capsules cover.

    Args:
        start: (N, 2) px.
        end: (N, 2) px.
        radius: (N,) px.
        frame: (N,) which picture each belongs to.
        size: (W, H) of a picture.

    Returns:
        Per covered pixel: its flat index (frame * H + row) * W + column, its coverage in (0, 1], its stroke.
    """
    reach = radius + 0.5
    start, end, inside = _clip(start, end, reach + 1.0, size)
    kept = np.flatnonzero(inside)
    start, end, reach = start[kept], end[kept], reach[kept]
    # u runs along the longer axis of a stroke, v across it
    steep = np.abs(end[:, 1] - start[:, 1]) > np.abs(end[:, 0] - start[:, 0])
    swap = steep[:, None]
    start, end = np.where(swap, start[:, ::-1], start), np.where(swap, end[:, ::-1], end)
    backwards = (end[:, 0] < start[:, 0])[:, None]
    start, end = np.where(backwards, end, start), np.where(backwards, start, end)
    along = end - start
    first = np.floor(start[:, 0] - reach).astype(np.intp)
    count = np.ceil(end[:, 0] + reach).astype(np.intp) - first + 1
    stroke = np.repeat(np.arange(len(kept)), count)
    u = np.arange(len(stroke)) - np.repeat(np.cumsum(count) - count - first, count)
    du = (u - start[stroke, 0])[:, None]
    # |slope| <= 1, so a stroke is at most sqrt(2) times as wide across v
    slope = along[:, 1] / np.where(along[:, 0] > 0, along[:, 0], 1.0)
    middle = start[stroke, 1] + slope[stroke] * np.clip(du[:, 0], 0.0, along[stroke, 0])
    side = int(np.ceil(np.sqrt(2.0) * reach.max())) if len(kept) else 0
    v = np.round(middle).astype(np.intp)[:, None] + np.arange(-side - 1, side + 2)
    dv = v - start[stroke, 1][:, None]
    length = np.maximum((along**2).sum(1), 1e-12)
    at = du * (along[:, 0] / length)[stroke, None] + dv * (along[:, 1] / length)[stroke, None]
    at = np.clip(at, 0.0, 1.0)
    off_u, off_v = du - at * along[stroke, 0][:, None], dv - at * along[stroke, 1][:, None]
    coverage = np.clip(reach[stroke, None] - np.sqrt(off_u * off_u + off_v * off_v), 0.0, 1.0)
    row = np.where(steep[stroke, None], u[:, None], v)
    column = np.where(steep[stroke, None], v, u[:, None])
    width, height = size
    seen = (coverage > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    index = (frame[kept][stroke, None] * height + row) * width + column
    which = np.broadcast_to(kept[stroke, None], seen.shape)
    return index[seen], coverage[seen], which[seen]


def _clip(
    start: Array, end: Array, margin: Array, size: tuple[int, int]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The parts of N segments within the window and a margin (Liang and Barsky), and which have one."""
    along = end - start
    enter, leave = np.zeros(len(start)), np.ones(len(start))
    inside = np.ones(len(start), bool)
    for axis in (0, 1):
        low, high = -margin - start[:, axis], size[axis] - 1 + margin - start[:, axis]
        moves = along[:, axis] != 0
        step = np.where(moves, along[:, axis], 1.0)
        near, far = np.minimum(low / step, high / step), np.maximum(low / step, high / step)
        enter = np.where(moves, np.maximum(enter, near), enter)
        leave = np.where(moves, np.minimum(leave, far), leave)
        inside &= moves | ((low <= 0) & (high >= 0))
    inside &= enter <= leave
    # joints at 1e30 leave no digits for their clipped ends: keep those in the box as well
    least, most = -margin[:, None], np.array(size) - 1 + margin[:, None]
    ends = [np.clip(start + part[:, None] * along, least, most) for part in (enter, leave)]
    return ends[0], ends[1], inside
