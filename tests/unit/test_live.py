"""Live shows on a clock of their own: what is dropped, how late it is, what is shown, kept and recorded."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import cv2
import make_video as mv
import numpy as np
import pytest
from live_stage import FakeClock, FakeScreen, Seer, film
from make_dancer import FRAME, dance, make_dancer

from dancekit.data.framing import letterbox
from dancekit.errors import UsageError, VideoError
from dancekit.live import LiveOptions, LiveResult, looker, run_live
from dancekit.live.film import FilmSource
from dancekit.live.looker import Looker, causal_filters
from dancekit.live.meter import Meter
from dancekit.live.pace import Pace
from dancekit.live.session import one_ahead
from dancekit.live.shots import SystemClock
from dancekit.model import Painter
from dancekit.transfer import Dancer
from dancekit.video import probe, read_frames

LOOK, PAINT, SHOW = 0.06, 0.03, 0.01
"""Seconds: together 100 ms a frame, of a film that has one every 40 ms."""

PLAIN = {"calibrate": 0.0, "overrides": ("normalizer=identity",), "overlap": False}


@pytest.fixture(scope="module")
def dancer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dancer(tmp_path_factory.mktemp("dancer") / "ava.safetensors")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Stage:
    """A dancer whose looks and pictures take `LOOK` and `PAINT` seconds of a fake clock."""

    def __init__(self, file: Path, clock: FakeClock, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.dancer = Dancer.load(file, device="cpu")
        self.clock, self.patch, self.folder = clock, patch, folder
        self.states: list[bool] = []
        step = Painter.step

        def slow(painter: Painter, condition, box, state, **options):
            self.states.append(state is not None)
            clock.sleep(PAINT)
            return step(painter, condition, box, state, **options)

        self.seen_by(Seer(clock, LOOK))
        patch.setattr(Painter, "step", slow)

    def seen_by(self, seer: Seer) -> None:
        self.seer = seer
        self.patch.setattr("dancekit.transfer.pipeline.build_pose", lambda *_, **__: seer)

    def play(self, source: Path, screen: FakeScreen | None = None, **options) -> LiveResult:
        self.screen = screen or FakeScreen(clock=self.clock, cost=SHOW)
        with FilmSource(source, self.clock) as film:
            self.clock.sleep(3.0)  # a camera does not wait for anybody; a film begins when it is watched
            result = run_live(
                self.dancer,
                film,
                screen=self.screen,
                options=LiveOptions(snapshots=self.folder, **{**PLAIN, **options}),
                clock=self.clock,
            )
        self.states = self.states[1:]  # without the one that warms up
        return result


@pytest.fixture
def stage(dancer_file: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(dancer_file, clock, monkeypatch, tmp_path)


def newest_each(count: int, cycle: int, interval: int) -> list[int]:
    """By arithmetic: which frames somebody sees who looks every `cycle` ms at frames that come every `interval` ms."""
    seen, time = [], 0
    while (frame := time // interval) < count:
        seen.append(frame)
        time += cycle
    return [*seen, count - 1] if seen[-1] != count - 1 else seen


def times(path: Path) -> list[Fraction]:
    base = probe(path).time_base
    return [frame.pts * base for frame in read_frames(path)]


# ---- frames, times, numbers ----


def test_what_comes_too_fast_is_dropped_and_what_is_shown_is_new(stage: Stage, tmp_path: Path) -> None:
    record = tmp_path / "show.mp4"
    result = stage.play(film(tmp_path / "a.mp4"), record=record)
    expected = newest_each(30, 100, 40)
    assert expected[:5] == [0, 2, 5, 7, 10]
    assert stage.seer.seen == expected
    assert (result.painted, result.waiting, result.dropped) == (len(expected), 0, 30 - len(expected))
    late = sorted(100 * (place + 1) - 40 * number for place, number in enumerate(expected))
    assert set(late) == {100, 120, 140}
    assert result.latency == pytest.approx({"median": late[len(late) // 2] / 1000, "p99": 0.14, "max": 0.14})
    assert result.rate == pytest.approx(10, rel=0.02)
    assert result.stages == pytest.approx({"look": LOOK, "paint": PAINT, "show": SHOW})
    assert result.seconds == pytest.approx(29 / 25)
    # what was shown is in the record, at the times at which it was filmed
    assert result.record == record
    assert times(record) == [Fraction(number, 25) for number in expected]
    assert "synthetic" in mv.av.open(str(record)).metadata["comment"]


def test_nothing_is_dropped_by_who_is_fast_enough(stage: Stage, tmp_path: Path) -> None:
    stage.seen_by(Seer(stage.clock, 0.005))
    screen = FakeScreen(clock=stage.clock, cost=0.0)
    result = stage.play(film(tmp_path / "a.mp4"), screen)
    assert stage.seer.seen == list(range(30))
    assert (result.dropped, result.painted) == (0, 30)
    assert result.latency == pytest.approx({"median": 0.035, "p99": 0.035, "max": 0.035})
    assert result.rate == pytest.approx(25)


@pytest.mark.parametrize(
    "changes",
    [(), ("reference={name: nearest, params: {frames: 2, bank: 6}}",)],
    ids=["plain", "with references"],
)
def test_where_nothing_is_dropped_the_pictures_are_those_of_a_transfer(
    stage: Stage, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    """Oracle: the same poses, painted as a clip."""
    stage.dancer = Dancer.load(make_dancer(tmp_path / "ben.safetensors", changes=changes), device="cpu")
    stage.seen_by(Seer())
    stage.patch.setattr("dancekit.live.session.enlarged", lambda picture: picture)
    stage.patch.setattr("dancekit.live.session.with_words", lambda picture, *_, **__: picture)
    overrides = ("normalizer=identity", "filters=[]")
    stage.play(film(tmp_path / "a.mp4"), FakeScreen(), overrides=overrides)
    expected = list(stage.dancer.paint(dance(FRAME)[:30]))
    window = stage.dancer.info.window
    shown = [letterbox(each, window) for each in expected]
    assert all(np.array_equal(*pair) for pair in zip(stage.screen.pictures, shown, strict=True))


def test_the_numbers_of_the_screen_are_of_the_last_moment() -> None:
    meter = Meter()
    for number in range(100):
        meter.shown(number / 10, 0.2)
    for number in range(100):
        meter.shown(10 + number / 40, 0.05)
    assert meter.rate_now == pytest.approx(40)
    assert meter.latency_now == 0.05
    assert meter.rate == pytest.approx(199 / (10 + 99 / 40))
    assert [meter.latency(part) for part in (0.5, 0.51, 1.0)] == [0.05, 0.2, 0.2]


def test_the_numbers_are_on_the_screen_and_not_in_the_record(stage: Stage, tmp_path: Path) -> None:
    record = tmp_path / "show.mkv"
    said: list[list[str]] = []

    def spy(picture, lines, *, bar=None):
        said.append(list(lines))
        return picture

    stage.patch.setattr("dancekit.live.session.with_words", spy)
    stage.play(film(tmp_path / "a.mp4"), record=record)
    assert said[-1][0] == "10.0 fps  110 ms  17 dropped (59%)"  # 100 and 120 in turn
    stage.patch.undo()
    from dancekit.live.overlay import enlarged, with_words

    picture = np.full((64, 64, 3), 90, np.uint8)
    large = enlarged(picture)
    assert large.shape == (512, 512, 3)
    words = with_words(large, ["24.9 fps  62 ms", "a long line that has to be broken " * 4], bar=0.25)
    assert (large == 90).all()
    assert (words[300:480] == 90).all()
    assert (words[:200] != 90).any()
    filled = (words[-3] == (90, 200, 120)).all(-1)
    assert filled[:128].all()
    assert not filled[128:].any()


def test_a_mirror(stage: Stage, tmp_path: Path, clock: FakeClock) -> None:
    frames = [np.repeat(np.repeat(np.array([[[250, 0, 0], [0, 0, 250]]], np.uint8), 48, 0), 32, 1)] * 3
    mv.write_frames(tmp_path / "a.mp4", frames)
    shots = []
    for mirror in (False, True):
        with FilmSource(tmp_path / "a.mp4", clock, mirror=mirror) as source:
            shots.append(source.newest().rgb)
    assert np.array_equal(shots[0][:, ::-1], shots[1])
    assert shots[0][24, 5, 0] > 200
    assert shots[1][24, 5, 2] > 200


# ---- what is shown ----


def test_before_anything_is_measured_the_camera_is_shown_and_not_recorded(
    stage: Stage, tmp_path: Path
) -> None:
    source = film(tmp_path / "a.mp4", audio="aac", audio_seconds=1.2, click_at=0.6)
    record = tmp_path / "show.mp4"
    result = stage.play(source, record=record, calibrate=0.2)
    first = next(number for number in stage.seer.seen if number / 25 >= 0.2)
    assert result.waiting == stage.seer.seen.index(first) > 0
    assert result.painted == len(stage.seer.seen) - result.waiting
    recorded = [Fraction(number - first, 25) for number in stage.seer.seen if number >= first]
    assert len(recorded) > 5
    assert times(record)[0] == 0
    # while nobody is painted a look takes 70 ms: then other frames are the newest ones
    assert times(record) == recorded
    assert mv.loudest_time(record) == pytest.approx(0.6 - first / 25, abs=0.03)


def test_where_nobody_is_the_room_is_empty_and_the_dancer_begins_anew(stage: Stage, tmp_path: Path) -> None:
    stage.seen_by(Seer(stage.clock, 0.005, absent=range(8, 25)))
    stage.patch.setattr("dancekit.live.session.enlarged", lambda picture: picture)
    stage.patch.setattr("dancekit.live.session.with_words", lambda picture, *_, **__: picture)
    result = stage.play(film(tmp_path / "a.mp4"), FakeScreen(), background="target")
    assert result.nobody == 17 - 7  # for 0.3 s the person is held
    plate = stage.dancer.plate
    empty = [number for number, shown in enumerate(stage.screen.pictures) if np.array_equal(shown, plate)]
    assert empty == list(range(15, 25))
    assert stage.states == [False, *[True] * 14, False, *[True] * 4]


def test_after_a_gap_the_dancer_begins_anew(stage: Stage, tmp_path: Path) -> None:
    stage.seen_by(Seer(stage.clock, 0.005))
    source = film(tmp_path / "a.mp4", 12, pts=[*range(6), *range(17, 20), *range(35, 38)])
    stage.play(source, FakeScreen())
    assert stage.states == [False, *[True] * 5, *[True] * 3, False, *[True] * 2]  # 0.48 s, 0.64 s


def test_bones_hold_no_feet_of_which_the_next_step_is_unknown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = stage.dancer.overridden(["normalizer={name: bones, params: {shrink: 9}}"])
    made = []
    build = looker.build_normalizer
    monkeypatch.setattr(
        looker, "build_normalizer", lambda component: made.append(build(component)) or made[-1]
    )
    Looker(stage.dancer, recipe, None, stage.clock, calibrate=1.0).calibration.close()
    assert (made[0].lock, made[0].shrink) == (0, 9)


def test_side_by_side_and_size(stage: Stage, tmp_path: Path) -> None:
    record = tmp_path / "show.mkv"
    stage.play(film(tmp_path / "a.mp4"), record=record, side_by_side=True, size=(96, 64))
    assert probe(record).size == (86 + 96, 64)
    pictures = [frame.rgb for frame in read_frames(record)]
    seen = [mv.number_of(each[:, 8:78]) for each in pictures]
    assert seen == newest_each(30, 100, 40)


# ---- keys and endings ----


def test_keys(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "ava_001.png").write_bytes(b"mine")
    screen = FakeScreen(["", "", "s", "r", "", "q"])
    result = stage.play(film(tmp_path / "a.mp4"), screen, calibrate=0.03)
    assert len(screen.pictures) == 6
    assert (tmp_path / "ava_001.png").read_bytes() == b"mine"
    assert result.snapshots == (tmp_path / "ava_002.png",)
    kept = cv2.imread(str(result.snapshots[0]))
    assert kept.shape == (64, 64, 3)
    # calibrated twice: one frame each is shown as the camera saw it
    assert (result.waiting, result.painted) == (2, 4)
    assert not result.interrupted


@pytest.mark.parametrize("how", [KeyboardInterrupt(), "q"])
def test_whoever_ends_it_the_record_is_whole(stage: Stage, tmp_path: Path, how: str | BaseException) -> None:
    record = tmp_path / "show.mp4"
    result = stage.play(film(tmp_path / "a.mp4"), FakeScreen(["", "", how]), record=record)
    assert result.interrupted is (how != "q")
    assert len(times(record)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "show.mp4"]


def test_it_ends_after_its_duration(stage: Stage, tmp_path: Path) -> None:
    result = stage.play(film(tmp_path / "a.mp4"), duration=0.5)
    assert result.seconds == pytest.approx(0.48)
    assert result.painted == sum(number / 25 < 0.5 for number in stage.seer.seen)


def test_a_damaged_film_keeps_what_was_recorded(stage: Stage, tmp_path: Path) -> None:
    record, shots = tmp_path / "show.mp4", 0
    newest = FilmSource.newest

    def fails(source: FilmSource):
        nonlocal shots
        shots += 1
        if shots > 4:
            raise VideoError("the film tore")
        return newest(source)

    stage.patch.setattr(FilmSource, "newest", fails)
    with pytest.raises(VideoError, match="tore"):
        stage.play(film(tmp_path / "a.mp4"), record=record)
    assert len(times(record)) == 4


def test_a_show_in_which_nobody_came_leaves_no_record(stage: Stage, tmp_path: Path) -> None:
    stage.seen_by(Seer(absent=range(30)))
    result = stage.play(film(tmp_path / "a.mp4"), record=tmp_path / "show.mp4")
    assert (result.record, result.painted, result.fitted) == (None, 0, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"calibrate": -1.0}, "--calibrate -1 is not between"),
        ({"calibrate": 5.0, "adapt": 2.0}, "--adapt 2 is shorter than --calibrate 5"),
        ({"duration": 0.0}, "--duration 0"),
        ({"size": (4, 4)}, "--size 4x4"),
        ({"background": "source"}, "cannot be shown live"),
        ({"background": "transparent"}, "cannot be shown live"),
        ({"background": "#12"}, "no colour"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LiveOptions(**options).check()


def test_filters_that_need_the_future_are_replaced_or_refused(stage: Stage) -> None:
    recipe = stage.dancer.info.recipe
    assert [type(each).__name__ for each in causal_filters(recipe)] == ["Hold", "OneEuro"]
    own = stage.dancer.overridden(["filters=[{name: one_euro, params: {cutoff: 3}}]"])
    assert [each.cutoff for each in causal_filters(own, given=True)] == [3]
    with pytest.raises(UsageError, match="filter savgol needs frames that are still to come"):
        causal_filters(stage.dancer.overridden(["filters=[savgol, hold]"]), given=True)


# ---- threads ----


def test_one_look_is_ahead_and_no_more() -> None:
    begun: list[int] = []
    started = [threading.Event() for _ in range(6)]

    def looks():
        for number in range(5):
            begun.append(number)
            started[number].set()
            yield number
        raise ValueError("torn")

    ahead = one_ahead(looks())
    taken = []
    with pytest.raises(ValueError, match="torn"):
        for item in ahead:
            taken.append(item)
            assert started[min(item + 1, 4)].wait(10)
            assert len(begun) <= item + 2
    assert taken == list(range(5))


def test_a_look_waits_for_a_slow_painter() -> None:
    pace = Pace()
    assert pace.wait == 0
    for _ in range(20):
        pace.took(0.04, 0.2)
    assert pace.wait == pytest.approx(0.2 - 1.25 * 0.04)
    for _ in range(20):
        pace.took(0.04, 0.01)
    assert pace.wait == 0


def test_the_pace_is_that_of_looks_and_pictures(stage: Stage, tmp_path: Path) -> None:
    took: list[tuple[float, float]] = []
    stage.patch.setattr(Pace, "took", lambda _, look, paint: took.append((look, paint)))
    stage.play(film(tmp_path / "a.mp4", 9))
    assert took == [pytest.approx((LOOK, PAINT + SHOW))] * 5
    # and a look waits so long before it asks for a frame
    looker = Looker(
        stage.dancer, stage.dancer.info.recipe, None, stage.clock, calibrate=0.0, threads=False, pace=Pace()
    )
    stage.patch.setattr(Pace, "wait", 0.5)
    with FilmSource(tmp_path / "a.mp4", stage.clock) as source:
        looker._source, began = source, stage.clock.time
        looks = looker.looks()
        assert next(looks).shot.taken == pytest.approx(began + 0.5)
        assert mv.number_of(next(looks).shot.rgb) == 8  # by now the newest
        looks.close()


def test_a_show_with_threads_ends_and_misses_nothing(
    dancer_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On the real clock: every frame is shown or counted as dropped, in order; no thread is left."""
    seer, clock = Seer(), SystemClock()
    monkeypatch.setattr("dancekit.transfer.pipeline.build_pose", lambda *_, **__: seer)
    before = set(threading.enumerate())
    with FilmSource(film(tmp_path / "a.mp4", 12), clock) as source:
        result = run_live(
            Dancer.load(dancer_file, device="cpu"),
            source,
            options=LiveOptions(**{**PLAIN, "overlap": True}, record=tmp_path / "o.mp4"),
            clock=clock,
        )
    assert seer.seen == sorted(set(seer.seen))
    assert seer.seen[-1] == 11
    assert len(seer.seen) + result.dropped == 12
    assert result.painted == len(seer.seen) == len(times(tmp_path / "o.mp4"))
    assert [
        each for each in threading.enumerate() if each not in before and each.name.startswith("dancekit")
    ] == []
