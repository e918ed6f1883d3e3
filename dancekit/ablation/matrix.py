"""A matrix: one recipe, arms that differ from it in what is asked about, and what is made of their results.

A matrix is a YAML file (the folder `ablations` holds the packaged ones) that is read as strictly as a recipe.
Reading it imports no component, so no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dancekit.config.documents import Documents, check_document, read_document
from dancekit.config.tree import Node
from dancekit.errors import RecipeError, UnknownName
from dancekit.evaluate.protocols import Region
from dancekit.registry.core import did_you_mean

MATRICES = Documents("ablations", "ablation")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Of arms, evaluations, tables and figures: they name folders and files."""

Override = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\[\]-]*=")]
Baseline = Literal["nearest_neighbour", "temporal_median", "previous_frame", "identity_normalizer"]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        populate_by_name=True,
    )


class Arm(_Model):
    """A dancer to be trained.

    Attributes:
        name: Of its folder.
        title: In tables and figures.
        summary: What it is for, in a line.
        start: Key `from`: the arm whose recipe it changes and with whose trained weights it begins; empty for the
            base recipe and random weights.
        use: Sets of overrides, in order.
        overrides: `key=value` each, laid over those of `use`.
    """

    name: Name
    title: str
    summary: str = ""
    start: Annotated[str, Field(alias="from")] = ""
    use: list[str] = []
    overrides: list[Override] = []


class Scoring(_Model):
    """One way of scoring arms.

    Attributes:
        name: Of its folder.
        protocol: A packaged protocol's name, or a file.
        on: `held_out`: the end of the training clip that training never saw, painted from its own poses;
            `transfer`: another's dance (`--source`) against the right answer (`--truth`).
        arms: Which.
    """

    name: Name
    protocol: str
    on: Literal["held_out", "transfer"] = "held_out"
    arms: Annotated[list[str], Field(min_length=1)]


class Column(_Model):
    """A column of a table.

    Attributes:
        title: What stands above it.
        metric: A metric of the protocol.
        region: Where it looks.
    """

    title: str
    metric: str
    region: Region = "frame"


class Table(_Model):
    """A table: variants down, metrics across.

    Attributes:
        name: Of its file.
        title: Its caption.
        scores: The evaluation that it shows.
        rows: Arms, top to bottom; all arms of the evaluation if empty.
        baselines: Rows above them, of what needs no training.
        columns: Left to right.
    """

    name: Name
    title: str
    scores: str
    rows: list[str] = []
    baselines: list[Baseline] = []
    columns: Annotated[list[Column], Field(min_length=1)]


class Figure(_Model):
    """A contact sheet.

    Attributes:
        name: Of its file.
        title: Its caption.
        kind: `transfer`: sections of consecutive frames, source above stick figure above what is painted;
            `bodies` and `faces`: cut out around the person or the head, the arms side by side with the truth.
        scores: The evaluation whose frames it shows.
        arms: Left to right; for `transfer` the one that paints.
        sections: How many moments of the clip, evenly spaced.
        frames: Frames of each moment, one after the other.
        every: Of so many frames one: 1 for consecutive ones.
        baselines: Shown before the arms.
    """

    name: Name
    title: str
    kind: Literal["transfer", "bodies", "faces"]
    scores: str
    arms: Annotated[list[str], Field(min_length=1)]
    sections: Annotated[int, Field(ge=1, le=12)] = 3
    frames: Annotated[int, Field(ge=1, le=12)] = 1
    every: Annotated[int, Field(ge=1, le=100)] = 1
    baselines: list[Baseline] = []


