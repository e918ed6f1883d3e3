"""The networks of BlazePose: a detector of people and a landmark network, in PyTorch.

Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020), and the graphs of
`pose_detection.tflite` and `pose_landmark_{full,lite}.tflite` of MediaPipe (Apache-2.0), which have batch
normalization folded into the convolutions. `tools/convert_blazepose.py` makes the weights; state_dict keys
are the attribute names below.

Both networks share one encoder (the layout of EfficientNet-B0 without squeeze-and-excitation). "same" padding
of TensorFlow pads symmetrically everywhere but in the stride-2 blocks of the landmark tower, which pad only
on the right and at the bottom (and in the networks of hands, `hand_net.py`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KEYPOINTS = 39
"""Landmarks of the network: 33 of the skeleton, 2 that place the next crop, 4 unused."""

_REPEATS = (2, 2, 3, 3, 4)
_KERNELS = (3, 5, 3, 5, 5)
_STRIDES = (2, 2, 2, 1, 2)


def _relu6(x: Tensor) -> Tensor:
    return F.relu6(x, inplace=True)


def depthwise(channels: int, kernel: int, stride: int = 1, padding: int | None = None) -> nn.Conv2d:
    """A convolution of each channel alone; symmetric padding that keeps the size, unless given."""
    pad = kernel // 2 if padding is None else padding
    return nn.Conv2d(channels, channels, kernel, stride, pad, groups=channels)


def pad_end(x: Tensor, kernel: int) -> Tensor:
    """TensorFlow's "same" padding for stride 2 and even sides: the odd row and column go to the end."""
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return F.pad(x, (before, after, before, after))


def _double(x: Tensor) -> Tensor:
    """Bilinear upsampling by two, half-pixel centres."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _depth_to_space(x: Tensor) -> Tensor:
    """(B, 4 C, H, W) to (B, C, 2 H, 2 W) in TensorFlow's channel order (`pixel_shuffle` has another)."""
    batch, channels, height, width = x.shape
    x = x.view(batch, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // 4, 2 * height, 2 * width)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand 1x1, depthwise, project 1x1.

    A shortcut (max-pooled for stride 2) where the channels agree. `end` is where stride 2 is padded: only on
    the right and at the bottom, or on all sides.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, expansion: int, kernel: int, stride: int, end: bool
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, hidden, 1)
        self.end = kernel if end and stride == 2 else 0
        self.depthwise = depthwise(hidden, kernel, stride, padding=0 if self.end else None)
        self.project = nn.Conv2d(hidden, out_channels, 1)
        self.stride = stride
        self.shortcut = in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        y: Tensor = _relu6(self.expand(x))
        y = self.project(_relu6(self.depthwise(pad_end(y, self.end) if self.end else y)))
        if self.shortcut:
            y.add_(F.max_pool2d(x, 2) if self.stride == 2 else x)
        return y


class SeparableBlock(nn.Module):
    """Depthwise 3x3, pointwise, ReLU6; a shortcut (max-pooled for stride 2) where the channels agree."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, inner_activation: bool = True
    ) -> None:
        super().__init__()
        self.depthwise = depthwise(in_channels, 3, stride, padding=1 if stride == 1 else 0)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.stride = stride
        self.inner_activation = inner_activation
        self.shortcut = in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride); H and W even for stride 2."""
        y = self.depthwise(F.pad(x, (0, 1, 0, 1)) if self.stride == 2 else x)
        y = self.pointwise(_relu6(y) if self.inner_activation else y)
        if self.shortcut:
            y.add_(F.max_pool2d(x, 2) if self.stride == 2 else x)
        return _relu6(y)


