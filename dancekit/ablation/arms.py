"""The arms of a matrix: their recipes, what is there of them already, and their training, one after the other."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dancekit.ablation.matrix import Arm, Matrix
from dancekit.build import build_pose, check_parts, resolve_device
from dancekit.config import Component, Recipe, load_recipe
from dancekit.data import edn_set
from dancekit.data.files import write_whole
from dancekit.data.progress import Progress, silent
from dancekit.errors import UsageError
from dancekit.training import train
from dancekit.training.checkpoint import list_checkpoints
from dancekit.training.loop import never
from dancekit.training.run import FREE_TO_CHANGE, NOT_OF_THE_WEIGHTS, Run
from dancekit.types import Skeleton
from dancekit.video import probe
from dancekit.weights.header import file_sha256, read_tensors

ARMS = "arms"
"""Folder of the arms' runs, each with a record beside it."""

NO_MATTER = (FREE_TO_CHANGE - {"steps"}) | {"start_from"}
"""Keys under `train` that may differ from what an arm was trained with. Where it began is in its record."""


@dataclass(frozen=True)
class ArmState:
    """An arm and what is there of it.

    Attributes:
        arm: What the matrix says.
        recipe: Complete.
        run: Its run folder.
        steps: Steps trained.
        finished: Whether nothing is left to train.
        seconds: That its steps took, where known.
        problem: Why what is there cannot be used, or "".
    """

    arm: Arm
    recipe: Recipe
    run: Run
    steps: int = 0
    finished: bool = False
    seconds: float = 0.0
    problem: str = ""

    @property
    def status(self) -> str:
        """In words."""
        if self.problem:
            return self.problem
        if self.finished:
            return "finished"
        return f"step {self.steps}" if self.steps else "to do"


def run_of(out: Path, name: str) -> Run:
    """The run folder of an arm."""
    return Run(out.resolve() / ARMS / name)


def recipe_of(matrix: Matrix, name: str, out: Path, overrides: Sequence[str] = ()) -> Recipe:
    """An arm's complete recipe.

    Args:
        matrix: The ablation.
        name: The arm's.
        out: Folder of the ablation.
        overrides: From the command line, for all arms; they win.

    Raises:
        RecipeError: Everything that is wrong with it.
    """
    start = matrix.arm(name).start
    begin = [f"train.start_from={json.dumps(str(run_of(out, start).folder))}"] if start else []
    return load_recipe(matrix.recipe, [*matrix.overrides_of(name), *overrides, *begin])


def look(
    matrix: Matrix,
    target: Path,
    out: Path,
    overrides: Sequence[str] = (),
    *,
    ignoring: Collection[str] = (),
) -> list[ArmState]:
    """All arms in order, and what is there of each; changes nothing. As if nothing were there of arms in `ignoring`.

    Raises:
        RecipeError: An arm's recipe is wrong.
    """
    sha = target_sha256(target)
    return [
        ArmState(arm, recipe_of(matrix, arm.name, out, overrides), run_of(out, arm.name))
        if arm.name in ignoring
        else _state(matrix, arm, sha, out, overrides)
        for arm in matrix.arms
    ]


def target_sha256(target: Path) -> str:
    """Of what training notes as its input."""
    return file_sha256(target / edn_set.MANIFEST if edn_set.is_edn_set(target) else target)


def _state(matrix: Matrix, arm: Arm, sha: str, out: Path, overrides: Sequence[str]) -> ArmState:
    recipe, run = recipe_of(matrix, arm.name, out, overrides), run_of(out, arm.name)
    if not run.recipe_file.exists() or not run.provenance_file.exists():
        return ArmState(arm, recipe, run)
    record = read_record(run)
    found = list_checkpoints(run.checkpoints)
    steps = int(json.loads((found[-1] / "state.json").read_text())["step"]) if found else 0
    return ArmState(
        arm,
        recipe,
        run,
        steps,
        finished=bool(record.get("finished")) and run.dancer.exists(),
        seconds=float(record.get("seconds", 0.0)),
        problem=_problem(arm, recipe, run, sha, out),
    )


def _problem(arm: Arm, recipe: Recipe, run: Run, sha: str, out: Path) -> str:
    """Why a run is not the one that the matrix asks for: another clip, another recipe, another beginning."""
    changed = _changed(load_recipe(run.recipe_file), recipe)
    if json.loads(run.provenance_file.read_text())["inputs"].get("target") != sha:
        changed.insert(0, "the target")
    if changed:
        return f"was trained in another way: {', '.join(changed)} differ"
    began = read_record(run).get("from_sha256")
    parent = run_of(out, arm.start).dancer
    if began and (not parent.exists() or weights_sha256(parent) != began):
        return f"began with another {arm.start} than the one that is there now"
    return ""


