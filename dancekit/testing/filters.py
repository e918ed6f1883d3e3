"""What a filter promises: the same frames of the same skeleton, whatever is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from dancekit.testing.checks import require
from dancekit.testing.examples import example_poses
from dancekit.testing.subject import Subject
from dancekit.types import PoseSequence, skeleton_names


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a filter, one more for one that can run live."""
    found = (
        it_keeps_frames_and_skeleton,
        it_repeats_itself,
        it_stands_missing_joints,
        it_takes_clips_of_any_length,
    )
    return (*found, live_it_does_the_same) if hasattr(subject.cls, "stream") else found


def it_keeps_frames_and_skeleton(subject: Subject) -> None:
    """Frames, times, size and skeleton come back as they were, for every skeleton."""
    for name in skeleton_names():
        poses = example_poses(skeleton=name, missing=True, frames=10)
        _same_frames(subject.build()(poses), poses)


def it_repeats_itself(subject: Subject) -> None:
    """The same poses give the same result, from the same instance and from another one; they are not changed."""
    poses = example_poses(missing=True)
    before = poses.xy.copy()
    instance = subject.build()
    results = [instance(poses), instance(poses), subject.build()(poses)]
    require(np.array_equal(before, poses.xy, equal_nan=True), "the poses that came in were changed")
    same = all(_equal(results[0], each) for each in results[1:])
    require(same, "the same poses gave different results")


def it_stands_missing_joints(subject: Subject) -> None:
    """Missing joints, a frame with nobody and a clip with nobody are no errors; nobody stays nobody."""
    poses = example_poses(missing=True)
    found = subject.build()(poses)
    require(bool((found.score[found.valid] <= 1).all()), "scores above 1")
    nobody = poses.replace(score=np.zeros_like(poses.score))
    require(not subject.build()(nobody).found.any(), "joints appeared in a clip in which nobody was found")


def it_takes_clips_of_any_length(subject: Subject) -> None:
    """Clips of one, two and three frames are filtered, too."""
    for frames in (1, 2, 3):
        poses = example_poses(frames=frames)
        _same_frames(subject.build()(poses), poses)


def live_it_does_the_same(subject: Subject) -> None:
    """`stream` gives a filter that takes a clip in pieces of any length, and together they are as the whole."""
    poses = example_poses(missing=True)
    instance = subject.build()
    whole = instance(poses)
    for bounds in ((0, 1, 2, 3, 9, 16), (0, 5, 16)):
        live = instance.stream()
        pieces = [live(poses[start:end]) for start, end in pairwise(bounds)]
        xy, score = (np.concatenate([getattr(each, name) for each in pieces]) for name in ("xy", "score"))
        same = np.allclose(xy, whole.xy, atol=1e-4, equal_nan=True) and np.allclose(score, whole.score)
        require(same, f"in pieces that end at {bounds[1:]} the clip is filtered differently")


def _same_frames(found: PoseSequence, poses: PoseSequence) -> None:
    require(isinstance(found, PoseSequence), f"it gives a {type(found).__name__}, not a PoseSequence")
    for field in ("pts", "time_base", "size", "skeleton"):
        one, two = getattr(found, field), getattr(poses, field)
        same = np.array_equal(one, two) if field == "pts" else one == two
        require(same, f"{field} was {two} and is {one}")


def _equal(one: PoseSequence, two: PoseSequence) -> bool:
    return np.array_equal(one.xy, two.xy, equal_nan=True) and np.array_equal(one.score, two.score)
