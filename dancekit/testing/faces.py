"""What a face refiner promises: boxes from keypoints, crops, and a face that is refined and pasted back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dancekit.testing.checks import require, skip
from dancekit.testing.examples import example_poses
from dancekit.testing.networks import Probe, make, network_checks
from dancekit.testing.subject import CHANNELS, FACE_SIZE, Subject
from dancekit.types import PoseSequence

EDGE = 1
"""Pixels beyond its box that a pasted face may touch: the box's edge lies between pixels."""


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a face refiner, one more for one that knows several regions."""
    found = (its_boxes_are_square, without_a_face_there_is_no_box, it_crops, it_changes_its_boxes_alone)
    more = (regions_are_told_of_the_pose,) if hasattr(subject.cls, "region_condition") else ()
    return (*found, *more, *network_checks(_PROBE))


def its_boxes_are_square(subject: Subject) -> None:
    """Keypoints (T, K, 2) and (T, K) give (T, 4) or (T, R, D) float32: square boxes, that of the face with the nose."""
    face, poses = make(subject), _poses()
    rows = face.boxes(poses.xy, poses.score, poses.skeleton)
    shaped = rows.shape == (len(poses), 4) or (
        rows.ndim == 3 and len(rows) == len(poses) and rows.shape[2] >= 5
    )
    require(
        shaped, f"boxes have shape {rows.shape}, expected ({len(poses)}, 4) or ({len(poses)}, R, 5 or more)"
    )
    require(rows.dtype == np.float32, f"boxes are {rows.dtype}")
    regions = getattr(face, "regions", ("face",))
    boxes = rows.reshape(len(rows), -1, rows.shape[-1])[..., :4]
    require(boxes.shape[1] == len(regions), f"{boxes.shape[1]} boxes a frame for the regions {regions}")
    seen = np.isfinite(boxes).all(-1)
    if not seen.any():
        skip("it looks for no face")
    wide, tall = (boxes[seen][:, 2 + axis] - boxes[seen][:, axis] for axis in (0, 1))
    require(bool((wide > 0).all()), "a box has no width")
    require(np.allclose(wide, tall, atol=1e-2), "boxes are not square")
    if "face" in regions:
        heads, nose = boxes[:, regions.index("face")], poses.xy[:, poses.skeleton.index("nose")]
        inside = (heads[:, :2] <= nose) & (nose <= heads[:, 2:])
        require(bool(inside.all()), "the box of the face does not hold the nose")


def without_a_face_there_is_no_box(subject: Subject) -> None:
    """Frames without any joint give boxes of NaN."""
    face, poses = make(subject), _poses()
    rows = face.boxes(np.full_like(poses.xy, np.nan), np.zeros_like(poses.score), poses.skeleton)
    require(bool(np.isnan(rows[..., :4]).all()), "a box was found where there is no joint")


def it_crops(subject: Subject) -> None:
    """`crop` cuts (B, C, H, W) to (B, C, crop_size, crop_size), finite even where the box is NaN."""
    face = make(subject)
    image, _, rows = _inputs(subject, face)
    one = (rows if rows.ndim == 2 else rows[:, 0]).clone()
    one[1] = torch.nan
    crops = face.crop(image, one)
    expected = (2, 3, face.crop_size, face.crop_size)
    require(tuple(crops.shape) == expected, f"crops have shape {tuple(crops.shape)}, expected {expected}")
    require(bool(crops.isfinite().all()), "crops are not finite")


def it_changes_its_boxes_alone(subject: Subject) -> None:
    """The refined image has the same shape, lies in [-1, 1], and only boxes change; NaN boxes change nothing."""
    face = make(subject)
    _shake(face)
    image, condition, rows = _inputs(subject, face)
    with torch.no_grad():
        refined = face(image, condition, rows)
        blind = face(image, condition, torch.full_like(rows, torch.nan))
    require(refined.shape == image.shape, f"(B, 3, H, W) became {tuple(refined.shape)}")
    require(bool((refined.abs() <= 1).all()), "refined images leave [-1, 1]")
    require(torch.equal(blind, image), "a NaN box changed the image")
    y, x = torch.meshgrid(*(torch.arange(side) for side in image.shape[2:]), indexing="ij")
    for number, boxes in enumerate(rows.reshape(2, -1, rows.shape[-1])[..., :4]):
        outside = torch.ones_like(x, dtype=torch.bool)
        for left, top, right, bottom in boxes.tolist():
            inside = (x >= left - EDGE) & (x <= right + EDGE) & (y >= top - EDGE) & (y <= bottom + EDGE)
            outside &= ~inside
        same = (refined[number] == image[number]).all(0)
        require(bool(same[outside].all()), "pixels outside of the boxes were changed")


def regions_are_told_of_the_pose(subject: Subject) -> None:
    """`region_condition` gives (B, C, crop_size, crop_size), finite, for the rows of each region."""
    face = make(subject)
    _, condition, rows = _inputs(subject, face)
    for region in (rows[:, None] if rows.ndim == 2 else rows).unbind(1):
        told = face.region_condition(condition, region)
        expected = (2, CHANNELS, face.crop_size, face.crop_size)
        require(tuple(told.shape) == expected, f"it gives {tuple(told.shape)}, expected {expected}")
        require(bool(told.isfinite().all()), "what a discriminator is told is not finite")


def _poses() -> PoseSequence:
    return example_poses(size=FACE_SIZE, height=0.9)


def _shake(network: nn.Module) -> None:
    """Weights that do something: a refiner may begin as the identity."""
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
            parameter.add_(drawn * 0.05)


def _inputs(subject: Subject, network: Any) -> tuple[Tensor, ...]:
    width, height = FACE_SIZE
    rng, poses = torch.Generator().manual_seed(3), _poses()[:2]
    image = torch.rand(2, 3, height, width, generator=rng) * 1.6 - 0.8
    condition = torch.rand(2, CHANNELS, height, width, generator=rng) * 2 - 1
    return image, condition, torch.from_numpy(network.boxes(poses.xy, poses.score, poses.skeleton))


def _run(network: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [network(*inputs)]


_PROBE = Probe(_inputs, _run, prepare=_shake)
