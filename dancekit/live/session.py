"""A live show: look, paint, show, and never a frame later than it must be.

Two threads at most: while a frame is painted and shown, the next one is looked at (pose, smoothing, fit, stick
figure). There is no queue between them: a look begins so late that its result is ready when the painter is (`pace.py`),
with the frame that is newest then. What comes faster than that is dropped.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import State
from dancekit.data.files import write_png
from dancekit.data.framing import crop
from dancekit.errors import PoseError, UsageError
from dancekit.history import History
from dancekit.live.looker import Look, Looker
from dancekit.live.meter import Meter
from dancekit.live.overlay import enlarged, with_words
from dancekit.live.pace import Pace
from dancekit.live.recorder import Recorder
from dancekit.live.screens import Headless, Screen
from dancekit.live.shots import Clock, Source, SystemClock
from dancekit.transfer.background import check_background, choose_composer
from dancekit.transfer.composite import Fit
from dancekit.transfer.montage import Montage
from dancekit.transfer.pipeline import Dancer
from dancekit.video.provenance import synthetic_mark
from dancekit.weights.header import file_sha256

Image = NDArray[np.uint8]
T = TypeVar("T")

FORGET = 0.5
"""Seconds between two painted frames after which the dancer's last frame is no help any more."""


NOTE = 2.0
"""Seconds for which the screen says what a key did."""


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """How a show is made.

    Attributes:
        background: `target`, a picture file or `#rrggbb`; None: only the window that the dancer paints.
        size: (W, H) of the picture, with bars where the shape differs.
        calibrate: Seconds of the first poses that the retargeting is measured from.
        adapt: Seconds of the last poses that it is measured from again and again afterwards; 0: it stays.
        side_by_side: The camera's picture to the left.
        record: A film of what is shown, without the words over it.
        snapshots: Folder for the pictures of the key s.
        duration: Seconds after which the show ends.
        overrides: `key=value` for the recipe's pose, filters and normalizer.
        force: Replace what is at `record`.
        overlap: Look at the next frame while one is painted; off, everything is done in turn.
    """

    background: str | None = None
    size: tuple[int, int] | None = None
    calibrate: float = 5.0
    adapt: float = 0.0
    side_by_side: bool = False
    record: Path | None = None
    snapshots: Path = field(default_factory=Path)
    duration: float | None = None
    overrides: tuple[str, ...] = ()
    force: bool = False
    overlap: bool = True

    def check(self) -> None:
        """Refuse values that cannot be.

        Raises:
            UsageError: Which one.
        """
        for name, value in (("calibrate", self.calibrate), ("adapt", self.adapt)):
            if not 0 <= value <= 3600:
                raise UsageError(f"--{name} {value:g} is not between 0 and 3600 seconds")
        if 0 < self.adapt < self.calibrate:
            raise UsageError(f"--adapt {self.adapt:g} is shorter than --calibrate {self.calibrate:g}")
        if self.duration is not None and not self.duration > 0:
            raise UsageError(f"--duration {self.duration:g} is not above 0")
        if self.size is not None and not 16 <= min(self.size) <= max(self.size) <= 16384:
            raise UsageError(f"--size {self.size[0]}x{self.size[1]}: sides are 16 to 16384 pixels")
        if self.background in ("source", "transparent"):
            raise UsageError(
                f"--background {self.background} cannot be shown live", hint="target, FILE.png or #rrggbb"
            )
        check_background(self.background)


@dataclass(frozen=True)
class LiveResult:
    """What a show was.

    Attributes:
        painted: Frames in which the dancer was shown, or the empty room because nobody was there.
        waiting: Frames before that, in which the camera's picture was shown.
        nobody: Frames without a person.
        dropped: Frames that the camera took and nobody has looked at.
        seconds: From the first to the last frame that was shown.
        rate: Frames shown a second.
        latency: Seconds from taken to shown: `median`, `p99`, `max`.
        stages: Mean seconds a frame of `look`, `paint` and `show`.
        fitted: The normalizer's last numbers; None if it came to none.
        record: The film, if one was written.
        snapshots: Pictures that were kept.
        interrupted: Whether Ctrl-C ended it.
    """

    painted: int
    waiting: int
    nobody: int
    dropped: int
    seconds: float
    rate: float
    latency: dict[str, float]
    stages: dict[str, float]
    fitted: dict[str, Any] | None
    record: Path | None
    snapshots: tuple[Path, ...]
    interrupted: bool


