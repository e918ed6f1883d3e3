"""vid2vid's discriminators: single frames, and consecutive frames at several strides of time."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dancekit.discriminators.multiscale import MultiscaleDiscriminator
from dancekit.errors import IncompatibleParts
from dancekit.layers import Norm


class MultiscaleTemporalDiscriminator(nn.Module):
    """Judges each frame alone, and groups of frames at temporal strides (Wang et al., "Video-to-video synthesis",
    NeurIPS 2018, section 3: conditional image and multi-scale video discriminator).

    For every stride there is a network that sees `seen` conditions and images so many frames apart: near ones for
    flicker, distant ones for motion that is too slow, or a picture that drifts. Other than in vid2vid it is given
    the conditions and no optical flow. All groups of a view that fit are judged, as further samples of the batch.

    Args:
        strides: Frames between those of a group, one network each (vid2vid: 1, 3, 9).
        seen: Frames of a group.
        image: Judge single frames with their condition, too.
        ndf: Channels of each network's first layer.
        n_layers: Convolutions of stride 2 in each PatchGAN.
        num_d: Scales in space of each network.
        norm: `instance` or `batch`.
        in_channels: C of the view (wired).
        frames: T of the view, all conditions before all images (wired).
    """

    version = 1

    def __init__(
        self,
        *,
        strides: tuple[Annotated[int, Field(ge=1, le=32)], ...] = (1,),
        seen: Annotated[int, Field(ge=2, le=8)] = 3,
        image: bool = True,
        ndf: Annotated[int, Field(ge=1, le=512)] = 64,
        n_layers: Annotated[int, Field(ge=1, le=6)] = 3,
        num_d: Annotated[int, Field(ge=1, le=5)] = 2,
        norm: Norm = "instance",
        in_channels: int,
        frames: int,
    ) -> None:
        super().__init__()
        if len(set(strides)) < len(strides) or not (strides or image):
            raise IncompatibleParts(
                f"discriminator multiscale_temporal: strides {list(strides)} are not distinct, or nothing is judged",
                hint="discriminator.strides=[1, 3], or image=true",
            )
        longest = 1 + (seen - 1) * max(strides, default=0)
        if longest > frames:
            raise IncompatibleParts(
                f"discriminator multiscale_temporal sees {seen} frames {max(strides)} apart, "
                f"and a clip has {frames} of the {longest} that this takes",
                hint=f"temporal.frames={longest} (flow_warp, recurrent), or smaller discriminator.strides",
            )
        self.strides, self.seen, self.image, self.frames = tuple(strides), seen, image, frames
        each = in_channels // frames

        def judge(count: int) -> MultiscaleDiscriminator:
            return MultiscaleDiscriminator(
                ndf=ndf, n_layers=n_layers, num_d=num_d, norm=norm, in_channels=count * each
            )

        if image:
            self.single = judge(1)
        for stride in strides:
            self.add_module(f"stride{stride}", judge(seen))

    def forward(self, view: Tensor) -> list[list[Tensor]]:
        """(B, T (C + 3), H, W) to the scales of all networks: single frames, then each stride.

        A map is (B n, c, h, w): the n groups of a sample lie together.
        """
        conditions, images = _by_frame(view, self.frames)
        scales: list[list[Tensor]] = []
        if self.image:
            scales += self.single(torch.cat([conditions, images], 2).flatten(0, 1))
        for stride in self.strides:
            span = (self.seen - 1) * stride
            groups = []
            for first in range(self.frames - span):
                of = slice(first, first + span + 1, stride)
                groups.append(torch.cat([conditions[:, of].flatten(1, 2), images[:, of].flatten(1, 2)], 1))
            scales += self.get_submodule(f"stride{stride}")(torch.stack(groups, 1).flatten(0, 1))
        return scales


def _by_frame(view: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """(B, T (C + 3), H, W) to conditions (B, T, C, H, W) and images (B, T, 3, H, W)."""
    batch, _, height, width = view.shape
    conditions, images = view[:, : -3 * frames], view[:, -3 * frames :]
    return conditions.reshape(batch, frames, -1, height, width), images.reshape(
        batch, frames, 3, height, width
    )
