"""Train a dancer: prepare the target once, step, log, preview, checkpoint; go on where a kill left off."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from dancekit.build import (
    build_filters,
    build_pose,
    check_chain,
    check_parts,
    component_id,
    resolve_device,
)
from dancekit.config import Recipe, load_recipe
from dancekit.dancer import DancerInfo, Subject, component_ids
from dancekit.data import edn_set, training_set
from dancekit.data.poses import TRACKING, TrackedClip, track_person
from dancekit.data.progress import Progress, silent
from dancekit.errors import UsageError
from dancekit.model import Painter
from dancekit.training.chain import train_chain
from dancekit.training.checkpoint import list_checkpoints, load_checkpoint
from dancekit.training.given import check_camera, check_given
from dancekit.training.lock import RunLock
from dancekit.training.report import Reporter
from dancekit.training.run import Run, check_run, empty, open_run, run_inputs
from dancekit.training.save import Saver
from dancekit.training.start import check_start
from dancekit.training.start import start_from as take_over
from dancekit.training.state import TrainingState
from dancekit.training.tensorboard import check_tensorboard
from dancekit.training.watch import LossWatch
from dancekit.video import probe
from dancekit.weights.header import file_sha256

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
) -> TrainResult:
    """Train a dancer on a clip of the target.

    Recipes that the recipe has `before` it are trained first, in the run folder's folder `before`; a run that was
    stopped in the midst of them goes on there.

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

    Returns:
        Where the run and the dancer are.

    Raises:
        DancekitError: A subclass for each thing that can be wrong with the inputs; `Diverged` if training went
            wrong; another process is at work in `out`.
    """
    settings = load_recipe(recipe) if isinstance(recipe, str) else recipe
    video = Path(target)
    imported = edn_set.is_edn_set(video)
    rate = Fraction(edn_set.read_manifest(video)["rate"]) if imported else probe(video).rate
    place = resolve_device(device)
    if imported and person is not None:
        raise UsageError(f"{video} is no video: it has one person", hint="leave --person away")
    inputs = run_inputs(file_sha256(video / edn_set.MANIFEST if imported else video), person)
    run = Run(Path(out))
    check_run(run.folder, settings, inputs, resume=resume, force=force)
    begin_with = os.fspath(start_from) or settings.train.start_from
    if not list_checkpoints(run.checkpoints) or not resume:
        check_start(begin_with)
    if "tensorboard" in settings.train.loggers:
        check_tensorboard()
    if settings.before and not start_from:
        _check_recipes(video, settings, place, progress, imported=imported, person=person)
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
        )
        with RunLock(run.folder):
            open_run(run.folder, settings, inputs, device=place, resume=resume, force=force)
            return train_chain(one, settings, run)
    found = None
    if not (resume and run.data.exists()):
        found = _check_target(video, settings, place, imported=imported, person=person, progress=progress)
    with RunLock(run.folder):
        open_run(run.folder, settings, inputs, device=place, resume=resume, force=force)
        data = _prepare(video, found, settings, run, progress)
        state = TrainingState(settings, data, place)
        facts = DancerInfo(
            recipe=settings,
            components=component_ids(settings),
            skeleton=data.target.skeleton.id,
            window=data.window,
            rate=rate,
            licence=licence,
            consent=consent,
            subject=subject,
            data_licence=data_licence,
            training={"inputs": inputs},
        )
        try:
            _begin(state, run, begin_with)
            saver = Saver(state, run, facts)
            with Reporter(state, run, progress, on_preview, on_record) as reporter:
                _run_steps(state, saver, reporter, should_stop)
            saver.dancer(run.dancer)
        finally:
            state.close()
    return TrainResult(run.folder, run.dancer, state.step, state.step >= settings.train.steps)


def _check_recipes(
    video: Path, recipe: Recipe, device: str, progress: Progress, *, imported: bool, person: str | None
) -> None:
    """Refuse a chain of recipes before the first one is trained: one that fails at the end would cost days."""
    given, backend = None, None
    if imported:
        given = edn_set.load(video)
        skeleton = given.target.skeleton
    else:
        backend = build_pose(recipe, device)
        skeleton = backend.spec.skeleton
    for each in recipe.chain:
        if given:
            check_given(each, given)
            edn_set.check_size(video, each.size)
        check_parts(each, skeleton)
    check_chain(recipe, skeleton)
    if backend:
        tracked = track_person(
            video, backend, recipe.pose, person=person, progress=progress
        )  # kept in the cache
        for each in recipe.chain:
            check_camera(video, tracked.camera, each.background.name)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found in the target's clip before anything was written.

    Attributes:
        tracked: The person's poses and masks.
        settings: What they and the training set depend on besides the clip.
    """

    tracked: TrackedClip
    settings: Mapping[str, Any]


