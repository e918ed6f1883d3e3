"""The web app from end to end, in headless Chromium: as somebody uses it who has never seen it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("gradio", reason="the extra [app] is not installed")

LONGEST = 0.1
"""Minutes that are allowed: the shipped clips are longer."""


@pytest.fixture(scope="module")
def app(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that runs in a process of its own, with an empty folder."""
    folder = tmp_path_factory.mktemp("app")
    environment = os.environ | {
        "DANCEKIT_CACHE": str(folder / "cache"),
        "DANCEKIT_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, "-m", "dancekit", "app", "--port", "0", "--folder", str(folder / "data")]
    command += ["--max-minutes", str(LONGEST), "--max-size", "2", "--device", "cpu"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=folder, text=True
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            yield address
        finally:
            process.terminate()
        assert process.wait(240) == 143
    said = (folder / "log").read_text()
    assert said.count("\n") == 1, said


def until(look: Callable[[], Any], seconds: float = 240) -> Any:
    """Wait until something is true; the page is drawn anew all the time, so what has gone is looked for again."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while True:
        try:
            if seen := look():
                return seen
        except WebDriverException:
            seen = None
        assert time.monotonic() < end, seen
        time.sleep(0.1)


class Page:
    """What a person does with the page."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address
        self.open()

    def check_log(self) -> None:
        """Nothing was logged but what Gradio always does when a stream of events ends."""
        logged = [entry["message"] for entry in self.browser.get_log("browser")]
        unexpected = [each for each in logged if "Method not implemented." not in each]
        assert not unexpected, unexpected

    def open(self) -> None:
        self.browser.get("about:blank")
        self.browser.get_log("browser")  # what a page complains of that is left
        self.browser.get(self.address)
        until(lambda: "demo" in self.value("dancer"))
        until(lambda: self.value("dance-clip"))

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def text(self, name: str) -> str:
        return str(
            self.browser.execute_script("return document.getElementById(arguments[0])?.innerText || ''", name)
        )

    def value(self, name: str) -> str:
        return str(self.find(f"#{name} input").get_attribute("value"))

    def click(self, name: str) -> None:
        def clicked() -> bool:
            button = self.find(f"#{name}")
            button = (
                button
                if button.tag_name == "button"
                else button.find_element("css selector", "input, button")
            )
            if not button.is_enabled():
                return False
            button.click()
            return True

        until(clicked)

    def tab(self, name: str) -> None:
        until(lambda: [each.click() or True for each in self.all("[role=tab]") if each.text == name])

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def upload(self, name: str, path: Path) -> None:
        until(lambda: self.all(f"#{name}-upload input[type=file]"))[0].send_keys(str(path))

    def choose(self, name: str, words: str) -> None:
        def chosen() -> bool:
            self.find(f"#{name} input").click()  # opens the list as it is now
            for option in self.all("[role=option]"):
                if words in option.text:
                    option.click()
            self.find("h1").click()  # closes it
            return words in self.value(name)

        until(chosen)

    def write(self, name: str, words: str) -> None:
        field = until(lambda: self.find(f"#{name} input, #{name} textarea"))
        field.clear()
        field.send_keys(words)

    def says(self, name: str, words: str, seconds: float = 240) -> str:
        until(lambda: words in self.text(name), seconds)
        return self.text(name)

    def number(self, script: str) -> Any:
        return self.browser.execute_script(f"return {script}")


@pytest.fixture
def page(browser: Any, app: str) -> Iterator[Page]:
    """The app's page, opened."""
    page = Page(browser, app)
    yield page
    page.check_log()


def test_what_is_no_video_or_too_much_is_refused_with_a_sentence(
    page: Page, root: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "dance.mp4"
    wrong.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    page.upload("dance", wrong)
    page.says("dance-said", "dance.mp4 is no video (mp4, mov, mkv, webm and avi are taken)")
    shutil.copy(root / "zoo/samples/source.mp4", wrong)
    wrong.write_bytes(wrong.read_bytes()[:200_000])
    page.upload("dance", wrong)
    page.says("dance-said", "dance.mp4 is cut short")
    page.upload("dance", root / "zoo/samples/source.mp4")
    page.says("dance-said", "source.mp4 is 0:08 long, 0:06 are allowed")
    page.upload("dance", root / "zoo/samples/target.mp4")  # 2.5 MB: refused while it arrives
    until(lambda: "maximum allowed size" in page.find("body").text)
    assert "ships with dancekit" in page.value("dance-clip"), "nothing was added"
    page.browser.get_log("browser")  # that the server answered 413


def test_a_path_from_the_browser_is_not_opened(
    app: str, tmp_path: Path, short_clips: dict[str, Path]
) -> None:
    victim = Path(shutil.copy(short_clips["target"], tmp_path / "secret.mp4"))
    with urlopen(f"{app}config") as answer:
        config = json.load(answer)
    (number, *_) = (each["id"] for each in config["dependencies"] if each["targets"][0][1] == "upload")

    def refused(path: str, data: bytes | None = None) -> int:
        with pytest.raises(HTTPError) as error:
            urlopen(Request(f"{app}{path}", data, {"Content-Type": "application/json"}))
        error.value.close()
        return int(error.value.code)

    for path in (str(victim), "http://127.0.0.1:9/a.mp4"):
        forged = {"path": path, "orig_name": "a.mp4", "meta": {"_type": "gradio.FileData"}}
        sent = json.dumps({"data": [forged], "fn_index": number, "session_hash": "forged"}).encode()
        assert refused("gradio_api/queue/join", sent) == 403
    for path in (f"gradio_api/file={victim}", "gradio_api/run/take", "media/../jobs"):
        assert refused(path) == 404
    assert victim.read_bytes() == short_clips["target"].read_bytes()


def test_train_leave_come_back_and_dance(page: Page, short_clips: dict[str, Path]) -> None:
    page.tab("Train a dancer")
    page.upload("train", short_clips["target"])
    page.says("train-said", "target.mp4, 0:01 is ready")
    assert page.value("train-clip") == "target.mp4, 0:01"
    page.choose("recipe", "tiny")
    page.click("train-more")
    page.write("steps", "100000")
    page.click("train")
    page.says("train-said", "Nobody is made to dance who did not agree")
    page.click("agreed")
    page.write("train-name", "Ava <b>")
    page.click("train")

    # while it trains, another job waits in line, and is taken out of it
    page.tab("Dance")
    page.upload("dance", short_clips["source"])
    page.says("dance-said", "source.mp4, 0:01 is ready")
    page.click("look")
    page.says("dance-status", "Waiting: 1 before it")
    assert "source.mp4 as demo" in page.text("dance-status")
    page.click("dance-stop")
    page.says("dance-status", "Stopped")

    # the page is closed and opened again: the training goes on, with its previews
    page.check_log()
    page.open()
    page.says("dance-status", "Stopped")
    page.tab("Train a dancer")
    page.says("training-status", "Ava <b>")
    until(lambda: page.number("document.querySelector('[data-name=\"preview.png\"]')?.naturalWidth > 100"))
    page.says("training-status", "Training: ")
    page.click("training-stop")
    page.says("training-status", "Stopped")
    assert "dancer" in page.says("training-result", "Download")

    # what was trained so far dances
    page.tab("Dance")
    page.choose("dancer", "Ava <b> (trained here)")
    page.says("about-dancer", "64x64 pixels")
    page.click("make")
    page.says("dance-status", "Finished")
    for name, least in (("result.mp4", 64), ("compare.mp4", 192)):
        video = f"document.querySelector('video[data-name=\"{name}\"]')"
        until(lambda video=video: page.number(f"{video}?.readyState >= 3"))
        assert page.number(f"{video}.duration") == pytest.approx(1, abs=0.1)
        assert page.number(f"{video}.videoWidth") >= least
        page.number(f"{video}.play()")
        until(lambda video=video: page.number(f"{video}.currentTime > 0.3"))
    assert page.number("document.querySelector('img.sheet').naturalWidth") > 1000
    assert "video" in page.text("dance-result") and "Fitted numbers" in page.text("dance-result")

    # on a phone what is wide scrolls by itself, not the page
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    until(lambda: page.number("document.documentElement.scrollWidth") <= 390, 20)

    # a file as it is downloaded, as the browser would
    size = page.browser.execute_async_script(
        "const done = arguments[0];"
        "fetch(document.querySelector('a.download').href).then(async (answer) => done("
        "[answer.headers.get('content-disposition'), (await answer.blob()).size]))"
    )
    assert "source_mp4_as_Ava__b_result.mp4" in size[0] and size[1] > 1000

    page.click("dance-delete")
    page.browser.switch_to.alert.accept()
    page.says("dance-status", "source.mp4 as demo")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(browser: Any, app: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = Page(browser, app)
    for width in (390, 1280):
        metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for name in ("Dance", "Train a dancer"):
            page.tab(name)
            until(lambda width=width: page.number("innerWidth") == width)
            assert page.number("document.documentElement.scrollWidth") <= width
    back = page.number("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)")
    assert (max(map(int, back)) < 60) == (scheme == "dark")
    page.check_log()
