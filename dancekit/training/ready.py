"""Before the first step: everything that can be wrong is said, the run folder is taken, the target is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dancekit.build import (
    build_filters,
    build_pose,
    check_chain,
    check_parts,
    component_id,
    window_step,
)
from dancekit.config import Recipe
from dancekit.data import edn_set, training_set
from dancekit.data.crowd import Crowd
from dancekit.data.poses import TRACKING, TrackedClip, track_person
from dancekit.data.progress import Progress
from dancekit.errors import DancekitError, UsageError
from dancekit.licences import check_licences
from dancekit.training.checkpoint import list_checkpoints
from dancekit.training.distributed import Processes
from dancekit.training.given import check_camera, check_given
from dancekit.training.lock import RunLock
from dancekit.training.run import Run, check_run, empty, open_run, run_inputs
from dancekit.training.start import check_fit, check_start
from dancekit.training.teacher import teacher_of
from dancekit.training.tensorboard import check_tensorboard
from dancekit.video import probe
from dancekit.weights.header import file_sha256
from dancekit.zoo.dancers import find_dancer


@dataclass(frozen=True, eq=False)
class Order:
    """What `train` was asked for; its arguments say what each is.

    Attributes:
        chained: Whether the recipes before this one are trained first.
        others: Clips of other people to learn from.
    """

    video: Path
    recipe: Recipe
    run: Run
    device: str
    begin_with: str
    resume: bool
    force: bool
    person: str | None
    chained: bool
    others: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Ready:
    """What the main process found and made before the first step.

    Attributes:
        data: The training set.
        rate: Of the target, frames a second.
        inputs: sha256 by role.
    """

    data: training_set.TrainingSet
    rate: Fraction
    inputs: dict[str, str]


def get_ready(order: Order, processes: Processes, held: ExitStack, progress: Progress) -> Ready | None:
    """Check all that can be checked, take the run folder and fill it: the main process's work.

    Args:
        order: What is asked for.
        processes: Those that train.
        held: Gets the run folder's lock.
        progress: Told how far it is.

    Returns:
        None for a chain of recipes: each of them gets ready by itself.
    """
    video, recipe, run = order.video, order.recipe, order.run
    for each in recipe.chain if order.chained else [recipe]:
        processes.check(each.train)
        teacher_of(each)  # says that it is missing
    imported = edn_set.is_edn_set(video)
    rate = Fraction(edn_set.read_manifest(video)["rate"]) if imported else probe(video).rate
    if imported and order.person is not None:
        raise UsageError(f"{video} is no video: it has one person", hint="leave --person away")
    if imported and order.others:
        raise UsageError(
            f"{video} is no video: nobody else is learnt from beside it", hint="leave --also away"
        )
    digest = file_sha256(video / edn_set.MANIFEST if imported else video)
    inputs = run_inputs(digest, order.person, [file_sha256(other) for other in order.others])
    check_run(run.folder, recipe, inputs, resume=order.resume, force=order.force)
    if not list_checkpoints(run.checkpoints) or not order.resume:
        check_start(order.begin_with)
        for each in recipe.chain if order.chained else [recipe]:
            check_licences(each, find=find_dancer)  # of dancers of the zoo, too
    if "tensorboard" in recipe.train.loggers:
        check_tensorboard()
    found = None
    if order.chained:
        _check_recipes(video, recipe, order.device, progress, imported=imported, person=order.person)
    elif not (order.resume and run.data.exists()):
        begin_with = "" if order.resume and list_checkpoints(run.checkpoints) else order.begin_with
        found = _check_target(
            video, recipe, order.device, imported=imported, person=order.person, progress=progress,
            begin_with=begin_with,
        )  # fmt: skip
    also = {}
    for place, other in (
        () if order.chained else zip(run.others(len(order.others)), order.others, strict=True)
    ):
        if not (order.resume and place.exists()):
            also[place] = _check_target(
                other, recipe, order.device, imported=False, person=None, progress=progress
            )
    held.enter_context(RunLock(run.folder))
    open_run(
        run.folder,
        recipe,
        inputs,
        device=order.device,
        resume=order.resume,
        force=order.force,
        processes=processes.count,
    )
    if order.chained:
        return None
    data = _prepare(video, found, recipe, run, run.data, progress)
    others = [
        _prepare(other, also.get(place), recipe, run, place, progress)
        for place, other in zip(run.others(len(order.others)), order.others, strict=True)
    ]
    return Ready(Crowd.of(data, others) if others else data, rate, inputs)


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
    video: Path,
    recipe: Recipe,
    device: str,
    *,
    imported: bool,
    person: str | None,
    progress: Progress,
    begin_with: str = "",
) -> _Found | None:
    """Before anything is written or replaced: parts that do not fit and a video without a person leave
    everything as it was. None for an imported set, whose poses are given.
    """
    if imported:
        given = edn_set.load(video)
        check_given(recipe, given)
        edn_set.check_size(video, recipe.size)
        check_parts(recipe, given.target.skeleton)
        check_fit(begin_with, recipe, given.target.skeleton)
        return None
    backend = build_pose(recipe, device)
    check_parts(recipe, backend.spec.skeleton)
    check_fit(begin_with, recipe, backend.spec.skeleton)
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
    if recipe.person_height:
        settings |= {
            "person_height": recipe.person_height,
            "step": window_step(recipe, backend.spec.skeleton),
        }
    return _Found(tracked, settings)


def _prepare(
    video: Path, found: _Found | None, recipe: Recipe, run: Run, folder: Path, progress: Progress
) -> training_set.TrainingSet:
    """A training set of the run, made now if it is not there yet; a new run that cannot have one is emptied."""
    if folder.exists() and found is None:
        return _load(folder)
    if found is None:
        return edn_set.attach(video, folder, recipe.size)
    try:
        return training_set.prepare(
            video,
            found.tracked,
            filters=build_filters(recipe),
            size=recipe.size,
            person_height=recipe.person_height,
            step=window_step(recipe, found.tracked.poses.skeleton),
            folder=folder,
            settings=found.settings,
            progress=progress,
        )
    except BaseException:
        if not list_checkpoints(run.checkpoints) and not recipe.before:  # else earlier runs lie in it
            empty(run.folder)
        raise


def load_data(run: Run) -> training_set.TrainingSet:
    """The training set of a run that is ready."""
    if not run.data.exists():
        raise DancekitError(
            f"{run.data} is not to be seen from this process",
            hint="the run folder must lie on a file system that all machines share",
        )
    data, others = _load(run.data), [_load(place) for place in run.others()]
    return Crowd.of(data, others) if others else data


def _load(folder: Path) -> training_set.TrainingSet:
    return edn_set.load(folder) if edn_set.is_edn_set(folder) else training_set.load(folder)
