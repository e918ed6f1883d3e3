"""Everybody in a frame with BlazePose's two networks, made for one person each: who is looked at where.

MediaPipe's `num_poses` does the same with the same networks: regions of the frame before, the detector where
somebody may be new, and no two bodies in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dancekit.pose.blazepose_geometry import MARGIN, Region

if TYPE_CHECKING:
    from dancekit.pose.blazepose import Body

EVERY = 4
"""Frames between two searches for new people; while somebody is missing, every frame is searched."""

MISSING = 50
"""So many frames after somebody was lost each frame is searched: they come out behind whom they went."""

PARTS = (1.0, 0.6)
"""Sides of the parts of a frame that are searched, over its shorter side."""

NEAR = 0.12
"""Distance of two regions, over their side, below which they are one person's."""

CLOSE = 0.04
"""The same while somebody is missing: they may be just behind, or before, who is seen."""

SAME = 0.06
"""Distance of a joint of two bodies, over the side of their region, below which it is one joint."""

_SIZES = 1.6  # regions of one person are at most so much larger or smaller
_TORSO = [11, 12, 23, 24]  # shoulders and hips


class Crowd:
    """Finds everybody in the frames of a clip, one frame at a time.

    Args:
        find: A frame and a part of it to the regions of the people whom the detector sees there, surest first.
        look: A frame and regions to the bodies that the landmark network sees there, None where it sees none.
        tracking: Whether regions of the frame before are looked at again; else each frame is searched alone.
    """

    def __init__(
        self,
        *,
        find: Callable[[NDArray[np.uint8], Region], list[Region]],
        look: Callable[[NDArray[np.uint8], list[Region]], Sequence[Body | None]],
        tracking: bool = True,
    ) -> None:
        self._find, self._look, self._tracking = find, look, tracking
        self._regions: list[Region] = []
        self._frame = 0
        self._search_until = 0
        self._searches = 0

    def update(self, frame: NDArray[np.uint8]) -> list[Body]:
        """The people of the next frame, in no order."""
        bodies = distinct([body for body in self._look(frame, self._regions) if body is not None])
        if len(bodies) < len(self._regions):
            self._search_until = self._frame + MISSING
        if self._frame % EVERY == 0 or self._frame < self._search_until:
            taken = [body.next_region for body in bodies if body.next_region is not None]
            seen = [region for view in self._views(frame) for region in self._find(frame, view)]
            near = CLOSE if self._frame < self._search_until else NEAR
            new: list[Region] = []
            for region in seen:
                if not any(_near(region, one, near) for one in taken + new):
                    new.append(region)
            found = [body for body in self._look(frame, new) if body is not None] if new else []
            bodies = distinct([*bodies, *found])
        self._frame += 1
        if self._tracking:
            self._regions = [body.next_region for body in bodies if body.next_region is not None]
        else:
            self._search_until = self._frame + 1
        return bodies

    def _views(self, frame: NDArray[np.uint8]) -> list[Region]:
        """The whole frame every second time, its parts in turn in between; at first the largest of them as well."""
        height, width = frame.shape[:2]
        number, self._searches = self._searches, self._searches + 1
        parts, whole = views(width, height), Region.letterbox(width, height)
        if number == 0 or not self._tracking:
            large = [part for part in parts if part.side == PARTS[0] * min(width, height)]
            return [whole, *large]
        return [whole if number % 2 == 0 else parts[number // 2 % len(parts)]]


def views(width: int, height: int) -> list[Region]:
    """Squares of a frame that the detector looks at beside the whole of it: parts in which people are larger.

    The detector's image has 224 pixels: it sees nobody who is less than a third of it tall.
    """
    parts = []
    for share in PARTS:
        side = share * min(width, height)
        if side == max(width, height):
            continue
        columns, rows = (_places(length, side) for length in (width, height))
        parts += [Region(x, y, side, 0.0) for y in rows for x in columns]
    return parts


def _places(length: float, side: float) -> list[float]:
    """Centres of squares that cover a length, a third upon each other."""
    count = max(1, int(np.ceil((length - side) / (2 / 3 * side) - 1e-6)) + 1)
    return (
        [float(at) for at in np.linspace(side / 2, length - side / 2, count)] if count > 1 else [length / 2]
    )


def distinct(bodies: list[Body]) -> list[Body]:
    """The bodies without those that lie upon another, whose joints are more visible."""
    kept: list[int] = []
    for number in sorted(range(len(bodies)), key=lambda n: (-float(bodies[n].visibility.mean()), n)):
        if not any(_same(bodies[number], bodies[other]) for other in kept):
            kept.append(number)
    return [bodies[number] for number in sorted(kept)]


def _near(one: Region, other: Region, near: float) -> bool:
    side = max(one.side, other.side)
    apart = float(np.hypot(one.x - other.x, one.y - other.y))
    return apart < near * side and side < _SIZES * min(one.side, other.side)


def _same(one: Body, other: Body) -> bool:
    """Whether two bodies are one person, seen twice: the same trunk, or most of the joints."""
    distance: NDArray[Any] = np.linalg.norm(one.points - other.points, axis=1)
    near = distance < SAME * _side(one, other)
    return bool(near[_TORSO].all() or near.mean() > 0.5)


def _side(one: Body, other: Body) -> float:
    sides = [body.next_region.side for body in (one, other) if body.next_region is not None]
    # without a region: the height of the landmarks, as the region would have it
    return min(sides) if sides else float(np.ptp(one.points[:, 1])) * MARGIN
