"""Figures and curves of an ablation: which frames, which crops, lines where the numbers are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dancekit.ablation.arms import ArmState
from dancekit.ablation.curves import loss_panels, smoothed
from dancekit.ablation.figures import FACE_HEIGHT, GAP, LABEL, moments, table_of_crops
from dancekit.ablation.matrix import load_matrix
from dancekit.ablation.plot import COLOURS, PANEL, Line, Panel, draw_panels, ticks
from dancekit.config import load_recipe
from dancekit.training.run import Run


@pytest.mark.parametrize(
    ("count", "sections", "frames", "every", "expected"),
    [
        (100, 2, 3, 1, [[24, 25, 26], [74, 75, 76]]),
        (100, 1, 5, 10, [[30, 40, 50, 60, 70]]),
        (10, 2, 1, 1, [[2], [7]]),
        (3, 1, 5, 1, [[0, 1, 2]]),
    ],
)
def test_moments(count: int, sections: int, frames: int, every: int, expected: list[list[int]]) -> None:
    found = moments(count, sections, frames, every)
    assert found == expected
    assert all(0 <= number < count for section in found for number in section)


def test_crops_of_a_row_are_cut_by_one_box_and_stand_under_their_titles() -> None:
    """Every frame is grey but for its box, which is filled with the number's colour."""
    box = {3: (10, 20, 40, 50), 7: (30, 0, 60, 30)}

    def frame(number: int, colour: tuple[int, int, int]) -> np.ndarray:
        picture = np.full((80, 80, 3), 128, np.uint8)
        left, top, right, bottom = box[number]
        picture[top:bottom, left:right] = colour
        return picture

    columns = {
        "truth": {3: frame(3, (250, 0, 0)), 7: frame(7, (0, 250, 0))},
        "painted": {3: frame(3, (0, 0, 250)), 7: frame(7, (250, 250, 0))},
    }
    sheet = table_of_crops(columns, [3, 7], box, FACE_HEIGHT)
    side = FACE_HEIGHT
    assert sheet.shape == (LABEL + 2 * (side + GAP), 2 * (side + GAP), 3)
    middles = [
        [sheet[LABEL + side // 2 + y * (side + GAP), side // 2 + x * (side + GAP)] for x in (0, 1)]
        for y in (0, 1)
    ]
    assert [[tuple(map(int, pixel)) for pixel in row] for row in middles] == [
        [(250, 0, 0), (0, 0, 250)],
        [(0, 250, 0), (250, 250, 0)],
    ]
    corner = sheet[LABEL : LABEL + side, :side]
    assert np.all(corner == (250, 0, 0)), "the whole box, and nothing of what is around it"
    assert (sheet[:LABEL, :side] < 100).any() and (sheet[:LABEL, side + GAP : 2 * side] < 100).any(), "titles"


def test_a_figure_without_a_frame_says_so() -> None:
    assert (table_of_crops({"truth": {}}, [], {}, 100) < 100).any()


def test_lines_are_where_their_numbers_are() -> None:
    x = np.arange(11.0)
    up = draw_panels([Panel("up", (Line("a", x, x),))])
    down = draw_panels([Panel("down", (Line("a", x, -x),))])
    assert up.shape == (PANEL[1] + 26, PANEL[0], 3)
    blue = np.array([int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)])

    def rows_of(picture: np.ndarray, part: slice) -> float:
        inside = picture[30 : PANEL[1] - 30, part].astype(int)
        at = np.argwhere(np.abs(inside - blue).sum(-1) < 40)
        return float(at[:, 0].mean())

    left, right = slice(70, 110), slice(360, 400)
    assert rows_of(up, left) > rows_of(up, right) + 100
    assert rows_of(down, left) < rows_of(down, right) - 100


def test_gaps_equal_values_and_nothing_are_no_trouble() -> None:
    x = np.arange(4.0)
    lines = (Line("a", x, np.array([1, np.nan, 1, np.nan])), Line("b", x, np.full(4, np.nan)))
    picture = draw_panels([Panel("flat", lines), Panel("empty", (lines[1],))], columns=3)
    assert picture.shape == (PANEL[1] + 26, 2 * PANEL[0], 3)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.83, 0.91), (-3e-5, 7e-4), (12, 4321), (0, 7)])
def test_ticks_are_round_and_few_and_within(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 8
    assert all(low - 1e-9 <= value <= high + 1e-9 * (high - low) + 1e-12 for value in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])
    digits = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
    assert round(float(digits), 6) in (1, 2, 2.5, 5)


def test_smoothing_is_the_mean_of_what_is_there() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 9.0])
    assert smoothed(values, 3) == pytest.approx([1.5, 1.5, np.nan, 6.5, 6.5], nan_ok=True)
    assert smoothed(values, 1) == pytest.approx(values, nan_ok=True)


def test_losses_of_the_arms(tmp_path: Path) -> None:
    """A panel a loss, a line an arm; an arm without that loss has no line there."""
    arms = load_matrix("edn-v1-tiny").arms
    recipe = load_recipe("tiny")
    states = []
    for number, arm in enumerate(arms[:2]):
        run = Run(tmp_path / arm.name)
        run.folder.mkdir()
        only = {"face_l1": 0.5} if number else {}
        lines = [
            {"step": step, "stage": "body", "seconds_per_step": 9.0, "l1": step + number, **only}
            for step in (1, 10, 20)
        ]
        run.metrics_file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        states.append(ArmState(arm, recipe, run))
    panels = {panel.title: panel for panel in loss_panels(states)}
    assert list(panels) == ["l1", "face_l1"]
    assert [line.title for line in panels["l1"].lines] == [arm.title for arm in arms[:2]]
    assert [line.title for line in panels["face_l1"].lines] == [arms[1].title]
    assert panels["l1"].lines[1].x.tolist() == [1, 10, 20]
    assert panels["l1"].lines[0].y[1] == pytest.approx(np.mean([1, 10, 20]))
    assert json.dumps([line.title for line in panels["l1"].lines])
    assert loss_panels([ArmState(arms[2], recipe, Run(tmp_path / "nobody"))]) == []
