"""Bring the picture of a person from one pose into another: every limb onto its place, the pixels around along."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEP = 4
"""Pixels between the points at which the field of shifts is computed; it is smooth."""

SHORTEST = 0.04
"""Of the person's extent: a limb shorter than that, in either pose, has no direction that can be trusted."""

NEAR, LENGTH = 0.02, 0.5
"""Beier and Neely's a (of the person's extent) and p; b is 2: weight = (length^p / (a + distance))^b."""

OVERHANG = 0.25
"""How far beyond a limb's ends its stretching goes on, in limb lengths; further out it is moved as it is."""

_MOST_STRETCH = 3.0
_REACH = 3
"""Pixels that a bicubic lookup reaches, and one more."""


def joints_shift(
    xy: NDArray[np.float32],
    score: NDArray[np.float32],
    to_xy: NDArray[np.float32],
    to_score: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(2,) pixels from the middle of one pose to that of the other, over the joints that both have; else 0."""
    both = (score > 0) & (to_score > 0)
    if not both.any():
        return np.zeros(2, np.float32)
    return np.asarray((to_xy[both] - xy[both]).mean(0), np.float32)


def shifted(picture: Tensor, shift: NDArray[np.float32]) -> Tensor:
    """(C, H, W) moved by (2,) pixels; zeros come in."""
    height, width = picture.shape[-2:]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return _sample(picture, columns - shift[0], rows - shift[1])


def morph(
    picture: Tensor,
    pose: tuple[NDArray[np.float32], NDArray[np.float32]],
    wanted: tuple[NDArray[np.float32], NDArray[np.float32]],
    edges: tuple[tuple[int, int], ...],
    shift: NDArray[np.float32],
) -> Tensor:
    """Field morphing (Beier and Neely, SIGGRAPH 1992) with the skeleton's limbs as lines.

    Each limb alone would map the wanted picture back onto the given one: along itself by the ratio of its lengths,
    across and beyond its ends by the ratio of the persons' sizes. A pixel follows the limbs that are near.

    Args:
        picture: (C, H, W).
        pose: (K, 2) pixels and (K,) scores: what is shown.
        wanted: The same: what is to be shown.
        edges: The limbs, as pairs of joints.
        shift: (2,) pixels: what moves the picture where no limb is known.

    Returns:
        (C, H, W).
    """
    (xy, score), (to_xy, to_score) = pose, wanted
    both = (score > 0) & (to_score > 0)
    lines = np.array([edge for edge in edges if both[list(edge)].all()], int).reshape(-1, 2)
    if len(lines) == 0:
        return shifted(picture, shift)
    extent = [float(np.ptp(points[both], axis=0).max()) for points in (xy, to_xy)]
    p, q = to_xy[lines[:, 0]].astype(np.float64), to_xy[lines[:, 1]].astype(np.float64)
    p0, q0 = xy[lines[:, 0]].astype(np.float64), xy[lines[:, 1]].astype(np.float64)
    long, long0 = np.linalg.norm(q - p, axis=1), np.linalg.norm(q0 - p0, axis=1)
    good = (long > SHORTEST * extent[1]) & (long0 > SHORTEST * extent[0])
    if not good.any():
        return shifted(picture, shift)
    p, q, p0, q0, long, long0 = (each[good] for each in (p, q, p0, q0, long, long0))
    size = float(np.median(long0 / long))  # the persons' sizes: most limbs keep their length
    stretch = np.clip(long0 / long, size / _MOST_STRETCH, size * _MOST_STRETCH)
    height, width = picture.shape[-2:]
    x, y = (_coarse(pixels) for pixels in (width, height))
    along, along0 = (q - p) / long[:, None], (q0 - p0) / long0[:, None]
    # (limbs, rows, columns), a pass over memory for each operation: this is done for every frame
    run, side = (_projected(axis, p, x, y) for axis in (along, _across(along)))
    long, stretch = (_single(each[:, None, None]) for each in (long, stretch))
    distance = np.minimum(np.maximum(run, 0), long)
    np.square(np.subtract(run, distance, out=distance), out=distance)
    distance += np.square(side)
    np.sqrt(distance, out=distance)
    distance += np.float32(NEAR * extent[1])
    weight = np.divide(long**LENGTH, distance, out=distance)
    np.square(weight, out=weight)
    weight /= weight.sum(0)
    near = np.minimum(np.maximum(run, -OVERHANG * long), (1 + OVERHANG) * long)
    near *= stretch - np.float32(size)
    run *= np.float32(size)
    run += near  # along the limb in the given picture
    side *= np.float32(size)
    run *= weight
    side *= weight
    coarse = sum(
        _single(axis.T) @ values.reshape(len(axis), -1)
        for axis, values in ((p0, weight), (along0, run), (_across(along0), side))
    )
    shifts = np.asarray(coarse, np.float32).reshape(2, len(y), len(x))
    shifts[0] -= _single(x)
    shifts[1] -= _single(y)[:, None]
    size_up = STEP * len(x), STEP * len(y)
    fine = [cv2.resize(each, size_up, interpolation=cv2.INTER_LINEAR)[:height, :width] for each in shifts]
    return _sample(
        picture,
        fine[0] + np.arange(width, dtype=np.float32),
        fine[1] + np.arange(height, dtype=np.float32)[:, None],
    )


def _projected(
    axis: NDArray[np.float64], start: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(L, rows, columns): how far each point of a grid is along (L, 2) axes, from (L, 2) starts."""
    columns, rows = axis[:, :1] * x, axis[:, 1:] * y - (axis * start).sum(1, keepdims=True)
    return _single(rows)[:, :, None] + _single(columns)[:, None]


def _across(along: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L, 2) directions, each turned by a quarter: what is to the right of a limb."""
    return np.stack([along[:, 1], -along[:, 0]], -1)


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _coarse(pixels: int) -> NDArray[np.float64]:
    """Where the field is computed: middles of blocks of `STEP` pixels."""
    return np.arange(-(-pixels // STEP), dtype=np.float64) * STEP + (STEP - 1) / 2


def _sample(picture: Tensor, x: NDArray[np.float32], y: NDArray[np.float32]) -> Tensor:
    """(C, H, W), C at most 4, looked up at (H, W) columns and rows; zeros beyond its edge.

    Bicubically, because what is copied should be sharp; what that overshoots is taken back. OpenCV looks up at 32nds
    of a pixel, and four times as fast as torch. Only what lands on something is looked up: a person is small.
    """
    channels = len(picture)
    given = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    seen = torch.zeros(channels, *x.shape)
    rows = given.reshape(len(given), -1)  # whole rows first: numpy is slow over a last axis of four
    there = rows != 0
    left, right = _ends(there.any(0).reshape(-1, channels).any(1))
    top, bottom = _ends(there.any(1))
    lands: NDArray[np.bool_] = np.logical_and.reduce(
        [x > left - _REACH, x < right + _REACH, y > top - _REACH, y < bottom + _REACH]
    )
    (first, last), (upper, lower) = _ends(lands.any(0)), _ends(lands.any(1))
    if first > last:
        return seen
    part = (slice(upper, lower + 1), slice(first, last + 1))
    found = cv2.remap(given, x[part], y[part], cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    low, high = (bound.reshape(-1, channels) for bound in (rows.min(0), rows.max(0)))
    found = found.reshape(*x[part].shape, channels)
    seen[:, *part] = torch.from_numpy(found).permute(2, 0, 1)
    for plane, least, most in zip(seen, low.min(0).clip(max=0), high.max(0).clip(min=0), strict=True):
        plane[part].clamp_(float(least), float(most))
    return seen


def _ends(there: NDArray[np.bool_] | np.bool_) -> tuple[int, int]:
    """The first and the last that is true; (0, -1) if none is."""
    places = np.flatnonzero(there)
    return (int(places[0]), int(places[-1])) if len(places) else (0, -1)
