"""A job of `dancekit app`: looks at a dance, paints it or trains, in a process that ends when it is told to.

What it writes into the job's folder is in `dancekit.webapp.jobs`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dancekit.cli.console import explain_failure
from dancekit.cli.progress import LABELS, describe, duration
from dancekit.data.files import write_png, write_whole
from dancekit.webapp.jobs import (
    COMPARE,
    FACTS,
    FITTED,
    JOB,
    OUTCOME,
    PROGRESS,
    RESULT,
    RUN,
    SHEET,
    read_facts,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dancekit.transfer import Dancer, TransferResult
    from dancekit.types import PoseSequence

WRITE_EVERY = 0.25
"""Seconds between two reports."""

PREVIEWS = 40
"""Of a training, in all; but not more often than every 10 steps."""

LARGEST = 720
"""Rows of the pictures that are compared."""

WORTH_SAYING = 0.1
"""Share of a dance that may be out of what the dancer was filmed doing before it is said."""


class Stopped(Exception):
    """Somebody pressed Stop."""


class Stop:
    """Set when standard input ends: Stop was pressed, or the server is gone."""

    def __init__(self) -> None:
        self._event = threading.Event()
        threading.Thread(target=self._watch, name="dancekit-stop", daemon=True).start()

    def _watch(self) -> None:
        while os.read(0, 4096):
            pass
        self._event.set()

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()


@dataclass
class Report:
    """Says how far the job is.

    Attributes:
        folder: The job's.
        stop: Asked with every report.
        facts: What is known so far, for the page.
    """

    folder: Path
    stop: Callable[[], bool]
    facts: dict[str, Any] = field(default_factory=dict)
    _what: str = ""
    _first: int = 0
    _began: float = 0.0
    _last: float = -math.inf
    _note: str = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` units of `what` are ready.

        Raises:
            Stopped: And nothing is lost by it: training is asked after each step instead.
        """
        if what != "steps" and self.stop():
            raise Stopped
        now = time.monotonic()
        if what != self._what:
            self._what, self._first, self._began, self._last = what, done, now, -math.inf
        if now - self._last < WRITE_EVERY and done != total:
            return
        self._last = now
        since = done - self._first
        left = (now - self._began) / since * (total - done) if total and since else None
        shown = {
            "what": LABELS.get(what, what),
            "done": done,
            "total": total,
            "left": "" if left is None or now - self._began < 2 else duration(left),
            "note": self._note,
        }
        write_whole(self.folder / PROGRESS, json.dumps(shown))

    def note(self, record: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl."""
        self._note = describe(record)

    def tell(self, **facts: Any) -> None:
        """Show something before the end."""
        self.facts |= facts
        write_whole(self.folder / FACTS, json.dumps(self.facts, default=str))


def work(folder: Path, stop: Callable[[], bool]) -> None:
    """Do what the job's file asks for, and say how it ended."""
    job = read_facts(folder / JOB)
    settings = job["settings"]
    outcome = {"state": "finished"}
    try:
        report = Report(folder, stop)
        report("getting ready", 0, None)
        if job["kind"] == "train":
            finished = _train(settings, report)
            outcome = {"state": "finished" if finished else "stopped"}
        else:
            _dance(settings, report, paint=job["kind"] == "dance")
    except Stopped:
        outcome = {"state": "stopped"}
    except BaseException as error:  # every way out ends in a sentence on the page
        lines, _ = explain_failure(error)
        text = "; ".join(lines).replace(settings["path"], settings["clip"])
        outcome = {"state": "failed", "error": text.replace(str(folder), "the job's folder")}
        raise
    finally:
        write_whole(folder / OUTCOME, json.dumps(outcome))


def _dance(settings: Mapping[str, Any], report: Report, *, paint: bool) -> None:
    """Fit the dance to the dancer and show how; paint it."""
    from dancekit.transfer import Dancer, TransferOptions
    from dancekit.transfer.retarget_sheet import draw_sheet

    source = Path(settings["path"])
    dancer = Dancer.load(settings["dancer"], device=settings["device"])
    options = TransferOptions(
        background=settings["background"] or None,
        person=settings["person"] or None,
        overrides=tuple(settings["overrides"]),
        force=True,
    )
    options.check()
    recipe = dancer.overridden(list(options.overrides))
    poses, _ = dancer.find_poses(source, recipe, span=options.span, person=options.person, progress=report)
    moved, fitted = dancer.retarget(poses, recipe.normalizer)
    write_png(report.folder / SHEET, draw_sheet((source, poses), (dancer.plate, dancer.target), moved))
    numbers = {"normalizer": {"name": recipe.normalizer.name, "fitted": fitted}}
    write_whole(report.folder / FITTED, json.dumps(numbers, indent=2, sort_keys=True, default=str))
    report.tell(
        warnings=list(fitted.get("warnings", ())), fitted=_shown(fitted), normalizer=recipe.normalizer.name
    )
    if not paint:
        return
    made = dancer.transfer(source, report.folder / RESULT, options=options, progress=report)
    report.tell(warnings=[*fitted.get("warnings", ()), *_warnings(made)], frames=made.frames)
    _compare(dancer, source, poses, moved, made, report)


def _shown(fitted: Mapping[str, Any]) -> dict[str, str]:
    """The fitted numbers that fit on a line."""
    return {
        key: f"{value:.4g}" if isinstance(value, float) else str(value)
        for key, value in fitted.items()
        if isinstance(value, int | float | str)
    }


def _warnings(made: TransferResult) -> Iterator[str]:
    if made.missing:
        yield f"nobody was found in {made.missing} of the {made.frames} frames"
    if made.coverage.share > WORTH_SAYING:
        yield (
            f"{made.coverage.share:.0%} of the dance is outside what the dancer was filmed doing, "
            "and may look bad there"
        )
    if made.coverage.share_out_of_place > WORTH_SAYING:
        yield f"in {made.coverage.share_out_of_place:.0%} of the dance the dancer stands where they were never filmed"


def _compare(
    dancer: Dancer,
    source: Path,
    poses: PoseSequence,
    moved: PoseSequence,
    made: TransferResult,
    report: Report,
) -> None:
    """Source, stick figure and result beside each other."""
    from dancekit.transfer.compare import write_side_by_side
    from dancekit.video import probe, read_frames

    xy = dancer.info.window.to_window(moved.xy)
    result = probe(made.out)

    def counted() -> Iterator[NDArray[Any]]:
        for number, frame in enumerate(read_frames(made.out)):
            report("putting them side by side", number, made.frames)
            yield frame.rgb

    columns: list[tuple[str, Any]] = [
        ("stick figure", (dancer.painter.sticks(xy[n], moved.score[n]) for n in range(len(moved)))),
        ("dancer", counted()),
    ]
    if source.suffix != ".npz":
        columns.insert(0, ("source", (frame.rgb for frame in read_frames(source))))
    write_side_by_side(
        report.folder / COMPARE,
        columns,
        [int(value) for value in poses.pts],
        time_base=poses.time_base,
        rate=result.rate,
        height=min(result.size[1], LARGEST) // 2 * 2,
        sound_from=made.out if result.audio else None,
        force=True,
    )


def _train(settings: Mapping[str, Any], report: Report) -> bool:
    """Train, or go on; whether all steps are done."""
    from dancekit.build import build_pose, resolve_device
    from dancekit.config import load_recipe, override_recipe
    from dancekit.data.check import check_target
    from dancekit.data.poses import track_person
    from dancekit.training import train
    from dancekit.training.run import Run
    from dancekit.video import probe

    target, run = Path(settings["path"]), Run(report.folder / RUN)
    changes = [f"train.steps={settings['steps']}"] if settings["steps"] else []
    recipe = load_recipe(settings["recipe"], changes)
    every = max(10, math.ceil(recipe.train.steps / PREVIEWS))
    recipe = override_recipe(recipe, [f"train.preview_every={min(every, recipe.train.preview_every)}"])
    place = resolve_device(settings["device"])
    found = track_person(
        target, build_pose(recipe, place), recipe.pose, person=settings["person"] or None, progress=report
    )
    checked = check_target(probe(target), found.poses, recipe.size, camera=found.camera)
    report.tell(warnings=list(checked.warnings), clip=str(checked))
    going_on = run.provenance_file.is_file() and run.recipe_file.is_file()
    result = train(
        target,
        recipe,
        out=run.folder,
        device=place,
        resume=going_on,
        force=not going_on,
        person=settings["person"] or None,
        progress=report,
        should_stop=report.stop,
        on_record=report.note,
        consent=settings["consent"],
        subject=settings["subject"],
    )
    report.tell(steps=result.steps, of=recipe.train.steps)
    return result.finished


def main() -> int:
    """Run the job whose folder is the first argument."""
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")  # as `dancekit.cli.app.main` does, for the same reason
    work(Path(sys.argv[1]), Stop())
    return 0


if __name__ == "__main__":
    sys.exit(main())
