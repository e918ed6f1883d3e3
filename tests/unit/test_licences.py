"""What weights a recipe needs, under which licences, and what its policy refuses."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

from dancekit.config import load_recipe, recipe_names
from dancekit.dancer import read_info
from dancekit.errors import LicenceError, UnknownName
from dancekit.licences import check_licences, licence_group, named_dancers, needed_weights
from dancekit.registry import list_components, load
from dancekit.resources import data_path
from dancekit.training.start import find_start
from dancekit.training.teacher import teacher_of
from dancekit.zoo.dancers import find_dancer
from dancekit.zoo.lock import lock_recipe
from dancekit.zoo.pack import repack

GOLDEN = Path(__file__).parents[1] / "golden" / "dancers"


def names(*overrides: str) -> list[str]:
    return [
        f"{needed.place}: {needed.file.name}" for needed in needed_weights(load_recipe("quick", overrides))
    ]


def test_groups() -> None:
    assert licence_group("Apache-2.0") == licence_group("CC-BY-4.0") == "permissive"
    assert licence_group("CC-BY-NC-4.0") == licence_group("cc-by-nc-sa-4.0") == "non-commercial"
    assert licence_group("GPL-3.0-only") == licence_group("") == "copyleft"


def test_what_components_say_they_need() -> None:
    blazepose = ["pose: blazepose_detector.safetensors", "pose: blazepose_full.safetensors"]
    assert names() == blazepose
    assert names("pose.model=lite")[1] == "pose: blazepose_lite.safetensors"
    assert len(names("pose=blazepose_holistic")) == 6
    assert len(names("pose=blazepose_holistic", "pose.hands=false")) == 4
    assert len(names("pose=rtmlib")) == 2 and len(names("pose=rtmlib", "pose.model=rtmo")) == 1
    assert names("losses=[l1, {name: perceptual}]")[2:] == ["losses[1]: vgg19-dcbb9e9d.pth"]
    looks = "losses=[l1, {name: perceptual, params: {backbone: blazepose}}, {name: pose_consistency}]"
    assert names(looks)[2:] == [
        "losses[1]: blazepose_full.safetensors",
        "losses[2]: blazepose_lite.safetensors",
    ]
    assert names("generator=timm_unet")[2:] == []
    assert names("generator=timm_unet", "generator.weights=/x/r18.pth")[2:] == ["generator: r18.pth"]


def test_what_backends_say_is_what_they_load() -> None:
    from dancekit.build import build_pose

    for backend in ("blazepose", "blazepose_holistic"):
        recipe = load_recipe("base", [f"pose={backend}", "pose.model=lite"])
        said = {needed.file.name for needed in needed_weights(recipe)}
        spec = build_pose(recipe, "cpu").spec
        assert said == spec.weights.keys()
        locked = {file["name"]: file["sha256"] for file in lock_recipe(recipe)["files"]}
        assert locked == spec.weights, "the digests of the index are those of the files that are loaded"


def test_every_weight_files_takes_recipe_parameters_only() -> None:
    from dancekit.registry import parameters

    found = 0
    for entry in list_components():
        tell = getattr(load(entry.kind, entry.name), "weight_files", None)
        if tell is not None and entry.distribution == "dancekit":
            found += 1
            assert (
                inspect.signature(tell).parameters.keys()
                <= parameters(entry.kind, entry.name).model_fields.keys()
            )
    assert found >= 6


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_need_what_their_own_policy_allows(name: str) -> None:
    recipe = load_recipe(name)
    check_licences(recipe)
    for file in lock_recipe(recipe)["files"]:
        for source in file["sources"]:
            assert not source.startswith("package:") or data_path(source.removeprefix("package:")).exists()


def test_the_policy_is_enforced_for_a_dancer_to_start_from(tmp_path: Path) -> None:
    start = tmp_path / "a.safetensors"
    repack(GOLDEN / "format-2.safetensors", start, changes={"licence": "CC-BY-NC-4.0"})
    recipe = load_recipe("tiny", [f"train.start_from={start}"])
    with pytest.raises(LicenceError) as caught:
        check_licences(recipe)
    assert caught.value.exit_code == 4
    assert "train.start_from: the weights a.safetensors of dancer are under CC-BY-NC-4.0" in str(caught.value)
    check_licences(
        load_recipe(
            "tiny", [f"train.start_from={start}", "policy.allow_licences=[permissive, non-commercial]"]
        )
    )
    repack(GOLDEN / "format-2.safetensors", start, changes={"licence": ""}, force=True)
    check_licences(recipe)
    assert dataclasses.asdict(needed_weights(recipe)[-1].file)["licence"] == read_info(start).licence == ""


def test_a_dancer_of_the_zoo_is_known_by_its_id(tmp_path: Path) -> None:
    shipped = data_path("zoo/weights/demo.safetensors")
    teacher = "losses=[{name: distillation, params: {teacher: demo}}]"
    recipe = load_recipe("tiny", ["train.start_from=demo", teacher])
    assert find_start("demo") == shipped == Path(teacher_of(recipe))
    assert find_start(str(tmp_path)) == tmp_path
    found = [needed.place for needed in needed_weights(recipe, find=find_dancer)]
    assert found[-2:] == ["losses[0].teacher", "train.start_from"]
    assert "train.start_from" not in [needed.place for needed in needed_weights(recipe)]
    locked = lock_recipe(recipe)["files"][-1]
    assert locked["sources"] == ["package:zoo/weights/demo.safetensors"]
    assert locked["needed_by"] == ["losses[0].teacher: dancer", "train.start_from: dancer"]
    theirs = tmp_path / "theirs.safetensors"
    repack(GOLDEN / "format-2.safetensors", theirs, changes={"licence": "CC-BY-NC-4.0"})
    with pytest.raises(
        LicenceError, match=r"losses\[0\].teacher: the weights theirs.safetensors of dancer are"
    ):
        check_licences(recipe, find=lambda _: theirs)
    with pytest.raises(UnknownName, match="nobody"):
        find_start("nobody")
    with pytest.raises(UnknownName, match="nobody"):
        teacher_of(load_recipe("tiny", [teacher.replace("demo", "nobody")]))


def test_a_teacher_that_is_no_dancer_needs_no_licence() -> None:
    """`dis` teaches the loss `flow`: a method of OpenCV."""
    recipe = load_recipe("tiny", ["losses=[{name: flow, params: {teacher: dis}}]", "train.start_from=demo"])
    assert named_dancers(recipe) == [("train.start_from", "demo")]
