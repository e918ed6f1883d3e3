"""One way through a clip's frames, on which its cuts and its camera's samples are found as well."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.data.camera import LOST, CameraMotion, CameraSamples, largest_shift, measure_camera
from dancekit.data.cuts import scenes
from dancekit.data.span import WHOLE, Span
from dancekit.types import PoseSequence
from dancekit.types.video import Frame
from dancekit.video import probe, read_frames

Stage = Callable[[Iterable[Any]], Iterator[Any]]

LONGEST_STEP = 2
"""Seconds between two frames above which a new scene begins, whatever they show: two takes were joined there."""


class ClipReader:
    """Reads a clip scene by scene.

    A backend that is given one scene at a time cannot carry anything over a cut. It may read ahead: frames are
    kept until they are `taken`.

    Args:
        path: The clip.
        span: The part of it that is read.
        through: What the decoded frames go through on their way, such as a stage of a pipeline.

    Attributes:
        pts: Of the frames that were given so far.
        cuts: Of those, the ones with which a new scene began.
    """

    def __init__(self, path: Path, *, span: Span = WHOLE, through: Stage = iter) -> None:
        self.path, self._span, self._through = path, span, through
        self.pts: list[int] = []
        self.cuts: list[int] = []
        self._held: deque[NDArray[np.uint8]] = deque()
        self._samples = CameraSamples()

    def scenes(self) -> Iterator[Iterator[NDArray[np.uint8]]]:
        """The frames of every scene, (H, W, 3) uint8; each scene must be gone through before the next."""
        for _, scene in groupby(self._numbered(), key=lambda each: each[0]):
            yield (frame for _, frame in scene)

    def taken(self) -> NDArray[np.uint8]:
        """The first frame that was given and not yet taken."""
        return self._held.popleft()

    def camera(self, poses: PoseSequence) -> CameraMotion:
        """What the camera does; a clip whose samples do not stand still is read once more.

        Args:
            poses: Of a person, one row for every frame.
        """
        shift = self._samples.shift(poses)
        motion = CameraMotion(shift)
        if motion.kind in ("still", "unknown"):
            return motion
        matrices, lost = measure_camera((frame.rgb for frame in self._read()), poses)
        if lost > LOST:
            return CameraMotion(float("nan"))
        if math.isfinite(
            shift
        ):  # frames between the samples may have moved more, and far ones are found by steps
            shift = largest_shift(matrices, poses.size)
        return CameraMotion(shift, matrices)

    def _numbered(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        longest = LONGEST_STEP / probe(self.path).time_base
        for frame, cut in scenes(self._through(self._read()), _picture):
            if cut or (self.pts and frame.pts - self.pts[-1] > longest):
                self.cuts.append(len(self.pts))
            self.pts.append(frame.pts)
            self._samples.add(frame.rgb)
            self._held.append(frame.rgb)
            yield len(self.cuts), frame.rgb

    def _read(self) -> Iterator[Frame]:
        return read_frames(self.path, since=self._span.since, until=self._span.until)


def _picture(frame: Frame) -> NDArray[np.uint8]:
    return frame.rgb
