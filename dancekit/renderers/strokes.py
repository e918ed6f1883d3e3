"""Strokes: which points of a skeleton are joined, and the pixels that they cover, by exact distances.

What every renderer that draws lines shares. Here in numpy, for the CPU, touching covered pixels only;
`distance_field.py` is the same in torch, for other devices and for gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.renderers.palettes import Limb
from dancekit.types import Skeleton
from dancekit.types.conversion import source_joints

Array = NDArray[np.float64]

PIXELS_AT_ONCE = 1 << 19
"""Frames are drawn in groups of about so many pixels: memory stays constant."""

LEAST_WIDTH = 1.0
"""Pixels: a thinner line would fade rather than get thinner."""


@dataclass(frozen=True, eq=False)
class Figure:
    """S strokes between N points of a skeleton; a point is a joint, or made up as the mean of two.

    Attributes:
        skeleton: What the joints are.
        halves: Two (N,) arrays of joints whose mean a point is; twice the same one, unless it is made up.
        start: (S,) points.
        end: (S,) points; the same as `start` for a dot.
        radius: (S,) px.
    """

    skeleton: Skeleton
    halves: tuple[NDArray[np.intp], NDArray[np.intp]]
    start: NDArray[np.intp]
    end: NDArray[np.intp]
    radius: Array

    @classmethod
    def of(
        cls,
        skeleton: Skeleton,
        table: Sequence[Limb],
        width: float,
        dotted: tuple[str, ...] = (),
        dot: float = 0,
    ) -> Figure:
        """The strokes of a table of limbs, then dots.

        Args:
            skeleton: What the joints are; it has all those of the table, or can make them up.
            table: The limbs.
            width: Of a limb of width 1, px.
            dotted: Endings of the names of joints that get a dot.
            dot: Radius of a dot, px.
        """
        names = list(dict.fromkeys(joint for limb in table for joint in (limb.start, limb.end)))
        sources = [[skeleton.index(part) for part in source_joints(name, skeleton)] for name in names]
        dots = [n for n, name in enumerate(names) if name in skeleton and dotted and name.endswith(dotted)]
        radii = [max(width * limb.width, LEAST_WIDTH) / 2 for limb in table]
        return cls(
            skeleton=skeleton,
            halves=(
                np.array([parts[0] for parts in sources], np.intp),
                np.array([parts[-1] for parts in sources], np.intp),
            ),
            start=np.array([names.index(limb.start) for limb in table] + dots, np.intp),
            end=np.array([names.index(limb.end) for limb in table] + dots, np.intp),
            radius=np.array(radii + [dot] * len(dots)),
        )

    def joint(self, stroke: int) -> int:
        """The (first) joint at which a stroke begins."""
        return int(self.halves[0][self.start[stroke]])

    def check(self, xy: Sequence[int], score: Sequence[int]) -> None:
        """Refuse keypoints of another shape than (T, K, 2) and (T, K).

        Raises:
            ValueError: They are not of this skeleton.
        """
        if tuple(xy) != (*score, 2) or len(score) != 2 or score[1] != len(self.skeleton):
            raise ValueError(
                f"xy {tuple(xy)} and score {tuple(score)} are not (T, K, 2) and (T, K) of {self.skeleton.id}"
            )

    def points(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Array:
        """(T, N, 2) px, NaN where missing."""
        known = np.where((score > 0)[..., None], xy, np.nan).astype(np.float64)
        return np.asarray((known[:, self.halves[0]] + known[:, self.halves[1]]) / 2)

    def brightness(self, score: NDArray[np.float32]) -> Array:
        """(T, S) confidence of each stroke: the product of its ends' scores, of a dot its joint's.

        As MimicMotion draws limbs; a point that is made up has the smaller score of its two joints.
        """
        known = np.clip(score.astype(np.float64), 0.0, 1.0)
        point = np.minimum(known[:, self.halves[0]], known[:, self.halves[1]])
        both = point[:, self.start] * point[:, self.end]
        return np.asarray(np.where(self.start == self.end, point[:, self.start], both))


def groups(frames: int, size: tuple[int, int]) -> list[slice]:
    """Parts of a clip that are drawn at once."""
    step = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
    return [slice(first, first + step) for first in range(0, frames, step)]


def cover_frames(
    figure: Figure, points: Array, size: tuple[int, int]
) -> tuple[NDArray[np.intp], Array, NDArray[np.intp], NDArray[np.intp]]:
    """Pixels that the strokes of T frames cover.

    Args:
        figure: The strokes.
        points: (T, N, 2) px, NaN where missing.
        size: (W, H) of a picture.

    Returns:
        Per covered pixel: its flat index in (T, H, W), its coverage in (0, 1], its stroke, its frame.
    """
    seen = np.isfinite(points[..., 0]) & np.isfinite(points[..., 1])
    frame, stroke = np.nonzero(seen[:, figure.start] & seen[:, figure.end])
    start, end = points[frame, figure.start[stroke]], points[frame, figure.end[stroke]]
    index, coverage, which = cover(start, end, figure.radius[stroke], frame, size)
    return index, coverage, stroke[which], frame[which]


def cover(
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
    start, end, inside = clip(start, end, reach + 1.0, size)
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


def clip(
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
