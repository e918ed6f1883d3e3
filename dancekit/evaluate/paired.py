"""A transfer against the right answer, frame by frame: inside the person's mask and in the mask's box."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.framing import crop
from dancekit.data.training_set import crop_mask
from dancekit.errors import VideoError
from dancekit.evaluate.engine import Reference, Stream, score_streams
from dancekit.evaluate.measures import make_measures
from dancekit.evaluate.protocols import Protocol
from dancekit.types import Window
from dancekit.video import read_frames

PROTOCOL = Protocol.model_validate(
    {
        "schema": 1,
        "name": "demo",
        "version": 1,
        "description": "What dancekit demo prints: the person's mask and its box.",
        "metrics": [
            {"name": "psnr", "regions": ["mask", "box"]},
            {"name": "ssim", "regions": ["mask", "box"]},
            {"name": "sharpness", "regions": ["mask"]},
        ],
    }
)
_RATE = Fraction(25)  # only intervals look at it, and these scores have none


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
    size = (fake.shape[2], fake.shape[1])
    reference = Reference(truth.frames, len(fake), size, _RATE, mask=lambda number: truth.masks[number])
    (variant,) = score_streams(
        reference,
        [Stream("result", "painted frames", "result", fake)],
        PROTOCOL,
        make_measures(PROTOCOL, "cpu", _RATE),
    )

    def value(metric: str, region: str) -> float:
        score = variant.score(metric, region)
        return float("nan") if score is None or score.value is None else score.value

    sharpness = variant.score("sharpness", "mask")
    return Scores(
        psnr_mask=value("psnr", "mask"),
        ssim_mask=value("ssim", "mask"),
        psnr_box=value("psnr", "box"),
        ssim_box=value("ssim", "box"),
        sharpness=value("sharpness", "mask"),
        frames=0 if sharpness is None else sharpness.frames,
    )
