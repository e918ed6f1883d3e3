"""Comparisons: what differs in recipes and scores, and whether by more than chance; tables of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dancekit.errors import DancekitError, UsageError
from dancekit.evaluate.compare import compare, load_evaluation
from dancekit.evaluate.ladder import ladder_costs
from dancekit.evaluate.output import output_folder, write_evaluation
from dancekit.evaluate.protocols import load_protocol
from dancekit.evaluate.result import Evaluation, Score, Variant
from dancekit.evaluate.tables import cost_table, ladder_table, markdown, missing_notes, score_table

T = 200


def psnr(values: np.ndarray, region: str = "mask") -> Score:
    mean = float(np.mean(values))
    return Score("psnr@1", region, mean, mean - 1, mean + 1, "dB", True, T, tuple(map(float, values)))


def drift(value: float | None) -> Score:
    return Score("drift@1", "frame", value, None, None, "", False, T if value is not None else 0, (), "")


@pytest.fixture
def hard() -> np.ndarray:
    """How hard the frames are: far larger differences than between two results."""
    return 25 + 4 * np.sin(np.arange(T) / 13) + np.random.default_rng(0).normal(0, 0.1, T)


def evaluation(*scores: Score, recipe: dict | None = None, real: str = "ab", **more) -> Evaluation:
    return Evaluation(
        protocol=load_protocol("paired").to_json(),
        inputs={"real": {"name": "truth.mp4", "sha256": real}},
        frames=T,
        size=(64, 64),
        rate="25",
        variants=(Variant("result", "Result", "result", scores), *more.pop("others", ())),
        environment={"recipe": recipe} if recipe is not None else {},
        **more,
    )


RECIPE = {
    "generator": {"name": "pix2pixhd", "params": {"ngf": 32}},
    "losses": [{"name": "l1", "weight": 10.0}],
    "train": {"steps": 2000},
    "summary": "one",
}


def test_a_small_steady_difference_is_found_beneath_a_large_common_one(hard: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, T)
    (found,) = compare(["a", "b"], [evaluation(psnr(hard)), evaluation(psnr(hard + 0.4 + noise))])
    (difference,) = found.differences
    assert difference.better is True
    assert difference.low < 0.4 + noise.mean() < difference.high
    assert difference.high - difference.low < 0.2, "the frames themselves differ by 8 dB"
    assert f"better in psnr (mask) by {0.4 + noise.mean():+.3g} dB" in found.sentence


def test_what_is_lower_is_better(hard: np.ndarray) -> None:
    l1 = [Score("l1@1", "mask", 0.0, 0.0, 0.0, "", False, T, tuple(hard + d)) for d in (0, 1)]
    (found,) = compare(["a", "b"], [evaluation(l1[0]), evaluation(l1[1])])
    assert found.differences[0].better is False
    assert "worse in l1 (mask)" in found.sentence


def test_chance_is_called_chance(hard: np.ndarray) -> None:
    noise = np.random.default_rng(2).normal(0, 1, T)
    (found,) = compare(["a", "b"], [evaluation(psnr(hard)), evaluation(psnr(hard + noise - noise.mean()))])
    assert found.differences[0].better is None
    assert "No score differs by more than chance." in found.sentence


def test_how_often_equals_are_called_different() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(60):
        one, other = (psnr(np.convolve(rng.normal(0, 1, T + 9), np.ones(10) / 10, "valid")) for _ in range(2))
        (found,) = compare(["a", "b"], [evaluation(one), evaluation(other)])
        wrong += found.differences[0].better is not None
    assert wrong <= 8, "5 % of 60 are 3"


def test_recipes_are_told_apart_as_overrides_would_name_them(hard: np.ndarray) -> None:
    other = json.loads(json.dumps(RECIPE))
    other["generator"]["params"]["ngf"] = 64
    other["losses"][0]["weight"] = 20.0
    other["summary"] = "two"
    (found,) = compare(
        ["a", "b"], [evaluation(psnr(hard), recipe=RECIPE), evaluation(psnr(hard), recipe=other)]
    )
    assert found.recipe == ("generator.ngf: 32 -> 64", "losses[0].weight: 10.0 -> 20.0")
    assert found.sentence.startswith("b differs from a in generator.ngf: 32 -> 64 and losses[0].weight")
    (same,) = compare(["a", "b"], [evaluation(psnr(hard), recipe=RECIPE)] * 2)
    assert same.recipe == ()
    assert "the same recipe" in same.sentence
    (unknown,) = compare(["a", "b"], [evaluation(psnr(hard))] * 2)
    assert unknown.recipe is None


def test_numbers_of_a_whole_clip_have_no_interval(hard: np.ndarray) -> None:
    (found,) = compare(["a", "b"], [evaluation(drift(1.0), drift(None)), evaluation(drift(2.0))])
    assert [(d.first, d.other, d.low, d.better) for d in found.differences] == [(1.0, 2.0, None, None)]


def test_only_what_was_measured_alike_is_compared(hard: np.ndarray) -> None:
    one = evaluation(psnr(hard))
    with pytest.raises(UsageError, match="not measured on the same frames"):
        compare(["a", "b"], [one, evaluation(psnr(hard), real="cd")])
    other = Evaluation(**{**vars(one), "protocol": load_protocol("self").to_json()})
    with pytest.raises(UsageError, match=r"different protocols: .*metrics.*differ"):
        compare(["a", "b"], [one, other])
    with pytest.raises(UsageError, match="needs two"):
        compare(["a"], [one])


def test_where_evaluations_lie(tmp_path: Path, hard: np.ndarray) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(UsageError, match=r"make one: dancekit evaluate .*run --out .*run/evaluation"):
        load_evaluation(run)
    made = evaluation(psnr(hard), drift(None), frame_warnings={3: "odd, pose"})
    with output_folder(run / "evaluation", force=False) as folder:
        write_evaluation(made, folder)
    for place in (run, run / "evaluation", run / "evaluation" / "evaluation.json"):
        assert load_evaluation(place) == made
    (run / "evaluation" / "evaluation.json").write_text('{"format": 1}')
    with pytest.raises(DancekitError, match="is no evaluation"):
        load_evaluation(run)


def test_the_tables_on_the_disk(tmp_path: Path, hard: np.ndarray) -> None:
    import csv

    write_evaluation(evaluation(psnr(hard), drift(None), frame_warnings={3: 'odd, "pose"'}), tmp_path)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["metric"], row["region"]) for row in rows] == [("psnr@1", "mask"), ("drift@1", "frame")]
    assert float(rows[0]["value"]) == pytest.approx(hard.mean(), rel=1e-5)
    assert rows[1]["value"] == ""
    with (tmp_path / "per_frame.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == T
    assert rows[3]["warning"] == 'odd, "pose"'
    assert float(rows[7]["result/psnr@1/mask"]) == pytest.approx(hard[7], rel=1e-5)


class TestFolder:
    def test_appears_whole_or_not_at_all(self, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        with pytest.raises(RuntimeError), output_folder(out, force=False) as folder:
            (folder / "x").write_text("half")
            raise RuntimeError
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_replaces_evaluations_only(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        for force in (False, True):
            with pytest.raises(UsageError), output_folder(out, force=force):
                pass
        assert (out / "thesis.txt").read_text() == "mine"
        (out / "evaluation.json").write_text("{}")
        with output_folder(out, force=True) as folder:
            (folder / "evaluation.json").write_text("new")
        assert sorted(path.name for path in out.iterdir()) == ["evaluation.json"]

    def test_none_for_nothing(self) -> None:
        with output_folder(None, force=False) as folder:
            assert folder is None


def test_what_each_step_of_the_ladder_costs(hard: np.ndarray) -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, T)
    rungs = {"true_pose": 3.0, "pose_of_truth": 2.5, "true_source_pose": 1.0}
    others = tuple(Variant(name, name, "ladder", (psnr(hard + up),)) for name, up in rungs.items())
    made = evaluation(psnr(hard + noise), others=others)
    costs = {cost.what: cost for cost in ladder_costs(made)}
    assert costs["pose of the target"].value == pytest.approx(0.5)
    assert costs["retargeting of a true pose"].value == pytest.approx(2.0)
    assert costs["pose of the source"].value == pytest.approx(1.0, abs=0.05)
    assert costs["all of pose and retargeting"].low < 3 < costs["all of pose and retargeting"].high
    head, rows = ladder_table(made)
    assert [row[0] for row in rows][-1].startswith("the result")
    assert head[1] == "psnr (mask)"
    assert cost_table(made)[1][-1][0] == "painting: what is left"
    assert ladder_costs(evaluation(psnr(hard))) == []
    assert ladder_table(evaluation(psnr(hard))) is None


def test_the_table_of_scores(hard: np.ndarray) -> None:
    median = Variant("temporal_median", "Median", "baseline", (psnr(hard - 5),))
    made = evaluation(psnr(hard), drift(None), others=(median,))
    head, rows = score_table(made)
    assert head == ["metric", "where", "result", "95 % interval", "median"]
    assert rows[0][0] == "psnr (dB, higher is better)"
    assert rows[0][4] == f"{hard.mean() - 5:.2f}"
    assert len(rows) == 1 and missing_notes(made)[0].startswith("drift/")  # no row of dashes, but the reason
    assert markdown((head, rows)).splitlines()[1] == "| --- | --- | --- | --- | --- |"
