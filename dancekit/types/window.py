"""The window: the fixed part of the target's frame that the generator paints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Window:
    """An axis-aligned, never squashed rectangle of a frame, resampled to `size`.

    Window pixel `u` and frame pixel `x` (centres at integers) are related by
    `x + 0.5 = left + (u + 0.5) * scale`, the same for rows.

    Attributes:
        left: Left edge in frame pixels (edge, not centre); may be negative.
        top: Top edge in frame pixels; may be negative.
        scale: Frame pixels per window pixel.
        size: (W, H) of the window in its own pixels.
        frame_size: (W, H) of the frames it is cut from.
    """

    left: float
    top: float
    scale: float
    size: tuple[int, int]
    frame_size: tuple[int, int]

    def __post_init__(self) -> None:
        if not self.scale > 0 or min(*self.size, *self.frame_size) < 1:
            raise ValueError(f"not a window: {self}")

    @classmethod
    def full(cls, frame_size: tuple[int, int]) -> Window:
        """The whole frame at its own resolution."""
        return cls(left=0.0, top=0.0, scale=1.0, size=frame_size, frame_size=frame_size)

    @classmethod
    def around(
        cls,
        xy: NDArray[np.floating[Any]],
        *,
        size: tuple[int, int],
        frame_size: tuple[int, int],
        margin: float = 0.12,
        head_room: float = 0.08,
    ) -> Window:
        """The smallest window of the proportions of `size` around all keypoints of a track, with a margin.

        It is moved into the frame where it fits, and centred where it is larger than the frame.

        Args:
            xy: (..., 2) frame pixels; NaN is ignored.
            size: (W, H) of the window in its own pixels.
            frame_size: (W, H) of the frame.
            margin: Added on every side, as a fraction of the track's longer side.
            head_room: Added above as well (keypoints end at the eyes, not at the hair), same unit.

        Raises:
            ValueError: No finite keypoint.
        """
        points = xy.reshape(-1, 2)
        points = points[np.isfinite(points).all(1)]
        if not len(points):
            raise ValueError("no keypoint to put a window around")
        (left, top), (right, bottom) = points.min(0), points.max(0)
        longer = max(right - left, bottom - top)
        left, right = left - margin * longer, right + margin * longer
        top, bottom = top - (margin + head_room) * longer, bottom + margin * longer
        # what lies beyond the frame holds no pixels: do not spend window on it
        left, top = max(left, 0.0), max(top, 0.0)
        right, bottom = min(right, float(frame_size[0])), min(bottom, float(frame_size[1]))
        scale = max((right - left) / size[0], (bottom - top) / size[1])
        place = []
        for low, high, pixels, limit in (
            (left, right, size[0], frame_size[0]),
            (top, bottom, size[1], frame_size[1]),
        ):
            extent = pixels * scale
            start = (low + high - extent) / 2
            place.append((limit - extent) / 2 if extent >= limit else min(max(start, 0.0), limit - extent))
        return cls(
            left=float(place[0]), top=float(place[1]), scale=float(scale), size=size, frame_size=frame_size
        )

    def to_window(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(..., 2) frame pixels to window pixels."""
        corner = np.array([self.left, self.top])
        return np.asarray((xy + 0.5 - corner) / self.scale - 0.5, np.float32)

    def to_frame(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(..., 2) window pixels to frame pixels."""
        corner = np.array([self.left, self.top])
        return np.asarray((xy + 0.5) * self.scale + corner - 0.5, np.float32)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) affine map from frame pixels to window pixels, for cv2.warpAffine."""
        inverse = 1.0 / self.scale
        return np.array(
            [
                [inverse, 0.0, (0.5 - self.left) * inverse - 0.5],
                [0.0, inverse, (0.5 - self.top) * inverse - 0.5],
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a header."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Window:
        """The reverse of `to_json`."""
        return cls(**{**data, "size": tuple(data["size"]), "frame_size": tuple(data["frame_size"])})
