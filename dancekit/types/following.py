"""A window that follows the person: of fixed size and scale, it moves over the picture in whole steps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.types.pose import PoseSequence
from dancekit.types.window import Window

Place = tuple[int, int]
"""Left and top of the window, pixels of the canvas."""

HEAD_ROOM = 0.08
"""Of a body's extent: keypoints end at the eyes, not at the hair."""

DEAD = 1.0
"""Steps by which a body may be off the window's middle before the window moves: it does not follow jitter."""

JOINTED = 0.92
"""Of a standing person's height that lies between the uppermost and the lowest joint, without the arms."""

ARMS = ("elbow", "wrist", "pinky", "index", "thumb", "hand")


@dataclass(frozen=True, kw_only=True)
class Following:
    """Where in a canvas the window is that the generator paints.

    The canvas is the part of the frame that can be painted at all, at the window's scale (a `Window` says which).
    Places are multiples of `step` canvas pixels: what was painted in one place is moved into another exactly, and a
    convolutional generator, whose coarsest layer has one value every `step` pixels, sees the same thing everywhere.

    A place depends on the body of its frame and on the place before, on nothing that is still to come.

    Attributes:
        size: (W, H) of the window.
        canvas: (W, H) of what it moves over; larger by multiples of `step`.
        step: Pixels.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    step: int

    def __post_init__(self) -> None:
        spare = [c - s for c, s in zip(self.canvas, self.size, strict=True)]
        if self.step < 1 or min(*self.size) < 1 or min(spare) < 0 or any(each % self.step for each in spare):
            raise ValueError(f"not a window that can follow: {self}")

    def places(
        self, xy: NDArray[np.floating[Any]], *, cuts: Collection[int] = (), before: Place | None = None
    ) -> NDArray[np.intp]:
        """Where the window is in each frame.

        Args:
            xy: (T, K, 2) canvas pixels, NaN where missing.
            cuts: Frames with which a new scene begins: the window leaps to the person.
            before: Where it was in the frame before.

        Returns:
            (T, 2) left and top, canvas pixels. Where nobody is the window stays.
        """
        result = np.empty((len(xy), 2), np.intp)
        for number, joints in enumerate(xy):
            before = self.place(joints, None if number in cuts else before)
            result[number] = before
        return result

    def place(self, joints: NDArray[np.floating[Any]], before: Place | None) -> Place:
        """Of one frame: (K, 2) canvas pixels, and where the window was in the frame before; None: in none."""
        seen = joints[np.isfinite(joints).all(-1)]
        most = [(c - s) for c, s in zip(self.canvas, self.size, strict=True)]
        if not len(seen):
            left, top = (each // (2 * self.step) * self.step for each in most)
            return before or (left, top)
        low, high = seen.min(0).astype(np.float64), seen.max(0).astype(np.float64)
        tall = high[1] - low[1]
        spare = self.size[1] - 1 - self.step - tall  # raised arms need the room themselves
        low[1] -= min(HEAD_ROOM * tall, max(spare, 0.0))
        wanted = (low + high + 1) / 2 - np.array(self.size) / 2
        place = []
        for axis in (0, 1):
            goal = min(max(float(wanted[axis]), 0.0), float(most[axis]))
            near = round(goal / self.step) * self.step
            stays = before is not None and abs(goal - before[axis]) <= DEAD * self.step
            if before is not None and stays:
                fits = [
                    low[axis] >= at and high[axis] <= at + self.size[axis] - 1 for at in (before[axis], near)
                ]
                near = near if fits == [False, True] else before[axis]
            place.append(near)
        return place[0], place[1]

    def window(self, canvas: Window, place: NDArray[np.intp] | Place) -> Window:
        """The part of the frame that the window shows at a place; `canvas` is what it moves over."""
        left, top = (int(each) * scale for each, scale in zip(place, canvas.scales, strict=True))
        return replace(canvas, left=canvas.left + left, top=canvas.top + top, size=self.size)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a header."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Following:
        """The reverse of `to_json`."""
        return cls(size=tuple(data["size"]), canvas=tuple(data["canvas"]), step=int(data["step"]))


def standing_height(poses: PoseSequence) -> float:
    """How tall the person stands, pixels: the median over the frames in which they are upright.

    From the uppermost to the lowest joint, without the arms; upright is more than nine tenths of a high percentile.
    0 where feet are seen in less than half of the frames with a person: nobody knows.
    """
    body = [n for n, name in enumerate(poses.skeleton.joints) if not any(part in name for part in ARMS)]
    ankles = [n for n, name in enumerate(poses.skeleton.joints) if name.endswith("ankle")]
    on_feet = poses.valid[:, ankles].any(1)
    rows = poses.xy[on_feet][:, body, 1].astype(np.float64)
    if not len(rows) or 2 * len(rows) < poses.found.sum():
        return 0.0
    extent = np.nanmax(rows, 1) - np.nanmin(rows, 1)
    upright = extent[extent >= 0.9 * np.quantile(extent, 0.95)]
    return float(np.median(upright)) / JOINTED


def choose_window(
    poses: PoseSequence, *, size: tuple[int, int], person_height: int, step: int
) -> tuple[Window, Following | None]:
    """What of a target's frames is painted.

    Args:
        poses: The target's, in pixels of the frames.
        size: (W, H) of what the generator paints.
        person_height: Painted pixels that a standing person has at least; 0 for one window for the whole clip.
        step: See `Following`.

    Returns:
        One fixed window, the smallest around all poses, and None, if the person is tall enough in it. Else what the
        window moves over (all that those poses need, and a window beyond it never), and how it follows.
    """
    fixed = Window.around(poses.xy, size=size, frame_size=poses.size)
    tall = standing_height(poses)
    if not person_height or tall / fixed.scale >= person_height:
        return fixed, None
    scale = tall / person_height
    if not scale > 0:
        return fixed, None
    canvas, corner = [], []
    for axis in (0, 1):
        needed = poses.size[axis] / scale
        steps = max(0, -int((size[axis] - needed) // step))  # rounded up
        canvas.append(size[axis] + steps * step)
        corner.append((poses.size[axis] - canvas[axis] * scale) / 2)
    window = Window(
        left=float(corner[0]),
        top=float(corner[1]),
        scale=float(scale),
        size=(canvas[0], canvas[1]),
        frame_size=poses.size,
    )
    return window, Following(size=size, canvas=(canvas[0], canvas[1]), step=step)
