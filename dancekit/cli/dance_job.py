"""What `dancekit dance` remembers between two calls, and its preview of the dance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dancekit.data import training_set
from dancekit.data.files import write_whole
from dancekit.data.framing import letterbox
from dancekit.errors import OutputExists, UsageError
from dancekit.training.checkpoint import list_checkpoints
from dancekit.training.run import Run, check_same, run_inputs
from dancekit.types import PoseSequence, Window
from dancekit.video import VideoWriter
from dancekit.video.provenance import synthetic_mark
from dancekit.weights.header import file_sha256

if TYPE_CHECKING:
    from dancekit.config import Recipe
    from dancekit.model import Painter

PREVIEW_SECONDS = 2.0
PREVIEW_PERIOD = 180.0
"""Seconds of the dance that are shown, and seconds between two previews."""


@dataclass(frozen=True)
class DanceJob:
    """A dance that is being made: its files lie beside the video.

    Attributes:
        source: Who moves.
        target: Who is painted.
        out: The video.
        recipe: How the dancer is trained.
        person: Who in the source, if that was said.
        target_person: The same in the target.
    """

    source: Path
    target: Path
    out: Path
    recipe: Recipe
    person: str | None = None
    target_person: str | None = None

    @property
    def run(self) -> Run:
        """The run folder: `show.run` beside `show.mp4`."""
        return Run(self.out.with_name(f"{self.out.stem}.run"))

    @property
    def preview(self) -> Path:
        """`show.preview.mp4` beside `show.mp4`."""
        return self.out.with_name(f"{self.out.stem}.preview.mp4")

    @property
    def steps_done(self) -> int:
        """Steps up to the last checkpoint; 0 if there is none."""
        found = list_checkpoints(self.run.checkpoints)
        return int(json.loads((found[-1] / "state.json").read_text())["step"]) if found else 0

    @property
    def trained(self) -> bool:
        """Whether nothing is left to train."""
        return self.run.dancer.exists() and self.steps_done >= self.recipe.train.steps

    @cached_property
    def target_sha256(self) -> str:
        """Of the target's file: what a run is bound to."""
        return file_sha256(self.target)

    def check_run(self, *, force: bool) -> bool:
        """Whether the run folder's run can go on.

        Args:
            force: A run of something else may be replaced.

        Raises:
            UsageError: There is a run of another target or recipe, and `force` is off.
        """
        if not self.run.folder.exists() or not any(self.run.folder.iterdir()):
            return False
        try:
            check_same(self.run, self.recipe, run_inputs(self.target_sha256, self.target_person))
        except UsageError:
            if force:
                return False
            raise
        return True

    def check_out(self, *, going_on: bool, force: bool) -> None:
        """Refuse to overwrite a video, unless it is this job's own, painted before training was finished.

        Raises:
            OutputExists: There is one, and `force` is off.
        """
        if force:
            return
        if not self.out.exists():
            sidecar = self.out.with_suffix(".json")
            if sidecar.exists() and not (going_on and self._record()):  # not one of ours
                raise OutputExists(sidecar)
            return
        before = self._record() if going_on else {}
        own = before.get("video_sha256") == file_sha256(self.out) and before.get("source") == self._source()
        if not own or int(before["steps"]) >= self.recipe.train.steps:
            raise OutputExists(self.out)

    def remember(self, steps: int) -> None:
        """Note that the video was painted after so many steps."""
        facts = {"video_sha256": file_sha256(self.out), "source": self._source(), "steps": steps}
        write_whole(self._record_file, json.dumps(facts, sort_keys=True))

    @property
    def _record_file(self) -> Path:
        return self.run.folder / "dance.json"

    def _record(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._record_file.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _source(self) -> str:
        return file_sha256(self.source) + ("" if self.person is None else f" {self.person}")


class DancePreview:
    """Paints a lively moment of the dance while training goes on.

    Args:
        job: Whose preview it is.
        moved: The source's poses, fitted to the target, in pixels of the target's clip.
        rate: Frames per second.
    """

    def __init__(self, job: DanceJob, moved: PoseSequence, rate: Fraction) -> None:
        self._job, self._rate = job, rate
        self._part = liveliest(moved, max(2, round(PREVIEW_SECONDS * rate)))

    @cached_property
    def _window(self) -> Window:
        return training_set.load(self._job.run.data).window

    def __call__(self, painter: Painter, step: int) -> None:
        """Write the preview; it takes the place of the one before when it is whole.

        Raises:
            DancekitError: It cannot be written.
        """
        part = self._part
        with VideoWriter(
            self._job.preview,
            size=self._window.size,
            time_base=part.time_base,
            rate=self._rate,
            force=True,
            metadata=synthetic_mark(f"preview at step {step}"),
        ) as writer:
            for number, picture in enumerate(painter.paint(self._window.to_window(part.xy), part.score)):
                writer.write(letterbox(picture, self._window), int(part.pts[number] - part.pts[0]))


def liveliest(poses: PoseSequence, frames: int) -> PoseSequence:
    """The part of a clip, so many frames long, in which joints move most.

    Args:
        poses: The clip.
        frames: How many; the whole clip if it has fewer.
    """
    if len(poses) <= frames:
        return poses
    step = np.linalg.norm(np.diff(poses.xy, axis=0), axis=-1)
    moved = np.nansum(step, axis=1)
    total = np.convolve(np.nan_to_num(moved), np.ones(frames - 1), "valid")
    start = int(np.argmax(total))
    return poses[start : start + frames]


def preview_every(seconds_per_step: float, steps: int) -> int:
    """Steps between previews, about `PREVIEW_PERIOD` apart; a round number.

    Args:
        seconds_per_step: Measured.
        steps: Of the whole training: at least one preview on the way.
    """
    wanted = min(PREVIEW_PERIOD / max(seconds_per_step, 1e-6), max(steps / 2, 1))
    unit = 10 ** max(int(np.floor(np.log10(max(wanted, 1)))) - 1, 0)
    return max(1, int(round(wanted / unit) * unit))


def refuse_same(source: Path, target: Path, out: Path) -> None:
    """Refuse one file in two roles.

    Raises:
        UsageError: The output is one of the inputs.
    """
    for given in (source, target):
        if out.exists() and given.exists() and out.samefile(given):
            raise UsageError(f"--out {out} is an input", hint="choose another name")