def run_live(
    dancer: Dancer,
    source: Source,
    *,
    screen: Screen | None = None,
    options: LiveOptions | None = None,
    clock: Clock | None = None,
) -> LiveResult:
    """Show what the source does, danced by the dancer, until the source ends or `q` is pressed.

    Args:
        dancer: Who is painted.
        source: Opened: a camera, or a film.
        screen: Opened; None: nothing is shown.
        options: How.
        clock: The source's.

    Raises:
        UsageError: Options that do not go together.
        VideoError: The camera is gone. What was recorded until then is kept.
        PoseError: The dancer has no poses to fit to.
    """
    chosen = options or LiveOptions()
    chosen.check()
    show = _Show(dancer, source, screen or Headless(), chosen, clock or SystemClock())
    return show.run()


class _Show:
    """One show."""

    def __init__(
        self, dancer: Dancer, source: Source, screen: Screen, options: LiveOptions, clock: Clock
    ) -> None:
        self._dancer, self._source, self._screen = dancer, source, screen
        self._options, self._clock = options, clock
        self._pace = Pace()
        recipe = dancer.overridden(options.overrides)
        if not len(dancer.target) and recipe.normalizer.name != "identity":
            raise PoseError(
                f"{dancer.path} holds no poses of a target, so {recipe.normalizer.name} has nothing to fit to",
                hint="use normalizer=identity, or convert the checkpoint again with --target CLIP",
            )
        self._looker = Looker(
            dancer,
            recipe,
            source,
            clock,
            calibrate=options.calibrate,
            adapt=options.adapt,
            threads=options.overlap,
            pace=self._pace if options.overlap else None,
            filters_given=any(text.startswith("filters") for text in options.overrides),
        )
        self._composer = choose_composer(
            dancer, options.background, size=options.size, source_plate=_no_plate
        )
        sizes = [source.size, self._composer.size]
        self._montage = Montage(sizes, like=sizes[1:]) if options.side_by_side else None
        self._meter = Meter()
        self._history: History[State | None] = History(dancer.painter.age)
        self._last = -np.inf
        self._spent = {"look": 0.0, "paint": 0.0, "show": 0.0}
        self._counts = {"painted": 0, "waiting": 0, "nobody": 0}
        self._first: float | None = None
        self._seconds = 0.0
        self._snapshots: list[Path] = []
        self._note = "", 0.0

    def run(self) -> LiveResult:
        """Until it ends."""
        self._warm_up()
        interrupted = False
        with ExitStack() as stack:
            stack.callback(self._looker.calibration.close)
            recorder = self._recorder()
            looks: Iterator[Look] = self._looker.looks()
            if self._options.overlap:
                looks = ahead = one_ahead(looks)
                stack.callback(ahead.close)
            stack.callback(self._source.stop)  # before the thread that waits for it is waited for
            if recorder is not None:
                stack.enter_context(recorder)
            try:
                for look in looks:
                    self._first = look.shot.taken if self._first is None else self._first
                    seconds = look.shot.taken - self._first
                    if self._options.duration is not None and seconds >= self._options.duration:
                        break
                    self._seconds = seconds
                    began = self._clock.now()
                    picture, keep = self._picture(look)
                    painted = self._clock.now()
                    if keep and recorder is not None:
                        recorder.write(picture, look.shot.pts)
                    key = self._screen.show(self._with_words(look, picture))
                    self._count(look, began, painted)
                    if key == "q":
                        break
                    self._press(key, picture if keep else None)
            except KeyboardInterrupt:
                interrupted = True
        return self._result(recorder, interrupted)

    # ---- pictures ------------------------------------------------------------------------------------------

    def _picture(self, look: Look) -> tuple[Image, bool]:
        """What is shown for a look, and whether it is worth keeping: before anything is fitted it is the camera's."""
        keep = look.ready and (look.pose is None or look.condition is not None)
        if not keep:
            self._history.forget()
            self._counts["waiting"] += 1
            seen = look.shot.rgb if look.pose is None else look.pose.plot(background=look.shot.rgb)
            shown = Fit((seen.shape[1], seen.shape[0]), self._composer.size)(seen)
        else:
            self._counts["painted"] += 1
            shown = self._painted(look)
        self._counts["nobody"] += look.pose is None
        return shown if self._montage is None else self._montage([look.shot.rgb, shown]), keep

    def _painted(self, look: Look) -> Image:
        """The dancer; the empty room where nobody is."""
        if look.condition is None or look.box is None:
            self._history.forget()
            return self._empty()
        now = look.shot.taken
        if now - self._last > FORGET:
            self._history.forget()
        self._last = now
        painted = self._dancer.painter.step(
            look.condition, look.box, self._history.recall(now), place=look.place
        )
        self._history.remember(now, painted.state)
        return self._composer(painted.to_uint8(), painted.matte_to_uint8())

    def _empty(self) -> Image:
        window = self._dancer.info.window
        plate = crop(self._dancer.plate, window)
        return self._composer(plate, np.zeros(plate.shape[:2], np.uint8))

    def _warm_up(self) -> None:
        """Paint a pose of the target: the first frame of a network takes long, and somebody would wait for it."""
        if not len(self._dancer.target):
            return
        painter, pose = self._dancer.painter, self._dancer.target[:1]
        xy = self._dancer.info.window.to_window(pose.xy)
        places = painter.places(xy)
        condition = next(painter.draw(xy, pose.score, places=places))
        place = None if places is None else places[0]
        painter.step(condition, painter.face_boxes(xy, pose.score, places=places), None, place=place)

    def _with_words(self, look: Look, picture: Image) -> Image:
        if isinstance(self._screen, Headless):
            return picture
        meter, taken = self._meter, self._meter.frames + self._source.dropped
        lines = [
            f"{meter.rate_now:.1f} fps  {1000 * meter.latency_now:.0f} ms  "
            f"{self._source.dropped} dropped ({self._source.dropped / max(taken, 1):.0%})"
        ]
        if look.pose is None:
            lines.append("nobody is in the picture")
        elif not look.ready:
            do = "step back until you are" if look.trouble else "stay"
            lines.append(f"calibrating: {do} in the picture from head to feet")
        elif look.calibrated < 1:
            lines.append("calibrating: move as you are going to dance")
        if self._clock.now() < self._note[1]:
            lines.append(self._note[0])
        if look.trouble and look.pose is not None:
            lines.append(look.trouble)
        return with_words(enlarged(picture), lines, bar=look.calibrated if look.calibrated < 1 else None)

    # ---- what else happens ---------------------------------------------------------------------------------

    def _count(self, look: Look, began: float, painted: float) -> None:
        now = self._clock.now()
        self._meter.shown(now, now - look.shot.taken)
        self._pace.took(look.seconds, now - began)
        for stage, seconds in (("look", look.seconds), ("paint", painted - began), ("show", now - painted)):
            self._spent[stage] += seconds

    def _press(self, key: str, picture: Image | None) -> None:
        if key == "r":
            self._looker.restart()
        if key == "s" and picture is not None:
            number = len(self._snapshots) + 1
            while (path := self._options.snapshots / f"{self._dancer.path.stem}_{number:03d}.png").exists():
                number += 1
            write_png(path, picture)
            self._snapshots.append(path)
            self._note = f"kept {path.name}", self._clock.now() + NOTE

    def _recorder(self) -> Recorder | None:
        if self._options.record is None:
            return None
        path = self._dancer.path
        return Recorder(
            self._options.record,
            size=self._composer.size if self._montage is None else self._montage.size,
            time_base=self._source.time_base,
            rate=self._source.rate,
            sound=self._source.sound,
            metadata=synthetic_mark(f"dancer {path.name} (sha256 {file_sha256(path)})"),
            force=self._options.force,
        )

    def _result(self, recorder: Recorder | None, interrupted: bool) -> LiveResult:
        meter, fitted = self._meter, self._looker.calibration.fitted
        return LiveResult(
            **self._counts,
            dropped=self._source.dropped,
            seconds=self._seconds,
            rate=meter.rate,
            latency={"median": meter.latency(0.5), "p99": meter.latency(0.99), "max": meter.latency(1.0)},
            stages={stage: spent / max(meter.frames, 1) for stage, spent in self._spent.items()},
            fitted=None if fitted is None else dict(fitted),
            record=self._options.record if recorder is not None and recorder.frames else None,
            snapshots=tuple(self._snapshots),
            interrupted=interrupted,
        )


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, each made in another thread while the one before is worked with; none further ahead."""
    end: Any = object()
    with ThreadPoolExecutor(1, "dancekit-look") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item


def _no_plate() -> Any:
    raise AssertionError("refused by LiveOptions.check")
