"""The painted person in a whole picture: through the soft matte, at the picture's own resolution.

A painted window is `matte * person + (1 - matte) * plate`. The plate's share is known, so it is taken off, what is
left (the person, multiplied by the matte) and the matte are enlarged, and laid over whatever is to be behind:
nothing of the window's coarse background reaches the result, so there is no edge where the window ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.data.framing import letterbox, paste
from dancekit.types import Window

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

EMPTY = 0.02
"""Matte below which there is nobody."""

GHOST, SOLID, REACH = 0.4, 0.65, 0.04
"""How a matte that is nowhere 1 becomes solid: where its largest value nearby (within so much of the window's shorter
side) is above `SOLID`, it is divided by that; below `GHOST` it stays (a shadow).

The matte is trained through the image alone: where person and plate have similar colours anything will do, and the
shipped dancer has 0.7 to 0.8 inside dark clothes. Before the plate it was trained with that is right; before
another one the person would be a ghost. A factor for the whole picture would put a rim of the old background
around the person.
"""

FEATHER = 0.04
"""Of the window's shorter side: the person fades out where the window ends within the picture."""


class Composer(Protocol):
    """Makes the shown picture of a painted window."""

    size: tuple[int, int]
    """(W, H) of the pictures."""
    alpha: bool
    """Whether they have a fourth channel."""

    def __call__(self, painted: Image, matte: Image | None) -> Image:
        """(h, w, 3) and (h, w), None for dancers without one, to (H, W, 3 or 4) uint8."""
        ...

    def settings(self) -> dict[str, Any]:
        """What decides the pictures, as plain data."""
        ...


def solid(matte: Image, side: int | None = None) -> NDArray[np.float32]:
    """(h, w) uint8 matte to the person's cover in [0, 1]: see `GHOST`.

    Args:
        matte: Of a window, or of a part of what it moves over.
        side: The window's shorter side; None: the matte's.
    """
    share = matte.astype(np.float32) * np.float32(1 / 255)
    reach = _reach(min(matte.shape) if side is None else side)
    peak = cv2.dilate(cv2.blur(share, (3, 3)), np.ones((reach, reach), np.uint8))
    trust = np.clip((peak - GHOST) / (SOLID - GHOST), 0, 1)
    return np.asarray(np.clip((share - EMPTY) / (1 - EMPTY) / (1 + trust * (peak - 1)), 0, 1), np.float32)


def _reach(side: int) -> int:
    """Pixels, odd."""
    return 2 * max(2, round(REACH * side / 2)) + 1


@dataclass(frozen=True)
class Fit:
    """How pictures of one size are shown in another: scaled, centred, with bars; never squashed.

    Attributes:
        inner: (W, H) of the pictures.
        outer: (W, H) of the result.
    """

    inner: tuple[int, int]
    outer: tuple[int, int]

    @cached_property
    def place(self) -> tuple[int, int, int, int]:
        """left, top, width, height of the picture in the result, whole pixels."""
        scale = min(o / i for o, i in zip(self.outer, self.inner, strict=True))
        width, height = (
            min(max(round(i * scale), 1), o) for i, o in zip(self.inner, self.outer, strict=True)
        )
        return (self.outer[0] - width) // 2, (self.outer[1] - height) // 2, width, height

    @property
    def matrix(self) -> Matrix:
        """(2, 3) from pixels of the picture to pixels of the result, centres at integers."""
        left, top, width, height = self.place
        across, down = width / self.inner[0], height / self.inner[1]
        return np.array([[across, 0, left + (across - 1) / 2], [0, down, top + (down - 1) / 2]])

    def __call__(self, picture: Image) -> Image:
        """(h, w, C) to (H, W, C) uint8, black bars."""
        if self.inner == self.outer:
            return picture
        left, top, width, height = self.place
        shrinks = width < self.inner[0]
        scaled = cv2.resize(
            picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        )
        result = np.zeros((self.outer[1], self.outer[0], picture.shape[2]), np.uint8)
        result[top : top + height, left : left + width] = scaled
        return result


