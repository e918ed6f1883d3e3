"""Every finished arm scored alike; what was scored already, of the same weights and in the same way, is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dancekit.ablation.arms import ArmState
from dancekit.ablation.matrix import Matrix, Scoring
from dancekit.data.progress import Progress, silent
from dancekit.evaluate.dancers import Inputs, evaluate_dancer
from dancekit.evaluate.frames import frames_sha256
from dancekit.evaluate.output import JSON, REPORT, output_folder, write_evaluation
from dancekit.evaluate.protocols import Protocol, load_protocol
from dancekit.evaluate.report import write_report
from dancekit.evaluate.result import Evaluation

EVALUATIONS = "evaluations"
"""Folder of them: a folder each, with a folder an arm in it."""


@dataclass(frozen=True, kw_only=True)
class Clips:
    """What the arms are scored on.

    Attributes:
        target: The clip they were trained on.
        source: Another's dance, for evaluations on a transfer; None if there is none.
        truth: The target doing that dance: the right answer.
        truth_npz: Exact masks of the truth (a dancefloor `.npz`).
    """

    target: Path
    source: Path | None = None
    truth: Path | None = None
    truth_npz: Path | None = None

    @property
    def has_transfer(self) -> bool:
        """Whether there is a dance with its right answer."""
        return self.source is not None and self.truth is not None


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of one evaluation of the matrix.

    Attributes:
        scoring: What the matrix says.
        evaluations: By arm, in the matrix' order; arms that are lacking are not there.
        folders: Where each lies, with its videos.
        lacking: Why arms are not there.
    """

    scoring: Scoring
    evaluations: dict[str, Evaluation]
    folders: dict[str, Path]
    lacking: dict[str, str]


def score_arms(
    matrix: Matrix,
    states: Sequence[ArmState],
    clips: Clips,
    out: Path,
    *,
    anew: bool = False,
    device: str = "auto",
    progress: Progress = silent,
    on_arm: Callable[[str, str, bool], None] = lambda scoring, arm, kept: None,
) -> dict[str, Scored]:
    """Score what is finished.

    Baselines are scored with the first arm of each evaluation only: they are made of the training clip and the
    poses, which the arms share.

    Args:
        matrix: The ablation.
        states: Its arms.
        clips: What they are scored on.
        out: Folder of the ablation.
        anew: Keep nothing that was scored before.
        device: `cpu`, `cuda`, `mps` or `auto`.
        progress: Called with (what, done, total).
        on_arm: Called with the evaluation, the arm, and whether its scores were there already.

    Returns:
        By the evaluation's name, in the matrix' order.

    Raises:
        DancekitError: A subclass for each thing that can be wrong with the clips.
    """
    found = {}
    by_name = {state.arm.name: state for state in states}
    for scoring in matrix.evaluations:
        scored = Scored(scoring, {}, {}, {})
        found[scoring.name] = scored
        if scoring.on == "transfer" and not clips.has_transfer:
            why = "no --source with its --truth was named"
            scored.lacking.update(dict.fromkeys(scoring.arms, why))
            continue
        protocol = load_protocol(scoring.protocol)
        for name in scoring.arms:
            state = by_name[name]
            if state.problem or not state.finished:
                scored.lacking[name] = f"the arm is not trained: {state.status}"
                continue
            folder = out / EVALUATIONS / scoring.name / name
            inputs = _inputs(scoring, state, clips)
            first = not scored.evaluations
            kept = None if anew else _kept(folder, inputs, protocol, baselines=first)
            on_arm(scoring.name, name, kept is not None)
            if kept is None:
                kept = _score(inputs, protocol, folder, first, device, progress)
            scored.evaluations[name] = kept
            scored.folders[name] = folder
    return found


def _inputs(scoring: Scoring, state: ArmState, clips: Clips) -> Inputs:
    if scoring.on == "held_out":
        return Inputs(dancer=state.run.dancer, clip=clips.target, target=clips.target)
    return Inputs(
        dancer=state.run.dancer,
        clip=clips.truth,
        source=clips.source,
        truth_npz=clips.truth_npz,
        target=clips.target,
    )


def _kept(folder: Path, inputs: Inputs, protocol: Protocol, *, baselines: bool) -> Evaluation | None:
    """What was scored before, if it was scored like this."""
    if not (folder / JSON).exists():
        return None
    try:
        evaluation = Evaluation.load(folder / JSON)
    except (ValueError, KeyError, TypeError):
        return None
    files: dict[str, Path | None] = {
        "dancer": inputs.dancer,
        "source": inputs.source,
        "truth": inputs.truth_npz,
    }
    files["source" if protocol.compare == "loops" else "real"] = inputs.clip  # loops have no true frames
    now = {role: frames_sha256(path) for role, path in files.items() if path is not None}
    before = {role: file["sha256"] for role, file in evaluation.inputs.items() if role in files}
    alike = before == now and dict(evaluation.protocol) == json.loads(json.dumps(protocol.to_json()))
    has = any(variant.kind == "baseline" for variant in evaluation.variants)
    return evaluation if alike and (has or not baselines or not protocol.baselines) else None


def _score(
    inputs: Inputs, protocol: Protocol, folder: Path, baselines: bool, device: str, progress: Progress
) -> Evaluation:
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.part"):  # of a scoring that was killed here
        shutil.rmtree(left, ignore_errors=True)
    with output_folder(folder, force=True) as part:
        assert part is not None
        evaluation = evaluate_dancer(
            inputs, protocol, baselines=baselines, device=device, folder=part, progress=progress
        )
        write_evaluation(evaluation, part)
        write_report(evaluation, part / REPORT, folder=part)
    return Evaluation.load(folder / JSON)
