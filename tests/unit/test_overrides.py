"""`key=value`: where it reaches, and what is said when it reaches nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dancekit.config import Recipe, load_recipe
from dancekit.config.overrides import apply_overrides
from dancekit.config.tree import Node, plain
from dancekit.errors import RecipeError


def get(recipe: Recipe, path: str) -> Any:
    found: Any = recipe.to_json()
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    return found


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("train.steps=10", "train.steps", 10),
        ("train.steps = 10", None, None),
        ("train={steps: 10}", "train.steps", 10),
        ("train={steps: 10}", "train.ema", 0.9),
        ("generator.ngf=16", "generator.params.ngf", 16),
        ("generator.params.ngf=16", "generator.params.ngf", 16),
        ("generator.ngf=16", "generator.params.n_blocks", 1),
        ("generator={params: {ngf: 16}}", "generator.params.n_blocks", 1),
        ("generator=pix2pixhd", "generator.params.ngf", 8),
        ("generator=unet", "generator.params.ngf", 64),
        ("generator.name=unet", "generator.params.ngf", 64),
        ("generator={name: unet, params: {ngf: 4}}", "generator.params.ngf", 4),
        ("losses.l1.weight=5", "losses.2.weight", 5.0),
        ("losses[1].weight=0", "losses.1.weight", 0.0),
        ("losses.l1.mask=none", "losses.2.params.mask", "none"),
        ("losses.l1.params.mask=none", "losses.2.params.mask", "none"),
        ("losses.l1.weight=5", "losses.2.params.mask", "person"),
        ("losses.feature_matching=lsgan", "losses.1.name", "lsgan"),
        ("losses.l1.name=feature_matching", "losses.2.params.mask", "none"),
        ("losses.l1.name=feature_matching", "losses.2.weight", 20.0),
        (
            "losses=[l1]",
            "losses",
            [
                {
                    "name": "l1",
                    "params": {"mask": "none", "background": 0.2, "frames": "all"},
                    "weight": 1.0,
                    "every": 1,
                }
            ],
        ),
        ("filters=[]", "filters", []),
        ("filters.savgol.window=9", "filters.0.params.window", 9),
        ("size=[64, 96]", "size", [64, 96]),
        ("size[1]=96", "size", [64, 96]),
        ("train.optimizer.lr=2e-4", "train.optimizer.lr", 2e-4),
        ("train.optimizer.betas[0]=0", "train.optimizer.betas", [0.0, 0.999]),
        ("train.stages.body.name=trunk", "train.stages.0.name", "trunk"),
        ("summary=a=b=c", "summary", "a=b=c"),
        ("summary='no: really'", "summary", "no: really"),
        ("summary=''", "summary", ""),
        ("summary=no", "summary", "no"),
        ("policy.allow_licences=[permissive, copyleft]", "policy.allow_licences", ["permissive", "copyleft"]),
        ("face_losses.l1.weight=3", "face_losses.1.weight", 3.0),
    ],
)
def test_reaches(override: str, path: str | None, value: Any) -> None:
    recipe = load_recipe("tiny", [override])
    if path is not None:
        assert get(recipe, path) == value


def test_in_order_and_on_what_stands_then() -> None:
    recipe = load_recipe(
        "tiny", ["filters=[savgol]", "filters.savgol.window=9", "generator=unet", "generator.ngf=4"]
    )
    assert recipe.filters[0].params["window"] == 9
    assert (recipe.generator.name, recipe.generator.params["ngf"]) == ("unet", 4)
    assert load_recipe("tiny", ["generator.ngf=4", "generator=unet"]).generator.params["ngf"] == 64


def test_without_a_face_its_stage_falls_away() -> None:
    recipe = load_recipe("tiny", ["face=none"])
    assert [(s.name, s.share, s.modules) for s in recipe.train.stages] == [("body", 1.0, ["generator"])]
    stages = (
        "[{name: a, share: 0.4, modules: [generator]}, {name: b, share: 0.4, modules: [generator, face]}, "
    )
    stages += "{name: c, share: 0.2, modules: [face]}]"
    recipe = load_recipe("tiny", [f"train.stages={stages}", "face=none"])
    assert [(s.name, s.share, s.modules) for s in recipe.train.stages] == [
        ("a", 0.5, ["generator"]),
        ("b", 0.5, ["generator"]),
    ]
    assert len(load_recipe("tiny").train.stages) == 2


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("trian.steps=1", "trian: unknown key; did you mean 'train'?"),
        ("train.stpes=1", "train.stpes: unknown key; did you mean 'steps'?"),
        ("generator.ngff=1", "generator.params.ngff: unknown parameter; did you mean 'ngf'?"),
        ("generator.weight=1", "generator.params.weight: unknown parameter; it has ngf"),
        ("generator.in_channels=3", "generator.params.in_channels: is derived from the rest of the recipe"),
        ("generator.ngf=many", "generator.params.ngf: should be a valid integer, got 'many'"),
        ("generator=os.system", "generator.name: unknown generator 'os.system'"),
        ("losses.l2.weight=3", "losses has no 'l2' (it has lsgan, feature_matching, l1)"),
        ("losses.lsgn.weight=3", "losses has no 'lsgn'; did you mean 'lsgan'?"),
        ("losses[7].weight=3", "losses has 3 items, counted from 0; there is no losses[7]"),
        ("size.x=3", "size has no names: its items are size[0] and so on"),
        ("train[0]=3", "train is not a list; it has no item 0"),
        ("train.steps.x=3", "train.steps is 20; it has no x"),
        ("train.steps='3'", "train.steps: should be a valid integer, got '3'"),
        ("train.steps=", "the value is missing; an empty text is written ''"),
        ("train.steps", "should be key=value"),
        ("=3", "should be key=value"),
        ("a..b=3", "should be key=value"),
        ("losses[-1].weight=3", "should be key=value"),
        ("summary=a: b: c", "not valid YAML"),
        ("summary=&a b", "anchors (&a) are not allowed"),
        ("train={steps: 1, steps: 2}", "the key 'steps' stands here twice"),
        ("extends=[quick]", "extends: unknown key"),
        ("losses=l1", "losses: should be a valid list, got 'l1'"),
    ],
)
def test_reaches_nowhere(override: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("tiny", [override])
    (only,) = caught.value.problems
    assert only.startswith(f"override {override!r}: {problem}")


def test_two_of_a_name_are_told_apart_by_position() -> None:
    both = "losses=[{name: l1, weight: 1}, {name: l1, weight: 2}]"
    with pytest.raises(RecipeError, match=r"losses has 'l1' 2 times: say losses\[0\] or losses\[1\]"):
        load_recipe("tiny", [both, "losses.l1.weight=3"])
    assert [t.weight for t in load_recipe("tiny", [both, "losses[1].weight=3"]).losses] == [1.0, 3.0]


def test_wrong_ones_are_all_reported() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("tiny", ["a", "train.stpes=1", "size[9]=3", "face=nobody"])
    assert len(caught.value.problems) == 4


WORDS = st.text("abcdefgh_", min_size=1, max_size=5).filter(lambda word: word != "face")  # a component


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers())
def test_a_path_that_is_set_can_be_read_and_nothing_else_moves(steps: list[str], value: int) -> None:
    before = Node({"train": Node({"steps": Node(1, "f:2")}, "f:1")}, "f:1")
    problems: list[str] = []
    after = plain(apply_overrides(before, [f"{'.'.join(steps)}={value}"], problems))
    assert problems == []
    assert after.pop("train") == {"steps": 1}
    for step in steps:
        assert list(after) == [step]
        after = after[step]
    assert after == value
    assert plain(before) == {"train": {"steps": 1}}


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    problems: list[str] = []
    apply_overrides(Node({"size": Node([Node(1, "f:1")], "f:1")}, "f:1"), [text], problems)
    assert all(problem.startswith("override ") for problem in problems)
