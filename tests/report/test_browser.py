"""Both pages in headless Chromium: what is seen, clicked and counted there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from make_evaluation import BITS, BLOCK, FRAMES, RATE, evaluation, psnr, without_videos, write
from scipy.stats import binomtest

from dancekit.evaluate.report import sum_answers, write_blind, write_report

RED, BLUE = (200, 40, 40), (40, 40, 200)

READ = """
const numbers = {};
for (const video of document.querySelectorAll("#screens video")) {
  if (video.seeking || video.readyState < 2) return null;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0);
  let number = 0;
  for (let bit = 0; bit < BITS; bit++) {
    number += (pen.getImageData(BLOCK * bit + BLOCK / 2, 8, 1, 1).data[0] > 127) << bit;
  }
  numbers[video.dataset.key] = number;
}
return numbers;
""".replace("BITS", str(BITS)).replace("BLOCK", str(BLOCK))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_report(evaluation(folder), folder / "report.html", folder=folder)
    return folder / "report.html"


def until(look: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 20) -> Any:
    """Wait for something; what was seen last is returned, right or wrong."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if wanted(seen) or time.monotonic() > end:
            return seen
        time.sleep(0.05)


def shown(browser: Any, frame: int) -> dict[str, int]:
    """The number that each video's picture says, once the right one is there."""
    seen = until(
        lambda: browser.execute_script(READ),
        lambda numbers: bool(numbers) and set(numbers.values()) == {frame},
    )
    return dict(seen)


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.keys import Keys

    body = browser.find_element("css selector", "body")
    for key in keys:
        body.send_keys(getattr(Keys, key, key))


def open_page(browser: Any, path: Path) -> None:
    browser.get(path.as_uri())


def test_all_videos_show_the_same_frame_whatever_moves_them(browser: Any, report: Path) -> None:
    open_page(browser, report)
    three = ("source", "v0", "truth")
    assert shown(browser, 25) == dict.fromkeys(three, 25), "opens at the worst frame"
    for keys, frame in (
        (("HOME",), 0),
        (("ARROW_RIGHT",) * 3, 3),
        (("ARROW_LEFT",), 2),
        (("END",), FRAMES - 1),
        (("ARROW_RIGHT",), FRAMES - 1),
    ):
        press(browser, *keys)
        assert shown(browser, frame) == dict.fromkeys(three, frame), keys
    move(browser, 17)
    assert shown(browser, 17) == dict.fromkeys(three, 17)
    for frame in range(0, FRAMES, 3):
        move(browser, frame)
        assert shown(browser, frame) == dict.fromkeys(three, frame)


@pytest.fixture(scope="module")
def long_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """960 frames: far seeks take time there, as in any real clip."""
    folder = tmp_path_factory.mktemp("long")
    found = evaluation(folder)
    write(folder / "long.mp4", frames=960)
    result = replace(found.variants[0], scores=(psnr([20.0] * 960),), video="long.mp4")
    long = replace(found, frames=960, variants=(result,), real_video="long.mp4", source_video=None, boxes={})
    assert long.rate == str(RATE)
    write_report(long, folder / "long.html", folder=folder)
    return folder / "long.html"


def test_the_exact_rate_counts_in_a_long_clip(browser: Any, long_report: Path) -> None:
    # at 30 instead of 30000/1001 frames a second, the last frames would be taken for those after
    open_page(browser, long_report)
    for keys, frame in ((("END",), 959), (("ARROW_LEFT",), 958), (("ARROW_LEFT",), 957), (("HOME",), 0)):
        press(browser, *keys)
        assert shown(browser, frame) == {"v0": frame, "truth": frame}


def current(browser: Any) -> int:
    return int(browser.find_element("id", "scrub").get_attribute("value"))


def move(browser: Any, frame: int) -> None:
    """As dragging the slider does."""
    script = """
    const slider = document.getElementById("scrub");
    slider.value = arguments[0];
    slider.dispatchEvent(new Event("input"));
    """
    browser.execute_script(script, frame)


