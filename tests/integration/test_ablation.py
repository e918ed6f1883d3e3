"""The paper's ablation at toy size: all arms for two steps, scored, with tables, figures and curves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dancekit.ablation.arms import look, run_of, train_arms, weights_sha256
from dancekit.ablation.matrix import load_matrix
from dancekit.cli.app import main
from dancekit.errors import UsageError
from dancekit.evaluate.result import Evaluation
from dancekit.video import VideoWriter, probe, read_frames
from dancekit.weights.header import read_tensors

ARMS = ["fbf", "ts", "fbf-512", "ts-512", "face-512"]
LARGE = ARMS[2:]
CHANGES = ["train.steps=2", "train.log_every=1"]


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, short_clips: dict[str, Path], root: Path
) -> Iterator[dict[str, Path]]:
    """A second of each shipped clip, and the finished ablation of it."""
    folder = tmp_path_factory.mktemp("ablation")
    truth = folder / "truth.mp4"
    info = probe(root / "zoo/samples/truth.mp4")
    with VideoWriter(truth, size=info.size, time_base=info.time_base, rate=info.rate) as writer:
        for frame in read_frames(root / "zoo/samples/truth.mp4", stop=25):
            writer.write(frame.rgb, frame.pts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DANCEKIT_CACHE", str(folder / "cache"))
        patch.setenv("DANCEKIT_OFFLINE", "1")
        found = {**short_clips, "truth": truth, "out": folder / "out", "cache": folder / "cache"}
        found["matrix"] = toy(folder / "toy.yaml")
        assert main(command(found, "-q")) == 0
        yield found


def toy(path: Path) -> Path:
    """The packaged toy ablation with fewer things scored, to save time: four tables, three figures."""
    data = load_matrix("edn-v1-tiny").model_dump(mode="json", by_alias=True)
    scores = {each["name"]: each for each in data["evaluations"]}
    scores["transfer"]["arms"] = ["face-512"]  # all that figure 6 shows
    data["evaluations"] = [scores["held-out"], scores["transfer"]]
    data["figures"] = [each for each in data["figures"] if each["name"].startswith("figure-")]
    data["tables"] = [each for each in data["tables"] if each["scores"] == "held-out"]
    path.write_text(json.dumps(data | {"name": path.stem}))  # JSON is YAML
    return path


@pytest.fixture(autouse=True)
def _one_cache(world: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Poses are found once for all tests of this file."""
    monkeypatch.setenv("DANCEKIT_CACHE", str(world["cache"]))


def command(world: dict[str, Path], *more: str, out: Path | None = None) -> list[str]:
    clips = [text for name in ("target", "source", "truth") for text in (f"--{name}", str(world[name]))]
    place = ["--out", str(out or world["out"]), "--device", "cpu"]
    return ["ablate", str(world["matrix"]), *CHANGES, *clips, *place, *more]


def table(world: dict[str, Path], name: str) -> dict[str, Any]:
    return json.loads((world["out"] / "tables" / f"{name}.json").read_text())


def weights(world: dict[str, Path], arm: str) -> dict[str, Any]:
    """Of the networks of an arm's dancer."""
    tensors = read_tensors(run_of(world["out"], arm).dancer)
    return {key: value for key, value in tensors.items() if key.startswith(("generator.", "face."))}


def test_every_arm_is_trained_for_its_budget(world: dict[str, Path]) -> None:
    states = look(load_matrix(world["matrix"]), world["target"], world["out"], CHANGES)
    assert [(s.arm.name, s.steps, s.finished, s.problem) for s in states] == [
        (name, 2, True, "") for name in ARMS
    ]
    assert all(state.seconds > 0 for state in states), "minutes are measured"


def test_the_face_is_added_to_the_finished_body(world: dict[str, Path]) -> None:
    body, whole = (weights(world, name) for name in ("ts-512", "face-512"))
    assert set(body) == {key for key in whole if key.startswith("generator.")}
    for key, value in body.items():
        assert (whole[key] == value).all(), f"{key} of the body has moved"
    assert any(key.startswith("face.") for key in whole)


def test_a_second_stage_begins_with_the_first(world: dict[str, Path]) -> None:
    first, second = (weights(world, name) for name in ("ts", "ts-512"))
    shared = [key for key in second if key in first and first[key].shape == second[key].shape]
    moved = max(float((first[key] - second[key]).abs().max()) for key in shared)
    assert len(shared) > 10 and 0 < moved < 0.01, "two steps of Adam, not fresh weights"


