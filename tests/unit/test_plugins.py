"""The packages of tests/plugins, as pip would install them: found, used, and blamed when they are wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dancekit import registry
from dancekit.config import load_recipe
from dancekit.errors import MissingExtra, PluginError, RecipeError, UnknownName

Install = Callable[..., None]


def test_a_plugin_is_listed_without_being_imported(install: Install) -> None:
    install("example_plugin")
    entries = {entry.name: entry for entry in registry.list_components("generator")}
    assert entries["dilated"].distribution == "dancekit-example"
    assert entries["dilated"].target == "dancekit_example.dilated:Dilated"
    assert entries["dilated"].clashes == ()
    assert registry.summary(entries["dilated"]).startswith("Context aggregation by dilated convolutions")
    assert not [name for name in sys.modules if name.startswith("dancekit_example")]


def test_a_plugin_is_gone_when_it_is_uninstalled() -> None:
    assert "dilated" not in [entry.name for entry in registry.list_components("generator")]


def test_a_plugin_paints(install: Install, root: Path) -> None:
    install("example_plugin")
    import torch

    recipe = load_recipe(root / "tests" / "plugins" / "example_plugin" / "dilated.yaml")
    assert recipe.generator.params == {"width": 24, "dilations": [1, 2, 4, 8, 1]}
    model = registry.parameters("generator", "dilated").model_validate(recipe.generator.params)
    generator = registry.load("generator", "dilated")(in_channels=6, **model.model_dump())
    image = generator(torch.zeros(2, 6, 20, 13))
    assert image.shape == (2, 3, 20, 13)
    assert float(image.detach().abs().max()) <= 1
    assert load_recipe("base", ["generator=dilated", "generator.width=4"]).generator.params["width"] == 4


def test_a_clash_is_listed_with_a_mark_and_an_error_when_asked_for(install: Install) -> None:
    install("example_plugin", "clashing_plugin")
    claims = [e for e in registry.list_components("generator") if e.name == "dilated"]
    assert {e.distribution: e.clashes for e in claims} == {
        "dancekit-example": ("dancekit-clashing",),
        "dancekit-clashing": ("dancekit-example",),
    }
    with pytest.raises(PluginError, match=r"dilated.*dancekit-clashing.*and dancekit-example.*pip uninstall"):
        registry.load("generator", "dilated")


def test_a_clash_with_a_builtin_overwrites_nothing(install: Install) -> None:
    install("clashing_plugin")
    with pytest.raises(
        PluginError, match=r"generator 'unet' is claimed by dancekit .*dancekit-clashing"
    ) as caught:
        registry.load("generator", "unet")
    assert caught.value.hint == "keep one of them: pip uninstall dancekit-clashing"
    registry.load("generator", "pix2pixhd")  # other names do not care
    with pytest.raises(PluginError, match=r"override 'generator=unet': generator: .*'unet' is claimed"):
        load_recipe("base", ["generator=unet"])
    with pytest.raises(RecipeError) as both:
        load_recipe("base", ["generator=unet", "train.stpes=1"])
    assert len(both.value.problems) == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: the licence server does not answer"),
        ("no_module", "No module named 'dancekit_broken.nowhere'"),
        ("no_class", "'Nothing' does not exist"),
        ("function", "is a function, not a class"),
        ("no_version", "has no class attribute `version: int = 1`"),
        ("positional", "parameter 'width' is not keyword-only"),
        ("unannotated", "parameter 'width' has no annotation"),
        ("wrong_default", "greater than or equal to 8"),
        ("needs_module", "No module named 'imaginary_module'"),
    ],
)
def test_a_broken_plugin_fails_when_it_is_asked_for(install: Install, name: str, reason: str) -> None:
    install("broken_plugin")
    assert name in [entry.name for entry in registry.list_components("generator")]
    with pytest.raises(PluginError, match=r"dancekit-broken") as caught:
        registry.parameters("generator", name)
    assert reason in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_original_error_is_kept(install: Install) -> None:
    install("broken_plugin")
    with pytest.raises(PluginError) as caught:
        registry.load("generator", "raises")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_extra_of_a_plugin_is_named(install: Install) -> None:
    install("broken_plugin")
    with pytest.raises(MissingExtra, match=r"pip install 'dancekit-broken\[fast\]'"):
        registry.load("generator", "needs_extra")


def test_a_broken_plugin_disturbs_nobody(install: Install) -> None:
    install("broken_plugin")
    assert load_recipe("quick").generator.name == "pix2pixhd"


def test_unusable_entry_points_are_reported(install: Install) -> None:
    install("broken_plugin")
    problems = registry.plugin_problems()
    assert len(problems) == 3
    assert all(problem.startswith("dancekit-broken: entry point") for problem in problems)
    assert any("there is no kind 'generatr'; the kinds are augmentation" in each for each in problems)
    assert any("'generator.Bad-Name'" in each for each in problems)
    assert any("'dancekit_broken.bad' is not of the form module:Class" in each for each in problems)
    with pytest.raises(UnknownName, match=r"unknown generator 'misspelt'.*dancekit-broken: entry point"):
        registry.load("generator", "misspelt")
