"""Look-up and lazy loading of components by kind and name."""

from __future__ import annotations

import difflib
import importlib
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from dancekit.errors import MissingExtra, PluginError, UnknownName
from dancekit.registry.builtin import BUILTIN
from dancekit.registry.plugins import forget, plugin_problems, scan

HOME = "dancekit"
"""The distribution of the built-in components."""


@dataclass(frozen=True)
class Entry:
    """A component that can be asked for; nothing of it is imported yet.

    Attributes:
        kind: The role, e.g. `generator`.
        name: What a recipe calls it.
        target: `module:attribute` of its class.
        distribution: Who provides it, as pip knows it.
        clashes: The other distributions that claim the same name; while there are any, nobody can use it.
    """

    kind: str
    name: str
    target: str
    distribution: str
    clashes: tuple[str, ...] = ()


def kinds() -> tuple[str, ...]:
    """The roles, in the order of the pipeline."""
    return tuple(BUILTIN)


def list_components(kind: str | None = None) -> list[Entry]:
    """All components, or those of one kind; imports none of them.

    Args:
        kind: A role, None for all.

    Returns:
        Sorted within each kind: built-in ones, then those of plugins. Where several distributions claim one
        name, each claim is an entry and its `clashes` names the others.

    Raises:
        UnknownName: There is no such kind.
    """
    if kind is not None and kind not in BUILTIN:
        raise _unknown_kind(kind)
    entries = [
        Entry(role, name, target, HOME)
        for role, table in BUILTIN.items()
        for name, target in sorted(table.items())
    ]
    entries += [Entry(claim.kind, claim.name, claim.target, claim.distribution) for claim in scan(BUILTIN)[0]]
    if kind is not None:
        entries = [entry for entry in entries if entry.kind == kind]
    order = {role: position for position, role in enumerate(BUILTIN)}
    return sorted(_mark_clashes(entries), key=lambda entry: order[entry.kind])


def find(kind: str, name: str) -> Entry:
    """The entry of a name; imports nothing of it.

    Args:
        kind: A role.
        name: A component of it.

    Raises:
        UnknownName: No such kind or name; the message says what is meant perhaps and what exists.
        PluginError: Several distributions claim the name.
    """
    found = _matches(kind, name)
    if not found:
        forget()  # it may have been installed since the last look (a notebook)
        found = _matches(kind, name)
    if not found:
        raise _unknown_name(kind, name)
    if len(found) > 1:
        claims = " and ".join(f"{entry.distribution} ({entry.target})" for entry in found)
        others = " or ".join(
            f"pip uninstall {who}" for who in sorted({entry.distribution for entry in found} - {HOME})
        )
        raise PluginError(f"{kind} {name!r} is claimed by {claims}", hint=f"keep one of them: {others}")
    return found[0]


def load(kind: str, name: str) -> type[Any]:
    """Import a component's class.

    Args:
        kind: A role.
        name: A component of it.

    Returns:
        The class, not an instance.

    Raises:
        UnknownName: No such kind or name.
        PluginError: A clash, or a plugin that cannot be imported; its distribution is named and the original
            error chained.
        MissingExtra: It needs an optional dependency that is not installed.
    """
    entry = find(kind, name)
    module, _, attribute = entry.target.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        _raise_missing_module(entry, module, error)
    except (Exception, SystemExit) as error:
        if entry.distribution == HOME:
            raise
        raise _broken(entry, f"{type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise _broken(entry, f"{entry.target}: {part!r} does not exist")
        found = getattr(found, part)
    if not isinstance(found, type):
        raise _broken(entry, f"{entry.target} is a {type(found).__name__}, not a class")
    version = getattr(found, "version", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _broken(entry, f"{entry.target} has no class attribute `version: int = 1`")
    return found


def component_version(kind: str, name: str) -> int:
    """The `version` of a component's class, stored in dancer files; raises what `load` raises."""
    return int(load(kind, name).version)


def did_you_mean(word: str, words: list[str]) -> str:
    """`; did you mean 'x'?`, or nothing if no word is close."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _matches(kind: str, name: str) -> list[Entry]:
    return [entry for entry in list_components(kind) if entry.name == name]


def _mark_clashes(entries: list[Entry]) -> list[Entry]:
    claims: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        claims.setdefault((entry.kind, entry.name), []).append(entry)
    marked = []
    for entry in entries:
        rivals = [other.distribution for other in claims[entry.kind, entry.name] if other is not entry]
        marked.append(Entry(entry.kind, entry.name, entry.target, entry.distribution, tuple(rivals)))
    return marked


def _unknown_kind(kind: str) -> UnknownName:
    return UnknownName(
        f"there is no kind of component {kind!r}{did_you_mean(kind, list(BUILTIN))}",
        hint=f"the kinds are {', '.join(BUILTIN)}",
    )


def _unknown_name(kind: str, name: str) -> UnknownName:
    entries = list_components(kind)
    own = [entry.name for entry in entries if entry.distribution == HOME]
    foreign = sorted({entry.name for entry in entries} - set(own))
    available = ", ".join(own) + (f", from plugins {', '.join(foreign)}" if foreign else "")
    message = f"unknown {kind} {name!r}{did_you_mean(name, own + foreign)}"
    unusable = [line for line in plugin_problems() if re.search(rf"\b{re.escape(name)}'", line)]
    return UnknownName(
        "; ".join([message, *unusable]), hint=f"available: {available}; see: dancekit ls {kind}"
    )


def _broken(entry: Entry, reason: str) -> PluginError:
    if entry.distribution == HOME:
        remedy = "this installation is damaged: pip install --force-reinstall dancekit"
    else:
        remedy = f"update or remove it: pip install -U {entry.distribution}"
    return PluginError(
        f"{entry.kind} {entry.name!r} of the distribution {entry.distribution} is broken: {reason}",
        hint=remedy,
    )


def _raise_missing_module(entry: Entry, module: str, error: ModuleNotFoundError) -> NoReturn:
    missing = error.name or str(error)
    itself = missing == module or module.startswith(f"{missing}.") or missing.startswith(f"{HOME}.")
    extra = "" if itself else _extra_with(entry.distribution, missing)
    if itself or (entry.distribution != HOME and not extra):
        raise _broken(entry, f"{type(error).__name__}: {error}") from error
    package = f"{entry.distribution}[{extra}]" if extra else missing.partition(".")[0]
    raise MissingExtra(
        f"{entry.kind} {entry.name!r} needs the module {missing!r}, which is not installed",
        hint=f"pip install '{package}'",
    ) from error


def _extra_with(distribution: str, module: str) -> str:
    """The extra of a distribution whose requirements hold a module; empty if there is none.

    The metadata knows distributions, not modules: only those whose name is the module's are recognised.
    """
    from importlib import metadata

    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return ""
    wanted = module.partition(".")[0].lower()
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"""extra\s*==\s*["']([^"']+)["']""", requirement)
        if name and extra and re.sub(r"[-.]+", "_", name.group()).lower() == wanted:
            return extra.group(1)
    return ""
