"""The last image moved along a predicted flow, and new paint only where that does not do: vid2vid's idea."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dancekit.contracts import State
from dancekit.layers import at_least_single, channels_last, global_generator, init_gan
from dancekit.temporal.history import clip_view, no_image
from dancekit.warping import warp

SHARE_AT_START = -1.5
"""Bias of the share before tanh: an untrained strategy takes 5 % from the moved image."""


class FlowWarp(nn.Module):
    """Each frame is share * moved + (1 - share) * painted (Wang et al., "Video-to-video synthesis", NeurIPS 2018,
    section 3).

    A small network sees both conditions, the last image and what the generator paints (which knows the last image
    as in `previous_frame`), and says where each pixel was, and how far to trust that. The first frame of a clip is
    painted alone. Other than in vid2vid the network is one of its own beside the generator, so that any generator
    will do, and one image of history is used, not two.

    The loss `flow` teaches it from true frames; without that loss it learns from the others alone.

    Args:
        frames: Frames of a training clip that are judged.
        warm_up: Frames before them, painted without gradient: the network then sees images of its own making.
        ngf: Channels of the flow network's first layer.
        n_down: How many times it halves the image.
        n_blocks: Its residual blocks.
        reach: Longest flow along either axis, as a share of the image's height.
        detach: Stop the gradient from a frame to the one before.
        condition_channels: C of the condition image (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        frames: Annotated[int, Field(ge=2, le=64)] = 3,
        warm_up: Annotated[int, Field(ge=0, le=64)] = 0,
        ngf: Annotated[int, Field(ge=1, le=256)] = 16,
        n_down: Annotated[int, Field(ge=1, le=3)] = 3,
        n_blocks: Annotated[int, Field(ge=0, le=32)] = 2,
        reach: Annotated[float, Field(gt=0, le=1)] = 0.1,
        detach: bool = False,
        condition_channels: int,
    ) -> None:
        super().__init__()
        self.frames = frames
        self.warm_up = warm_up
        self.clip_length = warm_up + frames
        self.reach = reach
        self.detach = detach
        self.model = global_generator(
            in_channels=2 * condition_channels + 6,
            out_channels=3,
            ngf=ngf,
            n_down=n_down,
            n_blocks=n_blocks,
            norm="instance",
        )
        init_gan(self)
        last = self.model[-2]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)  # no flow at the beginning
        with torch.no_grad():
            last.bias.copy_(torch.tensor([0.0, 0.0, SHARE_AT_START]))

    def generator_channels(self, condition_channels: int) -> int:
        """C of the generator's input: condition and previous image."""
        return condition_channels + 3

    def discriminator_channels(self, condition_channels: int) -> int:
        """C of the discriminator's view: conditions and images of all frames."""
        return self.frames * (condition_channels + 3)

    def start(self, condition: Tensor) -> State:
        """Zeros: `image` (B, 3, H, W), `condition` (B, C, H, W), and `known` (B, 1, 1, 1), whether there are such."""
        return {
            "image": no_image(condition),
            "condition": torch.zeros_like(condition),
            "known": condition.new_zeros(len(condition), 1, 1, 1),
        }

    def step(
        self, generator: Callable[[Tensor], Tensor], condition: Tensor, state: State | None
    ) -> tuple[Tensor, State | None]:
        """Paint one frame from (B, C, H, W); the state also holds what `motion` gives, until `remember`."""
        state = self.start(condition) if state is None else state
        before = state["image"].to(condition.dtype)
        painted = generator(torch.cat([condition, before], 1))
        # the painter learns by what it paints, not by what the flow network thinks of it
        seen = torch.cat([condition, state["condition"].to(condition.dtype), before, painted.detach()], 1)
        said = at_least_single(self.model(channels_last(seen))).to(painted.dtype)
        flow = said[:, :2] * (self.reach * condition.shape[2])
        share = (said[:, 2:] + 1) / 2 * state["known"].to(painted.dtype)
        image = share * warp(before.to(painted.dtype), flow) + (1 - share) * painted
        known = torch.ones_like(state["known"])
        new = {"condition": condition, "known": known, "flow": flow, "share": share}
        return image, {**new, "image": image.detach() if self.detach else image}

    def remember(self, image: Tensor, state: State | None) -> State | None:
        """The image, final now, with its condition."""
        assert state is not None
        final = image.detach() if self.detach else image
        return {"image": final, "condition": state["condition"], "known": state["known"]}

    def motion(self, state: State) -> tuple[Tensor, Tensor]:
        """(B, 2, H, W) flow and (B, 1, H, W) share of the step that gave this state."""
        return state["flow"], state["share"]

    def view(self, conditions: Tensor, images: Tensor) -> Tensor:
        """(B, T, C, H, W) and (B, T, 3, H, W) to (B, T (C + 3), H, W)."""
        return clip_view(conditions, images, self.frames)