def choose(browser: Any, select: str, value: str) -> None:
    script = """
    const select = document.getElementById(arguments[0]);
    select.value = arguments[1];
    select.dispatchEvent(new Event("change"));
    """
    browser.execute_script(script, select, value)


LISTEN = """
window.started = [];
for (const video of document.querySelectorAll("#screens video")) {
  video.addEventListener("playing", () => started.push(Math.floor(video.currentTime * 30000 / 1001)));
}
"""


@pytest.mark.parametrize("way", ["loop", "seek"])
def test_a_jump_while_playing_goes_on_from_there(browser: Any, long_report: Path, way: str) -> None:
    open_page(browser, long_report)
    choose(browser, "speed", "0.25")
    move(browser, 100)
    shown(browser, 100)
    if way == "loop":
        choose(browser, "loop", "here")  # frames 100 to 159
    move(browser, 155)
    shown(browser, 155)
    browser.execute_script(LISTEN)
    press(browser, " ")
    until(lambda: current(browser), lambda frame: frame >= 157)
    if way == "seek":
        move(browser, 100)
    started = lambda: browser.execute_script("return started")  # noqa: E731
    until(started, lambda frames: len(frames) >= 4)
    until(lambda: current(browser), lambda frame: 102 <= frame < 150)
    press(browser, " ")
    # the jump is asked for while the seek that ends the playing still runs: it must not be lost
    assert all(155 <= frame < 160 for frame in started()[:2]), started()
    assert all(100 <= frame < 105 for frame in started()[2:4]), started()
    frame = current(browser)
    assert shown(browser, frame) == {"v0": frame, "truth": frame}


def click_chart(browser: Any, frame: int) -> None:
    from selenium.webdriver import ActionChains

    chart = browser.find_element("id", "chart")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    width = chart.size["width"]
    x = 44 + (frame + 0.5) / FRAMES * (width - 52)
    ActionChains(browser).move_to_element_with_offset(chart, round(x - width / 2), 0).click().perform()


def test_a_click_on_the_curve_moves_the_videos(browser: Any, report: Path) -> None:
    open_page(browser, report)
    for frame in (6, 31):
        click_chart(browser, frame)
        assert set(shown(browser, frame).values()) == {frame}
    cursor = browser.find_element("css selector", "#chart .now-line")
    width = browser.find_element("id", "chart").size["width"]
    assert float(cursor.get_attribute("x1")) == pytest.approx(44 + 31.5 / FRAMES * (width - 52), abs=0.6)
    assert (
        browser.find_element("css selector", "#worst button[data-frame='6']").text.split("\n")[-1]
        == "20.00 dB"
    )
    browser.find_element("css selector", "#worst button[data-frame='6']").click()
    assert set(shown(browser, 6).values()) == {6}
    browser.find_element("css selector", ".alert button[data-frame='20']").click()
    assert set(shown(browser, 20).values()) == {20}
    assert browser.find_element("id", "frame-warning").text == "other"


def test_playing_keeps_them_together_and_pausing_stops_on_one_frame(browser: Any, report: Path) -> None:
    open_page(browser, report)
    shown(browser, 25)
    press(browser, "HOME")
    shown(browser, 0)
    press(browser, " ")
    until(lambda: int(browser.find_element("id", "scrub").get_attribute("value")), lambda frame: frame >= 5)
    press(browser, " ")
    assert browser.find_element("id", "play").get_attribute("aria-label") == "Play"
    frame = int(browser.find_element("id", "scrub").get_attribute("value"))
    assert frame >= 5
    assert set(shown(browser, frame).values()) == {frame}
    paused = "return [...document.querySelectorAll('#screens video')].map((video) => video.paused)"
    assert browser.execute_script(paused) == [True] * 3


