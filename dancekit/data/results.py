"""Keeping a result under another name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dancekit.data.files import beside
from dancekit.errors import DancekitError, OutputExists


def copy_file(source: Path, target: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Copy a file, whole or not at all.

    Args:
        source: What.
        target: Its new name.
        force: Whether a file of that name may be replaced.

    Raises:
        OutputExists: There is something, and `force` is off.
        DancekitError: The file is gone.
    """
    path = Path(target)
    if path.exists() and not force:
        raise OutputExists(path)
    if not source.is_file():
        raise DancekitError(f"{source} is no file any more", hint="it was moved or cleared away")
    with beside(path) as part:
        shutil.copyfile(source, part)
    return path
