"""Several pictures in a row, of one height: source and dancers, as figure 1 of Everybody Dance Now shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class Montage:
    """Puts pictures of fixed sizes in a row, scaled to one height and never squashed.

    Args:
        sizes: (W, H) of each picture.
        like: Sizes whose smallest height is the row's.

    Attributes:
        size: (W, H) of the row, both even.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], *, like: Sequence[tuple[int, int]]) -> None:
        height = min(each[1] for each in like)
        height += height % 2
        self._widths = [max(2, round(width * height / old / 2) * 2) for width, old in sizes]
        self.size = (sum(self._widths), height)

    def __call__(self, pictures: Sequence[Image]) -> Image:
        """(H, W, 3) uint8 of pictures (h, w, 3) in the order of the sizes; a fourth channel is laid over black."""
        row = [self._scaled(each, width) for each, width in zip(pictures, self._widths, strict=True)]
        return np.concatenate(row, 1)

    def _scaled(self, picture: Image, width: int) -> Image:
        if picture.shape[2] == 4:
            cover = picture[..., 3:].astype(np.float32) / 255
            picture = np.rint(picture[..., :3] * cover).astype(np.uint8)
        size = (width, self.size[1])
        if (picture.shape[1], picture.shape[0]) == size:
            return picture
        how = cv2.INTER_AREA if size[1] < picture.shape[0] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
