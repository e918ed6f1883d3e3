"""What a batch is to do: a YAML or CSV file of jobs, checked strictly, every mistake with its line.

All paths in it are relative to its folder.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dancekit.config.documents import read_document
from dancekit.config.explain import explain
from dancekit.config.tree import Node, follow, merge, plain
from dancekit.errors import RecipeError, UsageError
from dancekit.registry.core import did_you_mean

_OVERRIDE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\[\]-]*=")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Path_ = Annotated[str, Field(min_length=1)]


class Job(BaseModel):
    """What trainings and transfers have in common.

    Attributes:
        name: For logs and tables; the last part of `out` where it is left out.
        out: What the job makes; the argument `--out` of its command.
        set: `key=value` changes.
        person: Whom, if there are several people.
        device: `cpu`, `cuda`, `mps` or `auto`.
        cpus: Cores, and threads of the job.
        gpus: GPUs, a share on Ray (0.5); left out: one where there are any.
        retries: How often it is tried again; left out: what the command line says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    options: ClassVar[tuple[str, ...]] = ()
    """Fields that are options of the same name."""

    name: Name = ""
    out: Path_
    set: list[str] = []
    person: str | None = None
    device: str = "auto"
    cpus: Annotated[float, Field(gt=0)] = 1
    gpus: Annotated[float, Field(ge=0)] | None = None
    retries: Annotated[int, Field(ge=0, le=100)] | None = None

    @field_validator("set")
    @classmethod
    def _overrides(cls, values: list[str]) -> list[str]:
        for text in values:
            if not _OVERRIDE.match(text):
                raise ValueError(f"{text!r} is no key=value")
        return values

    def given_options(self) -> Iterator[str]:
        """The options of the command line, those that were given."""
        for field in ("out", "person", "device", *self.options):
            value = getattr(self, field)
            option = f"--{field.replace('_', '-')}"
            if value is True:
                yield option
            elif value is not None and value is not False:
                for each in value if isinstance(value, list) else [value]:
                    yield f"{option}={each}"


class TrainJob(Job):
    """`dancekit train`.

    Attributes:
        target: The clip.
        recipe: A packaged recipe, or a file.
        licence: For the dancer file, as those that follow.
        consent: What the person shown agreed to.
        rendered: Whether nobody real is shown.
        data_licence: Of the clip.
    """

    options = ("target", "recipe", "licence", "consent", "rendered", "data_licence")

    command: Literal["train"]
    target: Path_
    recipe: Path_ = "quick"
    licence: str | None = None
    consent: str | None = None
    rendered: bool = False
    data_licence: str | None = None

    @property
    def arguments(self) -> list[str]:
        """The command line after `dancekit`."""
        return ["train", *self.given_options(), "--", *self.set]

    @property
    def inputs(self) -> list[str]:
        """Files that it reads."""
        starts = [each.partition("=")[2] for each in self.set if each.startswith("train.start_from=")]
        return [self.target, *starts]


class TransferJob(Job):
    """`dancekit transfer`.

    Attributes:
        source: A video, a pose file or a motion that ships.
        dancer: A file or an id of the zoo; several in a list.
        background: As the option, and so are those that follow.
    """

    options = ("dancer", "background", "size", "start", "duration", "side_by_side", "codec", "crf")

    command: Literal["transfer"]
    source: Path_
    dancer: Path_ | Annotated[list[Path_], Field(min_length=1)]
    background: str | None = None
    size: str | None = None
    start: str | None = None
    duration: str | None = None
    side_by_side: bool = False
    codec: str | None = None
    crf: int | None = None

    @property
    def arguments(self) -> list[str]:
        """The command line after `dancekit`."""
        return ["transfer", *self.given_options(), "--", self.source, *self.set]

    @property
    def inputs(self) -> list[str]:
        """Files that it reads."""
        dancers = self.dancer if isinstance(self.dancer, list) else [self.dancer]
        return [self.source, *dancers, *([self.background] if self.background else [])]


AnyJob = TrainJob | TransferJob
COMMANDS: dict[str, type[TrainJob] | type[TransferJob]] = {"train": TrainJob, "transfer": TransferJob}
KEYS = list(dict.fromkeys(key for model in COMMANDS.values() for key in model.model_fields))
_LISTS, _FLAGS, _NUMBERS = ("set", "dancer"), ("rendered", "side_by_side"), ("cpus", "gpus", "retries", "crf")


def read_manifest(path: Path) -> list[AnyJob]:
    """The jobs of a manifest, each with a name of its own.

    Raises:
        UsageError: Neither .yaml, .yml nor .csv.
        RecipeError: All that is wrong, each with its line.
    """
    if path.suffix.lower() not in (".yaml", ".yml", ".csv"):
        raise UsageError(f"{path} is no manifest", hint="a .yaml or .csv file")
    problems: list[str] = []
    nodes = _from_csv(path, problems) if path.suffix.lower() == ".csv" else _from_yaml(path, problems)
    found = [(node, job) for node in nodes if (job := _job(node, problems)) is not None]
    named = [
        (node, job if job.name else job.model_copy(update={"name": _name_of(job)})) for node, job in found
    ]
    _check_apart(path.parent, named, problems)
    if not problems and not named:
        problems.append(f"{path.name}:1: there is no job in it")
    if problems:
        raise RecipeError(problems)
    return [job for _, job in named]


