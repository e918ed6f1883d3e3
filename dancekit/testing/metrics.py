"""What a metric promises: one number a frame or a clip, chunk by chunk in constant memory, NaN for nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.testing.checks import require
from dancekit.testing.examples import example_frames, example_mask, example_poses
from dancekit.testing.subject import Subject
from dancekit.types import PoseSequence

FRAMES, SIZE = 24, (192, 192)
CHUNKS = (slice(0, 7), slice(7, 16), slice(16, FRAMES))


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a metric; which ones, its methods decide: of frames, of a whole clip, or of poses."""
    if hasattr(subject.cls, "update"):
        return (it_says_what_it_measures, it_measures_a_clip, chunks_make_no_difference_to_a_clip)
    if "mask" in inspect.signature(subject.cls.__call__).parameters:
        found = (
            it_says_what_it_measures,
            it_scores_every_frame,
            chunks_make_no_difference,
            it_stands_an_empty_mask,
        )
        return (*found, its_regions_are_those_of_single_masks) if hasattr(subject.cls, "regions") else found
    return (it_says_what_it_measures, it_scores_every_pose, it_stands_missing_joints)


def it_says_what_it_measures(subject: Subject) -> None:
    """`higher_is_better` and `unit` are attributes of the class, and `context` of one that scores frames."""
    cls = subject.cls
    require(isinstance(getattr(cls, "higher_is_better", None), bool), "higher_is_better is no bool")
    require(isinstance(getattr(cls, "unit", None), str), 'unit is no text ("" for a plain number)')
    if not hasattr(cls, "update") and "mask" in inspect.signature(cls.__call__).parameters:
        context = getattr(cls, "context", None)
        require(isinstance(context, int) and context >= 0, f"context is {context!r}")


def it_scores_every_frame(subject: Subject) -> None:
    """(T, H, W, 3) twice gives (T,) float64: NaN in the first `context` frames, numbers after, no input changed."""
    metric = subject.build()
    fake, real, mask = _clips()
    before = fake.copy(), real.copy()
    for where in (None, mask):
        values = metric(fake, real, where)
        require(values.shape == (FRAMES,), f"scores have shape {values.shape}, expected ({FRAMES},)")
        require(values.dtype == np.float64, f"scores are {values.dtype}")
        require(
            bool(np.isnan(values[: metric.context]).all()), f"the first {metric.context} frames have a score"
        )
        require(not np.isnan(values[metric.context :]).any(), "a frame has no score")
        again = metric(fake, real, where)
        require(np.array_equal(values, again, equal_nan=True), "two calls give different scores")
    require(np.array_equal(before[0], fake) and np.array_equal(before[1], real), "it changed its input")


def chunks_make_no_difference(subject: Subject) -> None:
    """Scored in chunks, each with `context` frames before it, a clip has the scores of the whole."""
    metric = subject.build()
    fake, real, mask = _clips()
    whole = metric(fake, real, mask)
    for chunk in CHUNKS[1:]:
        start = chunk.start - metric.context
        part = metric(fake[start : chunk.stop], real[start : chunk.stop], mask[start : chunk.stop])
        same = np.allclose(part[metric.context :], whole[chunk], rtol=1e-6, equal_nan=True)
        require(same, f"frames {chunk.start} to {chunk.stop} have other scores in a chunk of their own")


def it_stands_an_empty_mask(subject: Subject) -> None:
    """Where there is nothing to measure the score is NaN, and no warning is raised."""
    metric = subject.build()
    fake, real, mask = _clips()
    empty = mask.copy()
    empty[10:] = False
    values = metric(fake, real, empty)
    require(bool(np.isnan(values[10 + metric.context :]).all()), "frames with an empty mask have a score")


def its_regions_are_those_of_single_masks(subject: Subject) -> None:
    """`regions`, if there is one, gives what a call for each mask gives."""
    metric = subject.build()
    fake, real, mask = _clips()
    together = metric.regions(fake, real, {"frame": None, "mask": mask})
    for name, where in (("frame", None), ("mask", mask)):
        same = np.allclose(together[name], metric(fake, real, where), rtol=1e-6, equal_nan=True)
        require(same, f"region {name} differs from a call of its own")


def it_measures_a_clip(subject: Subject) -> None:
    """`update` takes chunks and `result` gives one number, of this clip alone; NaN where nothing was seen."""
    one, two = (_clip_result(subject, (slice(0, FRAMES),)) for _ in range(2))
    require(isinstance(one, float), f"result() is a {type(one).__name__}, not a float")
    require(np.array_equal(one, two, equal_nan=True), f"two clips alike have {one} and {two}")
    require(np.isfinite(one), "a clip with a person has no number")
    fake, real, mask = _clips()
    empty = subject.build()
    empty.update(fake, real, np.zeros_like(mask))
    require(np.isnan(empty.result()), "a clip with an empty mask has a number")


def chunks_make_no_difference_to_a_clip(subject: Subject) -> None:
    """A clip seen in chunks has the number of the whole."""
    one, two = _clip_result(subject, (slice(0, FRAMES),)), _clip_result(subject, CHUNKS)
    require(np.isclose(one, two, rtol=1e-6), f"whole it has {one}, in chunks {two}")


def it_scores_every_pose(subject: Subject) -> None:
    """Two sequences of T poses give (T,) float64, the same at every call."""
    real = example_poses(frames=FRAMES, size=SIZE)
    fake = _trembling(real)
    values = _pose_scores(subject, fake, real)
    require(np.array_equal(values, _pose_scores(subject, fake, real), equal_nan=True), "two calls differ")
    require(bool(np.isfinite(values).any()), "no frame has a score though all joints are there")


def it_stands_missing_joints(subject: Subject) -> None:
    """Frames and clips in which nobody was found are no errors."""
    real = example_poses(frames=FRAMES, size=SIZE, missing=True)
    nobody = real.replace(score=np.zeros_like(real.score))
    for fake, true in ((_trembling(real), real), (nobody, real), (real, nobody), (nobody, nobody)):
        _pose_scores(subject, fake, true)


def _clips() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    fake = example_frames(frames=FRAMES, size=SIZE, seed=1)
    fake[:, 30:60, 30:90] //= 2
    return fake, example_frames(frames=FRAMES, size=SIZE), example_mask(frames=FRAMES, size=SIZE)


def _clip_result(subject: Subject, chunks: tuple[slice, ...]) -> Any:
    metric = subject.build()
    fake, real, mask = _clips()
    for chunk in chunks:
        metric.update(fake[chunk], real[chunk], mask[chunk])
    return metric.result()


def _pose_scores(subject: Subject, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
    values: NDArray[np.float64] = subject.build()(fake, real)
    require(values.shape == (len(real),), f"scores have shape {values.shape}, expected ({len(real)},)")
    require(values.dtype == np.float64, f"scores are {values.dtype}")
    return values


def _trembling(poses: PoseSequence) -> PoseSequence:
    noise = np.random.default_rng(2).normal(0, 1.5, poses.xy.shape)
    return poses.replace(xy=(poses.xy + noise).astype(np.float32))
