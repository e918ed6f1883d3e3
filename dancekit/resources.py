"""Finds the data that ships beside the code: `recipes/`, `protocols/`, `ablations/` and `zoo/`.

In a wheel they lie in `dancekit/_data/` (hatchling's `force-include`); in a checkout (editable install, or
`PYTHONPATH`) at the root of the repository. Nothing else is ever looked at, so a folder of the user's that
happens to be called `recipes` cannot stand in for ours.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from dancekit.errors import DancekitError

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = ("recipes", "protocols", "ablations", "zoo")


def data_root() -> Path:
    """The folder that holds `recipes/`, `protocols/`, `ablations/` and `zoo/`.

    Raises:
        DancekitError: The installation has neither.
    """
    wheel = _PACKAGE / "_data"
    if wheel.is_dir():
        return wheel
    checkout = _PACKAGE.parent
    # A checkout is told from site-packages by its pyproject.toml.
    if (checkout / "pyproject.toml").is_file():
        return checkout
    raise DancekitError(
        f"this installation of dancekit has no data: neither {wheel} nor a checkout at {checkout} exists",
        hint="install it again: pip install --force-reinstall dancekit",
    )


def data_path(relative: str) -> Path:
    """Path of a file or folder that ships with dancekit.

    Args:
        relative: A path with forward slashes that starts with `recipes`, `protocols`, `ablations` or `zoo`, e.g.
            `zoo/index.json`.

    Returns:
        The absolute path of something that exists.

    Raises:
        ValueError: `relative` is absolute, leaves its folder or starts elsewhere.
        DancekitError: It does not exist in this installation.
    """
    parts = PurePosixPath(relative).parts
    if "\\" in relative or ".." in parts or not parts or parts[0] not in _FOLDERS:
        raise ValueError(f"{relative!r} is not a path below {', '.join(_FOLDERS)}")
    path = data_root().joinpath(*parts)
    if not path.exists():
        raise DancekitError(
            f"{path} does not exist: {relative} is not part of this installation of dancekit",
            hint="install it again, or check the name",
        )
    return path
