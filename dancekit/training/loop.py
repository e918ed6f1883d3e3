"""Train a dancer: prepare the target once, step, log, preview, checkpoint; go on where a kill left off."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.config import Recipe, load_recipe
from dancekit.dancer import DancerInfo, Subject, component_ids
from dancekit.data.progress import Progress, silent
from dancekit.data.results import copy_file
from dancekit.model import Painter
from dancekit.training.chain import train_chain
from dancekit.training.checkpoint import list_checkpoints, load_checkpoint
from dancekit.training.distributed import FailedElsewhere, join
from dancekit.training.ready import Order, get_ready, load_data
from dancekit.training.report import Reporter
from dancekit.training.run import Run
from dancekit.training.save import Saver
from dancekit.training.start import start_from as take_over
from dancekit.training.state import TrainingState
from dancekit.training.watch import Diverged, LossWatch
from dancekit.types.notebook import facts_html

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What training left behind.

    Attributes:
        run: The run folder.
        dancer: The dancer file in it.
        steps: Steps trained in all.
        finished: False if it was stopped before the recipe's last step.
    """

    run: Path
    dancer: Path
    steps: int
    finished: bool

    def plot(self) -> NDArray[np.uint8]:
        """How the losses went: (H, W, 3) uint8 RGB."""
        from dancekit.training.curves import draw_curves

        lines = (self.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return draw_curves([json.loads(line) for line in lines])

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Copy the dancer file.

        Raises:
            OutputExists: There is such a file, and `force` is off.
        """
        return copy_file(self.dancer, path, force=force)

    def _repr_html_(self) -> str:
        state = "finished" if self.finished else "stopped early"
        rows = [("dancer", self.dancer), ("run", self.run), ("steps", f"{self.steps}, {state}")]
        return facts_html("TrainResult", rows, [self.plot()])


def never() -> bool:
    """Do not stop early."""
    return False


def unheard(record: Mapping[str, Any]) -> None:
    """Tell nobody."""


def train(
    target: str | os.PathLike[str],
    recipe: Recipe | str = "standard",
    *,
    out: str | os.PathLike[str] = "runs/dancer",
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    person: str | None = None,
    progress: Progress = silent,
    should_stop: Callable[[], bool] = never,
    on_preview: Callable[[Painter, int], None] | None = None,
    on_record: Callable[[Mapping[str, Any]], None] = unheard,
    licence: str = "",
    consent: str = "",
    start_from: str | os.PathLike[str] = "",
    subject: Subject = "",
    data_licence: str = "",
    also: Sequence[str | os.PathLike[str]] = (),
) -> TrainResult:
    """Train a dancer on a clip of the target.

    Recipes that the recipe has `before` it are trained first, in the run folder's folder `before`; a run that was
    stopped in the midst of them goes on there. Called in every process that `accelerate launch` or torchrun has
    started, they share each step (docs/many.md), and only the main one writes and reports.

    Args:
        target: A video of one person, whole body, locked camera; or what `dancekit import-edn` wrote.
        recipe: A recipe or its name.
        out: The run folder.
        device: `cpu`, `cuda`, `mps` or `auto`.
        resume: Go on with the run in `out`, exactly where its last checkpoint is.
        force: Replace what is in `out`.
        person: Who is the target, if there are several people: see `dancekit.data.poses.track_person`.
        progress: Called with (what, done, total): `poses`, `frames`, `steps`.
        should_stop: Asked after every step; True ends training with a checkpoint and a dancer.
        on_preview: Called with a painter and the step, as often as previews are made.
        on_record: Called with every line of metrics.jsonl.
        licence: SPDX identifier for the dancer file.
        consent: What the person shown agreed to, for the dancer file.
        start_from: A run folder or a dancer file to begin with, in place of the recipe's `train.start_from` and of
            the recipes before it, which are not trained then.
        subject: `rendered` if nobody real is shown, for the dancer file.
        data_licence: SPDX identifier of the clip, for the dancer file.
        also: Clips of other people, each in a place of their own, that are learnt from too: for a dancer that
            others start from. It is the target's dancer all the same.

    Returns:
        Where the run and the dancer are.

    Raises:
        DancekitError: A subclass for each thing that can be wrong with the inputs; `Diverged` if training went
            wrong; another process is at work in `out`.
    """
    settings = load_recipe(recipe) if isinstance(recipe, str) else recipe
    settings = settings.model_copy(update={"target": ""})
    processes, place = join(device)
    run = Run(Path(out))
    begin_with = os.fspath(start_from) or settings.train.start_from
    chained = bool(settings.before) and not start_from
    order = Order(
        Path(target), settings, run, place, begin_with, resume, force, person, chained, tuple(map(Path, also))
    )
    with ExitStack() as held:
        ready = processes.on_main(partial(get_ready, order, processes, held, progress))
        if chained:
            one = partial(
                train,
                target,
                device=device,
                person=person,
                progress=progress,
                should_stop=should_stop,
                on_preview=on_preview,
                on_record=on_record,
                licence=licence,
                consent=consent,
                subject=subject,
                data_licence=data_licence,
                also=also,
            )
            return train_chain(one, settings, run)
        data = load_data(run) if ready is None else ready.data
        state = TrainingState(settings, data, place, processes)
        try:
            _begin(state, run, begin_with)
            if ready is None:
                progress("steps", state.step, settings.train.steps)
                _run_steps(state, _Nobody(), _Nobody(), should_stop)
            else:
                facts = DancerInfo(
                    recipe=settings,
                    components=component_ids(settings),
                    skeleton=data.target.skeleton.id,
                    window=data.window,
                    follow=data.follow,
                    rate=ready.rate,
                    licence=licence,
                    consent=consent,
                    subject=subject,
                    data_licence=data_licence,
                    training={"inputs": ready.inputs},
                )
                saver = Saver(state, run, facts)
                with Reporter(state, run, progress, on_preview, on_record) as reporter:
                    _run_steps(state, saver, reporter, should_stop)
                saver.dancer(run.dancer)
        finally:
            state.close()
    return TrainResult(run.folder, run.dancer, state.step, state.step >= settings.train.steps)


class _Nobody:
    """Saves and reports in the processes that do neither."""

    def checkpoint(self, *, final: bool) -> None:
        """The main process does."""

    def step(self, stage: str, terms: Mapping[str, float]) -> None:
        """The main process tells."""

    def preview(self) -> None:
        """The main process paints."""

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """All processes see the same losses diverge; the main one says so."""
        try:
            yield
        except Diverged as error:
            raise FailedElsewhere(error.message, error.exit_code) from None


def _begin(state: TrainingState, run: Run, begin_with: str) -> None:
    """From the last checkpoint, from another run, or from random weights; then compiled, if so wished."""
    if found := list_checkpoints(run.checkpoints):
        load_checkpoint(found[-1], state)
    elif begin_with:
        for name, (copied, total) in take_over(begin_with, state).items():
            _LOG.info("%s begins with %d of %d tensors of %s", name, copied, total, begin_with)
    state.synchronize()
    state.compile()


def _run_steps(
    state: TrainingState,
    saver: Saver | _Nobody,
    reporter: Reporter | _Nobody,
    should_stop: Callable[[], bool],
) -> None:
    """Step until the last step or until told to stop."""
    settings, processes = state.recipe.train, state.processes
    watch = LossWatch()
    while state.step < settings.steps:
        stage, _ = state.stage()
        record = state.advance()
        with saver.explaining():
            watch.check(state.step, record)
        reporter.step(stage.name, record)
        stop = processes.any(should_stop())
        final = stop or state.step == settings.steps
        if final or state.step % settings.checkpoint_every == 0:
            processes.on_main(partial(saver.checkpoint, final=final))
        if final or state.step % settings.preview_every == 0:
            processes.on_main(reporter.preview)
        if stop:
            break
