"""Recipe files: what is read, what is refused, and where the fault is said to be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dancekit import registry
from dancekit.config import (
    Component,
    LossTerm,
    Recipe,
    complete,
    load_recipe,
    override_recipe,
    recipe_names,
    recipe_path,
    schema,
)
from dancekit.config.tree import parse, plain
from dancekit.errors import RecipeError, UnknownName

MINIMAL = """\
schema: 1
summary: A test.
size: [64, 96]
pose: blazepose
normalizer: identity
renderer: sticks
generator: {name: unet, params: {ngf: 8, depth: 4}}
discriminator: none
temporal: single
face: none
losses: [l1]
train: {steps: 10}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "mine.yaml") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return name


def problems_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(text), overrides)
    assert caught.value.exit_code == 2
    return caught.value.problems


# ---- what ships


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_resolve(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.summary
    assert recipe == complete(recipe)
    for _, kind, component in recipe.components():
        assert set(component.params) == set(registry.parameters(kind, component.name).model_fields)


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[2].joinpath("recipes").rglob("*.yaml")), ids=str
)
def test_every_key_of_a_packaged_recipe_has_a_comment(path: Path) -> None:
    bare = [
        line
        for line in path.read_text().splitlines()
        if line.strip() and not line.lstrip().startswith("#") and "#" not in line
    ]
    # headers of mappings, and items of lists whose keys the first item has explained, may go without
    unexplained = [
        line for line in bare if not re.fullmatch(r"\s*(- )?\w+:|\s*- .*|\s+(weight|share|modules): .*", line)
    ]
    assert not unexplained


def test_names() -> None:
    assert {"quick", "demo", "tiny"} <= set(recipe_names())
    assert recipe_path("quick").name == "quick.yaml"
    with pytest.raises(UnknownName, match=r"no recipe 'quikc'; did you mean 'quick'\?.*quikc\.yaml"):
        load_recipe("quikc")


def test_packaged_recipes_differ_in_what_they_say() -> None:
    base, tiny, quick, demo, standard, best = (
        load_recipe(name).to_json() for name in ("base", "tiny", "quick", "demo", "standard", "best")
    )
    assert [t["name"] for t in tiny["losses"]] == [t["name"] for t in base["losses"]]
    assert tiny["size"] == [64, 64]
    for one, other in ((standard, quick), (base, demo)):
        assert {key for key in one if one[key] != other[key]} == {"summary", "train"}
        assert {key for key in one["train"] if one["train"][key] != other["train"][key]} <= {
            "steps", "checkpoint_every", "preview_every"
        }  # fmt: skip
    assert quick["train"]["steps"] < standard["train"]["steps"]
    assert base["generator"] == standard["generator"] == best["generator"], "anybody is no other network"
    assert base["train"]["start_from"] == "" and standard["train"]["start_from"] == "anybody"


def test_none_begins_from_nothing() -> None:
    assert load_recipe("standard", ["train.start_from=none"]).train.start_from == ""


def test_listing_recipes_needs_no_torch(here: Path) -> None:
    write("schema: 1\nextends: [base]\nsummary: Mine.\n")
    code = (
        "import sys\nfrom dancekit.config import recipe_names\n"
        "assert 'quick' in recipe_names() and 'pydantic' not in sys.modules\n"
        "from dancekit.config import load_tree\n"
        "print(load_tree('mine.yaml', ['train.steps=7'])['train']['steps'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7", "False"]


# ---- reading


def test_a_minimal_recipe_gets_every_default(here: Path) -> None:
    recipe = load_recipe(write(MINIMAL))
    assert recipe.schema_version == 1
    assert recipe.size == (64, 96)
    assert recipe.generator.params["ngf"] == 8
    assert recipe.generator.params["norm"] == "instance"
    assert recipe.train.optimizer.betas == (0.5, 0.999)
    assert [stage.name for stage in recipe.train.stages] == ["body"]
    assert recipe.policy.allow_licences == ["permissive"]
    assert [(t.name, t.weight) for t in recipe.face_losses] == [("lsgan", 1.0), ("l1", 10.0)]
    assert recipe.face_losses[1].params == recipe.losses[0].params != {}
    assert recipe.filters == recipe.augmentations == []


@pytest.mark.parametrize("name", recipe_names())
def test_json_and_yaml_round_trip(name: str, here: Path) -> None:
    recipe = load_recipe(name)
    data = json.loads(json.dumps(recipe.to_json(), allow_nan=False))
    assert Recipe.from_json(data) == recipe
    assert Recipe.from_json(data).to_json() == data
    again = load_recipe(write(recipe.to_yaml()))
    assert again == recipe
    assert again.hash == recipe.hash


