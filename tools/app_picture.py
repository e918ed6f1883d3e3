"""Makes the picture of docs/app.md: starts the web app in an empty folder, uploads a clip, dances it, and looks.

    python tools/app_picture.py                              # docs/images/app.jpg
    python tools/app_picture.py --width 390 --dark --tab "Train a dancer" --out phone.png

Needs the extra `[app]`, selenium and Chromium with its driver. `--folder` keeps the app's folder for the next picture.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from selenium import webdriver
from selenium.common.exceptions import WebDriverException

from dancekit.resources import data_path
from dancekit.video import VideoWriter, probe, read_frames

ROOT = Path(__file__).parents[1]
FRAMES = 50
"""Of the shipped dance: two seconds."""
PATIENCE = 900.0
"""Seconds for everything that is waited for."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The app's address while it runs."""
    command = [sys.executable, "-m", "dancekit", "app", "--port", "0", "--folder", str(folder / "data")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@contextmanager
def chromium(width: int, *, dark: bool) -> Iterator[Any]:
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or "")
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    resize(browser, width, 800)
    yield browser
    browser.quit()


def resize(browser: Any, width: int, height: int) -> None:
    """As a screen of this size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def until(look: Callable[[], Any]) -> Any:
    """Wait for something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if seen := look():
                return seen
        except WebDriverException:
            pass
        time.sleep(0.2)
    raise SystemExit("nothing to see after a long time")


def short_dance(out: Path) -> Path:
    """The first seconds of the shipped dance, with its sound."""
    given = data_path("zoo/samples/source.mp4")
    info = probe(given)
    with VideoWriter(
        out, size=info.size, time_base=info.time_base, rate=info.rate, sound_from=given, force=True
    ) as writer:
        for frame in read_frames(given, stop=FRAMES):
            writer.write(frame.rgb, frame.pts)
    return out


def dance(browser: Any, clip: Path) -> None:
    """Upload, make the video, wait until it can be played; unless there is one already."""
    find = browser.find_element
    until(lambda: "demo" in find("css selector", "#dancer input").get_attribute("value"))
    until(lambda: find("id", "dance-status").text)
    if "Finished" not in find("id", "dance-status").text:
        find("css selector", "#dance-upload input[type=file]").send_keys(str(clip))
        until(lambda: "is ready" in find("id", "dance-said").text)
        find("id", "make").click()
        until(lambda: "Finished" in find("id", "dance-status").text)
    script = """
    const videos = [...document.querySelectorAll("video")];
    for (const video of videos) if (!video.currentTime) video.currentTime = video.duration / 2;
    return videos.length == 2 && videos.every((video) => video.readyState >= 2 && !video.seeking && video.currentTime);
    """
    until(lambda: browser.execute_script(script))


def main() -> None:
    """Take the picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "app.jpg")
    options.add_argument("--width", type=int, default=1100)
    options.add_argument("--height", type=int, default=0, help="0: the whole page")
    options.add_argument("--dark", action="store_true")
    options.add_argument("--tab", default="Dance")
    options.add_argument("--folder", type=Path)
    chosen = options.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        clip = short_dance(folder / "dance.mp4")
        with served(folder) as address, chromium(chosen.width, dark=chosen.dark) as browser:
            browser.get(address)
            dance(browser, clip)
            tabs = browser.find_elements("css selector", "[role=tab]")
            next(tab for tab in tabs if tab.text == chosen.tab).click()
            time.sleep(2)
            height = browser.execute_script("return document.body.scrollHeight")
            resize(browser, chosen.width, chosen.height or height)
            time.sleep(1)
            shot = cv2.imdecode(np.frombuffer(browser.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
            cv2.imwrite(str(chosen.out), shot, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{chosen.out}: {chosen.out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
