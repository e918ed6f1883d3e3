"""The pipeline of a transfer: order, a bound on what waits, errors that come out, threads that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dancekit.transfer.stages import Pipeline


def ours() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("dancekit-")]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=30), st.integers(0, 5))
def test_it_gives_what_plain_loops_give(items: list[int], ahead: int) -> None:
    with Pipeline(ahead=ahead) as line:
        doubled = line.map("double", lambda value: 2 * value, line.run("read", iter(items)))
        assert list(line.map("text", str, doubled)) == [str(2 * value) for value in items]
    assert ours() == []


def test_it_works_ahead_but_not_far() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    with Pipeline(ahead=3) as line:
        results = line.run("source", source())
        assert made == []  # nothing before it is asked for
        assert next(results) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(made) == 5  # one taken, three waiting, one in hand
    assert ours() == []


def test_stages_work_at_the_same_time() -> None:
    """Each waits for the other to begin its next item: one after the other they would wait for ever."""
    meeting = threading.Barrier(2, timeout=10)

    def first() -> Iterator[int]:
        for number in range(4):
            if number:
                meeting.wait()
            yield number

    def second(value: int) -> int:
        if value < 3:
            meeting.wait()
        return value

    with Pipeline() as line:
        assert list(line.map("second", second, line.run("first", first()))) == [0, 1, 2, 3]


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_comes_out_after_what_was_made_before(error: type[BaseException], ahead: int) -> None:
    def source() -> Iterator[int]:
        yield from (1, 2)
        raise error("here")

    seen = []
    with pytest.raises(error, match="here"), Pipeline(ahead=ahead) as line:
        for item in line.map("pass", lambda value: value, line.run("source", source())):
            seen.append(item)
    assert seen == [1, 2]
    assert ours() == []


def test_leaving_stops_all_stages_and_closes_what_they_read() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt), Pipeline(observe=lambda *_: None) as line:
        end = line.map("c", int, line.map("b", int, line.run("a", endless())))
        next(end)
        raise KeyboardInterrupt
    assert closed == [True]
    assert ours() == []
    assert list(end) == []


def test_the_observer_hears_of_a_stages_own_time_only() -> None:
    heard: dict[str, list[float]] = {"slow": [], "quick": []}

    def slow(value: int) -> int:
        time.sleep(0.1)
        return value

    with Pipeline(observe=lambda name, seconds: heard[name].append(seconds)) as line:
        assert list(line.map("quick", int, line.map("slow", slow, range(3)))) == [0, 1, 2]
    assert [len(times) for times in heard.values()] == [3, 3]
    assert min(heard["slow"]) >= 0.1
    assert sum(heard["quick"]) < sum(heard["slow"]) / 2  # although it waited for the slow one all the time
