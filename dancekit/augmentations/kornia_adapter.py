"""The only place that calls Kornia: pixels through it, and what it lacks beside it.

Kornia has no left/right joint swap on a flip, no confidence column and no notion of a missing joint: those
are done here, so that pixels, masks and keypoints of a clip can never part. Kornia takes seconds to import,
so it is imported inside the functions that need it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dancekit.contracts import Clip

if TYPE_CHECKING:
    from torch import Tensor


def mirror_clip(clip: Clip) -> Clip:
    """Mirror a clip left to right: pixel `x` goes to `W - 1 - x` and left joints become right ones.

    Nothing is resampled, so mirroring twice is the identity, bit for bit.
    """
    import torch

    order = torch.as_tensor(clip.skeleton.mirror, device=clip.xy.device)
    xy = clip.xy[:, order].clone()
    xy[..., 0] = clip.images.shape[-1] - 1 - xy[..., 0]
    return replace(
        clip,
        images=clip.images.flip(-1),
        mask=clip.mask.flip(-1),
        plate=clip.plate.flip(-1),
        xy=xy,
        score=clip.score[:, order].clone(),
    )


def affine_matrix(size: tuple[int, int], *, angle: float, scale: float, shift: tuple[float, float]) -> Tensor:
    """The map that rotates and scales about the image's centre, then shifts.

    Args:
        size: (W, H) of the image.
        angle: Degrees, anticlockwise as seen on the screen.
        scale: Larger than 1 enlarges.
        shift: Right and down, as fractions of W and H.

    Returns:
        (2, 3) float64 on the CPU, old pixels to new pixels, pixel centres at integers.
    """
    import torch
    from kornia.geometry.transform import get_affine_matrix2d

    width, height = size
    matrix: Tensor = get_affine_matrix2d(
        translations=torch.tensor([[shift[0] * width, shift[1] * height]], dtype=torch.float64),
        center=torch.tensor([[(width - 1) / 2, (height - 1) / 2]], dtype=torch.float64),
        scale=torch.tensor([[scale, scale]], dtype=torch.float64),
        # kornia's sign here is clockwise on the screen, unlike its get_rotation_matrix2d
        angle=torch.tensor([-angle], dtype=torch.float64),
    )
    return matrix[0, :2]


def warp_clip(clip: Clip, matrix: Tensor) -> Clip:
    """Warp a clip by one affine map, bicubically (the mask bilinearly).

    What comes in from beyond the image is its reflection (no black borders to learn), but never a person: the
    mask is padded with zeros. Joints pushed out of the image stay, so that limbs are drawn to its edge; those
    further out than one image size are missing afterwards.

    Args:
        clip: What to warp.
        matrix: (2, 3) old pixels to new pixels.
    """
    import torch
    from kornia.geometry.transform import warp_affine

    frames, _, height, width = clip.images.shape
    forward = matrix.to(clip.images)[None].expand(frames, -1, -1)
    pixels = torch.cat([clip.images, clip.plate.to(clip.images)])
    # bicubic: a bilinear warp would teach the generator to blur
    moved = warp_affine(
        pixels,
        matrix.to(pixels)[None].expand(len(pixels), -1, -1),
        (height, width),
        mode="bicubic",
        padding_mode="reflection",
        align_corners=True,
    ).clamp(-1, 1)
    mask = warp_affine(
        clip.mask, forward.to(clip.mask), (height, width), padding_mode="zeros", align_corners=True
    )
    xy, score = _move_joints(clip.xy, clip.score, matrix, (width, height))
    return replace(clip, images=moved[:frames], plate=moved[frames:], mask=mask, xy=xy, score=score)


def _move_joints(xy: Tensor, score: Tensor, matrix: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(T, K, 2) pixels through a (2, 3) map; joints beyond one image size around the image become missing."""
    import torch

    at = matrix.to(xy)
    moved = xy @ at[:, :2].T + at[:, 2]
    span = torch.tensor(size, dtype=xy.dtype, device=xy.device)
    # NaN compares false: a missing joint stays missing
    near = ((moved >= -span) & (moved < 2 * span)).all(-1)
    nothing = torch.full_like(moved, torch.nan)
    return torch.where(near[..., None], moved, nothing), torch.where(near, score, torch.zeros_like(score))


def recolour(images: Tensor, *, brightness: float, contrast: float, saturation: float, hue: float) -> Tensor:
    """Change colours, by one and the same map for all frames (nothing depends on a frame's own statistics).

    Args:
        images: (T, 3, H, W) in [-1, 1].
        brightness: Added, as a fraction of the full range.
        contrast: Factor about middle grey; 1 changes nothing.
        saturation: Factor of the distance from the pixel's grey; 1 changes nothing.
        hue: Turn of the hue in full turns; 0 changes nothing.

    Returns:
        (T, 3, H, W) in [-1, 1], clipped.
    """
    import math

    from kornia import enhance

    unit = (images + 1) / 2
    # kornia's contrast is a factor about black; the shift moves its fixed point to middle grey
    unit = enhance.adjust_contrast(unit, float(contrast), clip_output=False)
    unit = enhance.adjust_brightness(unit, brightness + (1 - contrast) / 2, clip_output=True)
    unit = enhance.adjust_saturation_with_gray_subtraction(unit, float(saturation))
    if hue != 0:
        unit = enhance.adjust_hue(unit, hue * 2 * math.pi)
    result: Tensor = unit.clamp(0, 1) * 2 - 1
    return result.to(images.dtype)
