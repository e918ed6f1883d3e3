"""Options that mean the same in every command, and the arguments that are checked the same way."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from dancekit.errors import OutputExists, UsageError

Force = Annotated[bool, typer.Option("--force", help="Replace what is at --out already.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="cpu, cuda, mps, or auto for the best there is.")
]
Runner = Annotated[
    str,
    typer.Option("--runner", metavar="NAME", help="What computes the networks on a CPU: dancekit ls runner."),
]
Int8 = Annotated[
    bool,
    typer.Option(
        "--int8", help="With --runner openvino or onnxruntime: paint in 8-bit integers, calibrated first."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, max=1024, help="Of a computation. [dim]Default: one a core[/]"
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Of every random draw: train.seed=N.")]
Who = Annotated[
    str | None,
    typer.Option(
        "--person",
        metavar="WHO",
        help="largest, center, ID or X,Y: whom, if there are several (dancekit pose VIDEO --people).",
    ),
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Say more; -vv everything, with tracebacks."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


def complete_recipe(incomplete: str) -> list[str]:
    """Packaged recipes, for the shell's tab key."""
    from dancekit.config import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of components, for the shell's tab key."""
    from dancekit.registry import kinds

    return [kind for kind in kinds() if kind.startswith(incomplete)]


RecipeName = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="A packaged recipe (dancekit ls recipes), or a file.",
        autocompletion=complete_recipe,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="Changes to the recipe, such as train.steps=200.", show_default=False
    ),
]

_OVERRIDE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\[\]-]*=")
_VIDEO = (".mp4", ".m4v", ".mov", ".mkv")


def is_override(text: str) -> bool:
    """Whether an argument is of the form key=value."""
    return _OVERRIDE.match(text) is not None


def check_overrides(given: Sequence[str] | None, *, seed: int | None = None) -> list[str]:
    """The overrides in order; `--seed` comes first, so that an explicit `train.seed=` must agree with it.

    Raises:
        UsageError: Something is no `key=value`, or the seed is given twice.
    """
    overrides = list(given or ())
    for text in overrides:
        if not is_override(text):
            raise UsageError(
                f"{text!r} is not an override",
                hint="after the names only key=value is expected, such as train.steps=200",
            )
    if seed is None:
        return overrides
    if any(text.startswith("train.seed=") and text != f"train.seed={seed}" for text in overrides):
        raise UsageError(f"--seed {seed} and train.seed= disagree", hint="give one of them")
    return [f"train.seed={seed}", *overrides]


def check_person(*given: str | None) -> None:
    """Refuse a `--person` (or one of its like) that names nobody, before any work is done.

    Raises:
        UsageError: It has none of the forms.
    """
    from dancekit.pose.choice import parse_choice

    for text in given:
        if text is not None:
            parse_choice(text)


def has_override(overrides: Collection[str], key: str) -> bool:
    """Whether the user set a key."""
    return any(text.partition("=")[0].strip() == key for text in overrides)


def read_size(text: str) -> tuple[int, int]:
    """`1920x1080` as (W, H).

    Raises:
        UsageError: It is something else.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None or not (int(match[1]) and int(match[2])):
        raise UsageError(f"--size {text} is no size", hint="width x height in pixels, such as 1920x1080")
    return int(match[1]), int(match[2])


def read_seconds(option: str, text: str) -> Fraction:
    """`12.5`, `1:05` or `1:02:03.5` as seconds, exact.

    Raises:
        UsageError: It is something else.
    """
    parts = text.strip().split(":")
    try:
        numbers = [Fraction(part) for part in parts]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if not 1 <= len(numbers) <= 3 or min(numbers) < 0 or any(part >= 60 for part in numbers[1:]):
        raise UsageError(
            f"{option} {text} is no time", hint="seconds, such as 12.5, or minutes:seconds, 1:05"
        )
    seconds = Fraction(0)
    for number in numbers:
        seconds = seconds * 60 + number
    return seconds


def read_rate(text: str) -> Fraction:
    """`30`, `29.97` or `30000/1001` as frames per second, exact.

    Raises:
        UsageError: It is something else.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not rate > 0:
        raise UsageError(
            f"--rate {text} is no frame rate", hint="frames per second, such as 30 or 30000/1001"
        )
    return rate


def check_output(
    path: Path, *, force: bool, suffixes: tuple[str, ...] = _VIDEO, option: str = "--out"
) -> Path:
    """Refuse an output before any work is done: taken already, a folder, of a wrong kind, or not writable.

    Args:
        path: Where the result is to go.
        force: Whether a file there may be replaced.
        suffixes: Those that are possible.
        option: What named it, for messages.

    Returns:
        The path.

    Raises:
        OutputExists: There is something, and `force` is off.
        UsageError: It cannot be the name of this kind of file.
    """
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path}: the name must end in {' or '.join(filter(None, suffixes))}")
    if path.is_dir() and "" not in suffixes:
        raise UsageError(
            f"{option} {path} is a folder", hint=f"name a file, such as {path / ('out' + suffixes[0])}"
        )
    if path.exists() and not force:
        raise OutputExists(path, option=option)
    for parent in path.absolute().parents:
        if parent.exists():
            if not parent.is_dir():
                raise UsageError(f"{option} {path}: {parent} is a file, not a folder")
            break
    return path
