"""Names to components, and signatures to schemas."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from dancekit import contracts, registry
from dancekit.errors import MissingExtra, PluginError, UnknownName
from dancekit.registry import core, signature
from dancekit.registry.builtin import BUILTIN

BUILTINS = [(kind, name) for kind, table in BUILTIN.items() for name in table]


class Component:
    """A component of the tests,

    told in two paragraphs.

    Args:
        steps: How many,
            on two lines.
        factor (float): With a type.
        mode: One of two: `fast` or `good`.
        taps: A kernel.
        limit: None for no limit.
        in_channels: C (wired).
    """

    version = 3

    def __init__(
        self,
        *,
        in_channels: int,
        skeleton: NotImported,  # noqa: F821  # as under TYPE_CHECKING
        steps: Annotated[int, Field(ge=1, le=9)] = 2,
        factor: float = 0.5,
        mode: Literal["fast", "good"] = "fast",
        taps: tuple[float, float, float] = (0.25, 0.5, 0.25),
        ranges: tuple[tuple[int, int], ...] = (),
        limit: tuple[int, int] | None = None,
        flag: bool = False,
        device: str = "cpu",
    ) -> None: ...


@pytest.fixture
def component(monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    monkeypatch.setitem(BUILTIN["generator"], "tested", f"{__name__}:Component")
    return registry.parameters("generator", "tested")


# ---- look-up


def test_kinds_are_those_of_the_contracts() -> None:
    assert registry.kinds() == contracts.KINDS


def test_listing_imports_nothing() -> None:
    code = (
        "import sys; from dancekit.registry import list_components, summary\n"
        "found = [(e.kind, e.name, summary(e)) for e in list_components()]\n"
        "print(len(found), *(m for m in ('torch', 'numpy', 'pydantic', 'scipy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(registry.list_components()))]


def test_lists_the_table() -> None:
    listed = [(e.kind, e.name, e.target) for e in registry.list_components() if e.distribution == "dancekit"]
    assert sorted(listed) == sorted((k, n, BUILTIN[k][n]) for k, n in BUILTINS)
    assert [e.name for e in registry.list_components("face")] == sorted(BUILTIN["face"])
    assert not any(entry.clashes for entry in registry.list_components())


@pytest.mark.parametrize(("kind", "name"), BUILTINS)
def test_every_builtin_keeps_the_contract_of_a_component(kind: str, name: str) -> None:
    cls = registry.load(kind, name)
    assert cls.__module__.startswith("dancekit.")
    assert registry.component_version(kind, name) == cls.version >= 1
    described = registry.describe(kind, name)
    assert described.summary == registry.summary(registry.find(kind, name)) != ""
    for parameter in described.parameters:
        assert parameter.doc, f"{kind} {name}: {parameter.name} is not in the docstring's Args"
    given = inspect.signature(cls).parameters
    assert {*described.wired, *(p.name for p in described.parameters)} == set(given)
    # the schema's defaults are the constructor's, and YAML can hold them
    defaults = registry.parameters(kind, name)().model_dump()
    assert defaults == {p.name: given[p.name].default for p in described.parameters}
    dumped = registry.parameters(kind, name)().model_dump(mode="json")
    assert registry.parameters(kind, name).model_validate(dumped).model_dump() == defaults


def test_unknown_names_say_what_is_meant_and_what_exists() -> None:
    with pytest.raises(
        UnknownName,
        match=r"unknown generator 'pix2pixdh'; did you mean 'pix2pixhd'\?.*unet.*dancekit ls generator",
    ):
        registry.load("generator", "pix2pixdh")
    with pytest.raises(UnknownName, match=r"component 'generatr'; did you mean 'generator'\?.*face"):
        registry.list_components("generatr")
    with pytest.raises(UnknownName, match=r"unknown face 'dancekit.faces.none:NoFace'"):
        registry.load("face", "dancekit.faces.none:NoFace")


def test_a_missing_dependency_of_ours_is_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "needs_it.py").write_text("import imaginary_runtime.core\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(BUILTIN["pose"], "tested", "needs_it:Pose")
    with pytest.raises(MissingExtra, match=r"pose 'tested' needs.*pip install 'imaginary_runtime'") as caught:
        registry.load("pose", "tested")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.exit_code == 3


def test_a_missing_module_of_ours_is_a_damaged_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTIN["pose"], "tested", "dancekit.pose.nowhere:Pose")
    with pytest.raises(PluginError, match=r"No module named.*installation is damaged"):
        registry.load("pose", "tested")


def test_a_bug_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "has_bug.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(BUILTIN["pose"], "tested", "has_bug:Pose")
    with pytest.raises(ZeroDivisionError):
        registry.load("pose", "tested")


# ---- parameters


def test_parameters_are_the_keyword_only_ones_with_a_default(component: Any) -> None:
    names = ["steps", "factor", "mode", "taps", "ranges", "limit", "flag"]
    assert list(component.model_fields) == names
    assert registry.wired("generator", "tested") == ("in_channels", "skeleton", "device")
    assert component().model_dump() == {
        "steps": 2,
        "factor": 0.5,
        "mode": "fast",
        "taps": (0.25, 0.5, 0.25),
        "ranges": (),
        "limit": None,
        "flag": False,
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"factor": 1}, {"factor": 1.0}),
        ({"taps": [1, 0.5, 1]}, {"taps": (1.0, 0.5, 1.0)}),
        ({"taps": (1.0, 0.5, 1.0)}, {"taps": (1.0, 0.5, 1.0)}),
        ({"ranges": [[1, 2], [3, 4]]}, {"ranges": ((1, 2), (3, 4))}),
        ({"limit": [1, 2]}, {"limit": (1, 2)}),
        ({"limit": None}, {"limit": None}),
        ({"steps": 9, "mode": "good", "flag": True}, {"steps": 9, "mode": "good", "flag": True}),
    ],
)
def test_accepts(component: Any, given: dict[str, Any], kept: dict[str, Any]) -> None:
    got = component.model_validate(given).model_dump()
    assert {key: got[key] for key in kept} == kept
    assert type(component.model_validate({"factor": 1}).factor) is float


@pytest.mark.parametrize(
    "given",
    [
        {"steps": "3"},
        {"steps": 3.0},
        {"steps": True},
        {"steps": 0},
        {"steps": 10},
        {"factor": "0.5"},
        {"factor": float("nan")},
        {"factor": float("inf")},
        {"factor": None},
        {"mode": "best"},
        {"mode": 1},
        {"taps": [1, 2]},
        {"taps": ["1", 2, 3]},
        {"taps": "123"},
        {"ranges": [[1, 2.5]]},
        {"limit": [1, "2"]},
        {"flag": 1},
        {"flag": "no"},
        {"stps": 3},
        {"in_channels": 3},
        {"device": "cuda"},
    ],
)
def test_refuses(component: Any, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        component.model_validate(given)


def test_describe(component: Any) -> None:
    described = registry.describe("generator", "tested")
    assert described.summary == "A component of the tests,"
    assert (described.version, described.distribution) == (3, "dancekit")
    assert described.wired == ("in_channels", "skeleton", "device")
    shown = {p.name: (p.type, p.default, p.doc) for p in described.parameters}
    assert shown["steps"] == ("int, >= 1, <= 9", 2, "How many, on two lines.")
    assert shown["factor"] == ("float", 0.5, "With a type.")
    assert shown["mode"] == ("'fast' | 'good'", "fast", "One of two: `fast` or `good`.")
    assert shown["taps"][0] == "tuple[float, float, float]"
    assert shown["ranges"][0] == "tuple[tuple[int, int], ...]"
    assert shown["limit"][0] == "tuple[int, int] | None"
    assert shown["flag"] == ("bool", False, "")


def test_a_dataclass_is_a_component(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTIN["filter"], "tested", f"{__name__}:AsDataclass")
    assert registry.parameters("filter", "tested")().model_dump() == {"window": 7}
    assert registry.wired("filter", "tested") == ("size",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsDataclass:
    """A filter."""

    version = 1
    size: tuple[int, int]
    window: int = 7


def test_a_class_without_a_constructor_has_no_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILTIN["filter"], "tested", f"{__name__}:Plain")
    assert registry.parameters("filter", "tested").model_fields == {}
    with pytest.raises(ValidationError):
        registry.parameters("filter", "tested").model_validate({"x": 1})


class Plain:
    """A filter."""

    version = 1


def test_argument_docs_stop_at_the_next_section() -> None:
    text = "Does.\n\nArgs:\n    a: One.\n    b: Two:\n        more.\n\nReturns:\n    c: Not an argument.\n"
    assert signature.argument_docs(text) == {"a": "One.", "b": "Two: more."}
    assert signature.argument_docs("Nothing.") == {}


def test_did_you_mean() -> None:
    assert core.did_you_mean("trian", ["train", "face"]) == "; did you mean 'train'?"
    assert core.did_you_mean("zzz", ["train"]) == ""
