"""Flip and small affine changes: pixels, person mask and keypoints move together, before sticks are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dancekit.augmentations.kornia_adapter import affine_matrix, mirror_clip, warp_clip
from dancekit.contracts import Clip
from dancekit.errors import UsageError


class Flip:
    """Mirrors a clip left to right and swaps left with right joints (`Skeleton.mirror`).

    Args:
        p: Probability that a clip is mirrored.
    """

    version: int = 1

    def __init__(self, *, p: Annotated[float, Field(ge=0, le=1)] = 0.5) -> None:
        self.p = p

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mapping[str, Any]:
        """One coin: `{"on": bool}`. `size` is not looked at."""
        return {"on": bool(rng.random() < self.p)}

    def apply(self, clip: Clip, parameters: Mapping[str, Any]) -> Clip:
        """The clip, mirrored if the coin said so."""
        return mirror_clip(clip) if parameters["on"] else clip


class Affine:
    """Rotates, scales and shifts a clip in one bicubic warp, about the image's centre.

    Beyond the image's edge its reflection is painted, and the mask is 0. Joints that leave the image stay
    known (limbs are drawn to the edge) up to one image size away; beyond that they are missing.

    Args:
        rotate: Largest rotation in degrees, either way.
        scale: Smallest and largest factor; drawn evenly in its logarithm.
        translate: Largest shift as a fraction of width and height, any way.
        p: Probability that a clip is changed.

    Raises:
        UsageError: `scale` is not a pair of positive numbers in order.
    """

    version: int = 1

    def __init__(
        self,
        *,
        rotate: Annotated[float, Field(ge=0, le=180)] = 3.0,
        scale: tuple[float, float] = (0.95, 1.05),
        translate: Annotated[float, Field(ge=0, le=1)] = 0.03,
        p: Annotated[float, Field(ge=0, le=1)] = 1.0,
    ) -> None:
        low, high = scale
        if not 0 < low <= high < float("inf"):
            raise UsageError(f"affine.scale is {scale}", hint="two positive numbers, the smaller one first")
        self.rotate, self.scale, self.translate, self.p = rotate, (low, high), translate, p

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mapping[str, Any]:
        """`on`, `angle` (degrees), `scale` and `shift` (fractions of W, H). `size` is not looked at.

        The same number of draws is taken whatever the coin says, so later draws do not depend on it.
        """
        coin, turn, zoom, right, down = rng.random(5)
        low, high = np.log(self.scale)
        return {
            "on": bool(coin < self.p),
            "angle": float(self.rotate * (2 * turn - 1)),
            "scale": float(np.exp(low + (high - low) * zoom)),
            "shift": [float(self.translate * (2 * right - 1)), float(self.translate * (2 * down - 1))],
        }

    def apply(self, clip: Clip, parameters: Mapping[str, Any]) -> Clip:
        """The clip, warped if the coin said so."""
        if not parameters["on"]:
            return clip
        height, width = clip.images.shape[-2:]
        right, down = parameters["shift"]
        matrix = affine_matrix(
            (width, height), angle=parameters["angle"], scale=parameters["scale"], shift=(right, down)
        )
        return warp_clip(clip, matrix)
