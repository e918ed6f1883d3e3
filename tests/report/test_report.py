"""The report's HTML without a browser: what it says, that nothing in it can run or fetch, and its videos."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_evaluation import BITS, BLOCK, FRAMES, RATE, SIZE, evaluation, numbered, psnr, without_videos, write

from dancekit.errors import DancekitError, OutputExists
from dancekit.evaluate.report import page, write_report
from dancekit.evaluate.report.embed import STEPS, embed
from dancekit.evaluate.report.html import embed_json
from dancekit.evaluate.report.pictures import worst_region
from dancekit.evaluate.result import Evaluation, Score
from dancekit.video import probe, read_frames


class Page(HTMLParser):
    """What a browser would make of it: scripts, text, tags and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.styles: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self.tags[-1][1], data))
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def data(self) -> dict[str, Any]:
        (text,) = (text for attributes, text in self.scripts if attributes.get("id") == "data")
        return dict(json.loads(text))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    folder = tmp_path_factory.mktemp("report")
    found = evaluation(folder)
    write_report(found, folder / "report.html", folder=folder)
    return found, folder / "report.html"


@pytest.fixture(scope="module")
def parsed(made: tuple[Evaluation, Path]) -> Page:
    return Page(made[1].read_text("utf-8"))


def test_text_of_files_stays_text(parsed: Page) -> None:
    assert {attributes.get("src", "")[:5] for tag, attributes in parsed.tags if tag == "img"} <= {"data:"}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert sum(tag == "script" for tag, _ in parsed.tags) == 5 + 2  # five videos, the data, the program
    assert "<img src=x onerror=" in parsed.words()


