"""Writes what was shown, in a thread of its own, with the times at which it was filmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import DancekitError
from dancekit.video import VideoWriter

BEHIND = 32
"""Pictures that wait for the encoder at most: then the show waits for it, and drops frames."""

PRESET = "veryfast"
"""x264's: the cores are needed for the dance."""


class Recorder:
    """A film of a show. A context manager: however the show ends, what was shown until then is kept.

    Args:
        path: The film; nothing is there if nothing was shown.
        size: (W, H) of the pictures.
        time_base: Seconds per unit of pts.
        rate: Frames a second, as the header says it.
        sound: The file whose sound goes with it.
        metadata: Tags for the container.
        force: Whether a file there is replaced.

    Raises:
        OutputExists: There is one.
        VideoError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        sound: Path | None = None,
        metadata: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> None:
        self.frames = 0
        self._writer = VideoWriter(
            path,
            size=size,
            time_base=time_base,
            rate=rate,
            sound_from=sound,
            preset=PRESET,
            metadata=metadata,
            force=force,
            from_zero=True,
        )
        self._pool = ThreadPoolExecutor(1, "dancekit-record")
        self._waiting: deque[Future[None]] = deque()
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def write(self, picture: NDArray[np.uint8], pts: int) -> None:
        """Take a picture that was filmed at `pts`.

        Raises:
            VideoError: The disk is full: nothing more can be written.
        """
        self._waiting.append(self._pool.submit(self._writer.write, picture, pts))
        self.frames += 1
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > BEHIND):
            try:
                self._waiting.popleft().result()
            except DancekitError:
                self._broken = True
                raise

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)
        failed = next((error for each in self._waiting if (error := each.exception())), None)
        empty = DancekitError("nothing was written") if self._broken or not self.frames else None
        error = failed or empty
        self._writer.__exit__(None if error is None else type(error), error, None)
        if failed is not None:
            raise failed
