"""The errors that a user can cause, each with the exit code the command line gives it.

A message names the file and the value that is wrong; `hint` names the remedy. The command line prints
both on one line and exits with `exit_code`; nothing else ever becomes a traceback on purpose.
"""

from __future__ import annotations

from pathlib import Path


class DancekitError(Exception):
    """Anything that went wrong for a reason the user can act on.

    Attributes:
        exit_code: What the process returns: 1 failed, 2 usage or recipe, 3 missing extra,
            4 checksum or licence, 5 offline.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(DancekitError):
    """A wrong argument, option or combination of them."""

    exit_code = 2


class OutputExists(UsageError):
    """A file or folder would be overwritten."""

    def __init__(self, path: Path, *, option: str = "--out") -> None:
        super().__init__(
            f"{path} exists already", hint=f"choose another {option}, or add --force to replace it"
        )


class RecipeError(DancekitError):
    """One or more things wrong with a recipe, each with its place.

    Attributes:
        problems: One line each: `file:line: key: what is wrong; what would be right`.
    """

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UnknownName(DancekitError):
    """A component, recipe or skeleton that does not exist."""

    exit_code = 2


class IncompatibleParts(DancekitError):
    """Two components that cannot work together (channels, sizes, skeletons, versions, licences)."""

    exit_code = 2


class LicenceError(IncompatibleParts):
    """Weights under a licence that the recipe's policy does not allow."""

    exit_code = 4


class PluginError(DancekitError):
    """A third-party distribution that is broken or clashes with another."""


class MissingExtra(DancekitError):
    """An optional dependency that is not installed."""

    exit_code = 3


class ChecksumError(DancekitError):
    """A file whose contents are not the expected ones."""

    exit_code = 4


class OfflineError(DancekitError):
    """Something has to be downloaded and cannot be."""

    exit_code = 5


class VideoError(DancekitError):
    """A video that cannot be read or written."""


class PoseError(DancekitError):
    """No usable pose where one is needed."""


class DancerError(DancekitError):
    """A dancer file that is damaged, foreign or does not fit this version."""


class CheckpointError(DancekitError):
    """Foreign checkpoints that are not exactly what they should be.

    Attributes:
        problems: One line each: `file: what is missing, unexpected or of another shape`.
    """

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = [*problems, *([hint] if hint else [])]