def test_tables_have_real_numbers(world: dict[str, Path]) -> None:
    """Those of the evaluations; LPIPS, whose weights are not here, is left out and said."""
    scores = {
        name: Evaluation.load(world["out"] / "evaluations" / "held-out" / name / "evaluation.json")
        for name in LARGE
    }
    for name, metric, region, everywhere in (
        ("table-1", "ssim", "box", True),
        ("table-3", "pose_distance", "body", False),  # nobody can be found in what two steps paint
        ("table-4", "missed_joints", "all", True),
    ):
        made = table(world, name)
        assert [row["name"] for row in made["rows"]] == ["nearest_neighbour", *LARGE]
        column = [head["region"] for head in made["heads"]].index(region)
        values = [row["cells"][column]["value"] for row in made["rows"]]
        variants = [scores[LARGE[0]].variants[1], *(scores[arm].variants[0] for arm in LARGE)]
        measured = [variant.score(metric, region) for variant in variants]
        assert values == [None if score is None else score.value for score in measured]
        known = values if everywhere else values[:1]
        assert all(value is not None and np.isfinite(value) for value in known), (name, values)
    first = table(world, "table-1")
    assert [head["title"] for head in first["heads"]] == ["SSIM"]
    assert first["notes"][0].startswith("column LPIPS is left out: not available: ")
    nearest = first["rows"][0]["cells"][0]["value"]
    assert all(nearest > row["cells"][0]["value"] for row in first["rows"][1:]), "two steps paint nobody"
    assert [variant.kind for variant in scores["ts-512"].variants] == ["result"], "baselines once"
    assert {scores[arm].frames for arm in LARGE} == {5}, "the fifth of the clip that was held out"
    text = (world["out"] / "tables.md").read_text()
    assert all(f"**Table {number}" in text for number in (1, 2, 3, 4))


def test_figures_and_curves(world: dict[str, Path]) -> None:
    for name, columns in (("figure-7", 5), ("figure-6", 5)):
        sheet = cv2.imread(str(world["out"] / "figures" / f"{name}.png"))
        assert sheet is not None and sheet.shape[1] > 50 * columns
        assert sheet.std() > 20, "something is in it"
    for name in ("training", "held-out"):
        drawn = cv2.imread(str(world["out"] / "curves" / f"{name}.png"))
        assert drawn is not None and (drawn < 100).any()
    page = (world["out"] / "index.html").read_text()
    for place in ("figures/figure-8.png", "curves/training.png", "evaluations/transfer/face-512/report.html"):
        assert place in page and (world["out"] / place).exists()
    data = json.loads((world["out"] / "ablation.json").read_text())
    assert [arm["arm"] for arm in data["arms"]] == ARMS and data["inputs"]["target"]["sha256"]


def test_again_nothing_is_done_twice(world: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    def content() -> dict[str, str]:
        kept = [*world["out"].glob("arms/*/dancer.safetensors"), *world["out"].glob("evaluations/*/*/*.json")]
        return {str(path): f"{path.stat().st_mtime_ns}" for path in kept}

    before = content()
    assert len(before) == 5 + 4
    assert main(command(world, "--json")) == 0
    assert content() == before
    data = json.loads(capsys.readouterr().out)
    assert data["tables"] == json.loads((world["out"] / "ablation.json").read_text())["tables"]


def test_what_is_there_is_listed(world: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(world, "--list", "train.seed=7")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and all(
        "was trained in another way: train.seed differ" in line for line in lines[1:]
    )
    assert main(command(world, "train.seed=7", "-q")) == 2
    assert "--only fbf --force" in capsys.readouterr().err


def test_an_arm_that_was_stopped_goes_on_exactly(world: dict[str, Path], tmp_path: Path) -> None:
    """Stopped after the first step of the second arm; what was finished before is kept."""
    matrix, asked = load_matrix(world["matrix"]), 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4  # before each arm and after each of its two steps

    kwargs: dict[str, Any] = {"overrides": CHANGES, "only": ["fbf", "ts"], "device": "cpu"}
    states = train_arms(matrix, world["target"], tmp_path, should_stop=stop, **kwargs)
    assert [state.status for state in states[:2]] == ["finished", "step 1"]
    first = run_of(tmp_path, "fbf").dancer
    stamp = first.stat().st_mtime_ns
    states = train_arms(matrix, world["target"], tmp_path, **kwargs)
    assert [state.status for state in states] == ["finished", "finished", "to do", "to do", "to do"]
    assert first.stat().st_mtime_ns == stamp
    for name in ("fbf", "ts"):
        assert weights_sha256(run_of(tmp_path, name).dancer) == weights_sha256(
            run_of(world["out"], name).dancer
        )


def test_an_arm_knows_when_the_one_it_began_with_has_changed(world: dict[str, Path], tmp_path: Path) -> None:
    matrix = load_matrix(world["matrix"])
    out = tmp_path / "copy"
    shutil.copytree(world["out"], out, ignore=shutil.ignore_patterns("data", "previews"))
    dancer, other = run_of(out, "fbf").dancer, run_of(out, "fbf-512").dancer
    assert all(not state.problem for state in look(matrix, world["target"], out, CHANGES)), (
        "a copy is as good"
    )
    shutil.copy(other, dancer)
    problems = {s.arm.name: s.problem for s in look(matrix, world["target"], out, CHANGES) if s.problem}
    assert problems == {"fbf-512": "began with another fbf than the one that is there now"}
    with pytest.raises(UsageError, match=r"arm fbf-512 .* began with another fbf .*--only fbf-512 --force"):
        train_arms(matrix, world["target"], out, overrides=CHANGES, only=["fbf-512"], device="cpu")
    assert weights_sha256(other) == weights_sha256(run_of(world["out"], "fbf-512").dancer), "left alone"


def test_an_arm_needs_the_one_it_begins_with(world: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"face-512 begins with ts-512, which is not trained yet"):
        train_arms(load_matrix(world["matrix"]), world["target"], tmp_path, only=["face-512"], device="cpu")
    assert not any(tmp_path.iterdir())
