"""The networks that find a face: a detector, and a mesh of 468 points with the eyes and lips refined.

Sources: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019);
Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019); Grishchenko
et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time" (2020); and the graphs of
`face_detection_short_range.tflite` and `face_landmark_with_attention.tflite` of MediaPipe (Apache-2.0), which
have batch normalization folded into the convolutions. `tools/convert_blazepose.py` makes the weights;
state_dict keys are the attribute names below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dancekit.pose.blazepose_net import depthwise, pad_end

POINTS = 468
"""Vertices of MediaPipe's canonical face."""

IRIS = 5
"""Points of an iris: its centre, then four on its rim."""


class RefinedPart(NamedTuple):
    """A part of the face that is looked at a second time, along the line between two of its points."""

    start: int
    end: int
    points: tuple[int, ...]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


LIPS = RefinedPart(
    61,
    291,
    _numbers(
        "61 146 91 181 84 17 314 405 321 375 291 185 40 39 37 0 267 269 270 409 78 95 88 178 87 14 "
        "317 402 318 324 308 191 80 81 82 13 312 311 310 415 76 77 90 180 85 16 315 404 320 307 306 "
        "184 74 73 72 11 302 303 304 408 62 96 89 179 86 15 316 403 319 325 292 183 42 41 38 12 268 "
        "271 272 407"
    ),
)
RIGHT_EYE = RefinedPart(
    33,
    133,
    _numbers(
        "33 7 163 144 145 153 154 155 133 246 161 160 159 158 157 173 130 25 110 24 23 22 26 112 243 "
        "247 30 29 27 28 56 190 226 31 228 229 230 231 232 233 244 113 225 224 223 222 221 189 35 124 "
        "46 53 52 65 143 111 117 118 119 120 121 128 245 156 70 63 105 66 107 55 193"
    ),
)
LEFT_EYE = RefinedPart(
    362,
    263,
    _numbers(
        "263 249 390 373 374 380 381 382 362 466 388 387 386 385 384 398 359 255 339 254 253 252 256 "
        "341 463 467 260 259 257 258 286 414 446 261 448 449 450 451 452 453 464 342 445 444 443 442 "
        "441 413 265 353 276 283 282 295 372 340 346 347 348 349 350 357 465 383 300 293 334 296 336 "
        "285 417"
    ),
)
REFINED = (LIPS, RIGHT_EYE, LEFT_EYE)
"""What the options of the TFLite file's `Landmarks2TransformMatrix` say; left and right are the subject's."""

_HEADS = (
    (0, LIPS.points),
    (1, RIGHT_EYE.points),
    (1, range(POINTS, POINTS + IRIS)),
    (2, LEFT_EYE.points),
    (2, range(POINTS + IRIS, POINTS + 2 * IRIS)),
)
_SECOND = 16  # side of the features that are looked at a second time
_SECOND_MARGIN = 1.5
_GRID = 1 / 4  # of the features that they are sampled from, over pixels of the crop
_FINE = 3  # blocks of the trunk before those features


class BlazeBlock(nn.Module):
    """Depthwise 3x3, pointwise, plus the input (max-pooled, channels filled with zeros), then activation."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, prelu: bool = True) -> None:
        super().__init__()
        self.depthwise = depthwise(in_channels, 3, stride, padding=1 if stride == 1 else 0)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels) if prelu else nn.ReLU()
        self.stride = stride
        self.more = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride); H and W even for stride 2."""
        y = self.pointwise(self.depthwise(pad_end(x, 3) if self.stride == 2 else x))
        shortcut = F.max_pool2d(x, 2) if self.stride == 2 else x
        return torch.as_tensor(self.activation(y + F.pad(shortcut, (0, 0, 0, 0, 0, self.more))))


