"""The zoo's index: what there is, under which licence, with which numbers, and where each file can be had.

`zoo/index.json` ships with dancekit. `DANCEKIT_ZOO` names more folders with an `index.json` each (separated like
`PATH`): what `dancekit zoo publish --to DIR` writes. The same id twice is an error, never a silent overwrite.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dancekit.errors import DancekitError, UnknownName
from dancekit.registry.core import did_you_mean
from dancekit.resources import data_path

SCHEMA = 1
"""Version of the index; a newer one is refused."""

FILE = "index.json"
LARGEST = 10_000_000
"""Bytes of an index that is read."""

SOURCE = re.compile(
    r"package:zoo(/[A-Za-z0-9][A-Za-z0-9._-]*)+"
    r"|file:[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*"
    r"|hf:[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*@[0-9a-f]{40}(/[A-Za-z0-9][A-Za-z0-9._-]*)+"
    r"|https://[A-Za-z0-9.-]+(:\d+)?/\S*"
    r"|http://(127\.0\.0\.1|localhost)(:\d+)?/\S*"
)
"""Where a file can be had, in the order in which the sources are tried: it ships with dancekit, it lies beside
the index, it is in a repository of the Hugging Face Hub at a commit (never a branch: those move), or anywhere."""

_ORDER = ("package:", "file:", "hf:", "http")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)?$", max_length=80)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$", max_length=120)]
Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ZooFile(_Model):
    """One file.

    Attributes:
        name: In the cache; no folder.
        role: `weights` of a network, a `dancer`, or its `critic`.
        bytes: Size.
        sha256: Digest.
        sources: Where it can be had (`SOURCE`).
        origin: What it was made from, if that is somebody else's.
    """

    name: FileName
    role: Literal["weights", "dancer", "critic"]
    bytes: Annotated[int, Field(gt=0, lt=1 << 40)]
    sha256: Sha256
    sources: Annotated[list[str], Field(min_length=1)]
    origin: str = ""

    @field_validator("sources")
    @classmethod
    def _known(cls, sources: list[str]) -> list[str]:
        for source in sources:
            if not SOURCE.fullmatch(source):
                raise ValueError(
                    f"{source!r} is no source: package:zoo/..., file:NAME, hf:org/name@<40 hex digits>/NAME or "
                    "https://..., without .. and without a branch's name"
                )
        ranks = [
            next(rank for rank, start in enumerate(_ORDER) if each.startswith(start)) for each in sources
        ]
        if ranks != sorted(ranks):
            raise ValueError("sources are not in the order package, file, hf, https")
        return sources


class Licences(_Model):
    """SPDX identifiers.

    Attributes:
        weights: Of the files.
        data: Of what they were trained on; empty if the publisher of the weights does not say.
    """

    weights: Text
    data: str = ""


class Score(_Model):
    """One number of an evaluation; the attributes are those of `dancekit.evaluate.result.Score`."""

    metric: Text
    region: Text
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    higher_is_better: bool
    frames: int


class Measured(_Model):
    """What one evaluation found.

    Attributes:
        protocol: `name@version`.
        command: That measures it again.
        commit: Of dancekit.
        machine: Processor and device.
        inputs: sha256 of each file that went in.
        frames: How many were compared.
        size: (W, H) of them.
        scores: The numbers.
    """

    protocol: Annotated[str, Field(pattern=r"^[a-z0-9-]+@\d+$")]
    command: Text
    commit: str
    machine: str
    inputs: dict[str, str]
    frames: int
    size: list[int]
    scores: list[Score]


class Entry(_Model):
    """One thing in the zoo.

    Attributes:
        id: `demo`, or `person.generator_size`; what it means never changes.
        kind: `dancer`, or `pose`: networks of a pose backend.
        title: One line.
        files: Its files; a dancer's is the first.
        licence: Of weights and data.
        subject: Of a dancer: `rendered` if nobody real is shown, else `person`.
        consent: What the person shown agreed to; a dancer of a person has one.
        recipe: Name of the recipe that trained it, or of the component that uses it.
        training: Steps, seconds, hashes: the record in the dancer's header.
        measured: Evaluations by committed protocols.
        use: What it is for.
        limits: What it cannot do.
    """

    id: Id
    kind: Literal["dancer", "pose"]
    title: Text
    files: Annotated[list[ZooFile], Field(min_length=1)]
    licence: Licences
    subject: Literal["person", "rendered", ""] = ""
    consent: str = ""
    recipe: str = ""
    training: dict[str, Any] = {}
    measured: list[Measured] = []
    use: str = ""
    limits: str = ""

    @property
    def is_start(self) -> bool:
        """Whether it is made to begin others with (`train.start_from`), not to paint."""
        return "train.start_from=" in self.use

    @model_validator(mode="after")
    def _fair(self) -> Self:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError("two files have one name")
        if self.kind == "dancer":
            if self.files[0].role != "dancer" or [f.role for f in self.files].count("dancer") != 1:
                raise ValueError("a dancer has one dancer file, and it is the first")
            if not self.subject:
                raise ValueError("a dancer's subject is person or rendered")
            if self.subject == "person" and not self.consent.strip():
                raise ValueError("a dancer of a person carries a statement of their consent")
        return self

    @property
    def main(self) -> ZooFile:
        """The dancer file, or the first network."""
        return self.files[0]


class Index(_Model):
    """All entries of one index, sorted by id."""

    schema_version: Annotated[int, Field(alias="schema", ge=SCHEMA, le=SCHEMA)] = SCHEMA
    entries: list[Entry]

    @field_validator("entries")
    @classmethod
    def _sorted(cls, entries: list[Entry]) -> list[Entry]:
        ids = [entry.id for entry in entries]
        if ids != sorted(set(ids)):
            raise ValueError("entries are not sorted by id, or an id stands twice")
        return entries

    def to_text(self) -> str:
        """The JSON file; what is empty is left out."""
        data = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps({"schema": SCHEMA} | data, indent=2, ensure_ascii=False) + "\n"

    def replaced(self, entry: Entry) -> Index:
        """With an entry added, or in the place of one with its id."""
        others = [each for each in self.entries if each.id != entry.id]
        return Index(entries=sorted([*others, entry], key=lambda each: each.id))


def read_index(path: Path) -> Index:
    """Read and check an index.

    Raises:
        DancekitError: It is missing, too large, damaged, of a newer schema, or names a path that leads elsewhere.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DancekitError(f"{path} is too large for an index ({path.stat().st_size} bytes)")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DancekitError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DancekitError(f"{path} is no index: it is not JSON ({error})") from None
    found = data.get("schema") if isinstance(data, dict) else None
    if isinstance(found, int) and found > SCHEMA:
        raise DancekitError(
            f"{path} has schema {found}, this version reads {SCHEMA}", hint="pip install -U dancekit"
        )
    try:
        return Index.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DancekitError(
            f"{path} is no index: {where}: {first['msg'].removeprefix('Value error, ')}"
            + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else "")
        ) from None


