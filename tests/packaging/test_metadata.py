"""What stands about the package outside of its code: extras, citation, workflows, changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def read_yaml(path: Path) -> Any:
    """A YAML file as plain data."""
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))


def test_the_extras_are_explained(root: Path, pyproject: dict[str, Any]) -> None:
    text = (root / "docs" / "install.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", text.partition("<!-- extras")[2], re.M)
    extras = pyproject["project"]["optional-dependencies"]
    assert {name for name, _ in rows} == set(extras), "the table of extras in docs/install.md"
    for name, brings in rows:
        required = {re.split(r"[\[<>=; ]", each)[0] for each in extras[name]}
        if name != "test":
            assert {each.strip() for each in brings.split(",")} == required, name


def test_the_citation_is_of_this_package(root: Path, pyproject: dict[str, Any]) -> None:
    citation = read_yaml(root / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == pyproject["project"]["license"]
    assert citation["authors"] and citation["references"][0]["title"] == "Everybody Dance Now"


@pytest.mark.parametrize("name", ["ci", "matrix", "release", "docs"])
def test_workflows_can_be_read_and_say_whether_they_have_run(root: Path, name: str) -> None:
    path = root / ".github" / "workflows" / f"{name}.yml"
    workflow = read_yaml(path)
    assert workflow["jobs"] and workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["steps"] and job["runs-on"]
        for step in job["steps"]:
            script = step.get("run", "").split()[:1]
            if script and "/" in script[0]:
                assert (root / script[0]).is_file()
    assert ("IT HAS NOT RUN YET" in path.read_text("utf-8")) == (name != "ci")


def test_the_matrix_has_the_lowest_python_and_all_systems(root: Path, pyproject: dict[str, Any]) -> None:
    jobs = read_yaml(root / ".github" / "workflows" / "matrix.yml")["jobs"]
    matrix = jobs["systems"]["strategy"]["matrix"]
    assert f">={min(matrix['python'])}" == pyproject["project"]["requires-python"]
    assert {each.partition("-")[0] for each in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert set(jobs["dependencies"]["strategy"]["matrix"]["resolution"]) == {"lowest-direct", "highest"}


def test_every_requirement_has_a_lowest_version(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    given = [
        *project["dependencies"],
        *(e for extra in project["optional-dependencies"].values() for e in extra),
    ]
    assert [each for each in given if ">=" not in each] == ["types-PyYAML"]


def test_forms_for_issues_can_be_read(root: Path) -> None:
    forms = sorted((root / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert {form.stem for form in forms} >= {"bug", "idea", "config"}
    for form in forms:
        data = read_yaml(form)
        if form.stem != "config":
            assert data["name"] and data["description"] and data["body"]
            ids = [field["id"] for field in data["body"] if field["type"] != "markdown"]
            assert len(set(ids)) == len(ids) > 0


def test_fragments_of_the_changelog_have_a_kind(root: Path, pyproject: dict[str, Any]) -> None:
    settings = pyproject["tool"]["towncrier"]
    assert {each["directory"] for each in settings["type"]} == KINDS
    assert settings["start_string"] in (root / settings["filename"]).read_text("utf-8")
    fragments = [path.name for path in (root / settings["directory"]).iterdir() if path.name != "README.md"]
    assert [name for name in fragments if not re.fullmatch(rf"[\w-]+\.({'|'.join(KINDS)})\.md", name)] == []
