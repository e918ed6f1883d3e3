"""Small files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.errors import DancekitError


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A hidden name beside `path`: what the block writes there takes the name of `path` if it ends well.

    Args:
        path: A file there is replaced; its folder is made.

    Raises:
        DancekitError: The disk is full, or the place cannot be written to. Nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DancekitError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free some space, or check the folder and its permissions",
        ) from None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write beside, then rename: a file of that name is always complete.

    Args:
        path: A file there is replaced; its folder is made.
        content: Text is written as UTF-8.

    Raises:
        DancekitError: As `beside`.
    """
    with beside(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_png(path: Path, picture: NDArray[Any]) -> None:
    """Write a (H, W, 3) RGB or (H, W, 4) RGBA uint8 picture, whole; OpenCV's own `imwrite` only returns False on a
    full disk.

    Raises:
        DancekitError: As `beside`.
    """
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, encoded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(picture), code))
    write_whole(path, encoded.tobytes())


@contextmanager
def appearing_folder(folder: Path, *, replace: bool = True) -> Iterator[Path]:
    """A folder that is filled under another name and appears whole or not at all.

    Args:
        folder: Its name.
        replace: Whether one that is there in the end is replaced; else that one stays.

    Raises:
        DancekitError: As `write_whole`.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        if replace or not folder.exists():
            part.replace(folder)
    except OSError as error:
        raise DancekitError(
            f"{folder} cannot be written: {error.strerror or error}",
            hint="free some space, or check the folder and its permissions",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
