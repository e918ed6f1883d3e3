"""A memory that goes from frame to frame: a convolutional GRU beside the generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import State
from dancekit.convolutions import Conv2d
from dancekit.layers import at_least_single, channels_last, halving, init_gan
from dancekit.temporal.history import clip_view, no_image


class ConvGRU(nn.Module):
    """A gated recurrent unit whose products are 3x3 convolutions (Ballas et al., ICLR 2016, section 3).

    Args:
        channels: C of what comes in and of the memory.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(B, C, h, w) each to the new memory, (B, C, h, w) in (-1, 1)."""
        update, reset = self.gates(torch.cat([x, memory], 1)).sigmoid().chunk(2, 1)
        new: Tensor = self.candidate(torch.cat([x, reset * memory], 1)).tanh()
        return (1 - update) * memory + update * new  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """The generator sees condition, last image and features of a memory that no frame has to hold.

    Condition and last image are shrunk and go into a convolutional GRU; its memory, enlarged again, is further
    input of the generator. What was seen some frames ago (a side that is turned away now) can be painted again.

    Training is truncated back-propagation through time: clips of `warm_up` frames without gradient and `frames`
    with it, so that the memory is old already when it counts.

    Args:
        frames: Frames of a training clip that are judged; the gradient runs through all of them.
        warm_up: Frames before them, painted without gradient.
        channels: C of the memory.
        features: C of what the generator gets of it.
        n_down: How many times the image is halved for it.
        condition_channels: C of the condition image (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        frames: Annotated[int, Field(ge=2, le=64)] = 3,
        warm_up: Annotated[int, Field(ge=0, le=64)] = 2,
        channels: Annotated[int, Field(ge=1, le=512)] = 32,
        features: Annotated[int, Field(ge=1, le=64)] = 8,
        n_down: Annotated[int, Field(ge=1, le=3)] = 3,
        condition_channels: int,
    ) -> None:
        super().__init__()
        self.frames = frames
        self.warm_up = warm_up
        self.clip_length = warm_up + frames
        self.channels = channels
        self.features = features
        self.n_down = n_down
        first = max(1, channels >> (n_down - 1))
        layers: list[nn.Module] = [
            Conv2d(condition_channels + 3, first, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        ]
        width = first
        for _ in range(n_down - 1):
            layers += halving(width, "instance")
            width *= 2
        self.encoder = nn.Sequential(*layers, Conv2d(width, channels, 3, padding=1))
        self.memory = ConvGRU(channels)
        self.decoder = Conv2d(channels, features, 3, padding=1)
        init_gan(self)

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input: condition, previous image and features of the memory."""
        return condition_channels + 3 + self.features

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view: conditions and images of all frames."""
        return self.frames * (condition_channels + 3)

    def start(self, condition: Tensor) -> State:
        """Zeros: `image` (B, 3, H, W) and `memory` (B, channels, h, w)."""
        batch, _, height, width = condition.shape
        small = (-(-side // 2**self.n_down) for side in (height, width))
        return {"image": no_image(condition), "memory": condition.new_zeros(batch, self.channels, *small)}

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Paint one frame from (B, C, H, W)."""
        state = self.start(condition) if state is None else state
        seen = torch.cat([condition, state["image"].to(condition.dtype)], 1)
        memory = at_least_single(
            self.memory(self.encoder(channels_last(seen)), state["memory"].to(condition.dtype))
        )
        features = at_least_single(self.decoder(channels_last(memory)))
        features = F.interpolate(features, condition.shape[2:], mode="bilinear", align_corners=False)
        image = generator(torch.cat([seen, features.to(seen.dtype)], 1))
        return image, {"image": image, "memory": memory}

    def remember(self, image: Tensor, state: State | None) -> State | None:
        """The image, final now, beside the memory."""
        assert state is not None
        return {**state, "image": image}

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, T, C, H, W) and (B, T, 3, H, W) to (B, T (C + 3), H, W)."""
        return clip_view(conditions, images, self.frames)
