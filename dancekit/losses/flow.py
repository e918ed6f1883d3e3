"""What a predicted flow should be: that of the true frames."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dancekit.contracts import LossView
from dancekit.errors import IncompatibleParts
from dancekit.losses.weighting import Background, Mask, weighted_mean
from dancekit.warping import seen_before, warp

UNIT = 0.01
"""Flow is compared in hundredths of the image's height, so that its weight suits every size."""


class Flow:
    """Teaches the temporal strategy `flow_warp` how the target moves (Wang et al., "Video-to-video synthesis",
    NeurIPS 2018, section 3: the two terms of its flow loss).

    The true frame before, moved along the predicted flow, should be the true frame (L1, images in [-1, 1]). And the
    flow should be that of a teacher, where the teacher's leads there and back: mean absolute difference of both
    axes, in hundredths of the image's height. The first frame of a clip has no flow.

    The teacher is DIS (Kroeger et al. 2016), part of OpenCV, in place of vid2vid's FlowNet2: it needs no weights, and
    a few milliseconds a frame on the CPU. It sees frames of the training clip, as they were augmented.

    Args:
        teacher: `dis`; or `none`: the moved frames alone teach.
        teacher_weight: Of the second term.
        mask: `none` weighs every pixel alike; `person` weighs pixels outside of the person's mask by `background`.
        background: That weight, 0 to 1.
    """

    version = 1
    needs_flow = True

    def __init__(
        self,
        *,
        teacher: Literal["dis", "none"] = "dis",
        teacher_weight: Annotated[float, Field(ge=0)] = 0.1,
        mask: Mask = "none",
        background: Background = 0.2,
    ) -> None:
        self.teacher: Literal["dis", "none"] = teacher
        self.teacher_weight = teacher_weight
        self.mask: Mask = mask
        self.background = background

    def __call__(self, view: LossView) -> Tensor:
        """A scalar.

        Raises:
            IncompatibleParts: The temporal strategy predicts no flow.
        """
        if view.flow is None:
            raise IncompatibleParts(
                "the loss flow needs a temporal strategy that predicts one",
                hint="temporal=flow_warp, or take flow out of losses",
            )
        real, flow, mask = (
            each.reshape(-1, view.frames, *each.shape[1:]) for each in (view.real, view.flow, view.mask)
        )
        before, now = real[:, :-1].flatten(0, 1), real[:, 1:].flatten(0, 1)
        flow, mask = flow[:, 1:].flatten(0, 1), mask[:, 1:].flatten(0, 1)
        loss = self._mean((warp(before, flow) - now).abs(), mask)
        if self.teacher == "none" or self.teacher_weight == 0:
            return loss
        true, seen = dis_flow(before, now)
        error = (flow - true).abs() / (UNIT * flow.shape[2])
        # what nobody can know counts as right: a sample weighs by how much of it is known
        return loss + self.teacher_weight * self._mean(error * seen, mask)

    def _mean(self, error: Tensor, mask: Tensor) -> Tensor:
        return weighted_mean(error, mask, where=self.mask, background=self.background)


def dis_flow(before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """The optical flow of true frames.

    Args:
        before: (N, 3, H, W) in [-1, 1].
        now: (N, 3, H, W).

    Returns:
        (N, 2, H, W) pixels: what is at p in `now` was at p + flow[p] in `before`. And (N, 1, H, W) float, 1 where the
        flow leads there and back.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back, there = [], []
    for first, second in zip(_grey(before), _grey(now), strict=True):
        back.append(dis.calc(second, first, None))
        there.append(dis.calc(first, second, None))
    flows = (np.stack(each).transpose(0, 3, 1, 2) for each in (back, there))
    true, forth = (torch.from_numpy(each).to(now.device, now.dtype) for each in flows)
    return true, seen_before(true, forth).to(now.dtype)


def _grey(images: Tensor) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    scaled = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    pictures = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return [np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8) for picture in pictures]