def test_nothing_in_it_reaches_the_network_and_only_its_own_script_may_run(parsed: Page) -> None:
    for tag, attributes in parsed.tags:
        assert tag not in ("iframe", "object", "embed", "form", "base", "a")
        assert "style" not in attributes, f"the policy forbids the style attribute of {tag}"
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    (policy,) = (
        a["content"] or "" for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:" and rules["media-src"] == "blob:"
    (script,) = (text for attributes, text in parsed.scripts if not attributes)
    (style,) = parsed.styles
    for name, content in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_it_says_the_numbers_their_intervals_and_baselines(
    made: tuple[Evaluation, Path], parsed: Page
) -> None:
    words = parsed.words()
    value = made[0].variants[0].score("psnr", "mask")
    assert value is not None and value.value is not None
    assert f"{value.value:.2f} dB" in words.replace(" dB", "dB").replace("dB", " dB")
    assert f"{value.value - 0.5:.2f} to {value.value + 0.5:.2f}" in words
    assert f"{value.value - 20:.2f} dB better than the best baseline, nearest training frame." in words
    assert "ab" * 32 in words and "0123abc" in words and "441.25" in words and "c_close" in words
    assert "not available" in words and "no weights" in words
    assert f"Both together cost {26 - value.value:.2f} dB." in words
    assert "Frames 10–11" in words and "Frame 20" in words


def test_the_videos_are_in_it_unchanged(made: tuple[Evaluation, Path], parsed: Page) -> None:
    scripts = {attributes["id"]: text for attributes, text in parsed.scripts if "id" in attributes}
    for key, name in (("v0", "result"), ("truth", "truth"), ("source", "source"), ("v3", "true_pose")):
        original = (made[1].parent / f"{name}.mp4").read_bytes()
        assert base64.b64decode(scripts[f"video-{key}"]) == original
    views = {view["key"]: view for view in parsed.data()["views"]}
    assert [view["frames"] for view in views.values()] == [FRAMES, FRAMES, FRAMES, FRAMES, 0, FRAMES]
    assert parsed.data()["rate"] == [30000, 1001]


def test_worst_frames_are_the_worst_ones_with_pictures(parsed: Page) -> None:
    data = parsed.data()
    first = data["series"][0]
    assert first["region"] == "mask" and first["worst"][:2] == [25, 6] and 3 not in first["worst"]
    assert set(map(str, first["worst"])) <= set(data["thumbnails"])
    assert first["values"][0][3] is None


def test_a_report_without_videos_still_has_its_numbers(tmp_path: Path, made: tuple[Evaluation, Path]) -> None:
    write_report(without_videos(made[0]), tmp_path / "r.html", folder=tmp_path)
    data = Page((tmp_path / "r.html").read_text("utf-8")).data()
    assert not data["thumbnails"] and data["series"] and all(view["frames"] == 0 for view in data["views"])


def test_nothing_is_overwritten_and_a_missing_video_is_named(
    tmp_path: Path, made: tuple[Evaluation, Path]
) -> None:
    with pytest.raises(OutputExists):
        write_report(made[0], made[1], folder=made[1].parent)
    lost = replace(made[0], real_video="gone.mp4")
    with pytest.raises(DancekitError, match=r"gone\.mp4"):
        write_report(lost, tmp_path / "r.html", folder=made[1].parent)
    assert not (tmp_path / "r.html").exists()


def test_a_curve_of_another_length_than_the_clip_is_refused(
    tmp_path: Path, made: tuple[Evaluation, Path]
) -> None:
    short = with_values(made[0], "nearest_neighbour", psnr([20.0] * (FRAMES - 1)))
    with pytest.raises(DancekitError, match="nearest_neighbour: psnr@1 in mask has 39 numbers for 40 frames"):
        write_report(short, tmp_path / "r.html", folder=made[1].parent)


@given(st.text())
def test_json_never_ends_its_script(text: str) -> None:
    embedded = str(embed_json({text: [text, "</script><!--", "&amp;"]}))
    assert not set("<>&") & set(embedded)
    assert json.loads(embedded) == {text: [text, "</script><!--", "&amp;"]}
    assert html.unescape(embedded) == embedded


# ---- verdicts ----------------------------------------------------------------------------------------------


def with_values(found: Evaluation, name: str, score: Score) -> Evaluation:
    return replace(
        found, variants=tuple(replace(v, scores=(score,)) if v.name == name else v for v in found.variants)
    )


def test_a_result_that_is_worse_than_a_baseline_is_said_to_be(made: tuple[Evaluation, Path]) -> None:
    better = with_values(made[0], "nearest_neighbour", psnr([28.0] * FRAMES))
    panel = page.headlines(better)[0]
    assert not panel.beaten and "worse than a baseline: nearest training frame" in panel.verdict


def test_the_true_frame_before_is_no_rival_and_sharp_copies_are_none(made: tuple[Evaluation, Path]) -> None:
    # previous_frame has 30 dB, the result less: still it beats every baseline that does not know the truth
    assert page.headlines(made[0])[0].beaten
    sharp = Score("sharpness@1", "mask", 0.4, None, None, "", True, FRAMES)
    copied = replace(sharp, value=1.0)
    found = with_values(with_values(made[0], "result", sharp), "nearest_neighbour", copied)
    (panel,) = page.headlines(found)
    assert panel.verdict == "" and panel.better == "best near 1"


def test_the_worst_of_a_ratio_are_those_far_from_one(made: tuple[Evaluation, Path]) -> None:
    values = [1.0] * FRAMES
    values[8], values[30] = 2.5, 0.2
    sharp = Score("sharpness@1", "mask", 1.0, None, None, "", True, FRAMES, per_frame=tuple(values))
    (curve,) = page.series(without(made[0], sharp))
    assert curve["worst"][:2] == [8, 30]


def without(found: Evaluation, score: Score) -> Evaluation:
    return replace(found, variants=(replace(found.variants[0], scores=(score,)),))


def test_equal_frames_are_drawn_as_100_db(made: tuple[Evaluation, Path]) -> None:
    (curve,) = page.series(without(made[0], psnr([float("inf"), float("nan"), 20.0] + [21.0] * (FRAMES - 3))))
    assert curve["values"][0][:3] == [100.0, None, 20.0]


def test_evaluation_keeps_its_boxes_through_json(made: tuple[Evaluation, Path]) -> None:
    again = Evaluation.from_json(json.loads(json.dumps(made[0].to_json())))
    assert again.boxes == made[0].boxes and again.frame_warnings == made[0].frame_warnings


# ---- videos and pictures -----------------------------------------------------------------------------------


def numbers_in(text: str, tmp_path: Path) -> list[int]:
    """The numbers that the frames of an embedded video say."""
    path = tmp_path / "embedded.mp4"
    path.write_bytes(base64.b64decode(text))
    found = []
    for frame in read_frames(path):
        row = frame.rgb[8, BLOCK // 2 : BLOCK * BITS : BLOCK].mean(1) > 127
        found.append(int((row * 2 ** np.arange(BITS)).sum()))
    return found


def test_another_rate_becomes_one_picture_a_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "slow.mp4", frames=12, rate=Fraction(10))
    embedded = embed(path, frames=12, rate=RATE, budget=10**7)
    assert "encoded again" in embedded.note and embedded.frames == 12
    assert numbers_in(embedded.base64, tmp_path) == list(range(12))
    assert probe(tmp_path / "embedded.mp4").rate == RATE


def test_frames_beyond_are_left_out_and_missing_ones_held_both_said(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", frames=12)
    long = embed(path, frames=9, rate=RATE, budget=10**7)
    assert "frames 9 to 11 of the file were not compared" in long.note
    assert numbers_in(long.base64, tmp_path) == list(range(9))
    short = embed(path, frames=20, rate=RATE, budget=10**7)
    assert "only 12 frames" in short.note and short.frames == 12


def test_a_video_over_its_budget_is_made_smaller_and_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", frames=12, crf=8, noise=200)
    size = path.stat().st_size
    embedded = embed(path, frames=12, rate=RATE, budget=size - 1)
    assert f"crf {STEPS[0][1]}" in embedded.note and len(embedded.base64) * 3 // 4 < size
    assert numbers_in(embedded.base64, tmp_path) == list(range(12))
    hopeless = embed(path, frames=12, rate=RATE, budget=1)
    assert "larger than its share" in hopeless.note and f"crf {STEPS[-1][1]}" in hopeless.note


def test_the_worst_region_is_where_the_error_was_planted() -> None:
    real = numbered(0)
    fake = real.copy()
    fake[50:60, 90:100] = 255
    box = worst_region(fake, real)
    assert box is not None
    x, y, width, height = box
    assert x <= 90 and x + width >= 100 and y <= 50 and y + height >= 60
    assert min(x, y) >= 0 and x + width <= SIZE[0] and y + height <= SIZE[1]
    assert worst_region(real, real) is None


def test_the_worst_region_stays_while_it_is_nearly_the_worst() -> None:
    real = numbered(0)
    fake = real.copy()
    fake[20:30, 10:20] += 100
    fake[60:70, 90:100] += 90
    first = worst_region(fake, real)
    fake[60:70, 90:100] += 15
    assert first is not None and worst_region(fake, real) != first
    assert worst_region(fake, real, first) == first
    fake[20:30, 10:20] = real[20:30, 10:20]
    assert worst_region(fake, real, first) != first


def test_facts_flatten_what_was_nested() -> None:
    rows = page.facts({"a": {"b": 0.123456789, "c": [1, None]}, "d": None})
    assert rows == [("a.b", "0.123457"), ("a.c", "1, none"), ("d", "none")]
    metrics = [
        {"name": "psnr", "params": {}, "regions": ["mask", "box"]},
        {"name": "fid", "params": {"net": "x"}},
    ]
    assert page.facts({"metrics": metrics}) == [("metrics", "psnr: regions mask, box; fid: params net x")]


def test_a_remark_is_said_once_and_cells_point_to_it(made: tuple[Evaluation, Path]) -> None:
    score = replace(psnr([20.0] * FRAMES), why="masks are not exact")
    lost = Score("lpips@1", "mask", None, None, None, "", False, 0, why="no weights")
    scores = (score, replace(score, region="box"), lost)
    found = replace(made[0], variants=(replace(made[0].variants[0], scores=scores),))
    assert page.remarks(found) == ["masks are not exact", "no weights"]
    cells = [group["cells"][0] for group in page.table(found)]
    assert [cell["note"] for cell in cells] == [1, 1, 2]
    assert [cell["available"] for cell in cells] == [True, True, False]
    assert not any(cell["best"] for cell in cells), "alone, nothing is best"


def test_titles_get_a_capital_but_file_names_stay() -> None:
    assert page.short("baseline: not retargeted") == "Not retargeted"
    assert page.short("painted.mp4") == "painted.mp4"
