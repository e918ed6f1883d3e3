"""Windows that cannot be opened are told in one line; the page in the browser shows what is shown, to whom it may."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from dancekit.errors import DancekitError, UsageError
from dancekit.live.browser import BrowserScreen
from dancekit.live.screens import WindowScreen, check_windows, has_windows


@pytest.mark.parametrize(
    ("line", "there"),
    [
        ("  GUI:                           QT5", True),
        ("  GUI:                           GTK3", True),
        ("  GUI:                           COCOA", True),
        ("  GUI:                           WIN32UI", True),
        ("  GUI:                           NONE", False),
        ("  GUI: ", False),
        ("  Media I/O:", False),
    ],
)
def test_a_headless_build_is_known_by_what_it_says_of_itself(line: str, there: bool) -> None:
    assert has_windows(f"General configuration\n{line}\n    QT: YES\n  Media I/O:\n") is there


def test_a_headless_build_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:     NONE\n")
    with pytest.raises(
        DancekitError, match=r"headless build.*pip install .*opencv-python; or add --serve"
    ) as info:
        WindowScreen()
    assert "\n" not in str(info.value)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_it_is_told_and_this_process_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DancekitError, match=r"--serve to see it in a browser, or --headless") as info:
        check_windows()
    assert "\n" not in str(info.value)


def test_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's calls, in order, without a display."""
    calls: list[str] = []
    shown: list[np.ndarray] = []
    keys = iter([-1, ord("R"), 27, -1])
    visible = iter([1.0, 1.0, 0.0])  # not asked after Escape
    monkeypatch.setattr("dancekit.live.screens.check_windows", lambda: None)
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_, name=name: calls.append(name))
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: next(visible))
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 9
    with WindowScreen() as screen:
        assert [screen.show(picture) for _ in range(4)] == ["", "r", "q", "q"]
    assert calls == ["namedWindow", "resizeWindow", "destroyAllWindows"]
    assert shown[0][0, 0].tolist() == [0, 0, 9]


def test_windows_are_tried_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:     QT5\n")
    done = subprocess.CompletedProcess([], -6, b"", b"qt.qpa.xcb: could not connect to display :7\nmore\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(
        DancekitError, match=r"^no window can be opened here: qt\.qpa\.xcb: could not connect .* :7 \("
    ):
        check_windows()


# ---- browser ----


def get(address: str, data: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_the_page_shows_the_newest_picture_and_takes_keys() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (220, 30, 30), (30, 30, 220)
    with BrowserScreen() as screen:
        assert screen.address.startswith("http://127.0.0.1:")
        code, page = get(screen.address)
        assert code == 200
        assert b'<img src="stream"' in page
        screen.show(np.zeros((48, 64, 3), np.uint8))
        screen.show(picture)
        with urllib.request.urlopen(f"{screen.address}stream", timeout=10) as stream:
            assert stream.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
            assert stream.readline() == b"--frame\r\n"
            assert stream.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(stream.readline().split()[1])
            assert stream.readline() == b"\r\n"
            jpeg = np.frombuffer(stream.read(length), np.uint8)
        seen = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)
        assert np.abs(seen[:, 4:28].astype(int) - (220, 30, 30)).max() < 12
        assert np.abs(seen[:, 36:60].astype(int) - (30, 30, 220)).max() < 12
        assert get(f"{screen.address}key/r", b"")[0] == 204
        assert [screen.show(picture), screen.show(picture)] == ["r", ""]


def test_the_page_is_for_nobody_else() -> None:
    with BrowserScreen() as screen:
        port = screen.address.split(":")[2].split("/")[0]
        for path in ("", "stream", "key/q", "wrong/stream", "wrong/key/q"):
            assert get(f"http://127.0.0.1:{port}/{path}")[0] == 404
            assert get(f"http://127.0.0.1:{port}/{path}", b"")[0] == 404
        assert get(f"{screen.address}key/x", b"")[0] == 404
        assert screen.show(np.zeros((4, 4, 3), np.uint8)) == ""
        with pytest.raises(UsageError, match=rf"--serve {port}: Address already in use"):
            BrowserScreen(int(port))
    with pytest.raises(urllib.error.URLError):
        get(screen.address)


def test_a_watcher_does_not_keep_the_show_from_ending() -> None:
    with BrowserScreen() as screen:
        screen.show(np.zeros((8, 8, 3), np.uint8))
        stream = urllib.request.urlopen(f"{screen.address}stream", timeout=10)
    rest = stream.read()  # comes to an end
    stream.close()
    assert rest.count(b"--frame") <= 1
