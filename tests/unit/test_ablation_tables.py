"""Tables of an ablation, from planted scores: the values, the best ones, and what could not be measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dancekit.ablation.matrix import Column, Scoring, Table, load_matrix
from dancekit.ablation.scoring import Scored
from dancekit.ablation.tables import digits, how_markdown, make_table, table_markdown, write_tables
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.result import Evaluation, Score, Variant

FRAMES = 100
TITLES = {"fbf": "FBF", "ts": "T.S.", "face": "T.S. + Face"}
PROTOCOL = Protocol.model_validate(
    {
        "schema": 1,
        "name": "planted",
        "version": 3,
        "description": "Planted.",
        "metrics": [{"name": "ssim", "regions": ["box"]}],
    }
).to_json()


def score(
    metric: str, region: str, values: list[float | None], *, better: str = "higher", unit: str = ""
) -> Score:
    known = [value for value in values if value is not None]
    return Score(
        f"{metric}@1",
        region,
        float(np.mean(known)) if known else None,
        None,
        None,
        unit,
        better == "higher",
        len(known),
        tuple(values) if known else (),
        "" if known else "not available: no weights",
    )


def evaluation(
    *scores: Score, baseline: tuple[Score, ...] = (), size: tuple[int, int] = (64, 64)
) -> Evaluation:
    variants = [Variant("result", "dancer.safetensors", "result", scores)]
    if baseline:
        variants.append(Variant("nearest_neighbour", "nearest training frame", "baseline", baseline))
    return Evaluation(
        protocol=PROTOCOL,
        inputs={"real": {"name": "clip.mp4", "sha256": "ab"}},
        frames=FRAMES,
        size=size,
        rate="25",
        variants=tuple(variants),
        warnings=("masks are found, not exact",),
        environment={"detector": "blazepose@1"},
    )


def scored(**lacking: str) -> Scored:
    """FBF 0.5, T.S. 0.75 in every frame, the face arm 0.75 and once nothing; LPIPS nowhere; the nearest 0.25."""
    none: list[float | None] = [None] * FRAMES
    all_of = {"fbf": [0.5] * FRAMES, "ts": [0.75] * FRAMES, "face": [None, *[0.75] * (FRAMES - 1)]}
    missed = {"fbf": [2.0] * FRAMES, "ts": [1.0, 2.0] * (FRAMES // 2), "face": [1.5] * FRAMES}
    nearest = (
        score("ssim", "box", [0.25] * FRAMES),
        score("lpips", "box", none, better="lower"),
        score("missed_joints", "all", [0.5] * FRAMES, better="lower"),
    )
    found = {
        name: evaluation(
            score("ssim", "box", values),
            score("lpips", "box", none, better="lower"),
            score("missed_joints", "all", missed[name], better="lower"),
            baseline=nearest if name == "fbf" else (),
        )
        for name, values in all_of.items()
        if name not in lacking
    }
    scoring = Scoring(name="held-out", protocol="edn-v1", arms=list(TITLES))
    return Scored(scoring, found, {name: Path(name) for name in found}, lacking)


def table(*columns: tuple[str, str, str], baselines: bool = True) -> Table:
    return Table(
        name="table-1",
        title="Table 1: body crop",
        scores="held-out",
        baselines=["nearest_neighbour"] if baselines else [],
        columns=[Column(title=title, metric=metric, region=region) for title, metric, region in columns],
    )


SSIM, LPIPS, MISSED = ("SSIM", "ssim", "box"), ("LPIPS", "lpips", "box"), ("missed", "missed_joints", "all")


def test_values_of_baselines_and_arms() -> None:
    made = make_table(table(SSIM, MISSED), scored(), TITLES)
    assert [row.title for row in made.rows] == ["Nearest neighbour", "FBF", "T.S.", "T.S. + Face"]
    assert [[cell.value for cell in row.cells] for row in made.rows] == [
        [0.25, 0.5],
        [0.5, 2.0],
        [0.75, 1.5],
        [0.75, 1.5],
    ]
    assert [cell.frames for cell in (made.rows[2].cells[0], made.rows[3].cells[0])] == [100, 99]
    assert [head.best for head in made.heads] == [("ts", "face"), ("nearest_neighbour",)]
    assert made.how[0] == "protocol planted, version 3: 100 frames of 64x64; poses found by blazepose@1"
    assert "masks are found, not exact" in made.how and not made.notes


def test_each_arm_against_the_one_above_it() -> None:
    """Paired: the difference of the means, and its interval over the frames' differences."""
    made = make_table(table(SSIM, MISSED), scored(), TITLES)
    found = {(step.arm, step.against, step.column): step for step in made.steps}
    assert list(found) == [
        ("T.S.", "FBF", "SSIM"),
        ("T.S.", "FBF", "missed"),
        ("T.S. + Face", "T.S.", "SSIM"),
        ("T.S. + Face", "T.S.", "missed"),
    ]
    better = found["T.S.", "FBF", "SSIM"]
    assert (better.difference, better.low, better.high, better.better) == pytest.approx(
        (0.25, 0.25, 0.25, True)
    )
    fewer = found["T.S.", "FBF", "missed"]
    assert fewer.difference == pytest.approx(-0.5) and fewer.better is True, "lower is better"
    assert fewer.low is not None and fewer.high is not None and fewer.low < -0.4 < 0 and fewer.high < 0
    for column in ("SSIM", "missed"):
        assert found["T.S. + Face", "T.S.", column].better is None, "within chance"


