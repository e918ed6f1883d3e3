"""Arms from frames of their own: the body's are taken off where they were filmed, others are put on where they belong.

Like a jointed paper doll: upper arm, and forearm with hand, are cut out and laid on, each by a similarity.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.arms import HAND, forearm_joints, trunk, upper_arm_joints
from dancekit.boxes import head_widths
from dancekit.similarity import fit_similarity
from dancekit.types import Skeleton

Pose = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(K, 2) pixels, NaN where missing, and (K,) scores."""

# Head widths from the bone: all of it is arm, none of it
UPPER, LOWER, PALM = (0.45, 0.6), (0.36, 0.5), (0.36, 0.5)
TRUNK = 0.75
"""Head widths from the lines of trunk and thighs to the body's edge: what is relatively nearer to them is no arm."""
EDGE = 0.15
"""How soft the border between arm and body is, in those distances."""
OFF, ON = 0.25, 0.2
"""Of the upper arm, from the shoulder: what stays with the body."""
FINGERS = 0.8
"""From the knuckles on, in lengths from wrist to knuckle."""
NO_HAND = 0.7
"""From the wrist on, in forearms, where the skeleton has no hand."""
BODY = 1.1
"""How much wider than its joints the body is, from which nothing is taken off."""

Bone = tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float]]
Box = tuple[slice, slice]


def without_arm(picture: Tensor, pose: Pose, skeleton: Skeleton, side: str) -> Tensor:
    """(4, H, W) with nothing where the arm was, but for what is before the body; the same if no arm is found."""
    found = _arm(pose, skeleton, side, OFF)
    if found is None:
        return picture
    upper, lower, width = found
    cut = _cut_out([*upper, *lower], pose, skeleton, width, picture.shape[-2:])
    if cut is None:
        return picture
    (rows, columns), share = cut
    corners = trunk(*pose, skeleton)
    if np.isfinite(corners).all():
        body = np.zeros(picture.shape[-2:], np.uint8)
        middle = corners.mean(0)
        corners = (middle + BODY * (corners - middle)).round().astype(np.int32)
        cv2.fillConvexPoly(body, cv2.convexHull(corners), 255)
        share = share * (1 - cv2.GaussianBlur(body, (0, 0), 1)[rows, columns].astype(np.float32) / 255)
    rest = picture.clone()  # it belongs to the bank
    rest[:, rows, columns] *= torch.from_numpy(1 - share)
    return rest


def put_arm(body: Tensor, picture: Tensor, pose: Pose, wanted: Pose, skeleton: Skeleton, side: str) -> Pose:
    """Lay a filmed arm upon a body.

    Args:
        body: (4, H, W) the person without that arm, colours in [-1, 1] times the mask, in the wanted pose; the arm is
            painted into it.
        picture: (4, H, W) the frame that the arm is taken from.
        pose: The pose in that frame.
        wanted: The pose that is wanted.
        skeleton: What the joints are.
        side: `left` or `right`.

    Returns:
        The joints of forearm and hand where they lie now: of all other joints, and where no arm could be put, scores
        are 0.
    """
    xy, score = np.full_like(pose[0], np.nan), np.zeros_like(pose[1])
    found = _arm(pose, skeleton, side, ON)
    there = pose[0][None], pose[1][None]
    joints = forearm_joints(skeleton, side)
    fits = [
        fit_similarity(there, wanted, each, fewest=2) for each in (upper_arm_joints(skeleton, side), joints)
    ]
    if found is None or not all(np.isfinite([fit.turn[0], fit.shift[0]]).all() for fit in fits):
        return xy, score
    for fit, bones in zip(fits, found[:2], strict=True):
        cut = _cut_out(bones, pose, skeleton, found[2], picture.shape[-2:])
        if cut is not None:
            _lay(body, picture, *cut, complex(fit.turn[0]), complex(fit.shift[0]))
    moved = (pose[0][joints, 0] + 1j * pose[0][joints, 1]) * fits[1].turn[0] + fits[1].shift[0]
    xy[joints], score[joints] = np.stack([moved.real, moved.imag], -1), pose[1][joints]
    return xy, score


def _lay(
    body: Tensor, picture: Tensor, cut: Box, share: NDArray[np.float32], turn: complex, shift: complex
) -> None:
    """Lay what was cut out by `z * turn + shift`."""
    rows, columns = cut
    ends = np.array([[x + 1j * y for x in (columns.start, columns.stop)] for y in (rows.start, rows.stop)])
    goal = ends * turn + shift
    box = _box(goal.real, goal.imag, 2.0, body.shape[-2:])
    if box is None:
        return
    corner = complex(columns.start, rows.start) * turn + shift - complex(box[1].start, box[0].start)
    matrix = np.array([[turn.real, -turn.imag, corner.real], [turn.imag, turn.real, corner.imag]])
    piece = picture[:, rows, columns].permute(1, 2, 0).numpy() * share[..., None]
    size = box[1].stop - box[1].start, box[0].stop - box[0].start
    laid = cv2.warpAffine(np.ascontiguousarray(piece), matrix, size, flags=cv2.INTER_CUBIC)
    mask = laid[..., 3:].clip(0, 1)  # no colour may outshine what its mask allows: resampling overshoots
    arm = torch.from_numpy(np.concatenate([np.clip(laid[..., :3], -mask, mask), mask], -1)).permute(2, 0, 1)
    below = body[:, box[0], box[1]]
    below.mul_(1 - arm[3]).add_(arm)