def _from_yaml(path: Path, problems: list[str]) -> list[Node]:
    root = read_document(path)
    keys = {"schema", "defaults", "jobs"}
    if not isinstance(root.value, dict):
        problems.append(f"{root.place}: a manifest is a mapping with the keys schema and jobs")
        return []
    for key, node in root.value.items():
        if key not in keys:
            problems.append(f"{node.place}: {key}: unknown key{did_you_mean(key, sorted(keys))}")
    schema = root.value.get("schema", Node(None, root.place))
    if schema.value != 1:
        problems.append(f"{schema.place}: schema: should be 1")
    jobs = root.value.get("jobs", Node(None, root.place))
    defaults = root.value.get("defaults", Node({}, root.place))
    if not isinstance(jobs.value, list):
        problems.append(f"{jobs.place}: jobs: should be a list of jobs")
        return []
    if not isinstance(defaults.value, dict):
        problems.append(f"{defaults.place}: defaults: should be a mapping of keys to values")
        return []
    for key, node in defaults.value.items():
        if key not in KEYS or key in ("name", "out"):
            problems.append(f"{node.place}: defaults.{key}: is no default{did_you_mean(key, KEYS)}")
    return [_with_defaults(node, defaults.value) for node in jobs.value]


def _with_defaults(node: Node, defaults: dict[str, Node]) -> Node:
    if not isinstance(node.value, dict):
        return node
    command = node.value.get("command", defaults.get("command"))
    model = COMMANDS.get(str(command.value)) if command else None
    known = model.model_fields if model else KEYS
    return merge(Node({key: each for key, each in defaults.items() if key in known}, node.place), node)


def _from_csv(path: Path, problems: list[str]) -> list[Node]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: cannot be read: {error}")
        return []
    rows = csv.reader(io.StringIO(text), strict=True)
    head: list[str] | None = None
    nodes = []
    try:
        for row in rows:
            place = f"{path.name}:{rows.line_num}"
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if head is None:
                head = cells
                for key in head:
                    if key not in KEYS:
                        problems.append(f"{place}: {key}: unknown column{did_you_mean(key, KEYS)}")
                    elif head.count(key) > 1:
                        problems.append(f"{place}: {key}: stands here twice")
            elif len(cells) > len(head):
                problems.append(f"{place}: {len(cells)} cells, but {len(head)} columns")
            elif not problems:
                given = {key: _cell(key, cell, place) for key, cell in zip(head, cells, strict=False) if cell}
                nodes.append(Node(given, place))
    except csv.Error as error:
        problems.append(f"{path.name}:{rows.line_num}: no valid CSV: {error}")
    return nodes


def _cell(key: str, text: str, place: str) -> Node:
    """A cell as the value that its column holds; what cannot be one stays text, and the schema says so."""
    if key in _LISTS:
        try:
            return Node([Node(each, place) for each in shlex.split(text)], place)
        except ValueError:
            return Node(text, place)
    if key in _FLAGS and text.lower() in ("true", "false"):
        return Node(text.lower() == "true", place)
    if key in _NUMBERS:
        for kind in (int, float):
            try:
                return Node(kind(text), place)
            except ValueError:
                continue
    return Node(text, place)


def _job(node: Node, problems: list[str]) -> AnyJob | None:
    data: Any = plain(node)
    if not isinstance(data, dict):
        problems.append(f"{node.place}: a job is a mapping of keys to values")
        return None
    command = data.get("command")
    model = COMMANDS.get(command) if isinstance(command, str) else None
    if model is None:
        place = follow(node, ("command",))[0].place
        what = (
            "is missing"
            if command is None
            else f"{command!r} is none{did_you_mean(str(command), list(COMMANDS))}"
        )
        problems.append(f"{place}: command: {what}; it is {' or '.join(COMMANDS)}")
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for where, keys, what in explain(error, data, model):
            problems.append(f"{follow(node, keys)[0].place}: {where}: {what}")
    return None


def _name_of(job: AnyJob) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(job.out).name).strip("-.") or job.command


def _check_apart(folder: Path, jobs: Sequence[tuple[Node, AnyJob]], problems: list[str]) -> None:
    """Two jobs never have one name, nor write one file."""
    names: dict[str, str] = {}
    files: dict[Path, str] = {}
    for node, job in jobs:
        if job.name.lower() in names:
            problems.append(
                f"{node.place}: name: {job.name!r} is that of {names[job.name.lower()]} too; give one of them a name"
            )
        names.setdefault(job.name.lower(), node.place)
        out = (folder / job.out).resolve()
        # a transfer writes its numbers beside the video
        for file in (out, *([out.with_suffix(".json")] if job.command == "transfer" else [])):
            if file in files:
                problems.append(f"{node.place}: out: {file.name} would be written by {files[file]} too")
                break
            files[file] = node.place
