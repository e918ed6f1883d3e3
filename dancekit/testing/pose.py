"""What a pose backend promises: people in every frame, in order, lazily, and no memory between two calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit.contracts import PoseSpec
from dancekit.testing.checks import require
from dancekit.testing.examples import once, shipped_frames
from dancekit.testing.subject import Subject
from dancekit.types import Detections, Skeleton

Frames = tuple[NDArray[np.uint8], ...]


def checks(subject: Subject) -> Sequence[Callable[[Subject], None]]:
    """Those of a pose backend."""
    return (
        its_spec_is_true,
        it_finds_people,
        it_stands_frames_without_people,
        it_is_lazy_and_leaves_frames_alone,
        it_forgets_between_two_calls,
    )


def its_spec_is_true(subject: Subject) -> None:
    """`spec` names skeleton, people, masks, and the licence and digests of weights."""
    spec = subject.build().spec
    require(isinstance(spec, PoseSpec), f"spec is a {type(spec).__name__}, not a PoseSpec")
    require(isinstance(spec.skeleton, Skeleton), f"spec.skeleton is a {type(spec.skeleton).__name__}")
    require(spec.max_people is None or spec.max_people >= 1, f"spec.max_people is {spec.max_people}")
    require(
        isinstance(spec.licence, str) and bool(spec.licence),
        "spec.licence is empty: an SPDX identifier",
    )
    texts = all(isinstance(each, str) for pair in spec.weights.items() for each in pair)
    require(texts, "spec.weights is no mapping of names to digests")


def it_finds_people(subject: Subject) -> None:
    """The dancer of the shipped sample is found: float32 pixels, scores in [0, 1], NaN where the score is 0."""
    frames, backend = shipped_frames(), subject.build()
    found = _detect(backend, frames)
    require(
        any(len(each) for each in found), "nobody was found in the shipped sample (zoo/samples/source.mp4)"
    )


def it_stands_frames_without_people(subject: Subject) -> None:
    """Black frames, noise and odd sizes are no errors."""
    rng = np.random.default_rng(0)
    for height, width in ((97, 61), (64, 96)):
        black = np.zeros((height, width, 3), np.uint8)
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        _detect(subject.build(), (black, noise, black))


def it_is_lazy_and_leaves_frames_alone(subject: Subject) -> None:
    """Frames are read only when a result is asked for, and are not written to; no frames give no results."""
    frames, taken = shipped_frames(), 0

    def counted() -> Any:
        nonlocal taken
        for frame in frames:
            taken += 1
            still = frame.copy()
            still.flags.writeable = False
            yield still

    backend = subject.build()
    results = iter(backend.detect(counted()))
    require(taken == 0, f"{taken} frames were read before a result was asked for")
    require(len(list(results)) == len(frames), "it does not give one result a frame")
    require(list(backend.detect(iter(()))) == [], "no frames gave results")


def it_forgets_between_two_calls(subject: Subject) -> None:
    """A clip gives the same whatever was looked at before: tracking lives for one call."""
    frames = shipped_frames()
    backend, other = subject.build(), subject.build()
    list(other.detect(once(frames[::-1])))
    for one, two in zip(_detect(backend, frames), _detect(other, frames), strict=True):
        same = np.array_equal(one.xy, two.xy, equal_nan=True) and np.array_equal(one.score, two.score)
        require(same, "results depend on what was looked at before")


def _detect(backend: Any, frames: Frames) -> list[Detections]:
    """All of a clip, each result checked."""
    found: list[Detections] = list(backend.detect(once(frames)))
    require(len(found) == len(frames), f"{len(frames)} frames gave {len(found)} results")
    for frame, each in zip(frames, found, strict=True):
        _check(each, frame, backend.spec)
    return found


def _check(found: Detections, frame: NDArray[np.uint8], spec: PoseSpec) -> None:
    require(isinstance(found, Detections), f"it gives a {type(found).__name__}, not Detections")
    people, joints = found.score.shape
    require(
        joints == len(spec.skeleton), f"{joints} joints, expected {len(spec.skeleton)} of {spec.skeleton.id}"
    )
    require(
        spec.max_people is None or people <= spec.max_people,
        f"{people} people, spec.max_people {spec.max_people}",
    )
    for name in ("xy", "score", "box"):
        dtype = getattr(found, name).dtype
        require(dtype == np.float32, f"{name} is {dtype}, expected float32")
    require(bool(((found.score >= 0) & (found.score <= 1)).all()), "scores leave [0, 1]")
    missing = found.score == 0
    require(bool(np.isnan(found.xy[missing]).all()), "a joint of score 0 has a place; NaN is expected")
    require(bool(np.isfinite(found.xy[~missing]).all()), "a joint with a score has no place")
    require(bool(np.isfinite(found.box).all()), "a box is not finite")
    require(bool((found.box[:, 2:] >= found.box[:, :2]).all()), "a box is not left, top, right, bottom")
    require((found.mask is not None) == spec.gives_mask or not people, "mask and spec.gives_mask disagree")
    if found.mask is not None:
        require(found.mask.dtype == np.uint8, f"mask is {found.mask.dtype}, expected uint8")
        require(found.mask.shape == (people, *frame.shape[:2]), f"mask has shape {found.mask.shape}")
