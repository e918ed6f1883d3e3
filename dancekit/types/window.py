"""The window: the fixed part of the target's frame that the generator paints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Window:
    """An axis-aligned rectangle of a frame, resampled to `size`; never squashed, but for `scale_y`.

    Window pixel `u` and frame pixel `x` (centres at integers) are related by
    `x + 0.5 = left + (u + 0.5) * scale`, the same for rows.

    Attributes:
        left: Left edge in frame pixels (edge, not centre); may be negative.
        top: Top edge in frame pixels; may be negative.
        scale: Frame pixels per window pixel.
        size: (W, H) of the window in its own pixels.
        frame_size: (W, H) of the frames it is cut from.
        scale_y: Frame rows per window row where that is not `scale`: Everybody Dance Now squashes 1920x1080
            to 1024x512.
    """

    left: float
    top: float
    scale: float
    size: tuple[int, int]
    frame_size: tuple[int, int]
    scale_y: float | None = None

    def __post_init__(self) -> None:
        if not min(self.scales) > 0 or min(*self.size, *self.frame_size) < 1:
            raise ValueError(f"not a window: {self}")

    @classmethod
    def full(cls, frame_size: tuple[int, int]) -> Window:
        """The whole frame at its own resolution."""
        return cls(left=0.0, top=0.0, scale=1.0, size=frame_size, frame_size=frame_size)

    @classmethod
    def squashed(cls, frame_size: tuple[int, int], size: tuple[int, int]) -> Window:
        """The whole frame, whatever the shape of the window."""
        return cls(
            left=0.0,
            top=0.0,
            scale=frame_size[0] / size[0],
            scale_y=frame_size[1] / size[1],
            size=size,
            frame_size=frame_size,
        )

    @property
    def scales(self) -> tuple[float, float]:
        """Frame pixels per window pixel along x and y."""
        return self.scale, self.scale if self.scale_y is None else self.scale_y

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
        return np.asarray((xy + 0.5 - corner) / np.array(self.scales) - 0.5, np.float32)

    def to_frame(self, xy: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(..., 2) window pixels to frame pixels."""
        corner = np.array([self.left, self.top])
        return np.asarray((xy + 0.5) * np.array(self.scales) + corner - 0.5, np.float32)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) affine map from frame pixels to window pixels, for cv2.warpAffine."""
        across, down = (1.0 / scale for scale in self.scales)
        return np.array(
            [
                [across, 0.0, (0.5 - self.left) * across - 0.5],
                [0.0, down, (0.5 - self.top) * down - 0.5],
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a header."""
        data = asdict(self)
        if self.scale_y is None:  # a header says nothing of what hardly any window has
            del data["scale_y"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Window:
        """The reverse of `to_json`."""
        return cls(**{**data, "size": tuple(data["size"]), "frame_size": tuple(data["frame_size"])})