class Encoder(nn.Module):
    """Features at strides 2, 4, 8, 16 and (expanded, the last) 32.

    Args:
        widths: Channels after the stem and after each of the five stages.
        end: Pad for stride 2 only on the right and at the bottom (networks of hands), not on all sides.
    """

    def __init__(self, widths: tuple[int, int, int, int, int, int], *, end: bool = False) -> None:
        super().__init__()
        self.end = end
        self.stem = nn.Conv2d(3, 24, 3, 2, 0 if end else 1)
        self.stem_depthwise = depthwise(24, 3)
        self.stem_project = nn.Conv2d(24, widths[0], 1)
        self.stages = nn.ModuleList()
        channels = widths[0]
        for number, width in enumerate(widths[1:]):
            blocks = []
            for block in range(_REPEATS[number]):
                blocks.append(
                    InvertedResidual(
                        channels,
                        width,
                        expansion=4 if number == 0 and block == 0 else 6,
                        kernel=_KERNELS[number],
                        stride=_STRIDES[number] if block == 0 else 1,
                        end=end,
                    )
                )
                channels = width
            self.stages.append(nn.Sequential(*blocks))
        self.top_expand = nn.Conv2d(channels, channels * 6, 1)
        self.top_depthwise = depthwise(channels * 6, 3)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W), H and W multiples of 32, to the five feature maps, finest first."""
        stem = _relu6(self.stem(pad_end(image, 3) if self.end else image))
        half = self.stem_project(_relu6(self.stem_depthwise(stem)))
        quarter = self.stages[0](half)
        eighth = self.stages[1](quarter)
        sixteenth = self.stages[3](self.stages[2](eighth))
        top = _relu6(self.top_depthwise(_relu6(self.top_expand(self.stages[4](sixteenth)))))
        return half, quarter, eighth, sixteenth, top


class AnchorHead(nn.Module):
    """Scores and boxes of the anchors of one level (its features come at twice the level's resolution)."""

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.score_depthwise = depthwise(channels, 3, 2)
        self.score = nn.Conv2d(channels, anchors, 1)
        self.box_depthwise = depthwise(channels, 3, 2)
        self.box = nn.Conv2d(channels, anchors * 12, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, 2 H, 2 W) to boxes (B, H W A, 12) and logits (B, H W A), rows first, anchors last."""
        logits = self.score(self.score_depthwise(x)).permute(0, 2, 3, 1).flatten(1)
        boxes = self.box(self.box_depthwise(x)).permute(0, 2, 3, 1)
        return boxes.reshape(len(x), -1, 12), logits


class BlazePoseDetector(nn.Module):
    """Finds people by face box and four alignment points, 2254 anchors on 224x224."""

    size = 224

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder((16, 24, 40, 80, 112, 192))
        self.lateral_8 = SeparableBlock(40, 96, inner_activation=False)
        self.lateral_16 = SeparableBlock(112, 192, inner_activation=False)
        self.up_16 = nn.Conv2d(1152, 192, 1)
        self.up_8 = nn.Conv2d(192, 96, 1)
        self.smooth_16 = nn.Sequential(*(SeparableBlock(192, 192, inner_activation=False) for _ in range(2)))
        self.smooth_8 = nn.Sequential(*(SeparableBlock(96, 96, inner_activation=False) for _ in range(2)))
        self.head_8 = AnchorHead(24, 2)
        self.head_16 = AnchorHead(48, 2)
        self.head_32 = AnchorHead(288, 6)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            image: (B, 3, 224, 224) float RGB in [-1, 1].

        Returns:
            Raw boxes (B, 2254, 12) in pixels relative to the anchors (centre x, y, width, height, then four
            points x, y) and score logits (B, 2254).
        """
        _, _, eighth, sixteenth, top = self.encoder(image)
        # a 1x1 convolution and bilinear upsampling commute: at half the resolution it costs a quarter
        x16 = self.smooth_16(_relu6(_double(self.up_16(top))) + self.lateral_16(sixteenth))
        x8 = self.smooth_8(_relu6(_double(self.up_8(x16))) + self.lateral_8(eighth))
        levels = (
            self.head_8(_depth_to_space(x8)),
            self.head_16(_depth_to_space(x16)),
            self.head_32(_depth_to_space(top)),
        )
        boxes, logits = zip(*levels, strict=True)
        return torch.cat(boxes, 1), torch.cat(logits, 1)


class Landmarks(NamedTuple):
    """What the landmark network gives.

    Attributes:
        points: (B, 39, 5) x, y, z in crop pixels, logits of visibility and presence.
        presence: (B,) probability that the crop holds a person.
        mask: (B, 1, 256, 256) logits of the person's mask; None of a network without one.
        heatmaps: (B, 39, 64, 64) logits.
        world: (B, 39, 3) metres about the middle of the hips, turned as the crop is.
    """

    points: Tensor
    presence: Tensor
    mask: Tensor | None
    heatmaps: Tensor
    world: Tensor


class _Layout(NamedTuple):
    """Widths and depths in which the variants of the landmark network differ."""

    widths: tuple[int, int, int, int, int, int]
    fused: int
    tower: int
    repeats: tuple[int, int]


_LAYOUTS = {
    "full": _Layout((16, 24, 32, 64, 88, 144), fused=48, tower=288, repeats=(4, 5)),
    "lite": _Layout((8, 16, 24, 40, 56, 96), fused=32, tower=192, repeats=(2, 3)),
}


_OF_MASK = ("lateral_2", "mask_4", "mask_2", "mask_1", "mask")


class BlazePoseLandmarks(nn.Module):
    """39 landmarks, a person mask and heatmaps of a 256x256 crop of one person.

    Args:
        model: `full` or `lite`.
    """

    size = 256

    def __init__(self, model: Literal["full", "lite"] = "full") -> None:
        super().__init__()
        layout = _LAYOUTS[model]
        widths, fused, tower = layout.widths, layout.fused, layout.tower
        self.encoder = Encoder(widths)
        self.lateral_2 = SeparableBlock(widths[0], 8)
        self.lateral_4 = SeparableBlock(widths[1], fused)
        self.lateral_8 = SeparableBlock(widths[2], fused)
        self.lateral_16 = SeparableBlock(widths[4], fused)
        self.lateral_32 = SeparableBlock(widths[5] * 6, fused)
        self.heatmap = nn.Conv2d(fused, KEYPOINTS, 1)
        self.mask_4 = SeparableBlock(fused, 8)
        self.mask_2 = nn.Sequential(SeparableBlock(8, 8), SeparableBlock(8, 8))
        self.mask_1 = nn.Sequential(SeparableBlock(8, 8), SeparableBlock(8, 8))
        self.mask = nn.Conv2d(8, 1, 3, padding=1)
        blocks = [SeparableBlock(widths[5] * 6, tower)]
        for repeats in layout.repeats:
            blocks.append(SeparableBlock(tower, tower, stride=2))
            blocks.extend(SeparableBlock(tower, tower) for _ in range(repeats))
        self.tower = nn.Sequential(*blocks)
        self.points = nn.Conv2d(tower, KEYPOINTS * 5, 2)
        self.presence = nn.Conv2d(tower, 1, 2)
        self.world = nn.Conv2d(tower, KEYPOINTS * 3, 2)

    def without_mask(self) -> Self:
        """The same without the layers of the mask, which take a third to half of the time; it cannot be undone."""
        for name in _OF_MASK:
            delattr(self, name)
        return self

    def forward(self, image: Tensor) -> Landmarks:
        """(B, 3, 256, 256) float RGB in [0, 1] to `Landmarks`."""
        half, quarter, eighth, sixteenth, top = self.encoder(image)
        x = _double(self.lateral_32(top)) + self.lateral_16(sixteenth)
        x = _double(x) + self.lateral_8(eighth)
        fused = _double(x) + self.lateral_4(quarter)
        mask = None
        if hasattr(self, "mask"):
            mask = self.mask_2(_double(self.mask_4(fused)) + self.lateral_2(half))
            mask = self.mask(self.mask_1(_double(mask)))
        pooled = self.tower(top)
        batch = len(image)
        return Landmarks(
            points=self.points(pooled).view(batch, KEYPOINTS, 5),
            presence=torch.sigmoid(self.presence(pooled).view(batch)),
            mask=mask,
            heatmaps=self.heatmap(fused),
            world=self.world(pooled).view(batch, KEYPOINTS, 3),
        )
