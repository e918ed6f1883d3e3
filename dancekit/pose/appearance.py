"""What somebody wears: colour histograms of trunk and thighs, by which people are told apart after a crossing."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dancekit.types import Detections, Skeleton

BINS = (6, 8, 8)
"""Of lightness and of the two colours of CIELAB; the colours reach from -48 to 48, as clothes do."""

BINS_OF_ALL = 2 * int(np.prod(BINS))
"""Length of a person's histogram: trunk, thighs."""

_LOW, _HIGH = (0.0, 80.0, 80.0), (256.0, 176.0, 176.0)  # 8-bit CIELAB
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
_THIGHS = (("left_hip", "left_knee"), ("right_hip", "right_knee"))
_WIDTH = 0.28  # least width of the trunk over its length: seen from the side its corners lie upon each other
_THIGH = 0.16  # width of a thigh over the trunk's length
_FEWEST = 24  # pixels that say anything


def clothes(frame: NDArray[np.uint8], people: Detections, skeleton: Skeleton) -> NDArray[np.float32]:
    """The colours of everybody's clothes.

    Args:
        frame: (H, W, 3) uint8 RGB.
        people: Whom to look at.
        skeleton: What their joints are; shoulders, hips and knees are used.

    Returns:
        (P, BINS_OF_ALL): square roots of histograms, each half of length 1 (or 0 where that part is not seen), so
        that the mean of two halves' dot products is their likeness (Bhattacharyya's coefficient).
    """
    out = np.zeros((len(people), BINS_OF_ALL), np.float32)
    half = BINS_OF_ALL // 2
    for person in range(len(people)):
        joints = dict(zip(skeleton.joints, people.xy[person].astype(np.float64), strict=True))
        trunk = np.array([joints.get(name, (np.nan, np.nan)) for name in _TRUNK])
        if not np.isfinite(trunk).all():
            continue
        length = float(np.linalg.norm(trunk[:2].mean(0) - trunk[2:].mean(0)))
        out[person, :half] = _histogram(frame, [_widened(trunk, length)])
        thighs = [np.array([joints.get(name, (np.nan, np.nan)) for name in pair]) for pair in _THIGHS]
        shapes = [_band(ends, _THIGH * length) for ends in thighs if np.isfinite(ends).all()]
        out[person, half:] = _histogram(frame, shapes)
    return out


def likeness(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """How alike the clothes of two people are, 0 to 1, by the parts that are seen of both; NaN if there are none."""
    halves = [part.reshape(2, -1).astype(np.float64) for part in (one, other)]
    norms = [np.linalg.norm(part, axis=1) for part in halves]
    both = (norms[0] > 0) & (norms[1] > 0)
    if not both.any():
        return float("nan")
    products = (halves[0] * halves[1]).sum(1)[both] / (norms[0] * norms[1])[both]
    return float(products.mean())


def _histogram(frame: NDArray[np.uint8], shapes: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    nothing = np.zeros(BINS_OF_ALL // 2, np.float32)
    if not shapes:
        return nothing
    height, width = frame.shape[:2]
    points = np.concatenate(shapes)
    left, top = np.clip(np.floor(points.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)) + 1, 0, (width, height)).astype(int)
    if right - left < 2 or bottom - top < 2:
        return nothing
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for shape in shapes:
        cv2.fillConvexPoly(mask, cv2.convexHull((shape - (left, top)).round().astype(np.int32)), 1)
    if mask.sum() < _FEWEST:
        return nothing
    lab = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2LAB)
    lab = np.clip(lab, _LOW, np.subtract(_HIGH, 1)).astype(np.uint8)  # beyond the ranges is at their ends
    ranges = [edge for pair in zip(_LOW, _HIGH, strict=True) for edge in pair]
    counts = cv2.calcHist([lab], [0, 1, 2], mask, list(BINS), ranges)
    smooth = gaussian_filter(counts.astype(np.float64), 0.6, mode="nearest").ravel()
    total = smooth.sum()
    return np.sqrt(smooth / total).astype(np.float32) if total > 0 else nothing


def _widened(trunk: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """The trunk's corners, a little inside, and at least `_WIDTH` of its length apart."""
    upper, lower = trunk[:2], trunk[2:][::-1]  # left, right of each
    corners = []
    for pair in (upper, lower):
        middle, across = pair.mean(0), pair[1] - pair[0]
        wide = float(np.linalg.norm(across))
        along = trunk[2:].mean(0) - trunk[:2].mean(0)
        sideways = np.array([-along[1], along[0]]) / max(length, 1e-6)
        step = across / max(wide, 1e-6) if wide > _WIDTH * length else sideways
        reach = max(0.8 * wide, _WIDTH * length) / 2
        corners += [middle - step * reach, middle + step * reach]
    return np.array([corners[0], corners[1], corners[3], corners[2]])


def _band(ends: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    across = np.array([-along[1], along[0]]) / max(length, 1e-6) * width / 2
    start, end = ends[0] + 0.15 * along, ends[0] + 0.9 * along
    return np.array([start - across, start + across, end + across, end - across])
