"""The error ladder: the same frames painted from better and better poses, and what each step costs.

Rungs, from the best: the target's true pose; the pose that the backend finds in the true video; the source's true
pose, retargeted; the backend's pose of the source, retargeted, which is the result itself. A step's cost is the
difference of two rungs, frame by frame, with its interval; what is left at the first rung is painting's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dancekit.evaluate.bootstrap import block_bootstrap
from dancekit.evaluate.protocols import Intervals
from dancekit.evaluate.result import Evaluation, Variant

TRUE_POSE, POSE_OF_TRUTH, TRUE_SOURCE_POSE = "true_pose", "pose_of_truth", "true_source_pose"

TITLES = {
    TRUE_POSE: "painted from the target's true pose",
    POSE_OF_TRUTH: "painted from the pose found in the true video",
    TRUE_SOURCE_POSE: "painted from the source's true pose, retargeted",
}

STEPS = (
    ("pose of the target", TRUE_POSE, POSE_OF_TRUTH),
    ("retargeting of a true pose", TRUE_POSE, TRUE_SOURCE_POSE),
    ("pose of the source", TRUE_SOURCE_POSE, "result"),
    ("pose and retargeting, from a found pose", POSE_OF_TRUTH, "result"),
    ("all of pose and retargeting", TRUE_POSE, "result"),
)
"""What costs, from which rung, to which."""


@dataclass(frozen=True)
class Cost:
    """What one step of the ladder costs.

    Attributes:
        what: The step.
        better: The rung above.
        worse: The rung below.
        metric: `name@version`.
        region: Where it was measured.
        value: How much worse, in the metric's unit; negative if it came out better.
        low: Lower end of the paired interval; None where the clip is too short.
        high: Upper end.
    """

    what: str
    better: str
    worse: str
    metric: str
    region: str
    value: float
    low: float | None
    high: float | None


def ladder_costs(evaluation: Evaluation, metric: str = "psnr", region: str = "mask") -> list[Cost]:
    """Each step's cost, paired frame by frame.

    Args:
        evaluation: With rungs among its variants; steps between rungs that it lacks are left out.
        metric: `psnr` or `psnr@1`.
        region: Where.
    """
    settings = Intervals.model_validate(evaluation.protocol["intervals"])
    block = max(1, round(settings.block_seconds * float(Fraction(evaluation.rate))))
    rungs = {variant.name: variant for variant in evaluation.variants}
    costs = []
    for what, better, worse in STEPS:
        pair = [_series(rungs.get(name), metric, region) for name in (better, worse)]
        if pair[0] is None or pair[1] is None:
            continue
        (name, up, first), (_, _, second) = pair[0], pair[1]
        found = block_bootstrap(
            first - second if up else second - first,
            block=block,
            samples=settings.samples,
            level=settings.level,
            seed=settings.seed,
        )
        if found.frames:
            ends = [float(end) if np.isfinite(end) else None for end in (found.low, found.high)]
            costs.append(Cost(what, better, worse, name, region, found.mean, *ends))
    return costs


def _series(
    variant: Variant | None, metric: str, region: str
) -> tuple[str, bool, np.ndarray[tuple[int], np.dtype[np.float64]]] | None:
    score = None if variant is None else variant.score(metric, region)
    if score is None or not score.per_frame:
        return None
    values = np.array([np.nan if value is None else value for value in score.per_frame], np.float64)
    return score.metric, score.higher_is_better, values
