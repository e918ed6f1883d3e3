"""Train a dancer: prepare the target once, step, log, preview, checkpoint; go on where a kill left off."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from dancekit.build import build_filters, build_pose, check_chain, check_parts, resolve_device
from dancekit.config import Recipe, load_recipe
from dancekit.critic import NETWORKS as CRITIC
from dancekit.critic import save_critic
from dancekit.dancer import DancerInfo, Subject, component_ids, save_dancer
from dancekit.data import edn_set, training_set
from dancekit.data.framing import crop
from dancekit.data.poses import TrackedClip, track_person
from dancekit.data.progress import Progress, silent
from dancekit.errors import UsageError
from dancekit.model import Painter
from dancekit.training.chain import train_chain
from dancekit.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from dancekit.training.given import check_camera, check_given
from dancekit.training.preview import save_preview
from dancekit.training.run import Run, check_run, open_run, run_inputs
from dancekit.training.start import check_start
from dancekit.training.start import start_from as take_over
from dancekit.training.state import TrainingState
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


def train(
    target: str | os.PathLike[str],
    recipe: Recipe | str = "quick",
    *,
    out: str | os.PathLike[str] = "runs/dancer",
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    person: str | None = None,
    progress: Progress = silent,
    should_stop: Callable[[], bool] = never,
    on_preview: Callable[[Painter, int], None] | None = None,
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
        licence: SPDX identifier for the dancer file.
        consent: What the person shown agreed to, for the dancer file.
        start_from: A run folder or a dancer file to begin with, in place of the recipe's `train.start_from` and of
            the recipes before it, which are not trained then.
        subject: `rendered` if nobody real is shown, for the dancer file.
        data_licence: SPDX identifier of the clip, for the dancer file.

    Returns:
        Where the run and the dancer are.

    Raises:
        DancekitError: A subclass for each thing that can be wrong with the inputs.
    """
    settings = load_recipe(recipe) if isinstance(recipe, str) else recipe
    video = Path(target)
    imported = edn_set.is_edn_set(video)
    rate = Fraction(edn_set.read_manifest(video)["rate"]) if imported else probe(video).rate
    place = resolve_device(device)
    inputs = run_inputs(file_sha256(video / edn_set.MANIFEST if imported else video), person)
    run = Run(Path(out))
    check_run(run.folder, settings, inputs, resume=resume, force=force)
    begin_with = os.fspath(start_from) or settings.train.start_from
    if not list_checkpoints(run.checkpoints) or not resume:
        check_start(begin_with)
    tracked = None
    if settings.before and not start_from:
        _check_recipes(video, settings, place, progress, imported=imported, person=person)
        open_run(run.folder, settings, inputs, device=place, resume=resume, force=force)
        one = partial(
            train,
            target,
            device=device,
            person=person,
            progress=progress,
            should_stop=should_stop,
            on_preview=on_preview,
            licence=licence,
            consent=consent,
        )
        return train_chain(one, settings, run)
    if imported and person is not None:
        raise UsageError(f"{video} is no video: it has one person", hint="leave --person away")
    if imported and not (resume and run.data.exists()):
        given = edn_set.load(video)
        check_given(settings, given)
        edn_set.check_size(video, settings.size)
        check_parts(settings, given.target.skeleton)
    elif not (resume and run.data.exists()):
        # Before anything is written or replaced: parts that do not fit and a video without a person leave
        # everything as it was.
        backend = build_pose(settings, place)
        check_parts(settings, backend.spec.skeleton)
        tracked = track_person(video, backend, settings.pose, person=person, progress=progress)
        check_camera(video, tracked.camera, settings.background.name)
    open_run(run.folder, settings, inputs, device=place, resume=resume, force=force)
    data = _prepare(video, tracked, settings, run, progress)
    state = TrainingState(settings, data, place)
    if found := list_checkpoints(run.checkpoints):
        load_checkpoint(found[-1], state)
    elif begin_with:
        for name, (copied, total) in take_over(begin_with, state).items():
            _LOG.info("%s begins with %d of %d tensors of %s", name, copied, total, begin_with)
    run.forget_after(state.step)
    _run_steps(state, run, progress, should_stop, on_preview)
    record = {
        "steps": state.step,
        "seconds": round(run.seconds(state.step), 1),
        "recipe_sha256": settings.hash,
        "inputs": inputs,
    }
    if settings.train.hold_out:
        record["held_out"] = [data.shown(settings.train.hold_out), len(data)]
    dancer_info = DancerInfo(
        recipe=settings,
        components=component_ids(settings),
        skeleton=data.target.skeleton.id,
        window=data.window,
        rate=rate,
        licence=licence,
        consent=consent,
        subject=subject,
        data_licence=data_licence,
        training=record,
    )
    write_dancer(run.dancer, state, dancer_info)
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