class WindowView:
    """The window as it was painted.

    Args:
        window: What is painted.
        size: (W, H) of the pictures; None: the window's own.
    """

    alpha = False

    def __init__(self, window: Window, size: tuple[int, int] | None = None) -> None:
        self.size = size or window.size
        self._window, self._fit = window, Fit(window.size, self.size)

    def __call__(self, painted: Image, matte: Image | None) -> Image:
        """Black beyond the frame, scaled."""
        return self._fit(letterbox(painted, self._window))

    def settings(self) -> dict[str, Any]:
        """Window and size."""
        return {"view": "window", "size": self.size}


class PastedWindow:
    """The window on the clean plate with a soft border: for dancers without a matte.

    Args:
        window: What is painted.
        plate: (H, W, 3) uint8.
        size: (W, H) of the pictures; None: the plate's own.
    """

    alpha = False

    def __init__(self, window: Window, plate: Image, size: tuple[int, int] | None = None) -> None:
        self.size = size or window.frame_size
        self._window, self._plate, self._fit = window, plate, Fit(window.frame_size, self.size)

    def __call__(self, painted: Image, matte: Image | None) -> Image:
        """Pasted, scaled."""
        return self._fit(paste(self._plate, painted, self._window))

    def settings(self) -> dict[str, Any]:
        """Size."""
        return {"view": "pasted", "size": self.size}


