"""`dancekit ablate temporal` on toys: every strategy is trained by recipe, and told apart by the temporal metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dancekit.ablation.matrix import load_matrix
from dancekit.ablation.scoring import _kept
from dancekit.cli.app import main
from dancekit.config import load_recipe
from dancekit.dancer import network_shapes, read_info
from dancekit.evaluate.dancers import Inputs
from dancekit.evaluate.protocols import load_protocol
from dancekit.resources import data_path

ARMS = ["single", "previous-frame", "flow-warp", "recurrent", "flow-warp-critics"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, short_clips: dict[str, Path]) -> Path:
    """The finished toy: four seconds of loops in place of a minute, no transfer."""
    folder = tmp_path_factory.mktemp("temporal")
    loops = folder / "short-loops.yaml"
    text = (data_path("protocols/temporal-loops.yaml")).read_text()
    text = text.replace("name: temporal-loops", "name: short-loops")
    text = text.replace(
        "loop: {seconds: 60, period: 4, hold: 4}", "loop: {seconds: 2, period: 0.5, hold: 0.8}"
    )
    loops.write_text(text)
    data = load_matrix("temporal-tiny").model_dump(mode="json", by_alias=True)
    for each in data["evaluations"]:
        each["protocol"] = str(loops) if each["name"] == "loops" else each["protocol"]
    keep = ("held-out", "loops")
    data["evaluations"] = [each for each in data["evaluations"] if each["name"] in keep]
    data["tables"] = [each for each in data["tables"] if each["scores"] in keep]
    matrix = folder / "toy.yaml"
    matrix.write_text(json.dumps(data | {"name": "toy"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(folder / "cache"))
        patch.setenv("DANCEKIT_OFFLINE", "1")
        command = ["ablate", str(matrix), "train.steps=2", "--target", str(short_clips["target"]), "-q"]
        assert main([*command, "--out", str(folder / "out"), "--device", "cpu"]) == 0
    return folder / "out"


def column(out: Path, table: str, metric: str) -> dict[str, Any]:
    made = json.loads((out / "tables" / f"{table}.json").read_text())
    place = [head["metric"].partition("@")[0] for head in made["heads"]].index(metric)
    return {row["name"]: row["cells"][place]["value"] for row in made["rows"]}


def test_every_strategy_is_a_dancer(out: Path) -> None:
    for arm in ARMS:
        dancer = out / "arms" / arm / "dancer.safetensors"
        learns = any(name.startswith("temporal.") for name in network_shapes(dancer))
        assert learns is (arm not in ("single", "previous-frame"))
        name = read_info(dancer).recipe.temporal.name
        assert name == arm.removesuffix("-critics").replace("-", "_")


def test_they_are_told_apart_over_time(out: Path) -> None:
    for metric in ("warping_error", "psnr", "sharpness"):
        values = column(out, "held-out", metric)
        assert list(values) == ["nearest_neighbour", *ARMS]
        assert all(value is not None and np.isfinite(value) for value in values.values()), (metric, values)
        assert len({values[arm] for arm in ARMS}) == len(ARMS)
    for metric in ("drift", "freeze"):
        values = column(out, "loops", metric)
        assert values["single"] == 0, "without memory the same pose is the same picture"
        assert all(values[arm] is not None and values[arm] >= 0 for arm in ARMS)
    assert any(column(out, "loops", "drift")[arm] > 0 for arm in ARMS)


def test_scored_loops_are_kept(out: Path, short_clips: dict[str, Path]) -> None:
    folder = out / "evaluations" / "loops" / "recurrent"
    protocol = load_protocol(str(out.parent / "short-loops.yaml"))
    dancers = {arm: out / "arms" / arm / "dancer.safetensors" for arm in ("recurrent", "single")}
    same, other = (
        _kept(
            folder,
            Inputs(dancer=dancer, clip=short_clips["target"], target=short_clips["target"]),
            protocol,
            baselines=True,
        )
        for dancer in dancers.values()
    )
    assert same is not None and other is None


def test_the_packaged_matrix_is_what_it_says() -> None:
    """Its flow arm is base with the unit; budgets are of equal time by the seconds a step that it names."""
    matrix = load_matrix("temporal")
    recipes = {name: load_recipe(matrix.recipe, matrix.overrides_of(name)) for name in ARMS}
    unit = data_path("recipes/units/temporal/flow_warp.yaml").read_text()
    assert {name: recipe.temporal.name for name, recipe in recipes.items()} == {
        "single": "single",
        "previous-frame": "previous_frame",
        "flow-warp": "flow_warp",
        "recurrent": "recurrent",
        "flow-warp-critics": "flow_warp",
    }
    base = load_recipe("base")
    terms = recipes["flow-warp"].losses
    assert terms[:-1] == base.losses and terms[-1].name == "flow"
    assert f"weight: {terms[-1].weight:g}" in unit
    step = {
        "single": 1.2,
        "previous-frame": 1.9,
        "flow-warp": 3.5,
        "recurrent": 3.5,
        "flow-warp-critics": 4.5,
    }
    minutes = [seconds * recipes[name].train.steps / 60 for name, seconds in step.items()]
    assert max(minutes) < 1.05 * min(minutes)
    assert (
        load_protocol("temporal").compare == "frames" and load_protocol("temporal-loops").compare == "loops"
    )
