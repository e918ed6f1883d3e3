"""Matrices: the paper's arms differ in what is ablated and in nothing else; a file of one's own is read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dancekit.ablation.arms import recipe_of, run_of
from dancekit.ablation.matrix import MATRICES, Matrix, load_matrix
from dancekit.config import Recipe
from dancekit.errors import RecipeError, UnknownName
from dancekit.evaluate.protocols import load_protocol
from dancekit.resources import data_path

MINE = """schema: 1
name: mine
summary: Mine.
recipe: tiny
overrides: [train.steps=2]
sets:
  wide: [generator.ngf=12]
arms:
  - {name: a, title: A}
  - {name: b, title: B, from: a, use: [wide], overrides: [train.steps=3, temporal=single]}
  - {name: c, title: C, from: b, overrides: [train.seed=1]}
evaluations:
  - {name: e, protocol: self, arms: [a, b]}
tables:
  - {name: t, title: T, scores: e, columns: [{title: PSNR, metric: psnr}]}
figures:
  - {name: f, title: F, kind: bodies, scores: e, arms: [b]}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def differences(one: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """Leaves in which two recipes differ."""

    def flat(data: Any, path: str = "") -> dict[str, Any]:
        if isinstance(data, dict) and data:
            return {k: v for key, value in data.items() for k, v in flat(value, f"{path}.{key}").items()}
        return {path[1:]: data}

    a, b = flat(one.to_json()), flat(other.to_json())
    return {key: (a.get(key), b.get(key)) for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}


# ---- the packaged ones ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["edn-v1", "edn-v1-tiny"])
def test_the_papers_arms_differ_in_what_is_ablated(name: str, tmp_path: Path) -> None:
    matrix = load_matrix(name)
    arms = {arm.name: recipe_of(matrix, arm.name, tmp_path) for arm in matrix.arms}
    assert list(arms) == ["fbf", "ts", "fbf-512", "ts-512", "face-512"]

    smoothing = differences(arms["fbf"], arms["ts"])
    assert smoothing == {
        "temporal.name": ("single", "previous_frame"),
        "temporal.params": ({}, None),
        "temporal.params.detach": (None, False),
    }
    larger = differences(arms["fbf-512"], arms["ts-512"])
    begun = larger.pop("train.start_from")
    assert larger == smoothing
    assert begun == (str(run_of(tmp_path, "fbf").folder), str(run_of(tmp_path, "ts").folder))

    face = differences(arms["ts-512"], arms["face-512"])
    assert {key for key in face if not key.startswith("face.params")} == {
        "face.name",
        "train.stages",
        "train.start_from",
        *(["train.steps"] if name == "edn-v1" else []),
    }
    assert face["face.name"] == ("none", "edn")
    assert [stage.modules for stage in arms["face-512"].train.stages] == [["face"]], "the body stands still"
    assert all("face" not in stage.modules for stage in arms["ts-512"].train.stages)
    assert face["train.start_from"][1] == str(run_of(tmp_path, "ts-512").folder)

    assert all(0 < recipe.train.hold_out < 0.5 for recipe in arms.values()), (
        "there is something to measure on"
    )
    for stage in ("fbf", "ts"):
        small, large = arms[stage].generator, arms[f"{stage}-512"].generator
        assert small.params["ngf"] == 2 * large.params["ngf"], "what is learnt fits into the second stage"
        assert all(small.params[key] == large.params[key] for key in ("n_down", "n_blocks"))


def test_every_key_of_the_packaged_ones_has_a_comment() -> None:
    """Each key, and each override, on its line or above it, where it stands for the first time."""
    assert {"edn-v1", "edn-v1-tiny"} <= set(MATRICES.names())
    for name in MATRICES.names():
        seen: set[str] = set()
        before = ""
        for line in data_path(f"ablations/{name}.yaml").read_text().splitlines():
            found = re.match(r"\s*(?:- )?\"?([\w.-]+)(?::|=)", line)
            if found and found[1] not in seen:
                assert "#" in line or before.lstrip().startswith("#"), f"{name}: {line}"
                seen.add(found[1])
            before = line


def test_no_such_matrix() -> None:
    with pytest.raises(UnknownName, match=r"no ablation 'edn-v2'; did you mean 'edn-v1'"):
        load_matrix("edn-v2")
    with pytest.raises(UnknownName, match=r"has no arm 'tss'; did you mean 'ts'"):
        load_matrix("edn-v1").arm("tss")


# ---- one's own -----------------------------------------------------------------------------------------------


def test_an_arm_changes_the_recipe_of_the_arm_it_comes_from(write: Write, tmp_path: Path) -> None:
    matrix = load_matrix(write(MINE))
    assert matrix.overrides_of("a") == ["train.steps=2"]
    assert matrix.overrides_of("c") == [
        "train.steps=2",
        "generator.ngf=12",
        "train.steps=3",
        "temporal=single",
        "train.seed=1",
    ]
    recipes = {
        name: recipe_of(matrix, name, tmp_path / "o'ut dir", ["policy.allow_licences=[copyleft]"])
        for name in "abc"
    }
    assert [recipe.train.steps for recipe in recipes.values()] == [2, 3, 3]
    assert [recipe.generator.params["ngf"] for recipe in recipes.values()] == [8, 12, 12]
    assert [recipe.temporal.name for recipe in recipes.values()] == ["previous_frame", "single", "single"]
    assert [Path(recipe.train.start_from).name for recipe in recipes.values()] == ["", "a", "b"]
    assert Path(recipes["b"].train.start_from) == (tmp_path / "o'ut dir" / "arms" / "a").resolve()
    assert all(recipe.policy.allow_licences == ["copyleft"] for recipe in recipes.values()), "for all arms"


def test_what_is_only_measured_is_no_part_of_the_recipes(write: Write, tmp_path: Path) -> None:
    """Tables can be changed after hours of training."""
    before = recipe_of(load_matrix(write(MINE)), "b", tmp_path)
    other = MINE.replace("protocol: self", "protocol: paired").replace("title: B", "title: Better")
    assert recipe_of(load_matrix(write(other)), "b", tmp_path).hash == before.hash


def test_a_matrix_extends_another(write: Write) -> None:
    write(MINE)
    short = write(
        "schema: 1\nextends: mine.yaml\nname: short\nsets: {wide: [generator.ngf=4]}\n", "short.yaml"
    )
    matrix = load_matrix(short)
    assert matrix.overrides_of("b") == [
        "train.steps=2",
        "generator.ngf=4",
        "train.steps=3",
        "temporal=single",
    ]
    assert matrix.tables == load_matrix(write(MINE)).tables
    loop = write("schema: 1\nextends: loop.yaml\nname: loop\n", "loop.yaml")
    with pytest.raises(RecipeError, match="goes in a circle"):
        load_matrix(loop)
    with pytest.raises(UnknownName, match="no ablation 'nobody'"):
        load_matrix(write("schema: 1\nextends: nobody\nname: mine\n"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "recipe: tiny",
            "recipe: tiny\nrecipes: x",
            r"mine.yaml:\d+: recipes: unknown key; did you mean 'recipe'",
        ),
        ("schema: 1", "schema: 2", r"mine.yaml:1: schema: "),
        ("name: mine", "name: yours", r"mine.yaml:2: name: is 'yours', but the file is called mine.yaml"),
        ("name: b,", "name: a,", r"arms: two are called 'a'"),
        ("from: a", "from: c", r"arm b: from: no arm above it is called 'c'"),
        ("use: [wide]", "use: [wider]", r"arm b: use: there is no set 'wider'; did you mean 'wide'"),
        ("arms: [a, b]", "arms: [a, d]", r"evaluation e: arms: there is no arm 'd'"),
        ("scores: e, columns", "scores: x, columns", r"table t: scores: there is no evaluation 'x'"),
        ("scores: e, arms: [b]", "scores: e, arms: [c]", r"figure f: arms: there is no arm of e 'c'"),
        (
            "kind: bodies",
            "kind: bodiez",
            r"mine.yaml:17: figures\[0\].kind: should be 'transfer', 'bodies' or 'faces'",
        ),
        ("[train.steps=2]", "[train.steps]", r"mine.yaml:5: overrides\[0\]"),
        ("name: a,", "name: ../a,", r"mine.yaml:9: arms\[0\].name"),
        ("summary: Mine.", "summary: &x Mine.", r"anchor"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(write: Write, old: str, new: str, said: str) -> None:
    assert old in MINE
    with pytest.raises(RecipeError, match=said):
        load_matrix(write(MINE.replace(old, new, 1)))


def test_the_example_of_the_docs_is_right(write: Write, root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "ablation.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    matrix = load_matrix(write(text))
    assert [arm.name for arm in matrix.arms] == ["full", "no-face", "no-ts", "longer"]
    assert recipe_of(matrix, "no-face", tmp_path).face.name == "none"
    measured = {(term.name, region) for term in load_protocol("self").metrics for region in term.regions}
    assert {(column.metric, column.region) for table in matrix.tables for column in table.columns} <= measured


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nope.yaml: does not exist"):
        load_matrix(tmp_path / "nope.yaml")


def test_reading_a_matrix_imports_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from dancekit.ablation.matrix import load_matrix; "
        "load_matrix('edn-v1'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_schema_is_frozen() -> None:
    matrix = load_matrix("edn-v1-tiny")
    assert isinstance(matrix, Matrix)
    with pytest.raises(ValueError, match="frozen"):
        matrix.recipe = "quick"  # type: ignore[misc]
