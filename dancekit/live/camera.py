"""A camera, through OpenCV: a thread takes every frame as it comes, and only the newest one is kept."""

from __future__ import annotations

import errno
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import VideoError
from dancekit.live.shots import Clock, Shot

TIME_BASE = Fraction(1, 90_000)
"""Of a camera's shots: MPEG's clock."""

STUCK = 5.0
"""Seconds without a frame after which a camera is given up."""

DEVICES = Path("/dev")
"""Where Linux has its cameras."""

_USUAL_RATE = Fraction(30)
_SYSTEM: str = sys.platform
_BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}


class CameraSource:
    """A webcam.

    The moment of a shot is when its frame came from the driver: the time that the camera itself needs before that
    cannot be known from here.

    Args:
        index: Of the camera, 0 for the first one.
        clock: What time it is.
        mirror: Whether frames are turned left to right.
    """

    def __init__(self, index: int, clock: Clock, *, mirror: bool = False) -> None:
        self.name = f"camera {index}"
        self.size = (0, 0)
        self.time_base = TIME_BASE
        self.rate = _USUAL_RATE
        self.sound: Path | None = None
        self.dropped = 0
        self._index, self._clock, self._mirror = index, clock, mirror
        self._capture: Any = None
        self._changed = threading.Condition()
        self._waiting: tuple[NDArray[np.uint8], float] | None = None
        self._stopped = self._gone = False
        self._taken = 0
        self._began: float | None = None
        self._last = -1
        self._thread = threading.Thread(target=self._take, name=f"dancekit-{self.name}", daemon=True)

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            VideoError: There is none, it is busy, or gives no picture.
        """
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it is said in one line below
        self._capture = cv2.VideoCapture(self._index, _BACKENDS.get(_SYSTEM, cv2.CAP_ANY))
        if not self._capture.isOpened():
            self._capture.release()
            raise self._not_opened()
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the driver's own queue would be delay
        first = self._read()
        if first is None:
            self._capture.release()
            raise VideoError(
                f"{self.name} is there, but gives no picture", hint="close other programs that use it"
            )
        self.size = (first.shape[1], first.shape[0])
        rate = float(self._capture.get(cv2.CAP_PROP_FPS) or 0)
        if 1 <= rate <= 1000:
            self.rate = Fraction(rate).limit_denominator(1001)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(STUCK)
        if not self._thread.is_alive():  # else a driver hangs: to let go of it now would crash
            self._capture.release()

    def newest(self) -> Shot | None:
        """The newest frame; waits for one.

        Raises:
            VideoError: The camera stopped giving pictures.
        """
        with self._changed:
            there = self._changed.wait_for(
                lambda: self._waiting is not None or self._gone or self._stopped, STUCK
            )
            if self._stopped:
                return None
            if self._waiting is None:
                what = "is gone" if there else f"has given no picture for {STUCK:g} s"
                raise VideoError(
                    f"{self.name} {what} (after {self._taken} frames)",
                    hint="look at its plug, and at other programs that use it",
                )
            (bgr, taken), self._waiting = self._waiting, None
        if self._began is None:
            self._began, self.dropped = taken, 0  # until now nobody wanted any
        self._last = max(round((taken - self._began) / float(TIME_BASE)), self._last + 1)
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        return Shot(np.ascontiguousarray(rgb[:, ::-1]) if self._mirror else rgb, self._last, taken)

    def stop(self) -> None:
        """Give nothing any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _take(self) -> None:
        while not self._stopped:
            bgr = self._read()
            with self._changed:
                if bgr is None:
                    self._gone = True
                else:
                    self._taken += 1
                    self.dropped += self._waiting is not None
                    self._waiting = bgr, self._clock.now()
                self._changed.notify_all()
            if bgr is None:
                return

    def _read(self) -> NDArray[np.uint8] | None:
        try:
            there, bgr = self._capture.read()
        except cv2.error:
            return None
        return bgr if there else None

    def _not_opened(self) -> VideoError:
        """Why, as far as the system says."""
        device = DEVICES / f"video{self._index}"
        other = "name another with --source N, or play a film: --source FILE"
        if _SYSTEM == "linux":
            if not device.exists():
                there = sorted(path.name for path in DEVICES.glob("video*"))
                what = f"there are {', '.join(there)}" if there else "no camera is connected"
                return VideoError(f"there is no {self.name} ({device}): {what}", hint=other)
            try:
                os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM):
                    return VideoError(
                        f"{self.name} ({device}) may not be used: {error.strerror}",
                        hint="add yourself to the group of that file, mostly video, and log in again",
                    )
                if error.errno != errno.EBUSY:
                    return VideoError(
                        f"{self.name} ({device}) cannot be opened: {error.strerror}", hint=other
                    )
            return VideoError(
                f"{self.name} ({device}) is busy, or no camera",
                hint=f"close other programs that use it; {other}",
            )
        return VideoError(
            f"{self.name} cannot be opened: it is not there, busy, or this program may not use it",
            hint=f"look at the system's privacy settings; {other}",
        )
