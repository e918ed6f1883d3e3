"""What every component promises, whatever its kind: a signature that is a schema, documented and honest."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from dancekit.registry.signature import argument_docs
from dancekit.testing.checks import require
from dancekit.testing.subject import WIRED, Subject


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of every kind."""
    return (
        it_has_a_version,
        its_signature_is_a_schema,
        its_parameters_are_documented,
        it_asks_for_nothing_that_is_not_given,
        it_can_be_built,
    )


def it_has_a_version(subject: Subject) -> None:
    """The class has `version: int`, 1 or more, which grows when the same parameters give other numbers."""
    version = getattr(subject.cls, "version", None)
    require(
        isinstance(version, int) and not isinstance(version, bool) and version >= 1,
        f"{subject.cls.__name__}.version is {version!r}; a class attribute `version: int = 1` is expected",
    )


def its_signature_is_a_schema(subject: Subject) -> None:
    """Recipe parameters are keyword-only, annotated, have valid defaults, and unknown ones are refused."""
    takes_anything = [
        str(each)
        for each in inspect.signature(subject.cls).parameters.values()
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) and "__init__" in vars(subject.cls)
    ]
    require(
        not takes_anything, f"the constructor takes {' and '.join(takes_anything)}: a typo would go unseen"
    )
    model = subject.parameters
    defaults = model().model_dump(mode="json")
    again = model.model_validate(defaults).model_dump(mode="json")
    require(again == defaults, f"defaults {defaults} become {again} when a recipe is stored and read")
    try:
        model.model_validate({"no_such_parameter": 1})
    except ValidationError:
        return
    require(False, "a parameter that does not exist is accepted")


def its_parameters_are_documented(subject: Subject) -> None:
    """The class has a docstring, and its Args section says what each recipe parameter does."""
    text = inspect.cleandoc(vars(subject.cls).get("__doc__") or "")
    require(
        bool(text), f"{subject.cls.__name__} has no docstring: `dancekit ls` and `show` have nothing to say"
    )
    documented = argument_docs(text) | argument_docs(inspect.cleandoc(subject.cls.__init__.__doc__ or ""))
    fields = subject.parameters.model_fields
    silent = [name for name in fields if not documented.get(name)]
    require(not silent, f"the docstring's Args section says nothing of {', '.join(silent)}")


def it_asks_for_nothing_that_is_not_given(subject: Subject) -> None:
    """Constructor parameters without a default are among those that the builder gives to its kind."""
    given = WIRED[subject.kind]
    strange = [
        name
        for name, each in inspect.signature(subject.cls).parameters.items()
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty and name not in given
    ]
    require(
        not strange,
        f"nothing gives {', '.join(strange)} to a {subject.kind}; it is given {', '.join(given) or 'nothing'}",
    )


def it_can_be_built(subject: Subject) -> None:
    """It can be built from recipe parameters and what the builder gives."""
    subject.build()
