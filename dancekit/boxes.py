"""Where face and hands are: square boxes from the keypoints of any skeleton.

Below the roles, because a face refiner paints in these boxes and the evaluation measures in them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Skeleton

# A distance between two joints as a multiple of the head's width (ear to ear), measured upright and face on.
# Perspective and turning only ever shorten a distance, so the largest of the estimates is the best one.
# Round adult proportions in mm; the anatomical body of ../shared/dancefloor has, as ratios, 0.40 (eyes), 0.86
# (nose to ear), 1.9 (shoulder joints, which lie further in than detectors put them) and 3.3 (torso).
HEAD_RATIOS = (
    ("left_ear", "right_ear", 1.0),
    ("left_eye", "right_eye", 63 / 145),
    ("nose", "left_ear", 125 / 145),
    ("nose", "right_ear", 125 / 145),
)
HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
SHOULDERS_RATIO = 360 / 145
TORSO_RATIO = 500 / 145
# How far the head's own estimate may be from the body's: in profile the ears coincide, and a single misplaced
# ear would blow the box up.
HEAD_TO_BODY = (0.8, 1.5)
HEAD_HEIGHT = 225 / 145
"""Chin to crown, in head widths."""
HAND_LENGTH = 190 / 145
"""Wrist to finger tip, in head widths."""
HAND_ON_FOREARM = 0.38
"""From wrist to the middle of the hand, in forearms: 95 of 250 mm."""
HAND_POINTS = 5
"""A hand with fewer of its own points is looked for at the end of the forearm."""
SMOOTHING = 5
"""Frames of the running median over the head's width."""
SMALLEST = 4.0
"""Boxes with a smaller side, in pixels, hold nothing to refine."""


def face_boxes(
    xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton, *, widths: float = 2.5
) -> NDArray[np.float32]:
    """Square boxes around the head, `widths` head widths wide.

    The centre lies between the ears' and the face's (nose, eyes) centre, or on whichever of them is seen. The
    head's width is the largest of the estimates from ears, eyes and nose, kept near the one from shoulders
    and torso, and smoothed by a running median; without any of these the frame has no box.

    Args:
        xy: (T, K, 2) pixels, NaN where missing.
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        widths: Side of the box in head widths.

    Returns:
        (T, 4) float32 left, top, right, bottom: edges, in coordinates with pixel centres at integers (the box
        of the first pixel alone is -0.5, -0.5, 0.5, 0.5). NaN where no joint of the head is seen, or the
        head's size is not known.
    """
    joints = _Joints(xy, score, skeleton)
    centre = _mean(
        [
            _mean([joints.at("left_ear"), joints.at("right_ear")]),
            _mean([joints.at("nose"), _mean([joints.at("left_eye"), joints.at("right_eye")])]),
        ]
    )
    return _squares(centre, head_widths(xy, score, skeleton) * widths)


def hand_boxes(
    xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton, *, lengths: float = 1.2
) -> NDArray[np.float32]:
    """Square boxes around the left and the right hand, at least `lengths` hand lengths wide.

    The centre is the middle of the hand's own points where at least `HAND_POINTS` of them are seen, and lies
    beyond the wrist in line with the forearm else. Points that reach further widen the box.

    Args:
        xy: (T, K, 2) pixels, NaN where missing.
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        lengths: Side of the box in lengths of an open hand; that length follows from the head's width.

    Returns:
        (T, 2, 4) float32 left, top, right, bottom of the left hand and of the right one, as `face_boxes`; NaN
        where neither hand nor forearm, or no size of the body, is seen.
    """
    joints = _Joints(xy, score, skeleton)
    side = head_widths(xy, score, skeleton) * HAND_LENGTH * lengths
    boxes = []
    for which in ("left", "right"):
        wrist = joints.at(f"{which}_wrist")
        centre = wrist + HAND_ON_FOREARM * (wrist - joints.at(f"{which}_elbow"))
        points = joints.xy[:, list(skeleton.parts.get(f"{which}_hand", ()))]
        seen = np.isfinite(points).all(-1, keepdims=True)
        enough = seen.sum(1) >= HAND_POINTS
        low = np.where(seen, points, np.inf).min(1, initial=np.inf)
        high = np.where(seen, points, -np.inf).max(1, initial=-np.inf)
        extent = np.where(enough, high - low, 0.0).max(1)
        centre = np.where(enough, (np.where(enough, low, 0) + np.where(enough, high, 0)) / 2, centre)
        boxes.append(_squares(centre, np.maximum(side, extent)))
    return np.stack(boxes, 1)


