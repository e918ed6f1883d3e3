"""What plugins are installed, which of their components can be used, and whether they keep their contracts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from unittest import SkipTest

from dancekit.errors import DancekitError, MissingExtra, UnknownName
from dancekit.registry import Entry, find, list_components, parameters, plugin_problems
from dancekit.registry.core import HOME, did_you_mean
from dancekit.testing import BrokenContract, contract_checks

State = Literal["ok", "broken", "clash", "needs an extra"]
Outcome = Literal["kept", "broken", "not tried"]


@dataclass(frozen=True)
class Registered:
    """One component of a plugin.

    Attributes:
        entry: Its kind, name, target and distribution.
        state: Whether it can be used.
        why: What is wrong with it, and the remedy; "" if it can be used.
    """

    entry: Entry
    state: State
    why: str = ""


@dataclass(frozen=True)
class Installed:
    """A distribution that registers components.

    Attributes:
        distribution: As pip knows it.
        version: Of the distribution.
        components: What it registers.
        problems: Entry points of it that can never be used.
    """

    distribution: str
    version: str
    components: tuple[Registered, ...]
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether all that it registers can be used."""
        return not self.problems and all(each.state == "ok" for each in self.components)


@dataclass(frozen=True)
class Tried:
    """What became of one check of one component.

    Attributes:
        component: `kind/name`.
        check: Its name; "load" where the component could not even be imported.
        outcome: Whether the promise is kept.
        why: What is wrong, or why it could not be tried; "" if it is kept.
    """

    component: str
    check: str
    outcome: Outcome
    why: str = ""


@dataclass
class _Found:
    components: list[Registered] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def installed_plugins() -> list[Installed]:
    """All distributions with an entry point of the group `dancekit.plugins`; their components are imported."""
    found: dict[str, _Found] = {}
    for entry in list_components():
        if entry.distribution != HOME:
            found.setdefault(entry.distribution, _Found()).components.append(_state(entry))
    for problem in plugin_problems():
        distribution, _, text = problem.partition(": ")
        found.setdefault(distribution, _Found()).problems.append(text)
    return [
        Installed(name, _version(name), tuple(each.components), tuple(each.problems))
        for name, each in sorted(found.items())
    ]


def find_plugin(distribution: str) -> Installed:
    """One of them; `-` and `_`, capital and small letters are the same, as for pip.

    Raises:
        UnknownName: It is not installed, or registers nothing.
    """
    plugins = installed_plugins()
    for plugin in plugins:
        if _plain(plugin.distribution) == _plain(distribution):
            return plugin
    names = [plugin.distribution for plugin in plugins]
    raise UnknownName(
        f"no installed distribution {distribution!r} registers components{did_you_mean(distribution, names)}",
        hint=f"those that do: {', '.join(names)}" if names else "none does; see: dancekit new-plugin --help",
    )


def check_plugin(plugin: Installed) -> list[Tried]:
    """Run the contract suites on every component of a distribution, built with its defaults."""
    tried: list[Tried] = []
    for each in plugin.components:
        name = f"{each.entry.kind}/{each.entry.name}"
        if each.state != "ok":
            tried.append(Tried(name, "load", "broken", each.why))
            continue
        for check in contract_checks(each.entry.kind, each.entry.name):
            try:
                check()
            except SkipTest as reason:
                tried.append(Tried(name, check.name, "not tried", str(reason)))
            except BrokenContract as error:
                tried.append(Tried(name, check.name, "broken", str(error)))
            else:
                tried.append(Tried(name, check.name, "kept"))
    return tried


def _state(entry: Entry) -> Registered:
    if entry.clashes:
        return Registered(entry, "clash", f"claimed by {', '.join(entry.clashes)}, too: keep one of them")
    try:
        find(entry.kind, entry.name)
        parameters(entry.kind, entry.name)
    except MissingExtra as error:
        return Registered(entry, "needs an extra", str(error))
    except DancekitError as error:
        return Registered(entry, "broken", str(error))
    return Registered(entry, "ok")


def _version(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
