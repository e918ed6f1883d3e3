"""`dancekit live`: what a camera sees, danced by a dancer, now."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dancekit.cli.console import INTERRUPTED, Terminal
from dancekit.cli.interrupt import TERMINATED
from dancekit.cli.options import (
    Device,
    Int8,
    Json,
    Overrides,
    Quiet,
    Runner,
    Threads,
    Verbose,
    check_output,
    check_overrides,
    read_seconds,
    read_size,
)
from dancekit.errors import UsageError
from dancekit.zoo.dancers import find_dancer

if TYPE_CHECKING:
    from dancekit.live import LiveResult
    from dancekit.live.screens import Screen
    from dancekit.live.shots import Clock, Source

RECORDS = (".mp4", ".m4v", ".mov", ".mkv")


def live(
    overrides: Overrides = None,
    dancer: Annotated[
        str | None,
        typer.Option("--dancer", metavar="FILE|ID", help="A trained target: a file, or dancekit zoo ls."),
    ] = None,
    source: Annotated[
        str,
        typer.Option("--source", metavar="N|FILE", help="A camera, 0 is the first; or a film, in real time."),
    ] = "0",
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Keep what is shown as a video, without the words."),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="WHAT",
            help="Put the person into a whole picture: target, FILE.png or #rrggbb.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Of the picture; bars where the shape differs."),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="The camera's picture to the left.")
    ] = False,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Dance as in a mirror: your left hand is on the left. [dim]Default: yes for a camera[/]",
        ),
    ] = None,
    calibrate: Annotated[
        float,
        typer.Option("--calibrate", metavar="SECONDS", help="In which your size and place are measured."),
    ] = 5.0,
    adapt: Annotated[
        float,
        typer.Option(
            "--adapt",
            metavar="SECONDS",
            help="Go on measuring, from so many last seconds. [dim]Default: 0, it stays[/]",
        ),
    ] = 0.0,
    headless: Annotated[
        bool, typer.Option("--headless", help="Show nothing; for --record and --json.")
    ] = False,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve", metavar="PORT", help="Show it on a page of this computer instead; 0 for any free port."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="TIME", help="End after so long: 30 or 1:30.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is at --record already.")] = False,
    device: Device = "auto",
    runner: Runner = "torch",
    int8: Int8 = False,
    threads: Threads = None,
    as_json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    r"""Paint a dancer doing what you do in front of a camera, while you do it.

    In the first seconds your size and place are measured: step back until
    you are in the picture from head to feet. Frames that come too fast are
    dropped, so that the picture is never late. Keys: q quit, r measure again,
    s keep a snapshot in the current folder.

    Examples:
      dancekit live --dancer demo
      dancekit live --dancer me.safetensors --source 1 --background target
      dancekit live --dancer demo --source dance.mp4 --side-by-side
      dancekit live --dancer demo --record show.mp4
      dancekit live --dancer demo --serve 8000
      dancekit live --dancer demo --runner openvino pose.model=lite
      dancekit live --dancer demo --source dance.mp4 --headless --json
    """
    terminal = Terminal(verbose=verbose, quiet=quiet, as_json=as_json)
    changes = check_overrides(overrides)
    if dancer is None:
        raise UsageError("the dancer is missing", hint="dancekit live --dancer FILE")
    if headless and serve is not None:
        raise UsageError("--headless shows nothing, --serve does", hint="give one of them")
    if serve is not None and not 0 <= serve <= 65535:
        raise UsageError(f"--serve {serve} is no port", hint="0 to 65535")
    path = find_dancer(dancer)
    if record is not None:
        check_output(record, force=force, suffixes=RECORDS, option="--record")
    sides = None if size is None else read_size(size)
    length = None if duration is None else float(read_seconds("--duration", duration))

    from dancekit.dancer import read_info

    read_info(path)  # what is wrong with the file is said before torch is imported

    from dancekit.live import LiveOptions, run_live
    from dancekit.live.shots import SystemClock
    from dancekit.runners.threads import use_threads
    from dancekit.transfer import Dancer

    options = LiveOptions(
        background=background,
        size=sides,
        calibrate=calibrate,
        adapt=adapt,
        side_by_side=side_by_side,
        record=record,
        duration=length,
        overrides=tuple(changes),
        force=force,
    )
    options.check()
    clock = SystemClock()
    with ExitStack() as stack:
        screen = stack.enter_context(choose_screen(terminal, headless=headless, serve=serve))
        camera = stack.enter_context(choose_source(source, clock, mirror=mirror))
        loaded = Dancer.load(path, device=device, runner=runner, threads=use_threads(threads), int8=int8)
        ended = stack.enter_context(_Ended())
        result = run_live(loaded, camera, screen=screen, options=options, clock=clock)
    _say(terminal, result)
    if ended.terminated or result.interrupted:
        raise typer.Exit(TERMINATED if ended.terminated else INTERRUPTED)


def choose_source(word: str, clock: Clock, *, mirror: bool | None) -> Source:
    """A camera for a number, else a film."""
    from dancekit.live.camera import CameraSource
    from dancekit.live.film import FilmSource

    if word.isascii() and word.isdigit():
        return CameraSource(int(word), clock, mirror=mirror is not False)
    return FilmSource(Path(word), clock, mirror=bool(mirror))


def choose_screen(terminal: Terminal, *, headless: bool, serve: int | None) -> Screen:
    """Nothing, a page, or a window."""
    from dancekit.live.screens import Headless, WindowScreen

    if headless:
        return Headless()
    if serve is None:
        return WindowScreen()
    from dancekit.live.browser import BrowserScreen

    page = BrowserScreen(serve)
    terminal.err.print(f"open {page.address}", markup=False, soft_wrap=True)
    return page


class _Ended:
    """SIGTERM ends a show as Ctrl-C does: what was recorded is kept."""

    def __init__(self) -> None:
        self.terminated = False
        self._before: Any = None

    def __enter__(self) -> _Ended:
        # only the main thread can have a handler; elsewhere (a notebook's worker) signals are not ours
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True
        raise KeyboardInterrupt


def _say(terminal: Terminal, result: LiveResult) -> None:
    for warning in (result.fitted or {}).get("warnings", ()):
        terminal.warn(warning)
    shown = result.painted + result.waiting
    if not result.painted:
        terminal.warn(
            "nobody was painted: your body could not be measured; stand so that head and feet are seen"
        )
    terminal.log(
        f"{shown} frames in {result.seconds:.1f} s: {result.rate:.1f} frames/s, latency "
        f"{1000 * result.latency['median']:.0f} ms (99 %: {1000 * result.latency['p99']:.0f} ms), "
        f"{result.dropped} dropped"
    )
    if result.record is not None:
        terminal.result(str(result.record))
    terminal.json(_facts(result))


def _facts(result: LiveResult) -> dict[str, Any]:
    return {
        "record": None if result.record is None else str(result.record),
        "painted": result.painted,
        "waiting": result.waiting,
        "nobody": result.nobody,
        "dropped": result.dropped,
        "seconds": round(result.seconds, 3),
        "frames_per_second": round(result.rate, 2),
        "latency_ms": {key: round(1000 * value, 1) for key, value in result.latency.items()},
        "stages_ms": {key: round(1000 * value, 2) for key, value in result.stages.items()},
        "snapshots": [str(path) for path in result.snapshots],
        "interrupted": result.interrupted,
        "fitted": result.fitted,
    }