def _arm(
    pose: Pose, skeleton: Skeleton, side: str, start: float
) -> tuple[list[Bone], list[Bone], float] | None:
    """Bones of the upper arm from `start` on, of forearm and hand, and the head's width; None without an arm."""
    xy, score = pose
    shoulder, elbow, wrist = (skeleton.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist"))
    width = float(head_widths(xy[None], score[None], skeleton, smoothing=1)[0])
    if not np.isfinite(width) or (score[[shoulder, elbow, wrist]] <= 0).any():
        return None
    upper: list[Bone] = [(xy[shoulder] + np.float32(start) * (xy[elbow] - xy[shoulder]), xy[elbow], UPPER)]
    lower: list[Bone] = [(xy[elbow], xy[wrist], LOWER)]
    names = [f"{side}_{each}" for each in HAND]
    hand = [skeleton.index(name) for name in names if name in skeleton and score[skeleton.index(name)] > 0]
    lower += [(xy[wrist], xy[each] + np.float32(FINGERS) * (xy[each] - xy[wrist]), PALM) for each in hand]
    if not hand:
        lower.append((xy[wrist], xy[wrist] + np.float32(NO_HAND) * (xy[wrist] - xy[elbow]), PALM))
    return upper, lower, width


def _cut_out(
    bones: list[Bone], pose: Pose, skeleton: Skeleton, width: float, size: torch.Size
) -> tuple[Box, NDArray[np.float32]] | None:
    """The box around bones of an arm, and (h, w) how much of what is there is arm: 1 near a bone, 0 beyond, and 0 where
    the body is relatively nearer; None outside of the picture.
    """
    ends = np.array([(start, end) for start, end, _ in bones]).reshape(-1, 2)
    reach = width * max(radii[1] for _, _, radii in bones)
    box = _box(ends[:, 0], ends[:, 1], reach, size)
    if box is None:
        return None
    down = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None]
    across = np.arange(box[1].start, box[1].stop, dtype=np.float32)[None]
    share = np.zeros((down.shape[0], across.shape[1]), np.float32)
    nearest, body = np.full_like(share, np.inf), np.full_like(share, np.inf)
    for start, end, (full, none) in bones:
        away = _away(across, down, start, end) / np.float32(width)
        np.maximum(share, ((none - away) / (none - full)).clip(0, 1), out=share)
        np.minimum(nearest, away / np.float32(none), out=nearest)
    for start, end in _lines(pose, skeleton):
        np.minimum(body, _away(across, down, start, end) / np.float32(TRUNK * width), out=body)
    share *= ((body - nearest) / EDGE + 0.5).clip(0, 1)
    return box, share


def _away(
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(h, w) pixels from a line."""
    bone = end - start
    along = (across - start[0]) * bone[0] + (down - start[1]) * bone[1]
    along = (along / max(1e-6, float(bone @ bone))).clip(0, 1)
    return np.asarray(
        np.sqrt(
            np.square(across - start[0] - along * bone[0]) + np.square(down - start[1] - along * bone[1])
        ),
        np.float32,
    )


def _lines(pose: Pose, skeleton: Skeleton) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """From the shoulders down the sides and thighs, and across the hips."""
    xy, score = pose
    left, right = (
        [skeleton.index(f"{side}_{joint}") for joint in ("shoulder", "hip", "knee")]
        for side in ("left", "right")
    )
    pairs = [*itertools.pairwise(left), *itertools.pairwise(right), (left[1], right[1])]
    return [(xy[a], xy[b]) for a, b in pairs if min(score[a], score[b]) > 0]


def _box(
    x: NDArray[np.floating], y: NDArray[np.floating], reach: float, size: torch.Size
) -> tuple[slice, slice] | None:
    """Rows and columns within a reach of some points, as far as they are in the picture."""
    sides = []
    for points, length in ((y, size[0]), (x, size[1])):
        low, high = float(points.min()) - reach, float(points.max()) + reach + 1
        start, stop = (int(np.clip(np.floor(each), 0, length)) for each in (low, high + 1))
        if start >= stop:
            return None
        sides.append(slice(start, stop))
    return sides[0], sides[1]
