"""Square crops of a picture, resized to what a network sees, and put back: what refiners of face and hands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dancekit.boxes import face_boxes, hand_boxes, region_confidence
from dancekit.layers import channels_last, global_generator, init_gan
from dancekit.types import Skeleton

FEATHER = 0.125
"""Width of the soft edge of a pasted residual, as a fraction of the box's side."""

Part = Literal["face", "hands"]
Weighting = Literal["none", "confidence"]
REGIONS: dict[Part, tuple[str, ...]] = {"face": ("face",), "hands": ("left_hand", "right_hand")}


def regions_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """`face`, `left_hand` and `right_hand`, as far as the parts have them, in this order.

    Raises:
        ValueError: None, or one twice.
    """
    if not parts or len(set(parts)) < len(parts):
        raise ValueError(f"parts {list(parts)} should be face, hands, or both")
    return tuple(region for part in REGIONS if part in parts for region in REGIONS[part])


def region_rows(
    xy: NDArray[np.float32],
    score: NDArray[np.float32],
    skeleton: Skeleton,
    *,
    regions: Sequence[str],
    widths: float,
    lengths: float,
    weighting: Weighting,
) -> NDArray[np.float32]:
    """Where regions are, and how surely.

    Args:
        xy: (T, K, 2) pixels, NaN where missing.
        score: (T, K).
        skeleton: What the K joints are.
        regions: Their names.
        widths: Side of a face's box in head widths.
        lengths: Side of a hand's box in lengths of an open hand.
        weighting: `none` for a confidence of 1.

    Returns:
        (T, R, 5) left, top, right, bottom, NaN where a region is not seen; and its confidence.
    """
    hands = hand_boxes(xy, score, skeleton, lengths=lengths) if "left_hand" in regions else None
    rows = []
    for region in regions:
        if region == "face":
            boxes = face_boxes(xy, score, skeleton, widths=widths)
        else:
            assert hands is not None
            boxes = hands[:, ("left_hand", "right_hand").index(region)]
        sure = region_confidence(score, skeleton, region) if weighting == "confidence" else np.ones(len(xy))
        rows.append(np.concatenate([boxes, sure[:, None]], 1))
    return np.stack(rows, 1).astype(np.float32)


