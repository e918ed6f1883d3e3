"""The stick figure: limbs as antialiased strokes, joints as dots, left and right in different colours."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dancekit.contracts import RendererSpec
from dancekit.renderers import distance_field
from dancekit.renderers.palettes import DOTS, DOTTED, limbs
from dancekit.renderers.strokes import LEAST_WIDTH, Array, Figure, cover_frames, groups
from dancekit.types import Skeleton, skeleton_names

DOT_RADIUS = 0.8
"""Of a joint, in line widths."""


class Sticks:
    """Draws an RGB stick figure on black, values in [0, 1].

    Every limb is a capsule: pixels are covered by clip(radius + 0.5 - distance to the limb, 0, 1), the
    distance measured in float between pixel centres, so a joint that moves by a hundredth of a pixel moves
    the picture by as much. Depth is unknown, so there is no order: where limbs cross, their colours are mixed
    by coverage, and a limb behind another stays visible. Joints are dots on top. Limbs that leave the window
    are drawn up to its edge. A joint that is missing (score 0 or NaN) draws neither its dot nor its limbs.

    Colours are in `palettes.py`. EDN's own figure (ellipses of constant width, white ground) is another
    renderer.

    Args:
        line_width: Width of a limb as a fraction of the window's height (at least one pixel).
        hands: Draw fingers, where the skeleton has any.
        face: Draw the mouth and the 68 face points, where the skeleton has any. Nose, eyes and ears are
            always drawn.
        confidence: Draw a stroke the darker, the less sure its joints are: its colour times the product of
            their scores, as MimicMotion does.
        skeleton: What the joints are (wired).
        size: (W, H) of the window in pixels (wired).
        device: Where pictures are drawn and returned (wired). On the CPU `__call__` visits covered pixels
            only; elsewhere it is `draw`.
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
        self.spec = RendererSpec(channels=3, value_range=(0.0, 1.0), skeletons=skeleton_names())
        self.skeleton = skeleton
        self.size = (int(size[0]), int(size[1]))
        self.confidence = confidence
        self.device = device
        width = line_width * self.size[1]
        table = limbs(skeleton, hands=hands, face=face)
        self._figure = Figure.of(skeleton, table, width, DOTTED, DOT_RADIUS * max(width, LEAST_WIDTH))
        self._limbs = len(table)  # strokes: first all limbs, then all dots
        dots = range(len(table), len(self._figure.start))
        dot_colours = [DOTS[skeleton.side(self._figure.joint(n))] for n in dots]
        self._colour = np.array([limb.colour for limb in table] + dot_colours)

    def __call__(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> Tensor:
        """Draw.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).

        Returns:
            (T, 3, H, W) float32 in [0, 1] on `device`.
        """
        self._figure.check(xy.shape, score.shape)
        if self.device != "cpu":
            with torch.no_grad():
                return self.draw(
                    torch.as_tensor(xy, dtype=torch.float32, device=self.device),
                    torch.as_tensor(score, dtype=torch.float32, device=self.device),
                )
        width, height = self.size
        pictures = np.zeros((len(xy), 3, height, width), np.float32)
        points = self._figure.points(xy, score)
        light = self._figure.brightness(score) if self.confidence else None
        for part in groups(len(xy), self.size):
            index, coverage, stroke, frame = cover_frames(self._figure, points[part], self.size)
            colour = self._colour[stroke]
            if light is not None:
                colour = colour * light[part][frame, stroke][:, None]
            for layer in (stroke < self._limbs, stroke >= self._limbs):
                _paint(pictures[part], index[layer], coverage[layer], colour[layer])
        return torch.from_numpy(pictures)

    def strokes(self) -> list[dict[str, Any]]:
        """What is drawn, for other programs: limbs first, then dots (a stroke that ends where it begins).

        Each has `start` and `end`, two joints' numbers whose mean the point is (twice the same one, unless it is
        made up), `colour` RGB in [0, 1], `radius` in pixels and `dot`.
        """
        figure, made = self._figure, []
        for number, (start, end) in enumerate(zip(figure.start, figure.end, strict=True)):
            points = [[int(half[point]) for half in figure.halves] for point in (start, end)]
            made.append(
                {
                    "start": points[0],
                    "end": points[1],
                    "colour": [round(float(value), 4) for value in self._colour[number]],
                    "radius": round(float(figure.radius[number]), 5),
                    "dot": number >= self._limbs,
                }
            )
        return made

    def draw(self, xy: Tensor, score: Tensor) -> Tensor:
        """The same picture by a distance field in torch: on any device, with gradients to `xy`.

        It differs from `__call__` on the CPU by rounding alone.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K) on the same device.

        Returns:
            (T, 3, H, W) in [0, 1], on the device and in the precision of `xy`.
        """
        figure = self._figure
        figure.check(xy.shape, score.shape)
        parts = distance_field.groups(len(xy), len(figure.start), self.size)
        pictures = [self._draw(xy[part], score[part]) for part in parts]
        return torch.cat(pictures) if pictures else xy.new_zeros(0, 3, self.size[1], self.size[0])

    def _draw(self, xy: Tensor, score: Tensor) -> Tensor:
        cover = distance_field.coverage(self._figure, xy, score, self.size)
        colour = torch.as_tensor(self._colour, dtype=xy.dtype, device=xy.device).expand(len(xy), -1, -1)
        if self.confidence:
            colour = colour * distance_field.brightness(self._figure, score)[..., None].to(xy.dtype)
        lines, _ = _mix(cover[:, : self._limbs], colour[:, : self._limbs])
        dots, beneath = _mix(cover[:, self._limbs :], colour[:, self._limbs :])
        return (lines * beneath + dots).clamp_max(1.0)  # rounding goes beyond


def _mix(cover: Tensor, colour: Tensor) -> tuple[Tensor, Tensor]:
    """Strokes (T, S, H, W) mixed by coverage (T, 3, H, W), and what is left to see beneath (T, 1, H, W)."""
    total = cover.sum(1, keepdim=True)
    mixed = torch.einsum("tshw,tsc->tchw", cover, colour)
    return mixed / total.clamp_min(1.0), (1.0 - total).clamp_min(0.0)


def _paint(pictures: NDArray[np.float32], index: NDArray[np.intp], coverage: Array, colour: Array) -> None:
    """Lay strokes over the pictures: mixed by coverage among themselves, over what was there."""
    frames, channels, height, width = pictures.shape
    marked = np.zeros(frames * height * width, bool)
    marked[index] = True
    touched = np.flatnonzero(marked)
    number = np.empty(len(marked), np.intp)
    number[touched] = np.arange(len(touched))
    place = number[index]
    total = np.bincount(place, coverage, len(touched))
    share = 1.0 / np.maximum(total, 1.0)
    beneath = np.maximum(1.0 - total, 0.0)
    frame, pixel = np.divmod(touched, height * width)
    flat = pictures.reshape(frames, channels, -1)
    for channel in range(channels):
        mixed = np.bincount(place, coverage * colour[:, channel], len(touched)) * share
        flat[frame, channel, pixel] = flat[frame, channel, pixel] * beneath + mixed
