"""What is told while training: progress, records, previews, curves. A full disk stops none of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import torch

from dancekit.data.files import write_png
from dancekit.data.progress import Progress
from dancekit.errors import DancekitError
from dancekit.model import Painter
from dancekit.training.curves import save_curves
from dancekit.training.journal import Journal, read_records
from dancekit.training.preview import fixed_moments, preview
from dancekit.training.run import Run
from dancekit.training.state import TrainingState
from dancekit.training.tensorboard import TensorBoard

_LOG = logging.getLogger(__name__)


class Reporter:
    """Tells how a run goes while its block lasts.

    Args:
        state: Where training is.
        run: The folder.
        progress: Told of every step.
        on_preview: Given a painter with every preview.
        on_record: Given every line of metrics.jsonl.
    """

    def __init__(
        self,
        state: TrainingState,
        run: Run,
        progress: Progress,
        on_preview: Callable[[Painter, int], None] | None,
        on_record: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.state, self.run = state, run
        self._progress, self._on_preview, self._on_record = progress, on_preview, on_record
        self._journal = Journal(run.metrics_file)
        self._journal.forget_after(state.step)
        self._board: TensorBoard | None = None
        if "tensorboard" in state.recipe.train.loggers:
            self._board = TensorBoard(run.folder / "tensorboard", state.step)
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._progress("steps", self.state.step, self.state.recipe.train.steps)
        self._last = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def step(self, stage: str, terms: Mapping[str, float]) -> None:
        """A step of that stage is done."""
        state, settings = self.state, self.state.recipe.train
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        if state.step % settings.log_every == 0 or state.step == 1:
            plan = state.plan(state.stage(state.step - 1)[0])
            frames = settings.batch * settings.accumulate * (plan.frames + plan.before(state.step - 1))
            record: dict[str, Any] = {
                "step": state.step,
                "stage": stage,
                "seconds_per_step": round(seconds, 4),
                "frames_per_second": round(frames / max(seconds, 1e-9), 3),
                "memory_mb": round(peak_memory(state.device) / 1e6),
                **terms,
            }
            self._journal.write(record)
            if self._board is not None:
                self._board.record(record)
            self._on_record(record)
        self._progress("steps", state.step, settings.steps)

    def preview(self) -> None:
        """Paint the fixed moments and draw the curves."""
        state = self.state
        moments = fixed_moments(state.data, state.recipe.train.hold_out)
        size = state.plan(state.stage(max(0, state.step - 1))[0]).size  # what has been learnt so far
        with state.painter(size) as painter:
            picture = preview(painter, state.data, moments, size)
        if self._on_preview is not None:
            with state.painter() as painter:
                self._on_preview(painter, state.step)
        try:
            write_png(self.run.previews / f"step-{state.step:07d}.png", picture)
            save_curves(self.run.curves, read_records(self.run.metrics_file))
        except DancekitError as error:
            _LOG.warning("no preview at step %d: %s; training goes on", state.step, error)
        if self._board is not None:
            self._board.picture(picture, state.step)
        self._last = time.monotonic()  # painting is no part of a step


def peak_memory(device: str) -> int:
    """Most bytes that training has needed so far: of the GPU's memory there, else of the process."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    if device == "mps":
        return int(torch.mps.driver_allocated_memory())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