def by_region(boxes: Tensor, regions: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Each region's name and its rows (B, D): of (B, R, D), or of (B, 4), which are faces."""
    if boxes.ndim == 2:
        return iter([("face", boxes)] if "face" in regions else [])
    return iter([(region, boxes[:, number]) for number, region in enumerate(regions)])


def residual_network(*, condition_channels: int, ngf: int, n_down: int, n_blocks: int) -> nn.Sequential:
    """Condition and image to a residual; it begins at zero, so that an untrained one changes nothing."""
    network = global_generator(
        in_channels=condition_channels + 3,
        out_channels=3,
        ngf=ngf,
        n_down=n_down,
        n_blocks=n_blocks,
        norm="instance",
    )
    init_gan(network)
    last = network[-2]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return network


def refine(
    image: Tensor,
    rows: Tensor,
    look: Callable[[Tensor, Tensor], Tensor],
    network: nn.Module,
    size: int,
    *,
    mirror: bool = False,
) -> Tensor:
    """Add what a network says of a region to the image, with a soft edge, and clamp.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        rows: (B, D) box first; a sample whose box is NaN comes back as it is.
        look: Image and finite boxes (B, 4) to what the network sees, (B, C, size, size).
        network: Gives the residual, (B, 3, size, size).
        size: Of the crop.
        mirror: Show the crop to the network mirrored, and mirror its answer.

    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    valid, safe = without_nan(rows[:, :4], size)
    if not torch.compiler.is_compiling() and not bool(valid.any()):  # a graph cannot branch on numbers
        return image
    crops = look(image, safe)
    residual = network(channels_last(crops.flip(-1) if mirror else crops)).to(image.dtype)
    residual = residual.flip(-1) if mirror else residual
    refined = (image + paste_boxes(residual, safe, (image.shape[2], image.shape[3]))).clamp(-1.0, 1.0)
    return torch.where(valid, refined, image)


def crop_valid(images: Tensor, rows: Tensor, size: int) -> Tensor:
    """(B, C, H, W) and (B, D), box first, to (B, C, size, size); zeros where the box is NaN."""
    valid, safe = without_nan(rows[:, :4], size)
    return torch.where(valid, crop_boxes(images, safe, size), 0.0)


def crop_boxes(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut out square boxes and resize them with a triangle filter, widened where it shrinks (no aliasing).

    Resampling is separable, so it is two matrix products: differentiable and deterministic on every device.

    Args:
        images: (B, C, H, W); beyond its border the nearest pixel is repeated.
        boxes: (B, 4) finite edges, pixel centres at integers.
        size: Side of the result.

    Returns:
        (B, C, size, size) in the dtype of `images`.
    """
    across = _sampling(boxes[:, 0], boxes[:, 2], size, images.shape[3], images.dtype)
    down = _sampling(boxes[:, 1], boxes[:, 3], size, images.shape[2], images.dtype)
    return _resample(images, down, across)


def paste_boxes(crops: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Put crops back where they came from, faded out over the outer eighth of the box; zero elsewhere.

    Args:
        crops: (B, C, S, S).
        boxes: (B, 4) finite edges.
        size: (H, W) of the image.

    Returns:
        (B, C, H, W), to be added to the image.
    """
    across = _placing(boxes[:, 0], boxes[:, 2], size[1], crops.shape[3], crops.dtype)
    down = _placing(boxes[:, 1], boxes[:, 3], size[0], crops.shape[2], crops.dtype)
    return _resample(crops, down, across)


def _resample(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Multiply down @ images @ across^T, in single precision at least: half is too coarse for places."""
    with torch.autocast(images.device.type, enabled=False):
        return (down[:, None] @ images.to(down.dtype) @ across[:, None].mT).to(images.dtype)


def _sampling(low: Tensor, high: Tensor, size: int, length: int, dtype: torch.dtype) -> Tensor:
    """(B, size, length) weights that read `size` samples of the interval from a row of `length` pixels."""
    low, high = low.to(_exact(dtype)), high.to(_exact(dtype))
    scale = (high - low)[:, None, None] / size
    step = torch.arange(size, device=low.device, dtype=low.dtype)[None, :, None] + 0.5
    at = (low[:, None, None] + step * scale).clamp(0, length - 1)
    return _triangle(at, length, scale)


def _placing(low: Tensor, high: Tensor, length: int, size: int, dtype: torch.dtype) -> Tensor:
    """(B, length, size) weights that write a crop of `size` samples into a row of `length` pixels, faded."""
    low, high = low.to(_exact(dtype))[:, None, None], high.to(_exact(dtype))[:, None, None]
    extent = high - low
    pixel = torch.arange(length, device=low.device, dtype=low.dtype)[None, :, None]
    at = ((pixel - low) / extent * size - 0.5).clamp(0, size - 1)
    edge = (torch.minimum(pixel - low, high - pixel) / (FEATHER * extent)).clamp(0, 1)
    fade = edge * edge * (3 - 2 * edge)
    return _triangle(at, size, size / extent) * fade


def _triangle(at: Tensor, length: int, scale: Tensor) -> Tensor:
    """Triangle filter of half-width max(1, scale) around `at` (B, N, 1): (B, N, length), rows sum to 1."""
    grid = torch.arange(length, device=at.device, dtype=at.dtype)
    weight = (1 - (grid - at).abs() / scale.clamp_min(1)).clamp_min(0)
    return weight / weight.sum(-1, keepdim=True)


def _exact(dtype: torch.dtype) -> torch.dtype:
    """Coordinates need at least single precision."""
    return torch.promote_types(dtype, torch.float32)


def without_nan(boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Of (B, 4): (B, 1, 1, 1) which boxes are there, and the boxes with a harmless one in place of the others."""
    valid = boxes.isfinite().all(1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    harmless = boxes.new_tensor([-0.5, -0.5, size - 0.5, size - 0.5])
    return valid[:, None, None, None], torch.where(valid[:, None], boxes, harmless)
