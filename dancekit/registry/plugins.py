"""Finds the components of other distributions, without importing any of them.

A distribution declares them in the entry-point group `dancekit.plugins`, one key `<kind>.<name>` each:

    [project.entry-points."dancekit.plugins"]
    "generator.acme_gan" = "acme_dance.gan:AcmeGAN"
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

GROUP = "dancekit.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Claim:
    """One usable entry point.

    Attributes:
        kind: The role.
        name: The component's name.
        target: `module:attribute`.
        distribution: Who declares it, as pip knows it.
    """

    kind: str
    name: str
    target: str
    distribution: str


def scan(kinds: Collection[str]) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Read the metadata of all installed distributions (cached until `sys.path` or `forget` changes it).

    Args:
        kinds: The roles there are.

    Returns:
        The usable claims, and one line for each entry point that is not usable.
    """
    return _scan(tuple(sys.path), frozenset(kinds))


def forget() -> None:
    """Read the metadata again next time: something may have been installed meanwhile."""
    import importlib

    importlib.invalidate_caches()
    _scan.cache_clear()


def plugin_problems() -> list[str]:
    """One line for each entry point of the group that can never be used, naming its distribution."""
    from dancekit.registry.builtin import BUILTIN

    return list(scan(BUILTIN)[1])


@lru_cache(maxsize=8)
def _scan(path: tuple[str, ...], kinds: frozenset[str]) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    # Imported here: importlib.metadata costs more than the rest of the registry.
    from importlib import metadata

    claims: dict[Claim, None] = {}  # a dict, because a set has no order
    problems: list[str] = []
    for point in metadata.entry_points(group=GROUP):
        distribution = point.dist.name if point.dist is not None else "an unnamed distribution"
        kind, _, name = point.name.partition(".")
        place = f"{distribution}: entry point {point.name!r}"
        if kind not in kinds:
            problems.append(f"{place}: there is no kind {kind!r}; the kinds are {', '.join(sorted(kinds))}")
        elif not _NAME.fullmatch(name):
            problems.append(f"{place}: a name is small letters, digits and underscores: {kind}.some_name")
        elif not _TARGET.fullmatch(point.value):
            problems.append(f"{place}: {point.value!r} is not of the form module:Class")
        else:
            claims[Claim(kind, name, point.value, distribution)] = None
    ordered = sorted(claims, key=lambda claim: (claim.kind, claim.name, claim.distribution, claim.target))
    return tuple(ordered), tuple(sorted(problems))
