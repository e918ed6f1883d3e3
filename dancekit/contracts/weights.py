"""Files of weights that components load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightFile:
    """A file of weights that a component loads, said by its classmethod `weight_files(**recipe_parameters)`.

    The method is optional, needs no file to be there, and lets `dancekit zoo lock` and `dancekit zoo licences` tell
    what a recipe needs before anything is fetched.

    Attributes:
        name: Of the file.
        licence: SPDX identifier of the weights, "" if unknown.
        sha256: Its digest; None if the file ships with dancekit (the zoo's index has it) or nobody knows.
        sources: `package:zoo/weights/NAME`, https addresses, or the path of a local file.
    """

    name: str
    licence: str
    sha256: str | None
    sources: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether it is a file that the user named."""
        return not any(source.startswith(("package:", "https://")) for source in self.sources)
