"""Where a live picture is shown: in a window, or nowhere; `browser.py` has a page."""

from __future__ import annotations

import subprocess
import sys
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import DancekitError

Image = NDArray[np.uint8]

_TITLE = "dancekit live - q quit, r calibrate again, s snapshot"
_ESCAPE = 27
_ELSEWHERE = "or add --serve to see it in a browser, or --headless"


class Screen(Protocol):
    """Shows pictures and takes keys. A context manager; used from one thread."""

    def show(self, picture: Image) -> str:
        """Show (H, W, 3) uint8 RGB.

        Returns:
            The key that was pressed since: `q`, `r`, `s`, or "".
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Headless:
    """No screen."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, picture: Image) -> str:
        """Nobody sees it, nobody presses a key."""
        return ""


class WindowScreen:
    """OpenCV's window.

    Raises:
        DancekitError: This OpenCV has no windows, or there is no display.
    """

    def __init__(self) -> None:
        check_windows()
        self._opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened:
            cv2.destroyAllWindows()

    def show(self, picture: Image) -> str:
        """Show, and look for a key; a closed window means `q`."""
        if not self._opened:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(_TITLE, picture.shape[1], picture.shape[0])
            self._opened = True
        cv2.imshow(_TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1)
        if key == _ESCAPE or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return "q"
        return chr(key & 0xFF).lower() if key >= 0 else ""


def check_windows() -> None:
    """Whether OpenCV can open a window here; tried in another process, because without a display Qt aborts its own.

    Raises:
        DancekitError: It cannot; why, and what to do.
    """
    if not has_windows(cv2.getBuildInformation()):
        raise DancekitError(
            "this OpenCV is a headless build: it has no windows",
            hint="pip uninstall opencv-python-headless opencv-contrib-python-headless; "
            f"pip install --force-reinstall opencv-python; {_ELSEWHERE}",
        )
    program = "import cv2; cv2.namedWindow('dancekit', cv2.WINDOW_NORMAL); cv2.destroyAllWindows()"
    tried = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().splitlines()
        raise DancekitError(
            f"no window can be opened here: {said[0] if said else 'no display'}",
            hint=f"run it on a desktop (over ssh: ssh -X), {_ELSEWHERE}",
        )


def has_windows(build: str) -> bool:
    """What `cv2.getBuildInformation()` says of its windows: `GUI: NONE` is a headless build."""
    line = next((line for line in build.splitlines() if line.strip().startswith("GUI:")), "")
    return line.partition(":")[2].strip().upper() not in ("", "NONE", "NO")