def _prepare(
    video: Path, tracked: TrackedClip | None, recipe: Recipe, run: Run, progress: Progress
) -> training_set.TrainingSet:
    """The run's training set, cut out now if it is not there yet; a new run that cannot have one is removed."""
    if run.data.exists() and tracked is None:
        return edn_set.load(run.data) if edn_set.is_edn_set(run.data) else training_set.load(run.data)
    if tracked is None:
        return edn_set.attach(video, run.data, recipe.size)
    try:
        return training_set.prepare(
            video,
            tracked,
            filters=build_filters(recipe),
            size=recipe.size,
            folder=run.data,
            progress=progress,
        )
    except BaseException:
        if not list_checkpoints(run.checkpoints) and not recipe.before:  # else earlier runs lie in it
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def _run_steps(
    state: TrainingState,
    run: Run,
    progress: Progress,
    should_stop: Callable[[], bool],
    on_preview: Callable[[Painter, int], None] | None,
) -> None:
    """Step until the last step or until told to stop."""
    settings = state.recipe.train
    last = time.monotonic()
    progress("steps", state.step, settings.steps)
    while state.step < settings.steps:
        stage, _ = state.stage()
        record: dict[str, Any] = dict(state.advance())
        now = time.monotonic()
        if state.step % settings.log_every == 0 or state.step == 1:
            run.log(
                {"step": state.step, "stage": stage.name, "seconds_per_step": round(now - last, 4), **record}
            )
        last = now
        progress("steps", state.step, settings.steps)
        stop = should_stop()
        final = stop or state.step == settings.steps
        if final or state.step % settings.checkpoint_every == 0:
            save_checkpoint(run.checkpoints, state)
        if final or state.step % settings.preview_every == 0:
            _preview(state, run, on_preview)
        if stop:
            break


def _preview(state: TrainingState, run: Run, on_preview: Callable[[Painter, int], None] | None) -> None:
    generator, face = state.networks["generator"], state.networks["face"]
    with state.averages["generator"].applied(generator), state.averages["face"].applied(face):
        painter = Painter(
            state.painting,
            state.data.target.skeleton,
            crop(state.data.plate, state.data.window),
            state.device,
        )
        save_preview(run.previews / f"step-{state.step:07d}.png", painter, state.data)
        if on_preview is not None:
            on_preview(painter, state.step)


def write_dancer(path: Path, state: TrainingState, info: DancerInfo) -> str:
    """Write the averaged weights as a dancer file, and the critic beside it; returns the dancer's sha256."""
    networks = {
        f"{name}.{key}": value
        for name in ("generator", "face")
        for key, value in state.averages[name].shadow.items()
    }
    data = state.data
    target = data.target[slice(0, data.shown(state.recipe.train.hold_out))]
    _, encoded = cv2.imencode(".png", cv2.cvtColor(data.plate, cv2.COLOR_RGB2BGR))
    digest = save_dancer(path, info, networks, target=target, plate_png=encoded.tobytes())
    critic = {
        f"{name}.{key}": value for name in CRITIC for key, value in state.networks[name].state_dict().items()
    }
    save_critic(path, info, critic, dancer_sha256=digest)
    return digest