class Zoo:
    """All indexes together: what ships with dancekit, and the folders of `DANCEKIT_ZOO`.

    Attributes:
        folders: The local folders.
    """

    def __init__(self, folders: Iterable[Path] | None = None) -> None:
        named = os.environ.get("DANCEKIT_ZOO", "").split(os.pathsep) if folders is None else folders
        self.folders = [Path(each) for each in named if str(each)]
        self._entries: dict[str, tuple[Entry, Path]] = {}
        self._add(data_path("zoo") / FILE)
        for folder in self.folders:
            if not folder.is_dir():
                raise DancekitError(
                    f"DANCEKIT_ZOO names {folder}, which is no folder", hint="it holds folders, as PATH does"
                )
            if (folder / FILE).exists():
                self._add(folder / FILE)

    def _add(self, path: Path) -> None:
        for entry in read_index(path).entries:
            if entry.id in self._entries:
                first = self._entries[entry.id][1]
                raise DancekitError(
                    f"the id {entry.id} stands in {first} and in {path}",
                    hint="publish it again with another --id",
                )
            self._entries[entry.id] = entry, path

    @property
    def entries(self) -> list[Entry]:
        """Sorted by id."""
        return [self._entries[each][0] for each in sorted(self._entries)]

    def entry(self, identity: str) -> Entry:
        """One entry.

        Raises:
            UnknownName: There is none of that id.
        """
        if identity not in self._entries:
            ids = sorted(self._entries)
            raise UnknownName(
                f"the zoo has no {identity!r}{did_you_mean(identity, ids)}",
                hint=f"it has {', '.join(ids)}; see: dancekit zoo ls",
            )
        return self._entries[identity][0]

    def index_of(self, identity: str) -> Path:
        """The index that an entry stands in."""
        self.entry(identity)
        return self._entries[identity][1]


def schema_text() -> str:
    """The JSON schema of an index, as it is committed in `zoo/index.schema.json`."""
    return json.dumps(Index.model_json_schema(by_alias=True), indent=2, sort_keys=True) + "\n"