def test_without_a_loop_it_stops_at_the_end_and_with_one_it_goes_on(browser: Any, report: Path) -> None:
    open_page(browser, report)
    shown(browser, 25)
    choose(browser, "loop", "off")
    press(browser, "END", "ARROW_LEFT", "ARROW_LEFT", "ARROW_LEFT", " ")
    assert shown(browser, FRAMES - 1) == dict.fromkeys(("source", "v0", "truth"), FRAMES - 1)
    label = lambda: browser.find_element("id", "play").get_attribute("aria-label")  # noqa: E731
    assert until(label, lambda text: text == "Play") == "Play"
    choose(browser, "loop", "all")
    press(browser, " ")
    value = lambda: int(browser.find_element("id", "scrub").get_attribute("value"))  # noqa: E731
    assert until(value, lambda frame: 2 <= frame < 30) < 30
    assert label() == "Pause"
    press(browser, " ")


def test_a_variant_that_is_ticked_joins_at_the_same_frame(browser: Any, report: Path) -> None:
    open_page(browser, report)
    shown(browser, 25)
    for key in ("v1", "v3"):
        browser.find_element("css selector", f"[data-view='{key}']").click()
    assert shown(browser, 25) == dict.fromkeys(("source", "v0", "truth", "v1", "v3"), 25)
    order = "return [...document.querySelectorAll('#screens video')].map((video) => video.dataset.key)"
    assert browser.execute_script(order) == ["source", "v0", "truth", "v1", "v3"]
    # the baseline that has no video is drawn from the start
    assert len(browser.find_elements("css selector", "#chart .curve")) == 4
    assert "painted from the true pose" in browser.find_element("id", "legend").text.lower()
    browser.find_element("css selector", "[data-view='source']").click()
    assert "source" not in shown(browser, 25)
    browser.find_element("css selector", "[data-view='v3']").click()
    assert len(browser.find_elements("css selector", "#chart .curve")) == 3
    assert "painted from the true pose" not in browser.find_element("id", "legend").text.lower()


def test_five_frames_in_a_row_and_the_close_ups_are_painted(browser: Any, report: Path) -> None:
    open_page(browser, report)
    shown(browser, 25)
    painted = """
    const numbers = [];
    for (const canvas of document.querySelectorAll("#five canvas")) {
      if (!canvas.dataset.frame) return [];
      const pen = canvas.getContext("2d"), by = canvas.width / 128;
      let number = 0;
      for (let bit = 0; bit < BITS; bit++) {
        number += (pen.getImageData((BLOCK * bit + BLOCK / 2) * by, 8 * by, 1, 1).data[0] > 127) << bit;
      }
      numbers.push(number);
    }
    return numbers;
    """.replace("BITS", str(BITS)).replace("BLOCK", str(BLOCK))
    expected = [25, 26, 27, 28, 29] * 2
    assert until(lambda: browser.execute_script(painted), lambda seen: len(seen) == 10) == expected
    # at the face of result and truth there is their tint, in the difference only the difference of both
    middle = """
    return [...document.querySelectorAll("#closeups .card:first-child canvas")].map(
      (canvas) => [...canvas.getContext("2d").getImageData(96, 96, 1, 1).data]);
    """
    found = until(lambda: browser.execute_script(middle), lambda seen: bool(seen) and seen[-1][3] == 255)
    for pixel, tint in zip(found, ((140, 128, 160), (100, 128, 200), (40, 0, 40)), strict=True):
        assert pixel[:3] == pytest.approx(tint, abs=6)


