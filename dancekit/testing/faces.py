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
from dancekit.testing.subject import CHANNELS, SIZE, Subject

EDGE = 1
"""Pixels beyond its box that a pasted face may touch: the box's edge lies between pixels."""


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a face refiner."""
    return (
        its_boxes_are_square,
        without_a_face_there_is_no_box,
        it_crops,
        it_changes_the_face_alone,
        *network_checks(_PROBE),
    )


def its_boxes_are_square(subject: Subject) -> None:
    """Keypoints (T, K, 2) and (T, K) give (T, 4) float32 left, top, right, bottom: square, around the head."""
    face, poses = make(subject), example_poses()
    boxes = face.boxes(poses.xy, poses.score, poses.skeleton)
    require(boxes.shape == (len(poses), 4), f"boxes have shape {boxes.shape}, expected ({len(poses)}, 4)")
    require(boxes.dtype == np.float32, f"boxes are {boxes.dtype}")
    seen = np.isfinite(boxes).all(1)
    if not seen.any():
        skip("it looks for no face")
    wide, tall = (boxes[seen, 2 + axis] - boxes[seen, axis] for axis in (0, 1))
    require(bool((wide > 0).all()), "a box has no width")
    require(np.allclose(wide, tall, atol=1e-2), "boxes are not square")
    nose = poses.xy[seen, poses.skeleton.index("nose")]
    inside = (boxes[seen, :2] <= nose) & (nose <= boxes[seen, 2:])
    require(bool(inside.all()), "a box does not hold the nose")


def without_a_face_there_is_no_box(subject: Subject) -> None:
    """Frames without any joint give a box of NaN."""
    face, poses = make(subject), example_poses()
    boxes = face.boxes(np.full_like(poses.xy, np.nan), np.zeros_like(poses.score), poses.skeleton)
    require(bool(np.isnan(boxes).all()), "a box was found where there is no joint")


def it_crops(subject: Subject) -> None:
    """`crop` cuts (B, C, H, W) to (B, C, crop_size, crop_size), finite even where the box is NaN."""
    face = make(subject)
    image, _, boxes = _inputs(subject, face)
    boxes = boxes.clone()
    boxes[1] = torch.nan
    crops = face.crop(image, boxes)
    expected = (2, 3, face.crop_size, face.crop_size)
    require(tuple(crops.shape) == expected, f"crops have shape {tuple(crops.shape)}, expected {expected}")
    require(bool(crops.isfinite().all()), "crops are not finite")


def it_changes_the_face_alone(subject: Subject) -> None:
    """The refined image has the same shape, lies in [-1, 1], and only the box changes; NaN boxes change nothing."""
    face = make(subject)
    _shake(face)
    image, condition, boxes = _inputs(subject, face)
    with torch.no_grad():
        refined = face(image, condition, boxes)
        blind = face(image, condition, torch.full_like(boxes, torch.nan))
    require(refined.shape == image.shape, f"(B, 3, H, W) became {tuple(refined.shape)}")
    require(bool((refined.abs() <= 1).all()), "refined images leave [-1, 1]")
    require(torch.equal(blind, image), "a NaN box changed the image")
    y, x = torch.meshgrid(*(torch.arange(side) for side in image.shape[2:]), indexing="ij")
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        outside = (x < left - EDGE) | (x > right + EDGE) | (y < top - EDGE) | (y > bottom + EDGE)
        same = (refined[number] == image[number]).all(0)
        require(bool(same[outside].all()), "pixels outside of the box were changed")


def _shake(network: nn.Module) -> None:
    """Weights that do something: a refiner may begin as the identity."""
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
            parameter.add_(drawn * 0.05)


def _inputs(subject: Subject, network: Any) -> tuple[Tensor, ...]:
    width, height = SIZE
    rng = torch.Generator().manual_seed(3)
    image = torch.rand(2, 3, height, width, generator=rng) * 1.6 - 0.8
    condition = torch.rand(2, CHANNELS, height, width, generator=rng) * 2 - 1
    return image, condition, torch.tensor([[20.5, 8.5, 52.5, 40.5], [40.5, 16.5, 72.5, 48.5]])


def _run(network: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [network(*inputs)]


_PROBE = Probe(_inputs, _run, prepare=_shake)