class FaceDetector(nn.Module):
    """Finds faces by box and six points (eyes, nose, mouth, ears), 896 anchors on 128x128."""

    size = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 5, 2)
        fine = (
            (24, 24),
            (24, 28),
            (28, 32),
            (32, 36),
            (36, 42),
            (42, 48),
            (48, 56),
            (56, 64),
            (64, 72),
            (72, 80),
            (80, 88),
        )
        self.fine = nn.Sequential(
            *(BlazeBlock(a, b, stride=2 if a in (28, 42) else 1, prelu=False) for a, b in fine)
        )
        self.coarse = nn.Sequential(
            BlazeBlock(88, 96, stride=2, prelu=False), *(BlazeBlock(96, 96, prelu=False) for _ in range(4))
        )
        self.fine_score = nn.Conv2d(88, 2, 1)
        self.coarse_score = nn.Conv2d(96, 6, 1)
        self.fine_box = nn.Conv2d(88, 2 * 16, 1)
        self.coarse_box = nn.Conv2d(96, 6 * 16, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            image: (B, 3, 128, 128) float RGB in [-1, 1].

        Returns:
            Raw boxes (B, 896, 16) in pixels relative to the anchors (centre x, y, width, height, then six
            points x, y) and score logits (B, 896).
        """
        fine = self.fine(F.relu(self.stem(pad_end(image, 5))))
        coarse = self.coarse(fine)
        rows = [
            layer(x).permute(0, 2, 3, 1).flatten(1)
            for layer, x in (
                (self.fine_score, fine),
                (self.coarse_score, coarse),
                (self.fine_box, fine),
                (self.coarse_box, coarse),
            )
        ]
        return torch.cat(rows[2:], 1).view(len(image), -1, 16), torch.cat(rows[:2], 1)


class MeshOutput(NamedTuple):
    """What the mesh network sees in a crop.

    Attributes:
        points: (B, 478, 2) x, y in pixels of the crop: 468 of the mesh, 5 of the right iris (centre first) and
            5 of the left one.
        presence: (B,) logit that there is a face.
    """

    points: Tensor
    presence: Tensor


class FaceMesh(nn.Module):
    """468 points of the face in a 192x192 crop, eyes level; eyes, irises and lips looked at a second time."""

    size = 192

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2)
        self.stem_activation = nn.PReLU(16)
        blocks: list[nn.Module] = []
        channels = 16
        for width in (16, 32, 64, 128, 128, 128):
            if blocks:
                blocks.append(BlazeBlock(channels, width, stride=2))
            blocks.extend(BlazeBlock(width, width) for _ in range(2))
            channels = width
        self.trunk = nn.Sequential(*blocks)
        self.neck = nn.Sequential(*_neck())
        self.mesh = nn.Conv2d(32, POINTS * 3, 3)
        self.looks = nn.ModuleList(_look() for _ in REFINED)
        self.heads = nn.ModuleList(_head(2 * len(points)) for _, points in _HEADS)
        self.presence = nn.Conv2d(32, 1, 3)

    def forward(self, image: Tensor) -> MeshOutput:
        """(B, 3, 192, 192) float RGB in [0, 1] to `MeshOutput`."""
        x = self.stem_activation(self.stem(pad_end(image, 3)))
        features = self.trunk[:_FINE](x)
        neck = self.neck(self.trunk[_FINE:](features))
        mesh = self.mesh(neck).view(len(image), POINTS, 3)[..., :2]
        maps = [_second_look(mesh[:, list(part.points)] * _GRID, part) for part in REFINED]
        crops = [_sample(features, matrix) for matrix in maps]
        seen = _abreast(self.looks, crops)
        found = _abreast(self.heads, [seen[part] for part, _ in _HEADS])
        points = torch.cat((mesh, mesh.new_zeros(len(mesh), 2 * IRIS, 2)), 1)
        for (part, numbers), values in zip(_HEADS, found, strict=True):
            linear, offset = maps[part][..., :2], maps[part][..., 2] / _GRID
            values = values.view(len(image), -1, 2) @ linear.mT + offset[:, None]
            points[:, list(numbers)] = values
        return MeshOutput(points, self.presence(neck).flatten())


def _neck() -> list[nn.Module]:
    return [nn.Conv2d(128, 32, 1), nn.PReLU(32), BlazeBlock(32, 32)]


def _look() -> nn.Sequential:
    return nn.Sequential(
        *(BlazeBlock(32, 32) for _ in range(2)),
        BlazeBlock(32, 64, stride=2),
        *(BlazeBlock(64, 64) for _ in range(2)),
        BlazeBlock(64, 128, stride=2),
    )


def _head(values: int) -> nn.Sequential:
    return nn.Sequential(
        *(BlazeBlock(128, 128) for _ in range(2)),
        BlazeBlock(128, 128, stride=2),
        *(BlazeBlock(128, 128) for _ in range(2)),
        *_neck(),
        nn.Conv2d(32, values, 2),
    )


def _abreast(branches: Iterable[nn.Module], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run sequences of equally many layers side by side, as TFLite does.

    The converter tells layers of equal shape apart by the order in which they run.
    """
    values = list(inputs)
    for layers in zip(*branches, strict=True):
        values = [layer(value) for layer, value in zip(layers, values, strict=True)]
    return values


def _second_look(points: Tensor, part: RefinedPart) -> Tensor:
    """(B, N, 2) points of a part to (B, 2, 3) maps from its 16x16 features to where the points are given.

    The rectangle around the points that is turned like the line from `start` to `end`, with a margin.
    """
    start, end = (points[:, part.points.index(number)] for number in (part.start, part.end))
    along = end - start
    angle = torch.atan2(along[:, 1], along[:, 0])
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)
    turned = points @ turn
    low, high = turned.amin(1), turned.amax(1)
    centre = (turn @ ((low + high) / 2)[..., None])[..., 0]
    linear = turn * ((high - low) * _SECOND_MARGIN / _SECOND)[:, None]
    offset = centre - linear.sum(-1) * _SECOND / 2
    return torch.cat((linear, offset[..., None]), -1)


def _sample(features: Tensor, maps: Tensor) -> Tensor:
    """(B, C, H, W) sampled bilinearly through (B, 2, 3) maps to (B, C, 16, 16)."""
    height, width = features.shape[-2:]
    steps = torch.arange(_SECOND, device=features.device, dtype=features.dtype) + 0.5
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).view(1, -1, 2)
    at = grid @ maps[..., :2].mT + maps[:, None, :, 2]
    size = torch.tensor([width, height], device=at.device, dtype=at.dtype)
    at = (at * 2 / size - 1).view(-1, _SECOND, _SECOND, 2)
    return F.grid_sample(features, at, mode="bilinear", padding_mode="zeros", align_corners=False)