def test_text_of_files_does_not_run(browser: Any, report: Path) -> None:
    open_page(browser, report)
    shown(browser, 25)
    assert browser.title != "hacked"
    assert browser.find_elements("css selector", "img[src='x']") == []
    assert "<img src=x onerror=" in browser.find_element("id", "views").text
    click_chart(browser, 10)
    assert "</script>" in browser.find_element("id", "frame-warning").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(browser: Any, report: Path, width: int, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    open_page(browser, report)
    assert set(shown(browser, 25)) >= {"v0", "truth"}
    for box in browser.find_elements("css selector", "[data-view]"):
        if not box.is_selected():
            browser.execute_script("arguments[0].click()", box)
    shown(browser, 25)
    inner, scroll = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert scroll <= inner == width
    small = """
    return [...document.querySelectorAll("button:not(.link), select")].filter((e) => e.offsetParent)
      .filter((e) => e.getBoundingClientRect().height < 38).map((e) => e.outerHTML)
    """
    assert browser.execute_script(small) == [], "fingers are 40 pixels wide"


def test_a_report_without_videos_runs_too(browser: Any, report: Path, tmp_path: Path) -> None:
    write_report(without_videos(evaluation(tmp_path)), tmp_path / "r.html", folder=tmp_path)
    open_page(browser, tmp_path / "r.html")
    click_chart(browser, 9)
    assert browser.find_element("id", "scrub").get_attribute("value") == "9"
    assert not browser.find_element("id", "five-section").is_displayed()


# ---- the blind choice --------------------------------------------------------------------------------------

RED_SIDE = """
const sides = ["left", "right"];
if (sides.some((side) => document.getElementById(side).disabled)) return null;
return sides.find((side) => {
  const video = document.querySelector("#screen-" + side + " video");
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  const [red, , blue] = pen.getImageData(64, 60, 1, 1).data;
  return red > blue;
}) || null;
"""


def test_answers_are_counted_for_the_right_result(browser: Any, tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.mp4", tint=RED), write(tmp_path / "b.mp4", tint=BLUE)
    write_blind(a, b, tmp_path / "blind.html", labels=("<b>red", "blue"), clips=9, seconds=0.4, seed=5)
    open_page(browser, tmp_path / "blind.html")
    sides = []
    for trial in range(9):
        wanted = f"{trial + 1} of 9"
        until(lambda: browser.find_element("id", "count").text, lambda text, w=wanted: text == w)
        side = until(lambda: browser.execute_script(RED_SIDE), bool)
        sides.append(side)
        if trial == 4:  # once for blue, once undone
            press(browser, "ARROW_RIGHT" if side == "right" else "ARROW_LEFT")
            until(lambda: browser.find_element("id", "count").text, lambda text: text == "6 of 9")
            browser.find_element("id", "undo").click()
            until(lambda: browser.execute_script(RED_SIDE), bool)
            side = "left" if side == "right" else "right"
        if trial % 2:
            press(browser, "ARROW_LEFT" if side == "left" else "ARROW_RIGHT")
        else:
            browser.find_element("id", side).click()
    assert abs(sides.count("left") - sides.count("right")) == 1
    assert until(lambda: browser.find_element("id", "headline").text, bool) == "You prefer <b>red"
    assert browser.find_element("id", "count-a").text == "8 of 9"
    saved = json.loads(browser.find_element("id", "text").get_property("value"))
    assert [answer["chosen"] for answer in saved["answers"]] == list("aaaabaaaa")
    assert [answer["left"] == "a" for answer in saved["answers"]] == [side == "left" for side in sides]
    (tmp_path / "answers.json").write_text(json.dumps(saved))
    tally = sum_answers([tmp_path / "answers.json"])
    assert (tally.a, tally.b, tally.labels) == (8, 1, ("<b>red", "blue"))
    told = browser.find_element("id", "statistics")
    for name, value in (("p", tally.p), ("low", tally.low), ("high", tally.high)):
        assert float(told.get_attribute(f"data-{name}")) == pytest.approx(value, abs=1e-9)
    inner, scroll = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert scroll <= inner


def test_the_pages_statistics_are_scipys(browser: Any, root: Path) -> None:
    script = (root / "dancekit/evaluate/report/templates/blind.js").read_text("utf-8")
    functions = script.partition("function logChoose")[2].partition("function finish")[0]
    browser.get("data:text/html,<title>sums</title>")
    pairs = [(0, 1), (1, 1), (3, 6), (0, 12), (9, 12), (50, 50), (140, 300)]
    told = browser.execute_script(
        f"function logChoose{functions}; return arguments[0].map(([k, n]) => binomial(k, n))", pairs
    )
    for (k, n), numbers in zip(pairs, told, strict=True):
        test = binomtest(k, n)
        interval = test.proportion_ci(0.95, method="exact")
        assert numbers["p"] == pytest.approx(test.pvalue, rel=1e-9)
        assert numbers["low"] == pytest.approx(interval.low, abs=1e-9)
        assert numbers["high"] == pytest.approx(interval.high, abs=1e-9)
