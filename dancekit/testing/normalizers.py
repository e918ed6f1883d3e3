"""What a normalizer promises: fitted numbers that are plain JSON, and poses in pixels of the target's frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np

from dancekit.errors import PoseError
from dancekit.testing.checks import BrokenContract, require
from dancekit.testing.examples import example_poses
from dancekit.testing.subject import Subject
from dancekit.types import PoseSequence

SOURCE, TARGET = (96, 64), (128, 160)
"""(W, H) of both clips."""


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a normalizer."""
    return (
        its_numbers_are_json,
        it_moves_into_the_targets_frame,
        it_repeats_itself,
        it_stands_missing_joints,
        it_says_when_too_little_was_seen,
    )


def its_numbers_are_json(subject: Subject) -> None:
    """`fit` gives plain JSON data (no NaN, no numpy), and `apply` does the same with what was stored and read."""
    normalizer = subject.build()
    source, target = _clips()
    fitted = normalizer.fit(source, target)
    try:
        text = json.dumps(fitted, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrokenContract(f"fitted numbers are no JSON: {error}") from error
    require(all(isinstance(key, str) for key in fitted), "a key is no text")
    one, two = normalizer.apply(fitted, source), normalizer.apply(json.loads(text), source)
    require(_equal(one, two), "numbers that were stored and read again move poses differently")


def it_moves_into_the_targets_frame(subject: Subject) -> None:
    """The result has the source's frames, times, cuts and skeleton, and the target's size."""
    source, target = _clips()
    moved = _moved(subject, source, target)
    require(isinstance(moved, PoseSequence), f"it gives a {type(moved).__name__}, not a PoseSequence")
    require(np.array_equal(moved.pts, source.pts), "pts are not those of the source")
    require(moved.time_base == source.time_base, "the time base is not the source's")
    require(moved.size == target.size, f"size is {moved.size}, expected the target's {target.size}")
    require(moved.skeleton == source.skeleton, "the skeleton is not the source's")
    require(moved.cuts == source.cuts, "cuts are not those of the source")


def it_repeats_itself(subject: Subject) -> None:
    """The same clips give the same numbers and poses; a normalizer keeps nothing of what it fitted."""
    source, target = _clips()
    normalizer = subject.build()
    fitted = normalizer.fit(source, target)
    normalizer.fit(target, source)
    again = subject.build().fit(source, target)
    require(json.dumps(fitted) == json.dumps(again), "two fits of the same clips differ")
    one, two = normalizer.apply(fitted, source), subject.build().apply(fitted, source)
    require(_equal(one, two), "`apply` depends on something that is not in the fitted numbers")


def it_stands_missing_joints(subject: Subject) -> None:
    """Missing joints and a frame with nobody are no errors, and what is missing stays missing."""
    source = example_poses(size=SOURCE, frames=40, missing=True)
    target = example_poses(size=TARGET, frames=40, height=0.8, missing=True)
    moved = _moved(subject, source, target)
    require(not (moved.valid & ~source.valid).any(), "joints appeared that the source does not have")


def it_says_when_too_little_was_seen(subject: Subject) -> None:
    """Where too little was seen, `fit` raises PoseError or gives numbers; nothing else is raised."""
    source, target = _clips()
    nobody = target.replace(score=np.zeros_like(target.score))
    for one, two in ((source, nobody), (nobody, target), (source[:1], target[:1])):
        try:
            json.dumps(subject.build().fit(one, two), allow_nan=False)
        except PoseError as error:
            require(bool(error.message), "PoseError says nothing")


def _clips() -> tuple[PoseSequence, PoseSequence]:
    return (
        example_poses(size=SOURCE, frames=40, height=0.6, cut=20),
        example_poses(size=TARGET, frames=40, height=0.8),
    )


def _moved(subject: Subject, source: PoseSequence, target: PoseSequence) -> PoseSequence:
    normalizer = subject.build()
    moved: PoseSequence = normalizer.apply(normalizer.fit(source, target), source)
    return moved


def _equal(one: PoseSequence, two: PoseSequence) -> bool:
    return np.array_equal(one.xy, two.xy, equal_nan=True) and np.array_equal(one.score, two.score)
