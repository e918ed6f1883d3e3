"""What finds poses, cleans them, and moves them to another body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dancekit.types import Detections, PoseSequence, Skeleton


@dataclass(frozen=True)
class PoseSpec:
    """What a pose backend gives.

    Attributes:
        skeleton: The joints it finds.
        max_people: How many people per frame, None for any number.
        gives_mask: Whether `Detections.mask` is filled.
        licence: SPDX identifier of the weights.
        weights: sha256 (or name) of each weight file, for caching and provenance.
        runner: What computes the networks: the name of a runner, or "torch", also where they are not torch's.
    """

    skeleton: Skeleton
    max_people: int | None
    gives_mask: bool
    licence: str
    weights: Mapping[str, str] = field(default_factory=dict)
    runner: str = "torch"


@runtime_checkable
class PoseBackend(Protocol):
    """Finds people in frames.

    Recipe parameters that all backends have: `threshold` (joints below it are missing).
    Wired: `device: str` ("cpu", "cuda", "mps"), and where the constructor takes them `runner: Runner | None` and
    `masks: bool` (masks are not wanted if False: `spec.gives_mask` is then False).
    """

    version: int
    spec: PoseSpec

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """Find the people of each frame, lazily and in order; tracking state lives for one call.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame (`len() == 0` if nobody was found).
        """
        ...


@runtime_checkable
class FindsPeople(Protocol):
    """A pose backend whose `detect` follows one person (`spec.max_people` 1), and that can find everybody too."""

    def detect_people(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """As `PoseBackend.detect`, with everybody in each `Detections`, in any order."""
        ...


@runtime_checkable
class Filter(Protocol):
    """Cleans a pose sequence: same frames, same skeleton. Never invents a joint without saying so in its docs.

    It is given one scene at a time, so it need not look at `PoseSequence.cuts`.
    """

    version: int

    def __call__(self, poses: PoseSequence) -> PoseSequence:
        """Return the filtered sequence."""
        ...


@runtime_checkable
class CausalFilter(Filter, Protocol):
    """A filter of which a frame depends on itself and on earlier frames only: it can run live."""

    def stream(self) -> Callable[[PoseSequence], PoseSequence]:
        """A filter for one clip that is still being filmed.

        Returns:
            A function that takes the clip's frames in order, in pieces of any length, and returns them filtered:
            together the same as `self(clip)`.
        """
        ...


@runtime_checkable
class Normalizer(Protocol):
    """Moves poses of the source to the body and place of the target (retargeting)."""

    version: int

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips (deterministic, all frames).

        Returns:
            Plain JSON data: the fitted numbers, written beside every result. Keys ending in `_px` are pixels.

        Raises:
            PoseError: Too little was seen to fit; the message says what.
        """
        ...

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Move poses (frame pixels of the source) into frame pixels of the target.

        The result has the source's pts and the target's `size`.
        """
        ...
