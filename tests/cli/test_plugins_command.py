"""`dancekit new-plugin` and `dancekit plugins`: what is written, what is refused, what is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_tools import Cli, left_in

from dancekit.registry import kinds

Install = Callable[..., None]


def test_a_new_plugin_is_written_once(cli: Cli, tmp_path: Path) -> None:
    first = cli("new-plugin", "acme-gan", "--kind", "generator")
    assert first.code == 0
    assert "pip install -e '.[test]'" in first.err
    written = left_in(tmp_path / "dancekit-acme-gan")
    for file in ("pyproject.toml", "LICENSE", "README.md", "recipes/acme_gan.yaml", "tests/test_contract.py"):
        assert file in written and f"dancekit-acme-gan/{file}" in first.out.split()
    assert "src/dancekit_acme_gan/acme_gan.py" in written
    (tmp_path / "dancekit-acme-gan/README.md").write_text("mine")
    again = cli("new-plugin", "acme_gan", "--kind", "generator")
    assert again.code == 2 and "exists already" in again.err
    assert (tmp_path / "dancekit-acme-gan/README.md").read_text() == "mine"
    elsewhere = cli("new-plugin", "acme_gan", "--kind", "generator", "--out", "code/here", "--json")
    assert json.loads(elsewhere.out)["recipe"] == "recipes/acme_gan.yaml"
    assert left_in(tmp_path / "code/here") == written


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("unet", "generator", "a component of dancekit already"),
        ("acme", "generatr", "did you mean 'generator'"),
        ("Acme", "generator", "cannot be the name"),
        ("class", "generator", "cannot be the name"),
        ("../acme", "generator", "cannot be the name"),
        ("9lives", "generator", "cannot be the name"),
    ],
)
def test_what_cannot_be_is_refused(cli: Cli, tmp_path: Path, name: str, kind: str, words: str) -> None:
    refused = cli("new-plugin", name, "--kind", kind)
    assert refused.code == 2
    assert words in refused.err and len(refused.err.splitlines()) == 1
    assert left_in(tmp_path) == []


def test_no_plugin(cli: Cli) -> None:
    shown = cli("plugins")
    assert shown.code == 0 and "dancekit new-plugin" in shown.out
    unknown = cli("plugins", "check", "dancekit-nothing")
    assert unknown.code == 2 and "dancekit-nothing" in unknown.err


def test_what_is_broken_and_what_clashes_is_said(cli: Cli, install: Install) -> None:
    install("example_plugin", "broken_plugin", "clashing_plugin")
    shown = cli("plugins", "--json")
    assert shown.code == 1
    plugins = {each["distribution"]: each for each in json.loads(shown.out)["plugins"]}
    assert list(plugins) == ["dancekit-broken", "dancekit-clashing", "dancekit-example"]
    states = {
        f"{name}/{each['name']}": each["state"]
        for name, plugin in plugins.items()
        for each in plugin["components"]
    }
    assert states["dancekit-clashing/unet"] == "clash"
    assert states["dancekit-clashing/dilated"] == states["dancekit-example/dilated"] == "clash"
    assert states["dancekit-broken/raises"] == states["dancekit-broken/positional"] == "broken"
    assert states["dancekit-broken/needs_extra"] == "needs an extra"
    assert len(plugins["dancekit-broken"]["problems"]) == 3
    text = cli("plugins")
    assert "the licence server does not answer" in text.out and "generatr" in text.out


def test_a_good_plugin_is_checked(cli: Cli, install: Install) -> None:
    install("example_plugin")
    assert cli("plugins").code == 0
    shown = cli("plugins", "check", "dancekit_example", "--json")
    assert shown.code == 0, shown.out
    outcomes = {each["check"]: each["outcome"] for each in json.loads(shown.out)["checks"]}
    assert outcomes["it_paints_images"] == outcomes["its_weights_can_be_kept"] == "kept"
    assert set(outcomes.values()) <= {"kept", "not tried"}


def test_a_plugin_that_breaks_its_contract_is_named(cli: Cli, install: Install, tmp_path: Path) -> None:
    assert cli("new-plugin", "loud", "--kind", "generator", "-q").code == 0
    component = tmp_path / "dancekit-loud/src/dancekit_loud/loud.py"
    text = component.read_text()
    assert "painted: Tensor = self.layers(condition)" in text
    component.write_text(text.replace("= self.layers(condition)", "= self.layers(condition) * 2 + 1"))
    install(tmp_path / "dancekit-loud")
    shown = cli("plugins", "check", "dancekit-loud")
    assert shown.code == 1
    (line,) = [line for line in shown.out.splitlines() if "generator/loud" in line]
    assert "it_paints_images" in line and "1 broken" in shown.out
    broken = cli("plugins", "check", "dancekit-loud", "--json")
    (found,) = [each for each in json.loads(broken.out)["checks"] if each["outcome"] == "broken"]
    assert "and not in [-1, 1]" in found["why"]


def test_what_cannot_be_imported_counts_as_broken(cli: Cli, install: Install) -> None:
    install("broken_plugin")
    shown = cli("plugins", "check", "dancekit-broken")
    assert shown.code == 1 and "no_version" in shown.out


def test_the_kinds_have_templates() -> None:
    from dancekit.plugins import template

    folders = {path.name for path in template._TEMPLATES.iterdir()}
    assert folders == {*kinds(), "common"}
