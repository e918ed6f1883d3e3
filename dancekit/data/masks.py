"""Person masks of a whole clip in little memory: one bit a pixel, at reduced size, compressed frame by frame."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types import Window

LONGEST_SIDE = 512
"""Pixels; the masks of the embedded backend are 256 pixels across the person, so more would hold nothing new."""


class MaskTrack:
    """The mask of one person in each frame of a clip.

    Attributes:
        size: (W, H) of the clip's frames.
        stored: (W, H) at which the masks are kept.
    """

    def __init__(self, size: tuple[int, int], packed: Sequence[bytes] = ()) -> None:
        ratio = min(1.0, LONGEST_SIDE / max(size))
        self.size = size
        self.stored = (max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio)))
        self._packed = list(packed)

    def __len__(self) -> int:
        return len(self._packed)

    def append(self, mask: NDArray[np.uint8] | None) -> None:
        """Add the mask of the next frame: (H, W) uint8 of the clip's size, or None for nobody."""
        if mask is None:
            self._packed.append(b"")
            return
        small = cv2.resize(mask, self.stored, interpolation=cv2.INTER_AREA)
        self._packed.append(zlib.compress(np.packbits(small > 127).tobytes(), 6))

    def __getitem__(self, frame: int) -> NDArray[np.uint8]:
        """(h, w) uint8, 255 = person, at the stored size."""
        width, height = self.stored
        if not self._packed[frame]:
            return np.zeros((height, width), np.uint8)
        bits = np.unpackbits(
            np.frombuffer(zlib.decompress(self._packed[frame]), np.uint8), count=width * height
        )
        return np.asarray(bits.reshape(height, width) * 255, np.uint8)

    def pick(self, frames: Sequence[int | None]) -> MaskTrack:
        """A track of some of the masks, None for nobody."""
        return MaskTrack(self.size, [b"" if frame is None else self._packed[frame] for frame in frames])

    def in_frame(self, frame: int) -> NDArray[np.uint8]:
        """(H, W) uint8 at the clip's size, edges interpolated."""
        return np.asarray(cv2.resize(self[frame], self.size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def in_window(self, frame: int, window: Window) -> NDArray[np.uint8]:
        """(h, w) uint8 in the window's pixels."""
        ratio = self.stored[0] / self.size[0], self.stored[1] / self.size[1]
        # stored pixel s and frame pixel x: x + 0.5 = (s + 0.5) / ratio
        to_frame = np.array(
            [[1 / ratio[0], 0, 0.5 / ratio[0] - 0.5], [0, 1 / ratio[1], 0.5 / ratio[1] - 0.5], [0, 0, 1]]
        )
        matrix = np.vstack([window.matrix, [0, 0, 1]]) @ to_frame
        return np.asarray(
            cv2.warpAffine(self[frame], matrix[:2], window.size, flags=cv2.INTER_LINEAR), np.uint8
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays for an npz file."""
        lengths = np.array([len(part) for part in self._packed], np.int64)
        return {
            "mask_bytes": np.frombuffer(b"".join(self._packed), np.uint8),
            "mask_lengths": lengths,
            "mask_size": np.array(self.size, np.int64),
        }

    @classmethod
    def from_arrays(cls, data: dict[str, NDArray[np.generic]]) -> MaskTrack:
        """The reverse of `arrays`."""
        raw = np.asarray(data["mask_bytes"], np.uint8).tobytes()
        ends = np.cumsum(np.asarray(data["mask_lengths"], np.int64))
        starts = np.concatenate([[0], ends[:-1]]).astype(int)
        width, height = (int(side) for side in np.asarray(data["mask_size"], np.int64))
        return cls((width, height), [raw[a:b] for a, b in zip(starts, ends, strict=True)])

    @classmethod
    def load(cls, path: Path) -> MaskTrack:
        """Read from an npz file that holds `arrays()`."""
        with np.load(path, allow_pickle=False) as data:
            return cls.from_arrays({key: data[key] for key in ("mask_bytes", "mask_lengths", "mask_size")})
