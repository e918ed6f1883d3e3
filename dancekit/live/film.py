"""A film played in real time, as if a camera filmed it now."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from dancekit.live.shots import Clock, Shot
from dancekit.transfer.stages import Pipeline
from dancekit.types import Frame
from dancekit.video import probe, read_frames


class FilmSource:
    """A film whose frames are there when they are due, and not before; time begins with the first one asked for.

    Args:
        path: The film.
        clock: What time it is.
        mirror: Whether frames are turned left to right.

    Raises:
        VideoError: It cannot be read.
    """

    def __init__(self, path: Path, clock: Clock, *, mirror: bool = False) -> None:
        info = probe(path)
        self.name = str(path)
        self.size = info.size
        self.time_base: Fraction = info.time_base
        self.rate: Fraction = info.rate
        self.sound: Path | None = path if info.audio else None
        self.dropped = 0
        self._path, self._clock, self._mirror = path, clock, mirror
        self._decoder = Pipeline()
        self._frames: Iterator[Frame] = iter(())
        self._ahead: Frame | None = None
        self._began: tuple[float, int] | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        self._decoder.__enter__()
        self._frames = self._decoder.run("decode", read_frames(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.__exit__(None, None, None)

    def newest(self) -> Shot | None:
        """The newest frame that is due; the next one, when it is due, if that was given already."""
        now, frame = self._clock.now(), self._next()
        if frame is None or self._stopped:
            return None
        if self._began is None:
            self._began = now, frame.pts
        if (wait := self._due(frame) - now) > 0:
            self._clock.sleep(wait)
        else:
            # as of when we asked: a film that decodes more slowly than it plays would never let us go
            while (later := self._next()) is not None and self._due(later) <= now:
                frame = later
                self.dropped += 1
            self._ahead = later
        rgb = np.ascontiguousarray(frame.rgb[:, ::-1]) if self._mirror else frame.rgb
        return Shot(rgb, frame.pts, self._due(frame))

    def stop(self) -> None:
        """Give nothing any more."""
        self._stopped = True

    def _next(self) -> Frame | None:
        frame, self._ahead = self._ahead, None
        return next(self._frames, None) if frame is None else frame

    def _due(self, frame: Frame) -> float:
        assert self._began is not None
        began, first = self._began
        return began + float((frame.pts - first) * self.time_base)