def _check_target(
    video: Path, recipe: Recipe, device: str, *, imported: bool, person: str | None, progress: Progress
) -> _Found | None:
    """Before anything is written or replaced: parts that do not fit and a video without a person leave
    everything as it was. None for an imported set, whose poses are given.
    """
    if imported:
        given = edn_set.load(video)
        check_given(recipe, given)
        edn_set.check_size(video, recipe.size)
        check_parts(recipe, given.target.skeleton)
        return None
    backend = build_pose(recipe, device)
    check_parts(recipe, backend.spec.skeleton)
    tracked = track_person(video, backend, recipe.pose, person=person, progress=progress)
    check_camera(video, tracked.camera, recipe.background.name)
    filters = [
        {"name": each.name, "params": each.params, "version": built.version}
        for each, built in zip(recipe.filters, build_filters(recipe), strict=True)
    ]
    settings: dict[str, Any] = {
        "pose": component_id(backend, recipe.pose),
        "filters": filters,
        "size": recipe.size,
        "person": person,
        "tracking": TRACKING,
    }
    return _Found(tracked, settings)


def _prepare(
    video: Path, found: _Found | None, recipe: Recipe, run: Run, progress: Progress
) -> training_set.TrainingSet:
    """The run's training set, made now if it is not there yet; a new run that cannot have one is emptied."""
    if run.data.exists() and found is None:
        return edn_set.load(run.data) if edn_set.is_edn_set(run.data) else training_set.load(run.data)
    if found is None:
        return edn_set.attach(video, run.data, recipe.size)
    try:
        return training_set.prepare(
            video,
            found.tracked,
            filters=build_filters(recipe),
            size=recipe.size,
            folder=run.data,
            settings=found.settings,
            progress=progress,
        )
    except BaseException:
        if not list_checkpoints(run.checkpoints) and not recipe.before:  # else earlier runs lie in it
            empty(run.folder)
        raise


def _begin(state: TrainingState, run: Run, begin_with: str) -> None:
    """From the last checkpoint, from another run, or from random weights; then compiled, if so wished."""
    if found := list_checkpoints(run.checkpoints):
        load_checkpoint(found[-1], state)
    elif begin_with:
        for name, (copied, total) in take_over(begin_with, state).items():
            _LOG.info("%s begins with %d of %d tensors of %s", name, copied, total, begin_with)
    state.compile()


def _run_steps(
    state: TrainingState, saver: Saver, reporter: Reporter, should_stop: Callable[[], bool]
) -> None:
    """Step until the last step or until told to stop."""
    settings = state.recipe.train
    watch = LossWatch()
    while state.step < settings.steps:
        stage, _ = state.stage()
        record = state.advance()
        with saver.explaining():
            watch.check(state.step, record)
        reporter.step(stage.name, record)
        stop = should_stop()
        final = stop or state.step == settings.steps
        if final or state.step % settings.checkpoint_every == 0:
            saver.checkpoint(final=final)
        if final or state.step % settings.preview_every == 0:
            reporter.preview()
        if stop:
            break
