"""`dancekit evaluate DANCER CLIP --protocol drift`: a dance repeated for minutes, and a pose that is held.

The painting is compared with itself, so nothing but the dancer's own memory can make a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.progress import Progress
from dancekit.data.training_set import crop_mask, mask_from_pose
from dancekit.errors import PoseError, UsageError
from dancekit.evaluate.engine import Reference, Stream, score_streams
from dancekit.evaluate.environment import environment
from dancekit.evaluate.frames import frames_sha256
from dancekit.evaluate.measures import make_measures
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.result import Evaluation, Score
from dancekit.transfer import Dancer
from dancekit.types import PoseSequence
from dancekit.video import probe
from dancekit.weights.header import file_sha256

Image = NDArray[np.uint8]

HELD = ("freeze",)
"""Metrics that look at the held pose; the others compare the last time through with the first."""


def evaluate_loops(
    dancer_file: Path,
    clip: Path,
    protocol: Protocol,
    *,
    overrides: Sequence[str] = (),
    device: str,
    progress: Progress,
) -> Evaluation:
    """Paint the loops and the held pose, in constant memory but for one time through.

    Args:
        dancer_file: The dancer.
        clip: A video, or a `.npz` of poses, whose dance is repeated.
        protocol: One with `compare: loops`.
        overrides: `key=value` for the recipe's pose, filters and normalizer.
        device: Where networks run.
        progress: Called with (what, done, total).

    Raises:
        PoseError: The clip has too few frames with a person.
        UsageError: A metric that needs true frames.
    """
    dancer = Dancer.load(dancer_file, device=device)
    recipe = dancer.overridden(list(overrides))
    poses = dancer.poses_of(clip, recipe=recipe, progress=progress)
    asked, fitted = dancer.retarget(poses, recipe.normalizer)
    rate = Fraction(poses.rate).limit_denominator(1001) if clip.suffix == ".npz" else probe(clip).rate
    measures = make_measures(protocol, device, rate)
    unfit = [each.term.name for each in measures if each.kind != "clip"]
    if unfit:
        raise UsageError(
            f"protocol {protocol.name}: {unfit[0]} needs true frames, and loops have none",
            hint="metrics of loops are drift and freeze",
        )
    once, times = one_time_through(asked, protocol, rate)
    scores: list[Score] = []
    for held in (False, True):
        chosen = [each for each in measures if (each.term.name in HELD) == held]
        if not chosen:
            continue
        sequence = np.repeat(once[:1], max(2, round(protocol.loop.hold * rate))) if held else once
        shown = _repeated(asked, sequence, 1 if held else times, rate)
        first, last = _first_and_last(dancer, shown, len(sequence), progress)
        reference = Reference(
            frames=first,
            count=len(sequence),
            size=dancer.info.window.size,
            rate=rate,
            mask=lambda number, shown=shown: _person(dancer, shown, number),  # type: ignore[misc]
        )
        part = protocol.model_copy(update={"metrics": [each.term for each in chosen]})
        (variant,) = score_streams(
            reference, [Stream("result", dancer.path.name, "result", last)], part, chosen, progress=progress
        )
        scores += variant.scores
    return Evaluation(
        protocol=protocol.to_json(),
        inputs={
            "dancer": {"name": dancer_file.name, "sha256": file_sha256(dancer_file)},
            "source": {"name": clip.name, "sha256": frames_sha256(clip)},
        },
        frames=len(once) * times,
        size=dancer.info.window.size,
        rate=str(rate),
        variants=(replace(variant, scores=tuple(scores)),),
        warnings=(
            f"{times} times through {len(once)} frames; the person's region is drawn from the pose",
            *(f"normalizer: {text}" for text in fitted.get("warnings", ())),
        ),
        fitted=fitted,
        environment=environment(
            device,
            detector="",
            metric_weights={},
            recipe=recipe.to_json(),
            training=dict(dancer.info.training),
        ),
    )


def one_time_through(poses: PoseSequence, protocol: Protocol, rate: Fraction) -> tuple[NDArray[np.intp], int]:
    """Frames of the clip for one time through, forwards and backwards, and how often it is painted.

    Raises:
        PoseError: Fewer than four frames with a person in a row.
    """
    half = max(2, round(protocol.loop.period * rate / 2))
    found = np.concatenate([[0], poses.found.astype(int), [0]])
    starts, ends = (np.flatnonzero(np.diff(found) == step) for step in (1, -1))
    longest = int(np.argmax(ends - starts)) if len(starts) else 0
    if not len(starts) or ends[longest] - starts[longest] < 4:
        raise PoseError("no four frames with a person in a row", hint="film one whole person in good light")
    forwards = np.arange(starts[longest], min(ends[longest], starts[longest] + half))
    once = np.concatenate([forwards, forwards[-2:0:-1]])
    return once, max(2, round(protocol.loop.seconds * rate / len(once)))


def _repeated(poses: PoseSequence, once: NDArray[np.intp], times: int, rate: Fraction) -> PoseSequence:
    """A clip of its own."""
    rows = np.tile(once, times)
    return poses.replace(
        xy=poses.xy[rows], score=poses.score[rows], pts=np.arange(len(rows)), time_base=1 / rate
    )


def _first_and_last(
    dancer: Dancer, shown: PoseSequence, length: int, progress: Progress
) -> tuple[list[Image], Iterator[Image]]:
    """The pictures of the first time through, and (painted on demand) those of the last."""
    painted = dancer.paint(shown)
    first = list(islice(painted, length))
    if len(shown) == length:
        return first, iter(first)

    def last() -> Iterator[Image]:
        for number, picture in enumerate(painted, length):
            progress("painting", number + 1, len(shown))
            if number >= len(shown) - length:
                yield picture

    return first, last()


def _person(dancer: Dancer, shown: PoseSequence, number: int) -> NDArray[np.bool_]:
    mask = crop_mask(mask_from_pose(shown, number), dancer.info.window)
    return np.asarray(mask > 127, np.bool_)
