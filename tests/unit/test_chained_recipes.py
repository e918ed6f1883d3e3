"""Recipes in folders, chains of recipes, changes to items of a list, and the recipes of the originals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dancekit.config import Recipe, load_recipe, load_tree, override_recipe, recipe_names, recipe_path
from dancekit.errors import RecipeError, UnknownName

RECIPES = Path(__file__).parents[2] / "recipes"
ORIGINALS = sorted(
    path for name in ("edn", "pix2pixhd", "pix2pix") for path in (RECIPES / name).glob("*.yaml")
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "mine.yaml") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return name


def problems_of(name: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, overrides)
    return "\n".join(caught.value.problems)


# ---- names


def test_a_recipe_in_a_folder_has_the_folder_in_its_name() -> None:
    assert {"edn/full", "pix2pix/unet", "toy/edn/full", "quick"} <= set(recipe_names())
    assert not [name for name in recipe_names() if name.startswith("units")]
    assert recipe_path("edn/full") == RECIPES / "edn" / "full.yaml"
    with pytest.raises(UnknownName, match="did you mean 'edn/full'"):
        load_recipe("edn/ful")


def test_a_folder_of_the_users_is_no_packaged_one(here: Path) -> None:
    write("schema: 1\nsummary: Mine.\nextends: [base]\n", "edn/full.yaml")
    assert load_recipe("edn/full.yaml").summary == "Mine."
    assert load_recipe("edn/full").summary != "Mine."
    with pytest.raises(RecipeError, match="does not exist"):
        load_recipe("mine/full")
    with pytest.raises(RecipeError, match="the packaged recipe is called 'edn/face'"):
        load_recipe("edn/face.yaml")


# ---- before


def test_before_holds_whole_recipes(here: Path) -> None:
    mine = load_recipe(
        write(
            "schema: 1\nsummary: Mine.\nextends: [base]\nbefore: [tiny, {extends: [tiny], train: {steps: 3}}]"
        )
    )
    tiny = load_recipe("tiny")
    assert mine.chain[0] == tiny
    assert mine.chain[1].train.steps == 3
    assert mine.chain[1].generator == tiny.generator
    assert mine.chain[-1] is mine
    assert load_recipe(write(mine.to_yaml(), "again.yaml")) == mine
    assert Recipe.from_json(mine.to_json()) == mine


def test_what_comes_before_those_before_comes_first(here: Path) -> None:
    write("schema: 1\nsummary: Two.\nextends: [tiny]\nbefore: [tiny]\ntrain: {seed: 2}", "two.yaml")
    three = load_recipe(
        write("schema: 1\nsummary: Three.\nextends: [tiny]\nbefore: [two.yaml]\ntrain: {seed: 3}")
    )
    assert [each.train.seed for each in three.chain] == [0, 2, 3]


def test_the_hash_knows_what_comes_before(here: Path) -> None:
    plain, chained = load_recipe("toy/edn/face"), load_recipe("toy/edn/full")
    longer = load_recipe("toy/edn/full", ["before[0].train.steps=3"])
    assert len({plain.hash, chained.hash, longer.hash}) == 3
    assert chained.hash == load_recipe("toy/edn/full").hash


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("before: [nothing]", r"mine\.yaml:4: before: 'nothing' is neither"),
        ("before: [mine.yaml]", r"before: goes in a circle: mine\.yaml -> mine\.yaml"),
        ("before: tiny", r"mine\.yaml:4: before: should be a valid list"),
        (
            "before: [{extends: [tiny], size: [3, 3]}]",
            r"mine\.yaml:4: before\[0\]\.size\[0\]: should be a multiple of 8",
        ),
        ("before: [3]", r"before\[0\]: should be a mapping"),
        ("before: [tiny]\ntrain: {start_from: x}", "nothing left to start from"),
        ("before: [tiny]\ntrain: {hold_out: 0.2}", r"hold_out is 0\.2 and before\[0\]'s 0"),
        ("before: [tiny, {extends: [tiny], train: {start_from: x}}]", r"before\[1\]\.train\.start_from"),
        (
            "before: [{extends: [tiny], generator: {params: {ngff: 3}}}]",
            r"before\[0\]\.generator\.params\.ngff: unkn",
        ),
    ],
)
def test_chains_that_make_no_sense(here: Path, text: str, problem: str) -> None:
    assert re.search(problem, problems_of(write(f"schema: 1\nsummary: Mine.\nextends: [tiny]\n{text}\n")))


# ---- overrides of a chain


def test_an_override_goes_to_all_that_have_what_it_names() -> None:
    overrides = [
        "train.seed=7",
        "train.hold_out=0.2",
        "pose.threshold=0.5",
        "losses.perceptual.weight=3",
        "face_losses.perceptual.weight=4",
        "generator.n_blocks_local=1",
        "face.clamp=true",
        "size=[256, 128]",
        "train.stages.face.share=0.05",
        "summary=Other.",
        "before[0].train.steps=5",
    ]
    first, second, last = load_recipe("edn/full", overrides).chain
    for each in (first, second, last):
        assert (each.train.seed, each.train.hold_out, each.size) == (7, 0.2, (256, 128))
        assert each.pose.params["threshold"] == 0.5
        assert each.losses[2].weight == 3
    assert "n_blocks_local" not in first.generator.params
    assert second.generator.params["n_blocks_local"] == last.generator.params["n_blocks_local"] == 1
    assert last.face.params["clamp"]
    assert [loss.weight for loss in last.face_losses] == [1, 4]
    assert first.face_losses == load_recipe("edn/global").face_losses
    assert (first.summary, last.summary) == (load_recipe("edn/global").summary, "Other.")
    assert (first.train.steps, second.train.steps) == (5, load_recipe("edn/local").train.steps)


def test_overrides_of_a_resolved_chain() -> None:
    recipe = override_recipe(
        load_recipe("toy/edn/full"), ["train.seed=3", "before[1].train.seed=4", "face.ngf=4"]
    )
    assert [each.train.seed for each in recipe.chain] == [3, 4, 3]
    assert [each.face.params.get("ngf") for each in recipe.chain] == [None, None, 4]


def test_overrides_of_what_is_not_before() -> None:
    assert "before has 2 recipes" in problems_of("edn/full", "before[2].train.steps=1")
    assert "before has 0 recipes" in problems_of("quick", "before[0].train.steps=1")


# ---- items of a list


def test_a_mapping_over_a_list_changes_its_items_by_name(here: Path) -> None:
    changes = "{l1: {weight: 5}, perceptual: {params: {backbone: blazepose}}}"
    text = f"schema: 1\nsummary: Mine.\nextends: [base]\nlosses: {changes}"
    mine, base = load_recipe(write(text)), load_recipe("base")
    assert [loss.name for loss in mine.losses] == ["lsgan", "feature_matching", "l1", "perceptual"]
    assert mine.losses[:2] == base.losses[:2]
    assert (mine.losses[2].weight, mine.losses[2].params) == (5, base.losses[2].params)
    assert load_recipe("base") == base


@pytest.mark.parametrize("losses", ["{l1: 5}", "{l1: {wieght: 5}}", "{l2: {weight: 5}}"])
def test_changes_that_name_nothing(here: Path, losses: str) -> None:
    assert "losses" in problems_of(write(f"schema: 1\nsummary: Mine.\nextends: [base]\nlosses: {losses}"))


def test_two_of_one_name_are_not_guessed_at(here: Path) -> None:
    write("schema: 1\nsummary: Two.\nextends: [base]\nfilters: [savgol, savgol]", "two.yaml")
    text = "schema: 1\nsummary: Mine.\nextends: [two.yaml]\nfilters: {savgol: {params: {window: 5}}}"
    assert "filters: should be a valid list" in problems_of(write(text))


# ---- what the originals say

FACTS: dict[str, dict[str, Any]] = {
    "edn/global": {
        "size": (512, 256),
        "generator": {"name": "pix2pixhd", "ngf": 64, "n_down": 4, "n_blocks": 9, "norm": "instance"},
        "discriminator": {"name": "multiscale", "num_d": 2, "ndf": 64, "n_layers": 3, "features": True},
        "weights": {"lsgan": 1, "feature_matching": 10, "perceptual": 10},
        "renderer": {"name": "edn_sticks", "layout": "body_23", "face": 8, "hands": True, "resample": "nearest"},
        "face": {"name": "none"},
        "stages": [(["generator"], "crop", 1)],
    },
    "edn/local": {
        "size": (1024, 512),
        "generator": {"name": "pix2pixhd_local", "ngf": 32, "n_down": 4, "n_blocks": 9,
                      "n_enhancers": 1, "n_blocks_local": 3},
        "discriminator": {"name": "multiscale", "num_d": 3, "ndf": 64, "n_layers": 3},
        "weights": {"lsgan": 1, "feature_matching": 10, "perceptual": 20},
        "renderer": {"name": "edn_sticks", "resample": "lanczos"},
        "face": {"name": "none"},
        "stages": [(["generator"], "crop", 1)],
    },
    "edn/face": {
        "size": (1024, 512),
        "generator": {"name": "pix2pixhd_local", "ngf": 32},
        "discriminator": {"name": "multiscale", "num_d": 3},
        "weights": {"lsgan": 1, "feature_matching": 10, "perceptual": 20},
        "renderer": {"name": "edn_sticks", "resample": "lanczos"},
        "face": {"name": "edn", "network": "global", "crop_size": 128, "ngf": 64, "n_down": 3,
                 "n_blocks": 5, "clamp": False},
        "face_discriminator": {"name": "patch", "ndf": 64, "n_layers": 3, "norm": "batch"},
        "face_weights": {"lsgan": 1, "perceptual": 10},
        "stages": [(["face"], "frame", 0.05), (["face", "discriminator"], "frame", 0.95)],
    },
}  # fmt: skip
"""What edn.md 4 to 6 says, a second time."""


@pytest.mark.parametrize("name", FACTS)
def test_the_numbers_are_those_of_the_method(name: str) -> None:
    recipe, facts = load_recipe(name), FACTS[name]
    assert recipe.size == facts["size"]
    for slot in ("generator", "discriminator", "renderer", "face", "face_discriminator"):
        component = getattr(recipe, slot)
        assert facts.get(slot, {}).items() <= {"name": component.name, **component.params}.items(), slot
    assert {loss.name: loss.weight for loss in recipe.losses} == facts["weights"]
    if "face_weights" in facts:
        assert {loss.name: loss.weight for loss in recipe.face_losses} == facts["face_weights"]
    assert [(stage.modules, stage.judge, stage.share) for stage in recipe.train.stages] == facts["stages"]
    vgg = [loss for loss in (*recipe.losses, *recipe.face_losses) if loss.name == "perceptual"]
    assert all((loss.params["backbone"], loss.params["normalize"]) == ("vgg19", False) for loss in vgg)
    train = recipe.train
    assert (train.batch, train.ema, train.pool, train.order, train.compat) == (1, 0, 0, "together", "none")
    settings = train.optimizer
    assert (settings.lr, settings.lr_discriminator, settings.betas) == (2e-4, 2e-4, (0.5, 0.999))
    assert (recipe.background.name, recipe.temporal.name, recipe.augmentations) == (
        "painted",
        "previous_frame",
        [],
    )


def test_the_step_is_that_of_the_published_code_where_it_is_asked_for() -> None:
    """lr 2e-4 and the doubled step, not the 4e-4 that stands for it elsewhere."""
    for each in load_recipe("edn/full", ["train.compat=edn"]).chain:
        assert (each.train.compat, each.train.optimizer.lr) == ("edn", 2e-4)


@pytest.mark.parametrize("path", ORIGINALS, ids=str)
def test_every_key_has_a_comment_and_every_number_a_source(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    keyed = [line for line in lines if re.match(r"\s*(- )?\w+:", line)]
    headers = {"params:", "stages:", "renderer:", "generator:", "discriminator:", "losses:", "train:",
               "optimizer:", "policy:", "perceptual:"}  # fmt: skip
    bare = [line for line in keyed if "#" not in line and line.strip() not in headers]
    assert not bare
    source = re.compile(
        r"edn\.md|paper|section|options:|dancekit's choice|see above|as above|286 / 256|15 of 256"
    )
    own = {"schema", "summary", "seed", "name", "extends", "before", "preview_every", "p", "rotate", "pool", "ema",
           "layout", "allow_licences", "share", "modules", "only", "filters", "pose", "normalizer", "renderer",
           "background", "temporal", "face", "generator", "discriminator", "losses", "stages"}  # fmt: skip
    numbers = [line for line in keyed if re.search(r":\s*\[?[\d.]", line)]
    unsourced = [
        line for line in numbers if not source.search(line) and line.split(":")[0].strip("- ") not in own
    ]
    assert not unsourced


@pytest.mark.parametrize("path", ORIGINALS, ids=str)
def test_vgg19_is_spoken_of_where_it_is_needed(path: Path) -> None:
    name = path.relative_to(RECIPES).with_suffix("").as_posix()
    terms = [t for each in load_recipe(name).chain for t in (*each.losses, *each.face_losses)]
    needs = any(term.params.get("backbone") == "vgg19" for term in terms)
    head = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    assert ("VGG19" in head) == needs


def test_the_tree_of_a_chain_needs_no_component(here: Path) -> None:
    assert [each["summary"] for each in load_tree("edn/full")["before"]] == [
        load_recipe(name).summary for name in ("edn/global", "edn/local")
    ]
