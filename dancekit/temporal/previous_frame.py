"""Temporal smoothing of Everybody Dance Now: each frame is painted knowing the one before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dancekit.contracts import State
from dancekit.temporal.history import clip_view, no_image


class PreviousFrame:
    """Conditions on the previous painted frame and shows the discriminator pairs (Chan et al. 2019, section
    3.2).

    The first frame of a clip gets a zero image (mid-grey) as its previous one. In training the gradient of
    the second frame runs through the first one as well, as in the original.

    Args:
        detach: Stop that gradient: less memory, and the first frame is trained for its own sake only.
    """

    version = 1
    clip_length = 2
    warm_up = 0

    def __init__(self, *, detach: bool = False) -> None:
        self.detach = detach

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input: condition and previous image."""
        return condition_channels + 3

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view: two conditions, two images."""
        return 2 * condition_channels + 6

    def start(self, condition: Tensor) -> State:
        """`image`: zeros (B, 3, H, W)."""
        return {"image": no_image(condition)}

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Paint one frame from (B, C, H, W) and the previous image (None: zeros); the state is the image."""
        state = self.start(condition) if state is None else state
        image = generator(torch.cat([condition, state["image"].to(condition.dtype)], 1))
        return image, self.remember(image, state)

    def remember(self, image: Tensor, state: State | None) -> State | None:
        """The image, final now, is what the next frame is told of."""
        return {"image": image.detach() if self.detach else image}

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, 2, C, H, W) and (B, 2, 3, H, W) to (B, 2 C + 6, H, W): s0, s1, I0, I1."""
        return clip_view(conditions, images, 2)
