"""A head from a frame of its own: the body's is taken off where it was filmed, another is put on where it belongs."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dancekit.boxes import face_boxes
from dancekit.heads import fit_heads, head_joints
from dancekit.types import Skeleton

Pose = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(K, 2) pixels, NaN where missing, and (K,) scores."""

BOX = 2.5
"""Side of the box around the head, in head widths."""
# Radii in half sides of the box: there the head's edge is soft
OFF, ON = (0.9, 1.1), (1.0, 1.2)
ARM = (0.2, 0.3)
"""Head widths from the bones of forearm and hand: what is within stays before the head."""
HAND = 0.7
"""From wrist to finger tips, in forearms, where the skeleton has no hand."""


def without_head(picture: Tensor, pose: Pose, skeleton: Skeleton) -> Tensor:
    """(4, H, W) with nothing where the head was, but for forearms and hands; the same if no head is found."""
    found = _head(pose, skeleton, picture.shape[-2:], OFF)
    if found is None:
        return picture
    (top, bottom, left, right), head = found
    rest = picture.clone()  # it belongs to the bank
    rest[:, top:bottom, left:right] *= torch.from_numpy(1 - head)
    return rest


def put_head(body: Tensor, picture: Tensor, pose: Pose, wanted: Pose, skeleton: Skeleton) -> Pose:
    """Put a filmed head upon a body.

    Args:
        body: (4, H, W) the person without a head, colours in [-1, 1] times the mask, in the wanted pose; the head is
            painted into it.
        picture: (4, H, W) the frame that the head is taken from.
        pose: The pose in that frame.
        wanted: The pose that is wanted; forearms and hands of the body stay before the head.
        skeleton: What the joints are.

    Returns:
        The head's joints where they lie now: of all other joints, and where no head could be put, scores are 0.
    """
    xy, score = np.full_like(pose[0], np.nan), np.zeros_like(pose[1])
    fit = fit_heads((pose[0][None], pose[1][None]), wanted, skeleton)
    turn, shift = complex(fit.turn[0]), complex(fit.shift[0])
    found = _head(wanted, skeleton, picture.shape[-2:], ON)
    if found is None or not np.isfinite([turn, shift]).all():
        return xy, score
    joints = head_joints(skeleton)
    moved = (pose[0][joints, 0] + 1j * pose[0][joints, 1]) * turn + shift
    xy[joints], score[joints] = np.stack([moved.real, moved.imag], -1), pose[1][joints]
    (top, bottom, left, right), share = found
    matrix = np.array(
        [[turn.real, -turn.imag, shift.real - left], [turn.imag, turn.real, shift.imag - top]], np.float64
    )
    given = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    seen = cv2.warpAffine(given, matrix, (right - left, bottom - top), flags=cv2.INTER_CUBIC)
    mask = seen[..., 3:].clip(0, 1)  # no colour may outshine what its mask allows: resampling overshoots
    head = torch.from_numpy(np.concatenate([np.clip(seen[..., :3], -mask, mask), mask], -1)).permute(2, 0, 1)
    body[:, top:bottom, left:right].lerp_(head, torch.from_numpy(share))
    return xy, score


def _head(
    pose: Pose, skeleton: Skeleton, size: torch.Size, edge: tuple[float, float]
) -> tuple[tuple[int, int, int, int], NDArray[np.float32]] | None:
    """Top, bottom, left, right of what may be head, and (h, w) in there how much of it is; None without a head."""
    box = face_boxes(pose[0][None], pose[1][None], skeleton, widths=BOX)[0]
    if not np.isfinite(box).all():
        return None
    x, y, radius = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / 2
    reach = edge[1] * radius
    left, right = (int(np.clip(each, 0, size[1])) for each in (x - reach, x + reach + 1))
    top, bottom = (int(np.clip(each, 0, size[0])) for each in (y - reach, y + reach + 1))
    if left >= right or top >= bottom:
        return None
    across = np.arange(left, right, dtype=np.float32)[None]
    down = np.arange(top, bottom, dtype=np.float32)[:, None]
    head = _soft(np.sqrt(np.square(across - x) + np.square(down - y)) / radius, edge)
    width = 2 * radius / BOX
    furthest = reach + ARM[1] * width
    for start, end in _arms(pose, skeleton):
        if (np.maximum(start, end) < (x - furthest, y - furthest)).any():
            continue
        if (np.minimum(start, end) > (x + furthest, y + furthest)).any():
            continue
        bone = end - start
        along = (across - start[0]) * bone[0] + (down - start[1]) * bone[1]
        along = (along / max(1e-6, float(bone @ bone))).clip(0, 1)
        aside = np.square(across - start[0] - along * bone[0]) + np.square(down - start[1] - along * bone[1])
        head = np.minimum(head, 1 - _soft(np.sqrt(aside) / width, ARM))
    return (top, bottom, left, right), np.ascontiguousarray(head, np.float32)


def _soft(distance: NDArray[np.float32], edge: tuple[float, float]) -> NDArray[np.float32]:
    """1 within, 0 beyond."""
    return np.asarray(((edge[1] - distance) / (edge[1] - edge[0])).clip(0, 1), np.float32)


def _arms(pose: Pose, skeleton: Skeleton) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """From elbow to wrist, and from there to the finger tips."""
    xy, score = pose
    bones = []
    for side in ("left", "right"):
        elbow, wrist = (skeleton.index(f"{side}_{joint}") for joint in ("elbow", "wrist"))
        if score[wrist] <= 0:
            continue
        if score[elbow] > 0:
            bones.append((xy[elbow], xy[wrist]))
        tips = [f"{side}_{finger}" for finger in ("index", "thumb") if f"{side}_{finger}" in skeleton]
        tips = [tip for tip in tips if score[skeleton.index(tip)] > 0]
        bones += [(xy[wrist], xy[skeleton.index(tip)]) for tip in tips]
        if not tips and score[elbow] > 0:
            bones.append((xy[wrist], xy[wrist] + np.float32(HAND) * (xy[wrist] - xy[elbow])))
    return bones
