"""A transfer against the right answer, frame by frame: inside the person's mask and in the mask's box."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.framing import crop
from dancekit.data.training_set import crop_mask
from dancekit.errors import VideoError
from dancekit.metrics.image import PSNR, Sharpness
from dancekit.metrics.structure import SSIM
from dancekit.types import Window
from dancekit.video import read_frames


@dataclass(frozen=True)
class Scores:
    """Means over all frames that have a person in the truth.

    Attributes:
        psnr_mask: dB, inside the person's mask.
        ssim_mask: SSIM map averaged inside the mask.
        psnr_box: dB, inside the bounding box of the mask.
        ssim_box: SSIM map averaged inside the box.
        sharpness: Variance of the Laplacian in the mask over the truth's: 1 is as sharp, below is blurred.
        frames: How many were scored.
    """

    psnr_mask: float
    ssim_mask: float
    psnr_box: float
    ssim_box: float
    sharpness: float
    frames: int

    def to_json(self) -> dict[str, float]:
        """Rounded for reading."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Truth:
    """The right answer of a transfer, in the window that the dancer paints.

    Attributes:
        frames: (T, h, w, 3) uint8.
        masks: (T, h, w) bool, where the person is.
    """

    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]

    @classmethod
    def load(cls, video: str | os.PathLike[str], masks: str | os.PathLike[str], window: Window) -> Truth:
        """Read the true video and its exact masks (`mask_bits` of a dancefloor `.npz`), cut to the window.

        Raises:
            VideoError: The two do not have the same number of frames or the window's frame size.
        """
        frames = np.stack([crop(frame.rgb, window) for frame in read_frames(Path(video))])
        with np.load(masks, allow_pickle=False) as data:
            width = window.frame_size[0]
            full = np.unpackbits(data["mask_bits"], axis=2, count=width) * np.uint8(255)
        if len(full) != len(frames) or full.shape[1] != window.frame_size[1]:
            raise VideoError(
                f"{video} and {masks} do not belong together: {len(frames)} frames, masks {full.shape}"
            )
        return cls(frames, np.stack([crop_mask(mask, window) > 127 for mask in full]))


def score_frames(fake: NDArray[np.uint8], truth: Truth) -> Scores:
    """Compare painted frames with the truth.

    Args:
        fake: (T, h, w, 3) uint8, as many as the truth has.
        truth: The right answer.

    Raises:
        VideoError: Another number or size of frames.
    """
    if fake.shape != truth.frames.shape:
        raise VideoError(f"painted frames have shape {fake.shape}, the truth {truth.frames.shape}")
    boxes = np.stack([_box_of(mask) for mask in truth.masks])
    sharpness = Sharpness()(fake, truth.frames, truth.masks)
    return Scores(
        psnr_mask=_mean(PSNR()(fake, truth.frames, truth.masks)),
        ssim_mask=_mean(SSIM()(fake, truth.frames, truth.masks)),
        psnr_box=_mean(PSNR()(fake, truth.frames, boxes)),
        ssim_box=_mean(SSIM()(fake, truth.frames, boxes)),
        sharpness=_mean(sharpness),
        frames=int(np.isfinite(sharpness).sum()),
    )


def _box_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The bounding box of a mask, as a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.zeros_like(mask)
    if len(rows):
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def _mean(values: NDArray[np.float64]) -> float:
    """Over frames that could be scored; equal frames (infinite dB) count as 100 dB."""
    return float(np.nanmean(np.minimum(values, 100.0)))
