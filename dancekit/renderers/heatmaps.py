"""Joints as condition image: a Gaussian each, as pose networks are trained on."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.renderers.palettes import DOTS
from dancekit.types import Skeleton, skeleton_names


class Heatmaps:
    """Draws exp(-d^2 / (2 sigma^2)) around every joint in a channel of its own, values in [0, 1].

    A missing joint leaves its channel black. A Gaussian is the product of a row and a column, so one way of
    drawing is fast on every device; `draw` has gradients to the joints.

    Args:
        sigma: Of the Gaussian, as a fraction of the window's height (at least half a pixel).
        hands: Draw the joints of the hands, where the skeleton has any.
        face: Draw the points of the face, where the skeleton has any; nose, eyes and ears are always drawn.
        confidence: Draw a joint the darker, the less sure it is: times its score.
        skeleton: What the joints are (wired).
        size: (W, H) of the window in pixels (wired).
        device: Where pictures are drawn and returned (wired).
    """

    version: int = 1

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        size: tuple[int, int],
        sigma: Annotated[float, Field(gt=0, le=0.5)] = 0.015,
        hands: bool = True,
        face: bool = True,
        confidence: bool = False,
        device: str = "cpu",
    ) -> None:
        self.skeleton = skeleton
        self.size = (int(size[0]), int(size[1]))
        self.confidence = confidence
        self.device = device
        self.sigma = max(sigma * self.size[1], 0.5)
        hidden = ("face",) * (not face) + ("left_hand", "right_hand") * (not hands)
        without = {joint for part in hidden for joint in skeleton.parts.get(part, ())}
        self._joints = [joint for joint in range(len(skeleton)) if joint not in without]
        self.names = tuple(skeleton.joints[joint] for joint in self._joints)
        self.spec = RendererSpec(
            channels=len(self._joints),
            value_range=(0.0, 1.0),
            skeletons=skeleton_names(),
            colours=tuple(DOTS[skeleton.side(joint)] for joint in self._joints),
        )

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw: (T, K, 2) window pixels and (T, K) to (T, C, H, W) float32 in [0, 1] on `device`."""
        with torch.no_grad():
            return self.draw(
                torch.as_tensor(np.array(xy, np.float32), device=self.device),
                torch.as_tensor(np.array(score, np.float32), device=self.device),
            )

    def draw(self, xy: Tensor, score: Tensor) -> Tensor:
        """The same from tensors, with gradients to `xy` (and to `score` with `confidence`).

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K) on the same device.

        Returns:
            (T, C, H, W) in [0, 1], on the device and in the precision of `xy`.
        """
        if xy.shape != (*score.shape, 2) or score.ndim != 2 or score.shape[1] != len(self.skeleton):
            raise ValueError(
                f"xy {tuple(xy.shape)} and score {tuple(score.shape)} are not (T, K, 2) and (T, K) of "
                f"{self.skeleton.id}"
            )
        xy, score = xy[:, self._joints], score[:, self._joints]
        known = (score > 0) & xy.isfinite().all(-1)
        xy = torch.where(known[..., None], xy, torch.zeros_like(xy))
        light = (score.clamp(0, 1) * known if self.confidence else known).to(xy.dtype)
        column = self._profile(xy[..., 0], self.size[0])
        row = self._profile(xy[..., 1], self.size[1]) * light[..., None]
        return row[..., :, None] * column[..., None, :]

    def _profile(self, centre: Tensor, pixels: int) -> Tensor:
        """(T, C) to (T, C, pixels): the Gaussian along one axis."""
        place = torch.arange(pixels, dtype=centre.dtype, device=centre.device)
        # beyond 1e4 sigma nothing is left, and the square of more would be infinite
        away = ((place - centre[..., None]) / self.sigma).clamp(-1e4, 1e4)
        return torch.exp(-0.5 * away * away)
