"""Where a loss looks for the person: squares from the mask, cut out of frames and resized."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 1.25
"""Side of the square as a multiple of the person's longer side, as BlazePose's regions."""


def person_squares(mask: Tensor) -> list[tuple[int, int, int]]:
    """The square around the person of each frame, inside of the frame.

    Args:
        mask: (N, 1, H, W) in [0, 1], 1 = the person.

    Returns:
        Left, top and side of each in pixels: the person's extent and a margin, as far as the frame allows; the
        middle of the frame where the mask is empty.
    """
    height, width = mask.shape[-2:]
    largest = min(height, width)
    squares = []
    for frame in mask[:, 0] > 0.5:
        columns, rows = torch.nonzero(frame.any(0)).flatten(), torch.nonzero(frame.any(1)).flatten()
        if len(columns) == 0:
            squares.append(((width - largest) // 2, (height - largest) // 2, largest))
            continue
        left, right = int(columns[0]), int(columns[-1]) + 1
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        side = min(largest, max(8, round(MARGIN * max(right - left, bottom - top))))
        x = min(max((left + right - side) // 2, 0), width - side)
        y = min(max((top + bottom - side) // 2, 0), height - side)
        squares.append((x, y, side))
    return squares


def person_crops(images: Tensor, squares: list[tuple[int, int, int]], size: int) -> Tensor:
    """Cut out squares and resize them, smoothed where they shrink: (N, C, H, W) to (N, C, size, size)."""
    crops = []
    for image, (x, y, side) in zip(images, squares, strict=True):
        crop = image[None, :, y : y + side, x : x + side]
        crops.append(F.interpolate(crop, (size, size), mode="bilinear", antialias=True, align_corners=False))
    return torch.cat(crops)


def cut_squares(images: Tensor, squares: list[tuple[int, int, int]], multiple: int = 16) -> Tensor:
    """Cut out squares as they are: (N, C, H, W) to (N, C, S, S), S the largest side, rounded up to a multiple.

    Smaller squares show more of what is around them; S is at most the shorter side of the frame.
    """
    height, width = images.shape[-2:]
    side = min(-(-max(side for _, _, side in squares) // multiple) * multiple, height, width)
    cuts = []
    for image, (x, y, own) in zip(images, squares, strict=True):
        left = min(max(x + (own - side) // 2, 0), width - side)
        top = min(max(y + (own - side) // 2, 0), height - side)
        cuts.append(image[:, top : top + side, left : left + side])
    return torch.stack(cuts)
