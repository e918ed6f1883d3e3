"""Changes of colour; keypoints and mask stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dancekit.augmentations.kornia_adapter import recolour
from dancekit.contracts import Clip


class Colour:
    """Changes brightness, contrast, saturation and hue of a whole clip by one draw.

    Each is drawn evenly between minus and plus the number given; 0 leaves it alone.

    Args:
        brightness: Largest shift, as a fraction of the full range.
        contrast: Largest change of the contrast about middle grey, as a fraction.
        saturation: Largest change of the distance from grey, as a fraction.
        hue: Largest turn of the hue, in full turns.
        p: Probability that a clip is changed.
    """

    version: int = 1

    def __init__(
        self,
        *,
        brightness: Annotated[float, Field(ge=0, le=1)] = 0.1,
        contrast: Annotated[float, Field(ge=0, le=1)] = 0.1,
        saturation: Annotated[float, Field(ge=0, le=1)] = 0.1,
        hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
        p: Annotated[float, Field(ge=0, le=1)] = 1.0,
    ) -> None:
        self.brightness, self.contrast, self.saturation, self.hue, self.p = (
            brightness,
            contrast,
            saturation,
            hue,
            p,
        )

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mapping[str, Any]:
        """`on`, `brightness` and `hue` (added), `contrast`, `saturation` (factors). `size` is unused."""
        coin, *rest = rng.random(5)
        brightness, contrast, saturation, hue = (2 * float(number) - 1 for number in rest)
        return {
            "on": bool(coin < self.p),
            "brightness": self.brightness * brightness,
            "contrast": 1 + self.contrast * contrast,
            "saturation": 1 + self.saturation * saturation,
            "hue": self.hue * hue,
        }

    def apply(self, clip: Clip, parameters: Mapping[str, Any]) -> Clip:
        """The clip in other colours, if the coin said so."""
        if not parameters["on"]:
            return clip
        numbers = {name: parameters[name] for name in ("brightness", "contrast", "saturation", "hue")}
        return replace(clip, images=recolour(clip.images, **numbers), plate=recolour(clip.plate, **numbers))