def test_yaml_is_1_2(here: Path) -> None:
    text = MINIMAL.replace("summary: A test.", "summary: no").replace(
        "train: {steps: 10}", "train: {steps: 10, optimizer: {lr: 2e-4, lr_discriminator: 1E-3}}"
    )
    recipe = load_recipe(write(text))
    assert recipe.summary == "no"
    assert (recipe.train.optimizer.lr, recipe.train.optimizer.lr_discriminator) == (2e-4, 1e-3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 2e-4),
        ("no", "no"),
        ("on", "on"),
        ("16:9", "16:9"),
        ("2024-01-01", "2024-01-01"),
        ("0o17", 15),
        ("017", 17),
        ("true", True),
        ("~", None),
        ("'3'", "3"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_of_yaml_1_2(text: str, value: Any) -> None:
    found: list[str] = []
    node = parse(text, str, found)
    assert node is not None
    assert (plain(node), found) == (value, [])
    assert type(plain(node)) is type(value)


def test_hash_is_that_of_the_canonical_content(here: Path) -> None:
    recipe = load_recipe(write(MINIMAL))
    import hashlib

    data = recipe.to_json()
    # as they were before there were such keys: older recipes keep their hash
    del data["summary"], data["before"], data["reference"]
    for key in ("rare", "hard", "strides", "history_noise"):
        del data["train"][key]
    for stage in data["train"]["stages"]:
        del stage["size"], stage["frames"], stage["run_up"]
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert recipe.hash == hashlib.sha256(text.encode()).hexdigest()
    same = [
        MINIMAL.replace("A test.", "Another."),
        MINIMAL.replace("losses: [l1]", "losses: [{name: l1, weight: 1}]"),
        MINIMAL.replace("train: {steps: 10}", "train: {seed: 0, steps: 10, ema: 0.999}"),
        "\n".join(reversed(MINIMAL.splitlines())),
    ]
    assert {load_recipe(write(text)).hash for text in same} == {recipe.hash}
    other = [MINIMAL.replace("10", "11"), MINIMAL.replace("ngf: 8", "ngf: 9"), MINIMAL.replace("96", "64")]
    assert len({load_recipe(write(text)).hash for text in other} | {recipe.hash}) == 4


def test_recipes_are_frozen_and_every_model_forbids_unknown_keys() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_recipe("tiny").train.steps = 3  # type: ignore[misc]
    models = [m for m in vars(schema).values() if isinstance(m, type) and issubclass(m, BaseModel)]
    assert len(models) > 6
    for model in models:
        if model is not BaseModel:
            assert (model.model_config["extra"], model.model_config["frozen"]) == ("forbid", True)


def test_from_json_says_what_is_wrong() -> None:
    data = load_recipe("tiny").to_json()
    data["train"]["steps"] = 0
    data["generatr"] = data.pop("generator")
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(data)
    assert caught.value.problems == [
        "generator: is missing",
        "train.steps: should be greater than 0, got 0",
        "generatr: unknown key; did you mean 'generator'?",
    ]


def test_complete_checks_a_recipe_made_in_python() -> None:
    tiny = load_recipe("tiny")
    made = tiny.model_copy(update={"generator": Component(name="unet", params={"ngf": 4})})
    assert complete(made).generator.params == {
        **registry.parameters("generator", "unet")().model_dump(mode="json"),
        "ngf": 4,
    }
    wrong = tiny.model_copy(update={"losses": [LossTerm(name="l1", params={"msk": "person"})]})
    with pytest.raises(
        RecipeError, match=r"losses\[0\]\.params\.msk: unknown parameter; did you mean 'mask'"
    ):
        complete(wrong)


def test_override_recipe_checks_again() -> None:
    tiny = load_recipe("tiny")
    assert override_recipe(tiny, ["train.steps=7"]) == load_recipe("tiny", ["train.steps=7"])
    with pytest.raises(RecipeError, match=r"override 'train\.stps=7': train\.stps: unknown key"):
        override_recipe(tiny, ["train.stps=7"])


# ---- extends


def test_units_in_order_then_the_recipe(here: Path) -> None:
    write("train: {steps: 1, seed: 1, batch: 1}\nfilters: [savgol]\n", "units/a.yaml")
    write("train: {seed: 2, batch: 2}\nfilters: [fill_gaps]\n", "units/b.yaml")
    text = MINIMAL.replace("train: {steps: 10}", "train: {batch: 3}")
    recipe = load_recipe(write("extends: [units/a.yaml, units/b.yaml]\n" + text))
    assert (recipe.train.steps, recipe.train.seed, recipe.train.batch) == (1, 2, 3)
    assert [component.name for component in recipe.filters] == ["fill_gaps"]


def test_another_name_drops_inherited_params_and_the_same_keeps_them(here: Path) -> None:
    write("generator: {name: pix2pixhd, params: {n_blocks: 3, ngf: 12}}\n", "unit.yaml")
    base = MINIMAL.replace("generator: {name: unet, params: {ngf: 8, depth: 4}}\n", "extends: [unit.yaml]\n")
    assert load_recipe(write(base)).generator.params["n_blocks"] == 3
    swapped = load_recipe(write(base + "generator: unet\n"))
    assert (swapped.generator.name, swapped.generator.params["ngf"]) == ("unet", 64)
    for own in ("generator: {params: {ngf: 5}}\n", "generator: {name: pix2pixhd, params: {ngf: 5}}\n"):
        kept = load_recipe(write(base + own)).generator
        assert (kept.params["n_blocks"], kept.params["ngf"]) == (3, 5)


def test_extends_a_packaged_recipe_by_name(here: Path) -> None:
    recipe = load_recipe(write("schema: 1\nextends: [tiny]\ntrain: {steps: 3}\n"))
    assert recipe == load_recipe("tiny", ["train.steps=3"])


def test_a_local_file_is_never_taken_for_a_name(here: Path) -> None:
    write(MINIMAL, "tiny.yaml")
    assert load_recipe("tiny").size == (64, 64)
    assert load_recipe("tiny.yaml").size == (64, 96)
    assert load_recipe(Path("tiny.yaml")).size == (64, 96)
    assert load_recipe(write(MINIMAL, "folder/noext")).size == (64, 96)


def test_extends_what_cannot_be(here: Path) -> None:
    write("extends: [b.yaml]\nschema: 1\n", "a.yaml")
    write("extends: [a.yaml]\nschema: 1\n", "b.yaml")
    with pytest.raises(
        RecipeError, match=r"b\.yaml:1: extends: goes in a circle: a\.yaml -> b\.yaml -> a\.yaml"
    ):
        load_recipe("a.yaml")
    write("extends: [base]\nface: none\n", "unit.yaml")
    assert "unit.yaml:1: extends: a unit (a file without `schema`) may not extend others" in problems_of(
        "extends: [unit.yaml]\n" + MINIMAL
    )
    missing = problems_of("extends:\n- units/optim/adam_gann.yaml\n- nothing\n" + MINIMAL)
    assert missing[0].startswith(
        "mine.yaml:2: extends: 'units/optim/adam_gann.yaml' is neither beside mine.yaml"
    )
    assert missing[0].endswith("did you mean 'units/optim/adam_gan.yaml'?")
    assert missing[1].startswith("mine.yaml:3: extends: 'nothing'")
    assert "mine.yaml:1: extends: should be a list" in problems_of("extends: {a: b}\n" + MINIMAL)[0]
    assert problems_of("extends: [tiny]\n") == ["mine.yaml:1: schema: is missing"]
    assert "mine.yaml:1: extends: '../README.md'" in problems_of("extends: [../README.md]\n" + MINIMAL)[0]


def test_a_fault_in_a_unit_is_placed_in_the_unit(here: Path) -> None:
    write("# a comment\ntrain:\n  stpes: 3\n", "unit.yaml")
    assert problems_of("extends: [unit.yaml]\n" + MINIMAL) == [
        "unit.yaml:3: train.stpes: unknown key; did you mean 'steps'?"
    ]


# ---- faults


def test_all_problems_at_once_in_order(here: Path) -> None:
    text = """\
schema: 1
extends: [base]
size: [256, 250.5]
generatr: unet
generator:
  name: pix2pixhd
  params:
    ngff: 3
    ngf: "3"
    in_channels: 4
discriminator: {name: multiscal, ndf: 3}
losses:
  - lsgan
  - {name: l1, weight: -1, params: {mask: persn}}
  - 5
face:
train:
  steps: 10.5
  batch: 0
  stages: [{name: a, share: 1, modules: [fase]}]
policy: {allow_licences: [mit]}
augmentations: [{name: affine, params: {scale: [1, 2, 3], rotate: .nan}}]
"""
    got = problems_of(text, "filters=[savgl]", "train.sede=1")
    assert got == [
        "mine.yaml:3: size[1]: should be a valid integer, got 250.5",
        "mine.yaml:4: generatr: unknown key; did you mean 'generator'?",
        "mine.yaml:8: generator.params.ngff: unknown parameter; did you mean 'ngf'?",
        "mine.yaml:9: generator.params.ngf: should be a valid integer, got '3'",
        "mine.yaml:10: generator.params.in_channels: is derived from the rest of the recipe; remove it",
        "mine.yaml:11: discriminator.ndf: unknown key; a parameter stands under params: {ndf: ...}",
        "mine.yaml:11: discriminator.name: unknown discriminator 'multiscal'; did you mean 'multiscale'? "
        f"(available: {', '.join(sorted(registry.core.BUILTIN['discriminator']))}; "
        "see: dancekit ls discriminator)",
        "mine.yaml:14: losses[1].weight: should be greater than or equal to 0, got -1",
        "mine.yaml:14: losses[1].params.mask: should be 'none' or 'person', got 'persn'",
        "mine.yaml:15: losses[2]: should be a component: its name, or {name: ..., params: {...}}, got 5",
        "mine.yaml:16: face: should be a component: its name, or {name: ..., params: {...}}, got None",
        "mine.yaml:18: train.steps: should be a valid integer, got 10.5",
        "mine.yaml:19: train.batch: should be greater than 0, got 0",
        "mine.yaml:20: train.stages[0].modules[0]: should be 'generator', 'face' or 'discriminator', got 'fase'",
        "mine.yaml:21: policy.allow_licences[0]: "
        "should be 'permissive', 'copyleft' or 'non-commercial', got 'mit'",
        "mine.yaml:22: augmentations[0].params.rotate: should be a finite number, got nan",
        "mine.yaml:22: augmentations[0].params.scale: list should have at most 2 items, not 3",
        "override 'train.sede=1': train.sede: unknown key; did you mean 'seed'?",
        got[-1],
    ]
    assert got[-1].startswith(
        "override 'filters=[savgl]': filters[0].name: unknown filter 'savgl'; did you mean"
    )


@pytest.mark.parametrize(
    ("text", "wrong", "problem"),
    [
        ("size: [64, 96]", "size: [64, 100]", "3: size[1]: should be a multiple of 8, got 100"),
        ("size: [64, 96]", "size: [16, 96]", "3: size[0]: should be greater than or equal to 32, got 16"),
        ("size: [64, 96]", "size: [64]", "3: size[1]: is missing"),
        ("size: [64, 96]", "size: 64", "3: size: should be a valid list, got 64"),
        ("schema: 1", "schema: 2", "1: schema: 2 is newer than this dancekit reads (1); update it"),
        ("schema: 1", "schema: 0", "1: schema: should be greater than or equal to 1, got 0"),
        ("losses: [l1]", "losses: []", "11: losses: list should have at least 1 item, not 0"),
        ("{steps: 10}", "{steps: ten}", "12: train.steps: should be a valid integer, got 'ten'"),
        ("{steps: 10}", "{}", "12: train.steps: is missing"),
        ("{steps: 10}", "{steps: 10, ema: 1}", "12: train.ema: should be less than 1, got 1"),
        ("pose: blazepose", "pose: {params: {}}", "4: pose.name: is missing"),
        ("pose: blazepose", "pose: [blazepose]", "4: pose: should be a component: its name, or"),
        (
            "generator: {name: unet, params: {ngf: 8, depth: 4}}",
            "generator: {name: unet, params: 3}",
            "7: generator.params: should be a mapping, got 3",
        ),
        (
            "normalizer: identity",
            "normalizer: {name: identity, params: {x: 1}}",
            "5: normalizer.params.x: unknown parameter; it has none",
        ),
        (
            "face: none",
            "face: dancekit.faces.none:NoFace",
            "10: face.name: unknown face 'dancekit.faces.none:NoFace'",
        ),
        ("temporal: single", "temporal: *x", "9: not valid YAML: found undefined alias 'x'"),
        ("temporal: single", "temporal: &x single", "9: anchors (&x) are not allowed"),
        (
            "temporal: single",
            "temporal: !!python/object:os.system {}",
            "9: the tag tag:yaml.org,2002:python/object:os.system is not allowed",
        ),
        (
            "temporal: single",
            "temporal: single\ntemporal: single",
            "10: the key 'temporal' stands here twice (first at mine.yaml:9)",
        ),
        ("temporal: single", "temporal: single\n1: 2", "10: a key must be text: write '1' in quotes"),
        ("temporal: single", "temporal: single\n? [a]\n: 2", "10: a key must be text, not a list or mapping"),
        ("temporal: single", "temporal: single\n<<: {a: 1}", "10: <<: unknown key"),
        ("A test.", "!!int abc", "2: 'abc' is no int"),
        ("schema: 1", "schema: 1\n\tx: 2", "2: not valid YAML: while scanning"),
    ],
)
def test_one_fault_one_line(here: Path, text: str, wrong: str, problem: str) -> None:
    assert text in MINIMAL
    (only,) = problems_of(MINIMAL.replace(text, wrong))
    assert only.startswith(f"mine.yaml:{problem}")


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        (
            "[{name: a, share: 0.5, modules: [generator]}]",
            "the shares of the stages should sum to 1, not 0.5",
        ),
        (
            "[{name: a, share: 0.5, modules: [generator]}, {name: a, share: 0.5, modules: [generator]}]",
            "two stages have one name: a, a",
        ),
        ("[{name: a, share: 1, modules: [generator, generator]}]", "a module stands twice"),
        ("[{name: a, share: 1, modules: []}]", "list should have at least 1 item, not 0"),
        ("[]", "list should have at least 1 item, not 0"),
        ("[{name: a, share: 1, modules: [face]}]", "list should have at least 1 item, not 0"),  # face is none
    ],
)
def test_stages_that_make_no_sense(here: Path, stages: str, problem: str) -> None:
    (only,) = problems_of(MINIMAL, f"train.stages={stages}")
    assert problem in only
    assert "train.stages" in only


