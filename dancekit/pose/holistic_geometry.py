"""Where hands and face are, from the body: the crops of `blazepose_holistic`, and the map from mesh to face.

The steps and constants are those of MediaPipe 0.10.21 (graph `holistic_landmark_cpu` and its subgraphs
`hand_landmarks_from_pose_to_recrop_roi`, `hand_recrop_by_roi_cpu`, `face_landmarks_from_pose_to_recrop_roi`,
`face_detection_short_range` and `face_detection_front_detections_to_roi`), checked against it by golden
numbers. All coordinates are *edge* coordinates (see `blazepose_geometry.py`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.pose.blazepose_geometry import Region

Array = NDArray[np.floating[Any]]

SHIFT = -0.1
"""How far a region is moved towards its upper edge, over the size of what it was made from."""

HAND_MARGIN = 2.7
"""Side of the rough crop of a hand, over twice the distance from the wrist to the middle knuckle."""

BODY_FACE_MARGIN = 3.0
"""Side of the crop in which a face is searched, over the extent of the body's eleven points of the face."""

FACE_MARGIN = 2.0
"""Side of the crop of a face, over the extent of the detector's six points."""


def hand_from_body(wrist: Array, pinky: Array, index: Array) -> Region:
    """The rough crop of a hand, from three joints (2,) of the body."""
    middle = (2 * index + pinky) / 3
    side = 2 * math.dist(middle, wrist)
    return _shifted(middle, side, _direction(wrist, middle) + math.pi / 2, HAND_MARGIN)


def hand_from_recrop(points: Array) -> Region:
    """The crop of a hand, from the recrop network's (2, 2) points: its centre and its lower end."""
    side = 2 * math.dist(*points)
    return _shifted(points[0], side, _direction(*points) - math.pi / 2, 1.0)


def face_from_body(points: Array) -> Region:
    """Where to search for the face, from the body's first 11 of 33 points: nose, eyes, ears, mouth."""
    low, high = points[:11].min(0), points[:11].max(0)
    side = float((high - low).max())
    angle = _direction(points[5], points[2])  # from the right eye to the left one
    return Region(*_floats((low + high) / 2), BODY_FACE_MARGIN * side, _wrapped(angle))


def face_from_detection(points: Array) -> Region:
    """The crop of a face, from the detector's (6, 2) points: right eye, left eye, nose, mouth, ears."""
    low, high = points.min(0), points.max(0)
    width, height = _floats(high - low)
    angle = _direction(points[0], points[1])
    x, y = _floats((low + high) / 2)
    x, y = x - math.sin(angle) * SHIFT * height, y + math.cos(angle) * SHIFT * height
    return Region(x, y, FACE_MARGIN * max(width, height), _wrapped(angle))


def _shifted(centre: Array, side: float, angle: float, margin: float) -> Region:
    x, y = _floats(centre)
    x, y = x - math.sin(angle) * SHIFT * side, y + math.cos(angle) * SHIFT * side
    return Region(x, y, margin * side, _wrapped(angle))


def _direction(start: Array, end: Array) -> float:
    return math.atan2(float(end[1] - start[1]), float(end[0] - start[0]))


def _wrapped(angle: float) -> float:
    return math.remainder(angle, 2 * math.pi)


def _floats(point: Array) -> tuple[float, float]:
    return float(point[0]), float(point[1])
