"""Limbs as condition image: one channel each, so that nothing is mixed where they cross."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.renderers import distance_field
from dancekit.renderers.palettes import channels_of, limbs
from dancekit.renderers.strokes import Figure, cover_frames, groups
from dancekit.types import Skeleton, skeleton_names


class Limbs:
    """Draws every limb as a capsule in a channel of its own, values in [0, 1].

    The strokes are those of `sticks`, without dots. A finger is one channel, and so is each line of the face
    (jaw, brow, eye, ...): where strokes of one channel overlap, the larger coverage counts. A limb with a
    joint missing leaves its channel black. Which limb a channel holds is in `names`.

    As the label maps of vid2vid and imaginaire, which encode limbs as channels; limbs are dropped at random
    in training by the augmentation `drop_limbs`.

    Args:
        line_width: Width of a limb as a fraction of the window's height (at least one pixel).
        hands: Draw fingers, where the skeleton has any.
        face: Draw the mouth and the 68 face points, where the skeleton has any.
        confidence: Draw a limb the darker, the less sure its joints are: times the product of their scores,
            as MimicMotion does.
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
        line_width: Annotated[float, Field(gt=0, le=0.1)] = 0.008,
        hands: bool = True,
        face: bool = True,
        confidence: bool = False,
        device: str = "cpu",
    ) -> None:
        self.skeleton = skeleton
        self.size = (int(size[0]), int(size[1]))
        self.confidence = confidence
        self.device = device
        # sorted by channel, so that a channel's strokes are neighbours
        found = channels_of(limbs(skeleton, hands=hands, face=face))
        self.names = tuple(found)
        table = [limb for strokes in found.values() for limb in strokes]
        self._figure = Figure.of(skeleton, table, line_width * self.size[1])
        self._counts = [len(strokes) for strokes in found.values()]
        self._channel = np.repeat(np.arange(len(found)), self._counts)
        self.spec = RendererSpec(
            channels=len(found),
            value_range=(0.0, 1.0),
            skeletons=skeleton_names(),
            colours=tuple(strokes[0].colour for strokes in found.values()),
        )

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw: (T, K, 2) window pixels and (T, K) to (T, C, H, W) float32 in [0, 1] on `device`."""
        self._figure.check(xy.shape, score.shape)
        if self.device != "cpu":
            with torch.no_grad():
                return self.draw(
                    torch.as_tensor(xy, dtype=torch.float32, device=self.device),
                    torch.as_tensor(score, dtype=torch.float32, device=self.device),
                )
        width, height = self.size
        pixels, channels = width * height, self.spec.channels
        pictures = np.zeros((len(xy), channels, height, width), np.float32)
        points = self._figure.points(xy, score)
        light = self._figure.brightness(score) if self.confidence else None
        for part in groups(len(xy), self.size):
            index, coverage, stroke, frame = cover_frames(self._figure, points[part], self.size)
            if light is not None:
                coverage = coverage * light[part][frame, stroke]
            place = index + (frame * (channels - 1) + self._channel[stroke]) * pixels
            np.maximum.at(pictures[part].reshape(-1), place, coverage.astype(np.float32))
        return torch.from_numpy(pictures)

    def draw(self, xy: Tensor, score: Tensor) -> Tensor:
        """The same by a distance field in torch: on any device, with gradients to `xy`.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K) on the same device.

        Returns:
            (T, C, H, W) in [0, 1], on the device and in the precision of `xy`.
        """
        figure = self._figure
        figure.check(xy.shape, score.shape)
        parts = distance_field.groups(len(xy), len(figure.start), self.size)
        pictures = [self._draw(xy[part], score[part]) for part in parts]
        empty = xy.new_zeros(0, self.spec.channels, self.size[1], self.size[0])
        return torch.cat(pictures) if pictures else empty

    def _draw(self, xy: Tensor, score: Tensor) -> Tensor:
        cover = distance_field.coverage(self._figure, xy, score, self.size)
        if self.confidence:
            light = distance_field.brightness(self._figure, score).to(xy.dtype)
            cover = cover * light[..., None, None]
        return torch.stack([strokes.amax(1) for strokes in torch.split(cover, self._counts, 1)], 1)