def test_thirds_sum_to_one(here: Path) -> None:
    stages = [{"name": name, "share": 1 / 3, "modules": ["generator"]} for name in "abc"]
    assert len(load_recipe(write(MINIMAL), [f"train.stages={json.dumps(stages)}"]).train.stages) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "mine.yaml:1: is empty"),
        ("# nothing\n", "mine.yaml:1: is empty"),
        ("- a\n", "mine.yaml:1: a recipe is a mapping of keys to values"),
        ("a: [\n", "mine.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "mine.yaml:2: not valid YAML: expected a single document"),
        ("\0", "mine.yaml:1: not valid YAML: unacceptable character"),
        ("[" * 600, "mine.yaml:1: nested too deeply"),
        ("a: " + "[" * 51 + "]" * 51 + "\n", "mine.yaml:1: nested too deeply"),
        ("a: &a [*a]\n", "mine.yaml:1: anchors (&a) are not allowed"),
        ('summary: "\\ud800"\n', "mine.yaml:1: '\\ud800' is not valid Unicode text"),
    ],
)
def test_files_that_are_no_recipe(here: Path, text: str, problem: str) -> None:
    assert problems_of(text)[0].startswith(problem)


def test_missing_keys_are_said_once(here: Path) -> None:
    assert problems_of("schema: 1\nsummary: x\nsize: [64, 64]\npose: blazepose\ntrain: {steps: 1}\n") == [
        "mine.yaml:1: the keys normalizer, renderer, generator, discriminator, temporal, face, losses are "
        "missing; `extends: [base]` gives them"
    ]


