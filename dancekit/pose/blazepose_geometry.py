"""The geometry around BlazePose's networks: crops, anchors, suppression, regions, heatmaps, masks.

The steps and constants are those of MediaPipe 0.10.21 (graphs `pose_detection_cpu`, `pose_detection_to_roi`,
`pose_landmark_by_roi_cpu`, `pose_landmarks_to_roi`), checked against it by golden numbers.

Two coordinates occur. *Edge* coordinates, MediaPipe's: 0 is the left edge of the first pixel and W the right
edge of the last one. dancekit's have pixel centres at integers, so they are smaller by a half. MediaPipe's
crop, however, reads the pixel with index `p` where it means the edge coordinate `p`. Crops here do the same,
as parity asks (keypoints move by at most half a crop pixel), and masks come back by the exact inverse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

MARGIN = 1.25
"""Side of a region over twice the distance from its centre to the scale point."""

OVERLAP = 0.3
"""Intersection over union above which two boxes are one person, or one face."""

BODY_LEVELS = ((28, 2), (14, 2), (7, 6))
FACE_LEVELS = ((16, 2), (8, 6))
"""Anchors of the detectors of people and of faces: per level, cells along a side and anchors in each."""

HEATMAP_WINDOW = 9
HEATMAP_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Region:
    """A rotated square of a frame that a network looks at.

    Attributes:
        x: Centre, edge coordinates of the frame.
        y: The same.
        side: Length of a side in frame pixels.
        angle: Radians by which the square is turned, clockwise as seen on the screen.
    """

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def letterbox(cls, width: int, height: int) -> Region:
        """The smallest centred square around a whole frame."""
        return cls(width / 2, height / 2, float(max(width, height)), 0.0)

    @classmethod
    def from_alignment(cls, centre: NDArray[np.floating[Any]], scale: NDArray[np.floating[Any]]) -> Region:
        """The region of a person who extends from `centre` (hips) up to `scale`, edge coordinates (2,)."""
        dx, dy = (float(value) for value in scale - centre)
        angle = math.pi / 2 - math.atan2(-dy, dx)
        return cls(float(centre[0]), float(centre[1]), 2 * MARGIN * math.hypot(dx, dy), _wrap(angle))

    @property
    def usable(self) -> bool:
        """Whether there is a crop to be made of it."""
        return math.isfinite(self.x + self.y + self.side + self.angle) and self.side >= 1

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) affine map from the unit square (0 and 1 are edges) to edge coordinates of the frame."""
        cos, sin = math.cos(self.angle) * self.side, math.sin(self.angle) * self.side
        return np.array([[cos, -sin, self.x - (cos - sin) / 2], [sin, cos, self.y - (sin + cos) / 2]])

    def to_frame(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(..., 2) points in the unit square to edge coordinates of the frame."""
        matrix = self.matrix
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])

    def crop(self, frame: NDArray[np.uint8], size: int, *, replicate: bool) -> NDArray[np.uint8]:
        """Resample to (size, size, 3) uint8, bilinear; beyond the frame its border is repeated, or black.

        Coordinates are rounded to 1/32 pixel, as in the OpenCV of MediaPipe. Later ones are more exact in
        `warpAffine`, which would move keypoints by up to 2 pixels of 512: hence the map of our own.
        """
        matrix = self.matrix * 32
        matrix[:, :2] /= size
        steps = np.arange(size)
        at = matrix[:, :1, None] * steps + (matrix[:, 1:2, None] * steps[:, None] + matrix[:, 2:, None])
        x, y = np.rint(np.clip(at, -(2**20), 2**20 - 32)).astype(np.int32)
        whole, fraction = np.stack((x >> 5, y >> 5), -1).astype(np.int16), ((y & 31) * 32 + (x & 31))
        border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
        crop = cv2.remap(frame, whole, fraction.astype(np.uint16), cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(crop, np.uint8)

    def paste_mask(self, mask: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """The reverse of `crop` for a (size, size) mask: (height, width) uint8, 0 outside of the region."""
        matrix = self.matrix
        matrix[:, :2] /= len(mask)
        return np.asarray(cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _wrap(angle: float) -> float:
    return angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))


@cache
def anchors(levels: tuple[tuple[int, int], ...] = BODY_LEVELS) -> NDArray[np.float32]:
    """Centres of a detector's anchors in the unit square, in the order of its outputs.

    Args:
        levels: Per level: cells along a side, anchors in each.

    Returns:
        (N, 2), read-only.
    """
    centres = []
    for cells, per_cell in levels:
        ticks = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(-1, 2)
        centres.append(grid.repeat(per_cell, 0))
    result: NDArray[np.float32] = np.concatenate(centres).astype(np.float32)
    result.flags.writeable = False
    return result


def best_detection(
    boxes: NDArray[np.float32],
    logits: NDArray[np.float32],
    *,
    size: int,
    threshold: float,
    levels: tuple[tuple[int, int], ...] = BODY_LEVELS,
) -> NDArray[np.float32] | None:
    """The first of `all_detections`: (K, 2), or None if nothing was found."""
    found = all_detections(boxes, logits, size=size, threshold=threshold, most=1, levels=levels)
    return found[0] if found else None


def all_detections(
    boxes: NDArray[np.float32],
    logits: NDArray[np.float32],
    *,
    size: int,
    threshold: float,
    most: int,
    levels: tuple[tuple[int, int], ...] = BODY_LEVELS,
) -> list[NDArray[np.float32]]:
    """Decode a detector's outputs for one image, and merge the boxes that agree with the best one of each thing.

    The merge is MediaPipe's weighted non-maximum suppression: the mean of all boxes that overlap the best
    one, weighted by their scores; then the same with those that are left.

    Args:
        boxes: (N, 4 + 2 K) raw boxes and their K points, in pixels of the detector's image.
        logits: (N,).
        size: Side of the detector's image in pixels.
        threshold: Smallest score.
        most: So many at most.
        levels: The detector's anchors.

    Returns:
        Surest first, (K, 2) points in the unit square. For a person: the middle of the hips, the point that
        gives size and rotation of the whole body, and the same two for the upper body. For a face: right eye,
        left eye, nose, mouth, right ear, left ear.
    """
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    keep = np.flatnonzero((scores >= threshold) & (boxes[:, 2:4] >= 0).all(1))
    scores, decoded = scores[keep], boxes[keep].reshape(len(keep), boxes.shape[1] // 2, 2)
    decoded = decoded / np.float32(size)
    centres = anchors(levels)[keep]
    decoded[:, 0] += centres
    decoded[:, 2:] += centres[:, None]
    found: list[NDArray[np.float32]] = []
    while len(scores) and len(found) < most:
        low, high = decoded[:, 0] - decoded[:, 1] / 2, decoded[:, 0] + decoded[:, 1] / 2
        best = int(scores.argmax())
        inner = np.clip(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0, None).prod(1)
        area = (high - low).prod(1)
        same = inner > OVERLAP * (area + area[best] - inner)
        same[best] = True
        weights = scores[same] / scores[same].sum()
        found.append(np.asarray(np.einsum("n,nkd->kd", weights, decoded[same, 2:]), np.float32))
        scores, decoded = scores[~same], decoded[~same]
    return found


def refine(points: Tensor, heatmaps: Tensor, size: int) -> Tensor:
    """Move landmarks to the centre of gravity of their heatmaps, where those are sure.

    Args:
        points: (B, K, 2) x, y in pixels of the crop.
        heatmaps: (B, K, h, w) logits.
        size: Side of the crop in pixels.

    Returns:
        (B, K, 2) x, y in the unit square.
    """
    height, width = heatmaps.shape[-2:]
    radius = HEATMAP_WINDOW // 2
    unit = points / size
    column = (unit[..., 0] * width).to(torch.int64)
    # MediaPipe does not test rows against the lower end: windows just below the heatmap still touch it
    row = (unit[..., 1] * height).to(torch.int64).clamp(max=height + radius)
    inside = (column >= 0) & (column < width) & (row >= 0)
    column, row = column.clamp(0, width - 1), row.clamp(min=0)
    padded = F.pad(heatmaps, (radius, radius, radius, 2 * radius + 1), value=-torch.inf)
    steps = torch.arange(HEATMAP_WINDOW, device=points.device)
    rows, columns = row[..., None] + steps, column[..., None] + steps
    batch = torch.arange(points.shape[0], device=points.device)[:, None, None, None]
    joint = torch.arange(points.shape[1], device=points.device)[None, :, None, None]
    window = padded[batch, joint, rows[..., :, None], columns[..., None, :]].sigmoid()
    total = window.sum((-2, -1))
    x = (window.sum(-2) * (columns - radius)).sum(-1) / (total * width)
    y = (window.sum(-1) * (rows - radius)).sum(-1) / (total * height)
    sure = inside & (window.amax((-2, -1)) >= HEATMAP_CONFIDENCE)
    return torch.where(sure[..., None], torch.stack((x, y), -1), unit)
