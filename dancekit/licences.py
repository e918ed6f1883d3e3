"""Licences of weights: which group one belongs to, what a recipe needs, and whether its policy allows that."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dancekit import registry
from dancekit.config import Recipe
from dancekit.config.schema import Licence
from dancekit.contracts import WeightFile
from dancekit.critic import critic_path
from dancekit.dancer import read_info
from dancekit.errors import LicenceError

PERMISSIVE = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "ISC", "Unlicense"}
"""SPDX identifiers that ask for no more than a notice."""


@dataclass(frozen=True)
class Needed:
    """A weight file that a recipe needs.

    Attributes:
        place: What needs it: a path in the recipe (`pose`, `losses[1]`, `train.start_from`).
        component: Its name.
        file: The file.
    """

    place: str
    component: str
    file: WeightFile


def licence_group(licence: str) -> Licence:
    """`permissive`, `copyleft` or `non-commercial`; what is unknown counts as copyleft."""
    if licence in PERMISSIVE:
        return "permissive"
    return "non-commercial" if "NC" in licence.upper().split("-") else "copyleft"


def check_licence(what: str, licence: str, allowed: Collection[str]) -> None:
    """Refuse weights under a licence that a recipe's `policy.allow_licences` does not allow.

    Raises:
        LicenceError: With the licence and the remedy.
    """
    group = licence_group(licence)
    if group not in allowed:
        raise LicenceError(
            f"{what} are under {licence or 'an unknown licence'} ({group})",
            hint=f"policy.allow_licences allows {', '.join(allowed)}",
        )


def needed_weights(recipe: Recipe, *, find: Callable[[str], Path] = Path) -> list[Needed]:
    """Every weight file that training or using a recipe loads.

    A component says so in its classmethod `weight_files`, which takes its recipe parameters. Of other dancers (one to
    begin with, a teacher) the header is read; those that are not there are left out.

    Args:
        recipe: Resolved.
        find: From what a recipe calls another dancer to its file: `dancekit.zoo.dancers.find_dancer` knows ids of the
            zoo, and may fetch.
    """
    found = []
    for place, kind, component in recipe.components():
        tell = getattr(registry.load(kind, component.name), "weight_files", None)
        if tell is None:
            continue
        known = inspect.signature(tell).parameters
        given = {key: value for key, value in component.params.items() if key in known}
        found += [Needed(place, component.name, file) for file in tell(**given)]
    for place, word in named_dancers(recipe):
        if Path(word).is_dir():  # a run: one's own
            continue
        if (path := find(word)).is_file():
            licence = read_info(path).licence
            found.append(Needed(place, "dancer", WeightFile(path.name, licence, None, (str(path),))))
            if place == "train.start_from" and (critic := critic_path(path)).is_file():
                found.append(Needed(place, "critic", WeightFile(critic.name, licence, None, (str(critic),))))
    return found


def named_dancers(recipe: Recipe) -> list[tuple[str, str]]:
    """Dancers that a recipe names, files or ids: where, and how."""
    teachers = [
        (f"losses[{number}].teacher", str(term.params.get("teacher") or ""))
        for number, term in enumerate(recipe.losses)
        if term.name == "distillation"  # the teacher of the loss `flow` is no dancer
    ]
    return [
        (place, word) for place, word in [*teachers, ("train.start_from", recipe.train.start_from)] if word
    ]


def check_licences(recipe: Recipe, *, find: Callable[[str], Path] = Path) -> None:
    """Refuse a recipe that needs weights its own policy does not allow.

    A file of the user's own of which nobody says a licence is taken: they named it themselves.

    Args:
        recipe: Resolved.
        find: As of `needed_weights`.

    Raises:
        LicenceError: The first such file.
    """
    for needed in needed_weights(recipe, find=find):
        if not needed.file.licence and needed.file.is_local:
            continue
        check_licence(
            f"{needed.place}: the weights {needed.file.name} of {needed.component}",
            needed.file.licence,
            recipe.policy.allow_licences,
        )
