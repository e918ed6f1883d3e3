"""A trained (or half-trained) target that paints: poses in, frames out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import PaintingParts
from dancekit.contracts import RendererSpec
from dancekit.types import Skeleton


class Painter:
    """Paints the window of the target, frame by frame, in constant memory.

    Args:
        parts: Renderer, generator, temporal strategy and face refiner; put into eval mode.
        skeleton: What the joints of the poses are.
        plate: (h, w, 3) uint8, the window of the clean plate.
        device: Where the networks are.
    """

    def __init__(
        self, parts: PaintingParts, skeleton: Skeleton, plate: NDArray[np.uint8], device: str
    ) -> None:
        self.parts = parts
        self.skeleton = skeleton
        self.device = device
        self._plate = (
            torch.from_numpy(plate.copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1).to(device)
        )
        parts.generator.eval()
        parts.face.eval()

    def paint(
        self, xy: NDArray[np.float32], score: NDArray[np.float32], *, cuts: Collection[int] = ()
    ) -> Iterator[NDArray[np.uint8]]:
        """Paint a clip.

        Args:
            xy: (T, K, 2) window pixels, NaN where missing.
            score: (T, K).
            cuts: Frames before which the history is forgotten.

        Yields:
            T images (h, w, 3) uint8 RGB.
        """
        boxes = self.parts.face.boxes(xy, score, self.skeleton)  # type: ignore[operator]
        drawn = (
            self.parts.renderer(xy[number : number + 1], score[number : number + 1])
            for number in range(len(xy))
        )
        return self.paint_conditions(drawn, boxes, cuts=cuts)

    def paint_conditions(
        self, conditions: Iterable[torch.Tensor], boxes: NDArray[np.float32], *, cuts: Collection[int] = ()
    ) -> Iterator[NDArray[np.uint8]]:
        """Paint a clip whose condition images are there already.

        Args:
            conditions: T images (1, C, h, w), lazily.
            boxes: (T, 4) face boxes in window pixels.
            cuts: Frames before which the history is forgotten.

        Yields:
            T images (h, w, 3) uint8 RGB.
        """
        state = None
        for number, drawn in enumerate(conditions):
            condition = drawn.to(self.device)
            if number in cuts:
                state = None
            # not around the yield: the mode would leak into the caller's code between two frames
            with torch.inference_mode():
                image, state = self.parts.temporal.step(self._generate, condition, state)
                box = torch.from_numpy(boxes[number : number + 1]).to(self.device)
                image = self.parts.face(image, condition, box)
                state = self.parts.temporal.remember(image, state)
                painted = to_uint8(image)[0]
            yield painted

    def _generate(self, condition: torch.Tensor) -> torch.Tensor:
        return self.parts.background.compose(self.parts.generator(condition), self._plate)

    def sticks(self, xy: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The condition image of one frame as a picture: (K, 2) and (K,) to (h, w, 3) uint8."""
        return condition_picture(self.parts.renderer(xy[None], score[None])[0], self.parts.renderer.spec)


def condition_picture(condition: torch.Tensor, spec: RendererSpec) -> NDArray[np.uint8]:
    """A condition image (C, H, W) as people see it: (H, W, 3) uint8.

    Channels are shown in the renderer's colours, the brightest on top; without colours the first three are
    red, green and blue, and a single one is grey.
    """
    low, high = spec.value_range
    image = ((condition.float().cpu() - low) / (high - low)).clamp(0, 1)
    if spec.colours:
        colours = torch.tensor(spec.colours)
        picture = torch.zeros(3, *image.shape[1:])
        for channel, colour in zip(image, colours, strict=True):
            picture = torch.maximum(picture, channel * colour[:, None, None])
    else:
        picture = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    return np.asarray(picture.mul(255).round().permute(1, 2, 0).numpy(), np.uint8)


def to_uint8(images: torch.Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) in [-1, 1] to (B, H, W, 3) uint8."""
    scaled = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    result: NDArray[Any] = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return result
