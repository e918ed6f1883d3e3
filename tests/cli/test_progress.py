"""Progress in a log and on a terminal, and what Ctrl-C does."""

from __future__ import annotations

import io
import signal

import pytest

from dancekit.cli.console import Terminal
from dancekit.cli.interrupt import StopOnInterrupt
from dancekit.cli.progress import Bars, Lines, NoDisplay, duration, show_progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "less than 1 s"),
        (1, "1 s"),
        (59, "59 s"),
        (59.7, "1 min"),
        (100, "2 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_now_and_then_with_the_time_left() -> None:
    lines: list[str] = []
    clock = iter(float(second) for second in range(1000))
    show = Lines(lines.append, clock=lambda: next(clock))
    for step in range(100, 201):  # resumed at 100, a step a second
        show("steps", step, 200)
    assert lines[0] == "training ..."
    assert lines[1] == "training: 130 of 200, 1 min left"
    assert lines[2] == "training: 160 of 200, 40 s left"
    assert lines[-1] == "training: 200 in 2 min"
    assert len(lines) == 5


def test_lines_where_nobody_knows_the_total() -> None:
    lines: list[str] = []
    clock = iter(float(second) for second in range(0, 1000, 20))
    show = Lines(lines.append, clock=lambda: next(clock))
    for frame in range(1, 5):
        show("poses", frame, None)
    assert lines == ["finding poses ...", "finding poses: 3"]


def test_a_second_clip_is_new_work() -> None:
    lines: list[str] = []
    show = Lines(lines.append)
    for _ in range(2):
        for frame in range(1, 4):
            show("poses", frame, 3)
    assert [line.partition(" in ")[0] for line in lines] == ["finding poses ...", "finding poses: 3"] * 2


def test_bars_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    screen = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Bars(screen) as show:
        print("result")
        show("poses", 10, 10)
        show("poses", 1, 20)
        show("steps", 500, 1000)
        show("steps", 501, 1000)
        tasks = show._bars.tasks
        assert [(task.completed, task.total) for task in tasks] == [(10, 10), (1, 20), (501, 1000)]
        assert tasks[2].speed is None or tasks[2].speed < 100, "the steps before the resume count as speed"
    assert capsys.readouterr().out == "result\n", "the bars take nothing away from stdout"
    assert "training" in screen.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "kind"), [({}, Lines), ({"quiet": True}, NoDisplay), ({"as_json": True}, NoDisplay)]
)
def test_the_display_that_suits(options: dict[str, bool], kind: type) -> None:
    assert isinstance(show_progress(Terminal(**options)), kind)


class TestCtrlC:
    def test_before_the_first_step_it_ends_the_program(self) -> None:
        said: list[str] = []
        with pytest.raises(KeyboardInterrupt), StopOnInterrupt(NoDisplay(), said.append) as stop:
            stop.progress("poses", 1, 2)
            signal.raise_signal(signal.SIGINT)
        assert not said

    def test_while_steps_run_it_asks_once_and_ends_the_second_time(self) -> None:
        said: list[str] = []
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), StopOnInterrupt(NoDisplay(), said.append) as stop:
            stop.progress("steps", 0, 2)
            assert not stop.should_stop()
            signal.raise_signal(signal.SIGINT)
            assert stop.should_stop()
            assert len(said) == 1
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before

    def test_reports_go_on(self) -> None:
        seen: list[tuple[str, int, int | None]] = []
        with StopOnInterrupt(lambda *report: seen.append(report), print) as stop:
            stop.progress("frames", 1, None)
        assert seen == [("frames", 1, None)]