class Matrix(_Model):
    """An ablation.

    Attributes:
        name: The file's name without its suffix.
        summary: What it asks, in a line.
        recipe: The base: a packaged recipe's name, or a file.
        overrides: `key=value` each, laid over the base, for all arms.
        sets: Overrides that several arms share, by name.
        arms: What is trained, in this order; an arm stands below the one it begins with.
        evaluations: How arms are scored.
        tables: Made from the scores.
        figures: Made from the painted frames.
    """

    schema_version: Annotated[int, Field(alias="schema", ge=1, le=1)]
    name: str
    summary: str
    recipe: str
    overrides: list[Override] = []
    sets: dict[str, list[Override]] = {}
    arms: Annotated[list[Arm], Field(min_length=1)]
    evaluations: list[Scoring] = []
    tables: list[Table] = []
    figures: list[Figure] = []

    @field_validator("arms", "evaluations", "tables", "figures")
    @classmethod
    def _names_once(cls, items: list[Any]) -> list[Any]:
        names = [item.name for item in items]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two are called {twice[0]!r}")
        return items

    @model_validator(mode="after")
    def _known(self) -> Self:
        seen: list[str] = []
        for arm in self.arms:
            if arm.start and arm.start not in seen:
                raise ValueError(f"arm {arm.name}: from: no arm above it is called {arm.start!r}")
            for name in arm.use:
                _one_of(self.sets, name, f"arm {arm.name}: use", "set")
            seen.append(arm.name)
        for scoring in self.evaluations:
            for name in scoring.arms:
                _one_of(seen, name, f"evaluation {scoring.name}: arms", "arm")
        scored = {each.name: each.arms for each in self.evaluations}
        for table in self.tables:
            _one_of(scored, table.scores, f"table {table.name}: scores", "evaluation")
            for name in table.rows:
                _one_of(scored[table.scores], name, f"table {table.name}: rows", f"arm of {table.scores}")
        for figure in self.figures:
            _one_of(scored, figure.scores, f"figure {figure.name}: scores", "evaluation")
            for name in figure.arms:
                _one_of(scored[figure.scores], name, f"figure {figure.name}: arms", f"arm of {figure.scores}")
        return self

    def arm(self, name: str) -> Arm:
        """The arm of that name.

        Raises:
            UnknownName: There is none.
        """
        names = [arm.name for arm in self.arms]
        if name not in names:
            raise UnknownName(
                f"ablation {self.name} has no arm {name!r}{did_you_mean(name, names)}",
                hint=f"its arms are {', '.join(names)}",
            )
        return self.arms[names.index(name)]

    def scoring(self, name: str) -> Scoring:
        """The evaluation of that name, which must exist."""
        return next(each for each in self.evaluations if each.name == name)

    def overrides_of(self, name: str) -> list[str]:
        """All overrides of an arm in order: the base's, then those of each arm it comes from, then its own."""
        arm = self.arm(name)
        inherited = self.overrides_of(arm.start) if arm.start else list(self.overrides)
        return inherited + [text for key in arm.use for text in self.sets[key]] + list(arm.overrides)


def _one_of(known: Any, name: str, where: str, what: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: there is no {what} {name!r}{did_you_mean(name, list(known))}")


def load_matrix(name_or_path: str | Path) -> Matrix:
    """Read a matrix and what it extends.

    A file may say `extends: NAME` (a packaged matrix, or a file beside it): the other one's keys are taken where it
    has none of its own; no key is merged.

    Args:
        name_or_path: A packaged one's name; anything with a suffix or a slash is a file.

    Raises:
        UnknownName: There is no packaged matrix of that name.
        RecipeError: All that is wrong with the file, each with its line.
    """
    path = MATRICES.locate(name_or_path)
    return check_document(_read(path, ()), Matrix, path)


def _read(path: Path, chain: tuple[Path, ...]) -> Node:
    """A file's keys over those that it inherits."""
    if path in chain:
        raise RecipeError([f"{path.name}: extends: goes in a circle"])
    root = read_document(path)
    if not isinstance(root.value, dict):
        raise RecipeError([f"{root.place}: a matrix is a mapping of keys to values"])
    value = dict(root.value)
    base = value.pop("extends", None)
    if base is None:
        return root
    if not isinstance(base.value, str):
        raise RecipeError([f"{base.place}: extends: should be the name of a matrix"])
    beside = path.parent / base.value
    inherited = _read(beside if beside.is_file() else MATRICES.locate(base.value), (*chain, path)).value
    assert isinstance(inherited, dict)
    return Node({**inherited, **value}, root.place)
