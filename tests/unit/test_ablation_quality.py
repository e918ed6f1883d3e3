"""The ablation of quality: an arm is the whole recipe with one lever left out, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dancekit.ablation.arms import recipe_of
from dancekit.ablation.matrix import load_matrix
from dancekit.build import check_parts
from dancekit.config import Recipe
from dancekit.types import get_skeleton

LEVERS = {
    "no-progressive": {"train.stages"},
    "no-growing": {"train.stages"},
    "no-run-up": {"train.stages"},
    "no-history-noise": {"train.history_noise"},
    "no-strides": {"train.strides"},
    "no-reference": {"reference.name", "reference.params"},
    "no-matte-loss": {"losses"},
    "no-rare": {"train.rare"},
    "no-masks": {"losses"},
    "no-augmentation": {"augmentations"},
    "no-average": {"train.ema"},
}


def flat(data: Any, path: str = "") -> dict[str, Any]:
    if isinstance(data, dict) and data and path.count(".") < 2:
        return {k: v for key, value in data.items() for k, v in flat(value, f"{path}.{key}").items()}
    return {path[1:]: data}


def changed(one: Recipe, other: Recipe) -> set[str]:
    a, b = flat(one.to_json()), flat(other.to_json())
    return {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recipe]:
    matrix, out = load_matrix("quality"), tmp_path_factory.mktemp("out")
    return {arm.name: recipe_of(matrix, arm.name, out) for arm in matrix.arms}


def test_every_arm_leaves_one_lever_out(arms: dict[str, Recipe]) -> None:
    assert set(arms) == {"all", "plain", *LEVERS}
    for name, keys in LEVERS.items():
        found = {".".join(key.split(".")[:2]) for key in changed(arms["all"], arms[name])}
        assert found and found <= keys, (name, found)


def test_stages_of_the_arms_are_what_their_names_say(arms: dict[str, Recipe]) -> None:
    whole = arms["all"].train.stages
    assert any(stage.size for stage in whole) and any(stage.frames for stage in whole)
    assert any(stage.run_up for stage in whole)
    assert not any(stage.size for stage in arms["no-progressive"].train.stages)
    assert not any(stage.frames for stage in arms["no-growing"].train.stages)
    assert not any(stage.run_up for stage in arms["no-run-up"].train.stages)
    shares = {
        name: sum(stage.share for stage in recipe.train.stages if stage.modules == ["face"])
        for name, recipe in arms.items()
        if name != "plain"
    }
    assert set(shares.values()) == {0.15}, "the face has the same steps in all"


def test_all_parts_of_all_arms_fit(arms: dict[str, Recipe]) -> None:
    for recipe in arms.values():
        check_parts(recipe, get_skeleton("blazepose_33"))


def test_budgets_are_equal(arms: dict[str, Recipe], tmp_path: Path) -> None:
    assert len({(recipe.train.steps, recipe.train.batch, recipe.size) for recipe in arms.values()}) == 1