def test_a_column_that_nobody_could_measure_is_left_out_and_said() -> None:
    made = make_table(table(SSIM, LPIPS), scored(), TITLES)
    assert [head.title for head in made.heads] == ["SSIM"]
    assert all(len(row.cells) == 1 for row in made.rows)
    assert "column LPIPS is left out: not available: no weights" in made.notes
    unknown = make_table(table(("PSNR", "psnr", "frame")), scored(), TITLES)
    assert (
        unknown.heads == () and "column PSNR is left out: the protocol does not measure it" in unknown.notes
    )


def test_arms_and_baselines_that_are_not_there_are_said() -> None:
    made = make_table(table(SSIM), scored(ts="the arm is not trained: step 3"), TITLES)
    assert [row.name for row in made.rows] == ["nearest_neighbour", "fbf", "face"]
    assert "T.S. is lacking: the arm is not trained: step 3" in made.notes
    assert [(step.arm, step.against) for step in made.steps] == [("T.S. + Face", "FBF")]
    nothing = make_table(table(SSIM), scored(fbf="stopped", ts="stopped", face="stopped"), TITLES)
    assert nothing.rows == () and len(nothing.notes) == 5  # three arms, the baseline, the column


def test_sizes_that_differ_are_not_compared_frame_by_frame() -> None:
    found = scored()
    found.evaluations["ts"] = evaluation(score("ssim", "box", [0.5] * FRAMES), size=(128, 128))
    assert not [step for step in make_table(table(SSIM), found, TITLES).steps if step.arm == "T.S."]


def test_a_score_that_is_best_near_1_is_neither_better_nor_worse_nor_best() -> None:
    found = scored()
    for name, value in (("fbf", 1.7), ("ts", 1.25)):
        found.evaluations[name] = evaluation(score("sharpness", "mask", [value] * FRAMES))
    made = make_table(table(("sharpness", "sharpness", "mask"), baselines=False), found, TITLES)
    (step,) = (each for each in made.steps if each.arm == "T.S.")
    assert (
        step.difference == pytest.approx(-0.45) and step.high == pytest.approx(-0.45) and step.better is None
    )
    assert made.heads[0].best == () and made.heads[0].direction == "best near 1"


def test_as_markdown() -> None:
    made = make_table(table(SSIM, MISSED), scored(), TITLES)
    text = table_markdown(made)
    assert text.splitlines()[:8] == [
        "**Table 1: body crop**",
        "",
        "|  | SSIM (higher) | missed (lower) |",
        "| --- | --- | --- |",
        "| Nearest neighbour | 0.25000 | **0.50000** |",
        "| FBF | 0.50000 | 2.0000 |",
        "| T.S. | **0.75000** | 1.5000 |",
        "| T.S. + Face | **0.75000** | 1.5000 |",
    ]
    assert "| T.S. | FBF | SSIM | +0.25 | [+0.25, +0.25] | better |" in text
    assert "- masks are found, not exact" in how_markdown([made, made]).splitlines()
    assert how_markdown([made, made]).count("How `held-out` was measured") == 1


def test_a_value_of_few_frames_is_shown_with_their_number() -> None:
    found = scored()
    found.evaluations["face"] = evaluation(score("ssim", "box", [0.875, *[None] * (FRAMES - 1)]))
    text = table_markdown(make_table(table(SSIM), found, TITLES))
    assert "| T.S. + Face | **0.87500** (1 frame) |" in text and "| T.S. | 0.75000 |" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.895642, "0.89564"), (0.0, "0.00000"), (2.39352, "2.3935"), (25.314, "25.31"), (-0.5, "-0.50000")],
)
def test_digits(value: float, shown: str) -> None:
    assert digits(value) == shown


def test_files(tmp_path: Path) -> None:
    matrix = load_matrix("edn-v1-tiny")
    found = {}
    for each in matrix.evaluations:
        arms = {name: evaluation(score("ssim", "box", [0.5] * FRAMES)) for name in each.arms}
        found[each.name] = Scored(each, arms, {}, {})
    made = write_tables(matrix, found, tmp_path)
    assert [each.name for each in made] == [table.name for table in matrix.tables]
    for each in made:
        data = json.loads((tmp_path / "tables" / f"{each.name}.json").read_text())
        assert data["title"] == each.title and len(data["rows"]) == len(each.rows)
        assert (tmp_path / "tables" / f"{each.name}.md").read_text().startswith(table_markdown(each))


def test_the_papers_tables_have_the_papers_rows_and_columns() -> None:
    """v1, tables 1 to 4: three models below the nearest neighbour; SSIM and LPIPS; body, face, hands, all."""
    for name in ("edn-v1", "edn-v1-tiny"):
        matrix = load_matrix(name)
        tables = {table.name: table for table in matrix.tables}
        crops = {"table-1": "box", "table-2": "face"}
        metrics = {"table-3": "pose_distance", "table-4": "missed_joints"}
        for each, region in crops.items():
            assert [(c.metric, c.region) for c in tables[each].columns] == [
                ("ssim", region),
                ("lpips", region),
            ]
        for each, metric in metrics.items():
            parts = [(metric, part) for part in ("body", "face", "hands", "all")]
            assert [(c.metric, c.region) for c in tables[each].columns] == parts
        for each in (*crops, *metrics):
            assert tables[each].baselines == ["nearest_neighbour"]
            assert matrix.scoring(tables[each].scores).arms == ["fbf-512", "ts-512", "face-512"]
            assert matrix.scoring(tables[each].scores).protocol == "edn-v1"