def weights_sha256(dancer: Path) -> str:
    """Of a dancer's weights alone: the file also says how long it took."""
    digest = hashlib.sha256()
    for name, tensor in sorted(read_tensors(dancer).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _changed(old: Recipe, new: Recipe) -> list[str]:
    """Keys in which two recipes would train differently."""

    def flat(recipe: Recipe) -> dict[str, Any]:
        data = {key: value for key, value in recipe.to_json().items() if key not in NOT_OF_THE_WEIGHTS}
        inner = data.pop("train")
        return data | {f"train.{key}": value for key, value in inner.items() if key not in NO_MATTER}

    before, now = flat(old), flat(new)
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def record_file(run: Run) -> Path:
    """Beside the run folder: it outlives what `train` makes of the folder."""
    return run.folder.with_name(f"{run.folder.name}.json")


def read_record(run: Run) -> dict[str, Any]:
    """What was noted of an arm; empty if nothing was."""
    path = record_file(run)
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return data


# ---- training ------------------------------------------------------------------------------------------------


def train_arms(
    matrix: Matrix,
    target: Path,
    out: Path,
    *,
    overrides: Sequence[str] = (),
    only: Collection[str] = (),
    force: bool = False,
    device: str = "auto",
    progress: Progress = silent,
    should_stop: Callable[[], bool] = never,
    on_arm: Callable[[ArmState], None] = lambda state: None,
) -> list[ArmState]:
    """Train what is not finished yet.

    Everything is checked before the first step: recipes, whether their parts fit, and what is there already.

    Args:
        matrix: The ablation.
        target: The clip that all arms learn from.
        out: Folder of the ablation.
        overrides: `key=value`, for all arms.
        only: Names of arms; all if empty.
        force: Train them anew even if they are there.
        device: `cpu`, `cuda`, `mps` or `auto`.
        progress: Called with (what, done, total).
        should_stop: Asked after every step.
        on_arm: Called with each arm before it is trained (or found to be finished).

    Returns:
        All arms as they are now; those after one that was stopped are as they were.

    Raises:
        DancekitError: A subclass for each thing that can be wrong.
    """
    chosen = [matrix.arm(name).name for name in only] or [arm.name for arm in matrix.arms]
    states = look(matrix, target, out, overrides, ignoring=chosen if force else ())
    _check(states, chosen, target, device)
    if force:
        _forget(matrix, out, chosen)
    for number, state in enumerate(states):
        if state.arm.name not in chosen:
            continue
        on_arm(state)
        if state.finished:
            continue
        if should_stop():
            break
        states[number] = _train(state, target, out, device, progress, should_stop)
        if not states[number].finished:
            break
    # An arm trained anew may leave behind others that began with what it was before.
    return look(matrix, target, out, overrides) if only else states


def _forget(matrix: Matrix, out: Path, chosen: Collection[str]) -> None:
    """Remove runs that are to be replaced; something else in their place is left alone, and refused later."""
    for name in chosen:
        run = run_of(out, name)
        record_file(run).unlink(missing_ok=True)
        if run.recipe_file.exists():
            shutil.rmtree(run.folder)


def _check(states: Sequence[ArmState], chosen: Collection[str], target: Path, device: str) -> None:
    """All that can be wrong before an hour of training tells."""
    if not edn_set.is_edn_set(target):
        probe(target)
    done = {state.arm.name for state in states if state.finished and not state.problem}
    skeletons: dict[str, Skeleton] = {}
    for state in states:
        if state.arm.name not in chosen:
            continue
        refuse_other(state)
        if state.arm.start and state.arm.start not in done | set(chosen):
            raise UsageError(
                f"arm {state.arm.name} begins with {state.arm.start}, which is not trained yet",
                hint=f"--only {state.arm.start} --only {state.arm.name}",
            )
        if not state.finished and not edn_set.is_edn_set(target):
            check_parts(state.recipe, _skeleton(state.recipe, device, skeletons))


def refuse_other(state: ArmState) -> None:
    """Refuse an arm that is there but was trained in another way.

    Raises:
        UsageError: It was.
    """
    if state.problem:
        raise UsageError(
            f"arm {state.arm.name} in {state.run.folder} {state.problem}",
            hint=f"choose another --out, or replace it: --only {state.arm.name} --force",
        )


def _skeleton(recipe: Recipe, device: str, known: dict[str, Skeleton]) -> Skeleton:
    """Of the recipe's pose backend, which is made once for all arms that name it alike."""
    pose: Component = recipe.pose
    key = json.dumps(pose.model_dump(mode="json"), sort_keys=True)
    if key not in known:
        known[key] = build_pose(recipe, resolve_device(device)).spec.skeleton
    return known[key]


def _train(
    state: ArmState,
    target: Path,
    out: Path,
    device: str,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> ArmState:
    """Train an arm to its end, unless it is stopped."""
    run, record = state.run, dict(read_record(state.run))
    if not state.steps:
        record = {"arm": state.arm.name, "from": state.arm.start, "from_sha256": ""}
        if state.arm.start:
            record["from_sha256"] = weights_sha256(run_of(out, state.arm.start).dancer)
        _write(run, record | {"finished": False})
    resume = run.recipe_file.exists() and run.provenance_file.exists()
    result = train(
        target,
        state.recipe,
        out=run.folder,
        device=device,
        resume=resume,
        progress=progress,
        should_stop=should_stop,
    )
    seconds = round(run.seconds(result.steps), 1)
    _write(
        run,
        record
        | {
            "finished": result.finished,
            "steps": result.steps,
            "seconds": seconds,
            "recipe_sha256": state.recipe.hash,
            "device": resolve_device(device),
        },
    )
    return replace(state, steps=result.steps, finished=result.finished, seconds=seconds)


def _write(run: Run, record: dict[str, Any]) -> None:
    write_whole(record_file(run), json.dumps(record, indent=1, sort_keys=True) + "\n")


def estimated_seconds(state: ArmState, device: str = "auto") -> float:
    """Seconds of training that an arm still needs on this machine: some real steps on made-up frames are timed."""
    if state.finished:
        return 0.0
    from dancekit.training.estimate import Speeds, made_up_for, time_steps
    from dancekit.training.state import TrainingState

    backend = build_pose(state.recipe, resolve_device(device))
    made_up = made_up_for(state.recipe, backend.spec.skeleton)
    steps = time_steps(TrainingState(state.recipe, made_up, resolve_device(device)))
    return Speeds(pose=0.0, steps=steps, paint=0.0).training(state.recipe, state.steps)