class MattedPerson:
    """The person alone, before a background.

    Args:
        window: What is painted.
        plate: (h, w, 3) uint8, the window of the clean plate that it was painted with.
        background: (H, W, 3) uint8; None: transparent, and the pictures have a fourth channel.
        matrix: (2, 3) from pixels of the target's frame to those of the background.
        size: (W, H) of the pictures.
        side: Shorter side of the window that moves over `window`; None: it does not move.
        name: Of the background, for `settings`.
        digest: Of its content.
    """

    def __init__(
        self,
        window: Window,
        plate: Image,
        background: Image | None,
        *,
        matrix: Matrix,
        inner: tuple[int, int],
        size: tuple[int, int] | None = None,
        side: int | None = None,
        name: str = "",
        digest: str = "",
    ) -> None:
        self.size = size or inner
        self.alpha = background is None
        fit = Fit(inner, self.size)
        self._plate = plate.astype(np.float32)
        self._edge = _edge(window)[..., None]
        to_frame = cv2.invertAffineTransform(window.matrix)
        self._matrix = _compose(fit.matrix, _compose(matrix, to_frame))
        self._inside = _extent(fit, self._matrix, window)
        self._background = None if background is None else fit(background)
        self._side, self._name, self._digest = side, name, digest

    def __call__(self, painted: Image, matte: Image | None) -> Image:
        """Composite."""
        assert matte is not None
        part = self._occupied(matte)
        layer = self._person(painted, matte, part)
        to_picture = self._matrix
        if part[0].start or part[1].start:
            corner = np.array([[1.0, 0, part[1].start], [0, 1, part[0].start]])
            to_picture = _compose(self._matrix, corner)
        result = (
            np.zeros((self.size[1], self.size[0], 4), np.uint8)
            if self._background is None
            else self._background.copy()
        )
        box = self._box(layer[..., 3], to_picture)
        if box is None:
            return result
        left, top, right, bottom = box
        place = np.s_[top:bottom, left:right]
        matrix = to_picture - np.array([[0, 0, left], [0, 0, top]])
        scale = float(np.sqrt(abs(np.linalg.det(self._matrix[:, :2]))))
        if scale < 1:  # what the coarser grid cannot hold has to go first
            layer = cv2.GaussianBlur(layer, (0, 0), 0.45 * float(np.sqrt(max(1 / scale**2 - 1, 1e-6))))
        large = cv2.warpAffine(
            layer,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        large = _without_overshoot(large)
        cover = cv2.cvtColor(large[..., 3], cv2.COLOR_GRAY2RGB)
        person = cv2.min(large[..., :3], cover)
        if self._background is None:
            colour = cv2.divide(person, cover, scale=255)
            result[place] = np.concatenate([colour, large[..., 3:]], 2)
        else:
            behind = cv2.multiply(self._background[place], cv2.bitwise_not(cover), scale=1 / 255)
            result[place] = cv2.add(person, behind)
        return result

    def _occupied(self, matte: Image) -> tuple[slice, slice]:
        """Rows and columns that can be looked at alone: all of a window; where it moves, what is around the person."""
        height, width = matte.shape
        if self._side is None:
            return slice(0, height), slice(0, width)
        rows, columns = np.flatnonzero(matte.any(1)), np.flatnonzero(matte.any(0))
        if not len(rows):
            return slice(0, 1), slice(0, 1)
        around = _reach(self._side)
        return (
            slice(max(0, int(rows[0]) - around), min(height, int(rows[-1]) + 1 + around)),
            slice(max(0, int(columns[0]) - around), min(width, int(columns[-1]) + 1 + around)),
        )

    def _person(self, painted: Image, matte: Image, part: tuple[slice, slice]) -> NDArray[np.int16]:
        """(h, w, 4): the person's colours times its cover, and the cover, 255 = the person."""
        cover = solid(matte[part], self._side)[..., None]
        # what is left of the image without the plate's share; a larger cover than the matte leaves more
        person = np.clip(painted[part] - (1 - cover) * self._plate[part], 0, 255) * (cover > 0)
        return np.asarray(np.rint(np.concatenate([person, 255 * cover], 2) * self._edge[part]), np.int16)

    def _box(self, cover: NDArray[np.int16], to_picture: Matrix) -> tuple[int, int, int, int] | None:
        """left, top, right, bottom of the person in the result; None where there is nobody."""
        rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
        if not len(rows):
            return None
        corners = np.array([[columns[0] - 2, rows[0] - 2, 1], [columns[-1] + 2, rows[-1] + 2, 1]])
        (left, top), (right, bottom) = corners @ to_picture.T
        low, high = self._inside
        left, top = max(int(np.floor(left)), low[0]), max(int(np.floor(top)), low[1])
        right, bottom = min(int(np.ceil(right)) + 1, high[0]), min(int(np.ceil(bottom)) + 1, high[1])
        return (left, top, right, bottom) if right > left and bottom > top else None

    def settings(self) -> dict[str, Any]:
        """Background, place and size."""
        return {
            "view": self._name,
            "digest": self._digest,
            "matrix": np.round(self._matrix, 9).tolist(),
            "size": self.size,
        }


def _without_overshoot(layer: NDArray[np.int16]) -> Image:
    """What a cubic filter made of a person and its cover, as uint8: without a bright rim inside the edge.

    Where the cover comes out above 255 the colours do too, by the same factor. (Outside, where it is near 0, colours
    above the cover would be a halo: the caller takes the smaller.)
    """
    over = layer[..., 3] > 255
    if over.any():
        layer[over] = np.rint(layer[over] * (255.0 / layer[over][:, 3:]))
    return np.asarray(np.clip(layer, 0, 255), np.uint8)


def _compose(after: Matrix, before: Matrix) -> Matrix:
    """(2, 3) of one affine map after another."""
    whole = np.vstack([after, [0, 0, 1]]) @ np.vstack([before, [0, 0, 1]])
    return np.asarray(whole[:2], np.float64)


def _extent(fit: Fit, matrix: Matrix, window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last-plus-one column and row that the person may be shown in: the window's, without bars."""
    left, top, width, height = fit.place
    corners = np.array([[-0.5, -0.5, 1], [window.size[0] - 0.5, window.size[1] - 0.5, 1]]) @ matrix.T
    low, high = np.ceil(corners[0]).astype(int), np.floor(corners[1]).astype(int) + 1
    return (
        (max(left, int(low[0])), max(top, int(low[1]))),
        (min(left + width, int(high[0])), min(top + height, int(high[1]))),
    )


def _edge(window: Window) -> NDArray[np.float32]:
    """(h, w): 1 inside, falling to 0 at those edges of the window that lie within the frame."""
    width = max(1.0, FEATHER * min(window.size))
    ramps = []
    for start, pixels, limit, scale in zip(
        (window.left, window.top), window.size, window.frame_size, window.scales, strict=True
    ):
        centre = np.arange(pixels) + 0.5
        low = np.full(pixels, np.inf) if start <= 0.5 else centre / width
        high = np.full(pixels, np.inf) if start + pixels * scale >= limit - 0.5 else (pixels - centre) / width
        ramp = np.clip(np.minimum(low, high), 0, 1)
        ramps.append(ramp * ramp * (3 - 2 * ramp))
    return np.asarray(ramps[1][:, None] * ramps[0][None], np.float32)