def region_confidence(score: NDArray[np.float32], skeleton: Skeleton, region: str) -> NDArray[np.float64]:
    """How surely a face or a hand is seen.

    The mean score of its own points, those that are missing counted as 0: a face that is turned away, and a hand
    that only the forearm tells of, count little. Of a hand without points in the skeleton: the less sure of wrist
    and elbow.

    Args:
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        region: `face`, `left_hand` or `right_hand`.

    Returns:
        (T,) in [0, 1].
    """
    own = skeleton.parts.get(region, ())
    if region == "face":
        own += tuple(skeleton.index(name) for name in HEAD if name in skeleton)
    elif not own:
        side = region.removesuffix("_hand")
        arm = [skeleton.index(f"{side}_{joint}") for joint in ("wrist", "elbow")]
        return np.asarray(np.clip(score[:, arm], 0, 1).min(1), np.float64)
    return np.asarray(np.clip(score[:, list(own)], 0, 1).mean(1), np.float64)


def head_widths(
    xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton, *, smoothing: int = SMOOTHING
) -> NDArray[np.float64]:
    """(T,) the head's width (ear to ear, face on) in pixels; NaN where nothing tells its size.

    Args:
        xy: (T, K, 2) pixels, NaN where missing.
        score: (T, K), 0 where missing.
        skeleton: What the K joints are.
        smoothing: Frames of the running median; 1: frames that do not follow each other.
    """
    return _running_median(_head_width(_Joints(xy, score, skeleton)), smoothing)


def _squares(centre: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 2) and (T,) to (T, 4) boxes, NaN where either is or the side is too small."""
    half = np.where(side >= SMALLEST, side / 2, np.nan)[:, None]
    boxes = np.concatenate([centre - half, centre + half], 1)
    boxes[~np.isfinite(boxes).all(1)] = np.nan
    return boxes.astype(np.float32)


class _Joints:
    """Joints by name; NaN for those that are missing or that the skeleton has not got."""

    def __init__(self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton) -> None:
        if xy.shape[1:] != (len(skeleton), 2) or score.shape != xy.shape[:2]:
            raise ValueError(
                f"xy {xy.shape} and score {score.shape} do not fit {skeleton.id} ({len(skeleton)} joints)"
            )
        seen = (score > 0) & np.isfinite(xy).all(-1)
        self.xy = np.where(seen[..., None], xy, np.nan).astype(np.float64)
        self.skeleton = skeleton

    def at(self, name: str) -> NDArray[np.float64]:
        if name not in self.skeleton:
            return np.full((len(self.xy), 2), np.nan)
        return self.xy[:, self.skeleton.index(name)]

    def distance(self, one: str, other: str) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(self.at(one) - self.at(other), axis=-1))


def _head_width(joints: _Joints) -> NDArray[np.float64]:
    """(T,) pixels, NaN where neither head nor body tell."""
    head = _largest([joints.distance(one, other) / ratio for one, other, ratio in HEAD_RATIOS])
    middle = {
        part: (joints.at(f"left_{part}") + joints.at(f"right_{part}")) / 2  # NaN unless both are seen
        for part in ("shoulder", "hip")
    }
    torso = np.linalg.norm(middle["shoulder"] - middle["hip"], axis=-1)
    body = _largest(
        [torso / TORSO_RATIO, joints.distance("left_shoulder", "right_shoulder") / SHOULDERS_RATIO]
    )
    near = np.clip(head, HEAD_TO_BODY[0] * body, HEAD_TO_BODY[1] * body)
    return np.where(np.isfinite(near), near, np.where(np.isfinite(head), head, body))


def _mean(points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of the (T, 2) points that are there; NaN where none is."""
    stack = np.stack(points)
    there = np.isfinite(stack).all(-1, keepdims=True)
    count = there.sum(0)
    total = np.where(there, stack, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _largest(values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Largest of the (T,) values that are there; NaN where none is."""
    stack = np.stack(values)
    best = np.where(np.isfinite(stack), stack, -np.inf).max(0)
    return np.where(np.isfinite(best), best, np.nan)


def _running_median(values: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Median over a centred window, shorter at the ends; missing values stay missing and do not count."""
    half = frames // 2
    padded = np.pad(values, half, constant_values=np.nan)
    smooth = values.copy()
    for frame in np.flatnonzero(np.isfinite(values)):
        window = padded[frame : frame + frames]
        smooth[frame] = np.median(window[np.isfinite(window)])
    return smooth