def test_files_that_cannot_be_read(here: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"^quick\.yaml: does not exist; the packaged recipe is called 'quick'$"
    ):
        load_recipe("quick.yaml")
    with pytest.raises(RecipeError, match=r"is a folder, not a recipe"):
        load_recipe(here)
    Path("mine.yaml").write_bytes(b"\xff\xfe\x00schema")
    with pytest.raises(RecipeError, match=r"mine\.yaml: is not UTF-8 text"):
        load_recipe("mine.yaml")


def test_a_union_is_one_problem(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dancekit.registry.builtin import BUILTIN

    monkeypatch.setitem(BUILTIN["filter"], "tested", f"{__name__}:Union")
    assert problems_of(MINIMAL + "filters: [{name: tested, params: {cut: [x]}}]\n") == [
        "mine.yaml:13: filters[0].params.cut: should be a valid integer or a valid string, got ['x']"
    ]


class Union:
    """A filter."""

    version = 1

    def __init__(self, *, cut: int | str = 3) -> None: ...


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    found: list[str] = []
    node = parse(text, lambda line: f"x:{line}", found)
    assert node is not None or found
    assert all(problem.startswith("x:") for problem in found)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=12,
    )
)
def test_json_reads_as_json(data: Any) -> None:
    found: list[str] = []
    node = parse(json.dumps(data), str, found)
    assert node is not None
    assert found == []
    assert plain(node) == data
