"""The networks that find a hand: one places the crop, one finds 21 joints in it, in PyTorch.

Source: Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking" (2020), and the graphs of
`hand_landmark_{full,lite}.tflite` and `hand_recrop.tflite` of MediaPipe (Apache-2.0), which have batch
normalization folded into the convolutions. `tools/convert_blazepose.py` makes the weights; state_dict keys
are the attribute names below.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dancekit.pose.blazepose_net import Encoder, depthwise

JOINTS = 21
"""Wrist, then four joints each of thumb, index, middle, ring and little finger, from the palm outwards."""

_WIDTHS = {"full": (16, 24, 40, 80, 112, 192), "lite": (16, 16, 24, 48, 64, 112)}


class HandOutput(NamedTuple):
    """What the landmark network sees in a crop.

    Attributes:
        points: (B, 21, 3) x, y and relative depth in pixels of the crop.
        presence: (B,) probability that there is a hand.
        handedness: (B,) probability that it is a right hand.
        world: (B, 21, 3) metres around the hand's centre.
    """

    points: Tensor
    presence: Tensor
    handedness: Tensor
    world: Tensor


class HandLandmarks(nn.Module):
    """21 joints of the hand in a 224x224 crop, fingers upwards.

    Args:
        model: `full` or `lite`.
    """

    size = 224

    def __init__(self, model: Literal["full", "lite"] = "full") -> None:
        super().__init__()
        widths = _WIDTHS[model]
        self.encoder = Encoder(widths, end=True)
        # in the order in which TFLite runs them: the converter tells layers of equal shape apart by it
        self.handedness = nn.Linear(widths[-1] * 6, 1)
        self.presence = nn.Linear(widths[-1] * 6, 1)
        self.points = nn.Linear(widths[-1] * 6, JOINTS * 3)
        self.world = nn.Linear(widths[-1] * 6, JOINTS * 3)

    def forward(self, image: Tensor) -> HandOutput:
        """(B, 3, 224, 224) float RGB in [0, 1] to `HandOutput`."""
        pooled = self.encoder(image)[-1].mean((2, 3))
        handedness = torch.sigmoid(self.handedness(pooled)[:, 0])
        presence = torch.sigmoid(self.presence(pooled)[:, 0])
        points = self.points(pooled).view(-1, JOINTS, 3)
        return HandOutput(points, presence, handedness, self.world(pooled).view(-1, JOINTS, 3))


class RecropBlock(nn.Module):
    """Activate, halve with a bottleneck, add the max-pooled input (channels filled with zeros or cut off)."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.activation = nn.PReLU(in_channels)
        self.scale = depthwise(in_channels, 1)
        self.reduce = nn.Conv2d(in_channels, hidden, 2, 2)
        self.hidden_activation = nn.PReLU(hidden)
        self.hidden_scale = depthwise(hidden, 1)
        self.depthwise = depthwise(hidden, 3)
        self.expand = nn.Conv2d(hidden, out_channels, 1)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2)."""
        y: Tensor = self.reduce(self.scale(self.activation(x)))
        y = self.expand(self.depthwise(self.hidden_scale(self.hidden_activation(y))))
        pooled = F.max_pool2d(x, 2)[:, : self.out_channels]
        return y + F.pad(pooled, (0, 0, 0, 0, 0, self.out_channels - pooled.shape[1]))


class HandRecrop(nn.Module):
    """Two points that place the crop of a hand, from a rough 256x256 one."""

    size = 256

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.stem_activation = nn.PReLU(8)
        self.stem_scale = depthwise(8, 1)
        layout = ((8, 8, 16), (16, 16, 32), (32, 32, 64), (64, 32, 64), (64, 16, 32), (32, 8, 16))
        self.blocks = nn.Sequential(*(RecropBlock(*channels) for channels in layout))
        self.points = nn.Conv2d(16, 4, 2)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, 256, 256) float RGB in [0, 1] to (B, 2, 2): the hand's centre and its lower end, crop pixels."""
        x = self.stem_scale(self.stem_activation(self.stem(F.pad(image, (0, 1, 0, 1)))))
        points: Tensor = self.points(self.blocks(x)).view(len(image), 2, 2)
        return points
