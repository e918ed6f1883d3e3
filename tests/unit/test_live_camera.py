"""A camera through OpenCV, played by a stand-in: the newest frame, and one line for everything that can go wrong."""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from live_stage import FakeClock

from dancekit.errors import VideoError
from dancekit.live import camera as module
from dancekit.live.camera import CameraSource


class FakeCapture:
    """Gives frames when the test lets it: picture n has the level n; the one after `last` is none."""

    opens = True
    last = 10_000
    rate = 29.97
    made: list[FakeCapture] = []  # noqa: RUF012 - the test looks at the newest one

    def __init__(self, index: int, backend: int) -> None:
        self.index, self.number, self.released = index, 0, False
        self.let = threading.Semaphore(1)  # the camera is tried when it is opened
        self.settings: dict[int, float] = {}
        FakeCapture.made.append(self)

    def isOpened(self) -> bool:
        return self.opens

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        return True

    def get(self, key: int) -> float:
        return self.rate if key == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        assert self.let.acquire(timeout=10)
        if self.number >= self.last:
            return False, None
        picture = np.full((48, 64, 3), 0, np.uint8)
        picture[:, :32] = (self.number, 0, 200)  # blue, green, red
        self.number += 1
        return True, picture

    def release(self) -> None:
        self.released = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def capture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeCapture]:
    for key, value in {"opens": True, "last": 10_000, "rate": 29.97, "made": []}.items():
        monkeypatch.setattr(FakeCapture, key, value)
    monkeypatch.setattr("cv2.VideoCapture", FakeCapture)
    monkeypatch.setattr(module, "DEVICES", tmp_path)
    monkeypatch.setattr(module, "_SYSTEM", "linux")
    return FakeCapture


def let(count: int) -> None:
    """Let the camera take so many frames, and wait until it has."""
    device = FakeCapture.made[-1]
    expected = min(device.number + count, device.last)
    for _ in range(count):
        device.let.release()
    deadline = time.monotonic() + 10
    while device.number < expected and time.monotonic() < deadline:
        time.sleep(0.001)


def wait_for(source: CameraSource, count: int) -> None:
    """Until the thread has put so many frames down."""
    deadline = time.monotonic() + 10
    while source._taken < count and time.monotonic() < deadline:
        time.sleep(0.001)


def end(source: CameraSource) -> None:
    """Let the thread see that it is to stop: its read returns."""
    source.stop()
    FakeCapture.made[-1].let.release()


def test_the_newest_frame_is_given_and_older_ones_are_counted(clock: FakeClock) -> None:
    with CameraSource(0, clock) as source:
        assert (source.size, source.rate, source.sound) == (
            (64, 48),
            Fraction(2997, 100).limit_denominator(1001),
            None,
        )
        assert FakeCapture.made[-1].settings == {cv2.CAP_PROP_BUFFERSIZE: 1}
        let(3)  # nobody looks yet: nothing is lost that anybody wanted
        wait_for(source, 3)
        shot = source.newest()
        assert (shot.rgb[0, 0, 2], shot.rgb[0, 0, 0], shot.pts, shot.taken) == (3, 200, 0, clock.time)
        assert source.dropped == 0
        clock.sleep(0.1)
        let(4)
        wait_for(source, 7)
        clock.sleep(0.2)
        shot = source.newest()
        assert (shot.rgb[0, 0, 2], shot.pts) == (7, 9000)
        assert shot.taken == pytest.approx(clock.time - 0.2)
        assert source.dropped == 3
        let(1)
        assert source.newest().pts == 9000 + 18_000
        let(1)
        assert source.newest().pts == 27_001  # the same moment: a film needs times that grow
        end(source)
        assert source.newest() is None
    assert FakeCapture.made[-1].released


def test_it_waits_for_a_frame(clock: FakeClock) -> None:
    with CameraSource(0, clock) as source:
        timer = threading.Timer(0.1, let, [1])
        timer.start()
        assert source.newest().rgb[0, 0, 2] == 1
        timer.join()
        end(source)


def test_a_mirror(clock: FakeClock) -> None:
    with CameraSource(0, clock, mirror=True) as source:
        let(1)
        rgb = source.newest().rgb
        assert rgb[0, 0].tolist() == [0, 0, 0]
        assert rgb[0, -1].tolist() == [200, 0, 1]
        end(source)


def test_a_camera_that_is_pulled_out(clock: FakeClock, capture: type[FakeCapture]) -> None:
    capture.last = 4
    with CameraSource(1, clock) as source:
        let(3)
        wait_for(source, 3)
        assert source.newest().rgb[0, 0, 2] == 3
        FakeCapture.made[-1].let.release()
        with pytest.raises(VideoError, match=r"camera 1 is gone \(after 3 frames\)"):
            source.newest()
    assert FakeCapture.made[-1].released


def test_a_camera_that_hangs(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK", 0.1)
    with (
        CameraSource(0, clock) as source,
        pytest.raises(VideoError, match=r"has given no picture for 0\.1 s"),
    ):
        source.newest()
    assert not FakeCapture.made[-1].released  # the driver still has it
    end(source)


def test_no_camera(clock: FakeClock, capture: type[FakeCapture], tmp_path: Path) -> None:
    capture.opens = False
    with (
        pytest.raises(VideoError, match=r"there is no camera 0 .*: no camera is connected"),
        CameraSource(0, clock),
    ):
        pass
    (tmp_path / "video2").touch()
    with (
        pytest.raises(VideoError, match=r"no camera 0 .*: there are video2 .*--source N"),
        CameraSource(0, clock),
    ):
        pass
    assert all(each.released for each in FakeCapture.made)


def test_a_busy_camera(clock: FakeClock, capture: type[FakeCapture], tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    capture.opens = False
    with (
        pytest.raises(VideoError, match=r"camera 0 .* is busy, or no camera \(close other"),
        CameraSource(0, clock),
    ):
        pass
    capture.opens, capture.last = True, 0
    with (
        pytest.raises(VideoError, match=r"camera 0 is there, but gives no picture \(close"),
        CameraSource(0, clock),
    ):
        pass
    assert all(each.released for each in FakeCapture.made)


def test_a_camera_that_may_not_be_used(
    clock: FakeClock, capture: type[FakeCapture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video0").touch()
    capture.opens = False

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refused)
    with (
        pytest.raises(VideoError, match=r"may not be used: Permission denied .*group"),
        CameraSource(0, clock),
    ):
        pass
    monkeypatch.setattr(module, "_SYSTEM", "darwin")
    with pytest.raises(VideoError, match=r"camera 0 cannot be opened: .*privacy"), CameraSource(0, clock):
        pass


def test_opencv_throws(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def thrown(*_: object) -> None:
        raise cv2.error("can't grab")

    monkeypatch.setattr(FakeCapture, "read", thrown)
    with pytest.raises(VideoError, match="gives no picture"), CameraSource(0, clock):
        pass
