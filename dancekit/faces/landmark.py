"""A refiner of face and hands that sees their landmarks as sharp as its crop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import Renderer
from dancekit.errors import IncompatibleParts
from dancekit.faces.crops import (
    Part,
    Weighting,
    by_region,
    crop_boxes,
    crop_valid,
    refine,
    region_rows,
    regions_of,
    residual_network,
    without_nan,
)
from dancekit.types import Skeleton

BOX = 5
"""Numbers of a row before its joints: the box, and the confidence."""


class LandmarkFace(nn.Module):
    """As `residual`, told of the pose by a figure that is drawn anew at the crop's own resolution.

    In the condition image a face is a few pixels wide, and its points run into each other; enlarged, they stay a
    blur. Here the recipe's renderer draws the pose once more as it lies in the box, so that brows, lips and fingers
    are lines of their own. It pays where the pose has such points: `blazepose_holistic`, or RTMW.

    Boxes, pasting, and the second network for hands (which sees right hands mirrored) are those of `residual`.

    Args:
        crop_size: Side of the square that a network sees, in pixels.
        ngf: Channels of its first layer.
        n_down: How many times it halves the crop.
        n_blocks: Its residual blocks.
        widths: Side of the face box in head widths.
        parts: What is refined: `face`, `hands`, or both.
        lengths: Side of a hand's box in lengths of an open hand.
        weighting: `confidence`: the less sure the pose is of a region, the less it counts in training; `none`.
        condition_channels: C of the renderer's image (wired).
        draw: Makes the recipe's renderer for pictures of a size (W, H) (wired).
    """

    version = 1
    needs_joints = True

    def __init__(
        self,
        *,
        crop_size: Annotated[int, Field(ge=16, le=512, multiple_of=8)] = 64,
        ngf: Annotated[int, Field(ge=1, le=256)] = 32,
        n_down: Annotated[int, Field(ge=1, le=3)] = 2,
        n_blocks: Annotated[int, Field(ge=0, le=32)] = 4,
        widths: Annotated[float, Field(gt=0.5, le=10.0)] = 2.5,
        parts: tuple[Part, ...] = ("face", "hands"),
        lengths: Annotated[float, Field(gt=0.5, le=10.0)] = 1.2,
        weighting: Weighting = "confidence",
        condition_channels: int,
        draw: Callable[[tuple[int, int]], Renderer],
    ) -> None:
        super().__init__()
        if crop_size % 2**n_down:
            raise ValueError(f"crop_size {crop_size} is no multiple of 2**n_down = {2**n_down}")
        self.crop_size = crop_size
        self.widths = widths
        self.lengths = lengths
        self.weighting: Weighting = weighting
        self.regions = regions_of(parts)
        self.renderer = draw((crop_size, crop_size))
        shape = {
            "condition_channels": condition_channels,
            "ngf": ngf,
            "n_down": n_down,
            "n_blocks": n_blocks,
        }
        if "face" in parts:
            self.model = residual_network(**shape)
        if "hands" in parts:
            self.hand_model = residual_network(**shape)

    def boxes(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], skeleton: Skeleton
    ) -> NDArray[np.float32]:
        """Boxes with the joints that are drawn in them.

        Returns:
            (T, R, 5 + 3 K): as `region_rows`, then x and y of each joint, then the scores.
        """
        rows = region_rows(
            xy,
            score,
            skeleton,
            regions=self.regions,
            widths=self.widths,
            lengths=self.lengths,
            weighting=self.weighting,
        )
        joints = np.concatenate([xy.reshape(len(xy), -1), score], 1).astype(np.float32)
        return np.concatenate([rows, joints[:, None].repeat(rows.shape[1], 1)], 2)

    def crop(self, images: Tensor, boxes: Tensor) -> Tensor:
        """(B, C, H, W) and (B, D) rows of one region to (B, C, crop_size, crop_size); zeros where a box is NaN."""
        return crop_valid(images, boxes, self.crop_size)

    def region_condition(self, condition: Tensor, boxes: Tensor) -> Tensor:
        """What the region's discriminator is told of the pose: the figure, (B, condition_channels, S, S)."""
        return self._figure(boxes).to(condition)

    def forward(self, image: Tensor, condition: Tensor, boxes: Tensor) -> Tensor:
        """Refine, paste and clamp.

        Args:
            image: (B, 3, H, W) in [-1, 1].
            condition: (B, C, H, W), not looked at.
            boxes: (B, R, 5 + 3 K) from `boxes`; where a box is NaN nothing changes.

        Returns:
            (B, 3, H, W) in [-1, 1].

        Raises:
            IncompatibleParts: Boxes without joints, as pictures that were drawn elsewhere have them.
        """
        if boxes.ndim == 2:
            raise IncompatibleParts(
                "face landmark draws joints, and these boxes come without any", hint="face=residual"
            )
        for region, rows in by_region(boxes, self.regions):

            def look(image: Tensor, safe: Tensor, rows: Tensor = rows) -> Tensor:
                figure = self._figure(rows).to(image)
                return torch.cat([figure, crop_boxes(image, safe, self.crop_size)], 1)

            network = self.model if region == "face" else self.hand_model
            image = refine(image, rows, look, network, self.crop_size, mirror=region == "right_hand")
        return image

    def _figure(self, rows: Tensor) -> Tensor:
        """(B, 5 + 3 K) to (B, C, S, S): the pose as it lies in the box, resized with it; empty where that is NaN."""
        valid, safe = without_nan(rows[:, :4], self.crop_size)
        where = safe.detach().double().cpu().numpy()[:, None]
        joints = rows[:, BOX:].detach().cpu().numpy()
        count = joints.shape[1] // 3
        xy = joints[:, : 2 * count].reshape(-1, count, 2)
        scale = self.crop_size / (where[..., 2:] - where[..., :2])
        # edges to edges, so half a pixel: centres are at integers here and there
        moved = (xy - where[..., :2]) * scale - 0.5
        there = valid[:, :, 0, 0].cpu().numpy()
        moved = np.where(there[..., None], moved, np.nan)
        score = np.where(there, joints[:, 2 * count :], 0)
        return self.renderer(moved.astype(np.float32), score.astype(np.float32))
