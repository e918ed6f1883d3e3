"""BlazePose as a differentiable yardstick for losses: its feature maps and its joints."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dancekit.pose.blazepose_net import BlazePoseLandmarks
from dancekit.resources import data_path
from dancekit.weights.header import read_tensors

JOINTS = 33


class BlazePoseFeatures(nn.Module):
    """The landmark network of BlazePose with the weights that ship, frozen; the gradient runs through it.

    Args:
        model: `full` or `lite`.
    """

    size = BlazePoseLandmarks.size

    def __init__(self, model: Literal["full", "lite"] = "full") -> None:
        super().__init__()
        self.network = BlazePoseLandmarks(model)
        if not any(each.is_meta for each in self.network.parameters()):
            self.network.load_state_dict(
                read_tensors(data_path(f"zoo/weights/blazepose_{model}.safetensors"))
            )
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, 256, 256) RGB in [0, 1] to the encoder's five maps at strides 2, 4, 8, 16 and 32."""
        maps: tuple[Tensor, ...] = self.network.encoder(images)
        return maps

    def keypoints(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 256, 256) to joints (N, 33, 2), pixels of the crop, and their visibility (N, 33) in [0, 1]."""
        points = self.network(images).points[:, :JOINTS]
        return points[..., :2], torch.sigmoid(points[..., 3])
