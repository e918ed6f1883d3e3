"""The list of checks of a component, and what a check is. The suites are in one file a kind."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dancekit.errors import DancekitError, PluginError, UnknownName
from dancekit.registry import Entry, find, kinds, load
from dancekit.testing.subject import Subject

_SUITES = {
    "pose": "pose",
    "filter": "filters",
    "normalizer": "normalizers",
    "renderer": "renderers",
    "generator": "generators",
    "discriminator": "discriminators",
    "loss": "losses",
    "background": "backgrounds",
    "reference": "references",
    "temporal": "temporal",
    "face": "faces",
    "augmentation": "augmentations",
    "metric": "metrics",
    "runner": "runners",
}


class BrokenContract(AssertionError):
    """A component that does not do what its kind promises; the message says what was expected and what came."""


@dataclass(frozen=True)
class Check:
    """One promise of a component, ready to be tried.

    Attributes:
        name: What is promised, in snake case.
        promise: The same as a sentence.
        run: Tries it.
    """

    name: str
    promise: str
    run: Callable[[], None]

    def __call__(self) -> None:
        """Try it.

        Raises:
            BrokenContract: The promise is not kept; whatever the component itself raised is chained.
            unittest.SkipTest: It cannot be tried here (pytest and unittest report it as skipped).
        """
        from unittest import SkipTest

        try:
            self.run()
        except (BrokenContract, SkipTest):
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise BrokenContract(f"{self.promise} Instead it raised {what}") from error

    def __str__(self) -> str:
        return self.name


def contract_checks(
    kind: str,
    component: str | type[Any],
    *,
    params: Mapping[str, Any] | None = None,
    wired: Mapping[str, Any] | None = None,
) -> list[Check]:
    """All checks of a component; nothing is built before a check is called.

    Args:
        kind: A role, as `generator`.
        component: The name that it is registered under, or its class.
        params: Recipe parameters to try it with; its defaults if None. Small ones make checks fast.
        wired: Values that the builder gives (`in_channels`, `skeleton`, `size`, ...) in place of the examples.

    Raises:
        UnknownName: There is no such kind, or no such component.
        PluginError: The component cannot be imported.
        MissingExtra: It needs an optional dependency that is not installed.
    """
    if kind not in _SUITES:
        raise UnknownName(f"there is no kind {kind!r}", hint=f"the kinds are {', '.join(kinds())}")
    if isinstance(component, str):
        entry, cls = find(kind, component), load(kind, component)
    else:
        cls = component
        entry = Entry(kind, cls.__name__, f"{cls.__module__}:{cls.__qualname__}", cls.__module__)
    subject = Subject(entry, cls, dict(params or {}), dict(wired or {}))
    suites = (importlib.import_module(f"dancekit.testing.{name}") for name in ("schema", _SUITES[kind]))
    return [_check(function, subject) for suite in suites for function in suite.checks(subject)]


def require(kept: bool, message: str) -> None:
    """Raise `BrokenContract` unless a promise is kept (an `assert` that `python -O` does not remove)."""
    if not kept:
        raise BrokenContract(message)


def refuses(call: Callable[[], Any], promise: str) -> None:
    """Require that a call raises an error that a user can act on, and no other."""
    try:
        call()
    except PluginError:
        raise
    except DancekitError:
        return
    raise BrokenContract(promise)


def skip(reason: str) -> None:
    """End a check that cannot be tried here."""
    from unittest import SkipTest

    raise SkipTest(reason)


def _check(function: Callable[[Subject], None], subject: Subject) -> Check:
    promise = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
    return Check(function.__name__, " ".join(promise.split()), lambda: function(subject))
