"""Exact optical flow: each visible surface point followed from one frame to the next.

The room does not move and the camera stands still, so only pixels on people have a flow; it is that of the middle
of the shutter, without motion blur. Stored sparsely, in 1/128 pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.dancefloor.actor import Actor, Buffers
from dancekit.dancefloor.camera import Camera
from dancekit.dancefloor.jit import Bools, Floats

STEP = 1 / 128
"""Pixels of one unit of the stored flow."""

_BEHIND = 0.015
"""Metres that a point may lie behind the surface seen in the next frame and still count as seen there."""


@dataclass(frozen=True, eq=False)
class FrameFlow:
    """Flow from a frame to the next.

    Attributes:
        on_person: (H, W) pixels whose centre shows a person.
        moves: (N, 2) pixels, in the order of `np.nonzero(on_person)`.
        seen: (N,) whether the point is still visible in the next frame.
    """

    on_person: Bools
    moves: Floats
    seen: Bools

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int16], Bools]:
        """`on_person` in bits, `moves` in units of `STEP`, `seen`; moves too large to store count as unseen."""
        units = np.round(self.moves / STEP)
        fits = (np.abs(units) < 32767).all(1)
        stored = np.clip(units, -32767, 32767).astype(np.int16)
        return np.packbits(self.on_person, axis=1), stored, self.seen & fits


class FlowTracker:
    """Follows surface points; call `advance` once a frame after the middle pose is drawn."""

    def __init__(self, actors: Sequence[Actor], camera: Camera) -> None:
        self._actors, self._camera = actors, camera
        self._now, self._before = Buffers(camera.size, 1), Buffers(camera.size, 1)
        self._started = False

    def advance(self) -> FrameFlow | None:
        """Take in the actors' current poses; returns the flow from the frame before, None for the first."""
        self._now, self._before = self._before, self._now
        self._now.clear()
        projected = [self._camera.project(actor.posed) for actor in self._actors]
        for actor, (xy, z) in zip(self._actors, projected, strict=True):
            actor.rasterize(self._now, xy, z)
        flow = self._flow() if self._started else None
        self._started = True
        return flow

    def _flow(self) -> FrameFlow:
        ids = self._before.face_ids
        on_person = ids >= 0
        rows, columns = np.nonzero(on_person)
        places = np.zeros((len(rows), 3))
        for actor in self._actors:
            mine = (ids[rows, columns] >= actor.first) & (
                ids[rows, columns] < actor.first + len(actor.person.faces)
            )
            at = rows[mine], columns[mine]
            corners = actor.person.faces[ids[at] - actor.first]
            w1, w2 = self._before.weight1[at][:, None], self._before.weight2[at][:, None]
            a, b, c = (actor.posed[corners[:, k]] for k in range(3))
            places[mine] = a * (1 - w1 - w2) + b * w1 + c * w2
        xy, z = self._camera.project(places)
        return FrameFlow(on_person, xy - np.stack([columns, rows], 1), self._seen(xy, z))

    def _seen(self, xy: Floats, z: Floats) -> Bools:
        """Whether points lie on the surface that the current z-buffer shows there (or next to it)."""
        width, height = self._camera.size
        x, y = np.round(xy).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        nearest = self._now.depth[y, x]
        return np.asarray(inside & (nearest > 0) & (z < 1 / np.maximum(nearest, 1e-9) + _BEHIND))


def dense_flow(
    bits: NDArray[np.uint8], moves: NDArray[np.int16], seen: Bools, width: int
) -> tuple[NDArray[np.float32], Bools]:
    """Flow (H, W, 2) in pixels (zero on the room), and (H, W) whether the point is seen in the next frame.

    Args:
        bits: (H, ceil(W / 8)) and
        moves: (N, 2) and
        seen: (N,) of one frame, as `FrameFlow.packed` gives them.
        width: W.
    """
    on_person = np.unpackbits(bits, axis=1, count=width).astype(bool)
    flow = np.zeros((*on_person.shape, 2), np.float32)
    visible = np.ones(on_person.shape, bool)
    flow[on_person] = moves * np.float32(STEP)
    visible[on_person] = seen
    return flow, visible
