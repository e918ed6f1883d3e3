"""Who finds the poses that are measured: a detector that did not draw the sticks, where one is at hand.

A generator learns the mistakes of the detector whose sticks it is fed, and the same detector then forgives them.
Nothing is ever downloaded for a measurement: a backend whose weights are not on this machine is not at hand.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dancekit import registry
from dancekit.build import create
from dancekit.config import Component
from dancekit.contracts import PoseBackend
from dancekit.errors import ChecksumError, MissingExtra, OfflineError, PoseError
from dancekit.evaluate.protocols import Protocol
from dancekit.pose.track import PersonTracker
from dancekit.types import Detections, PoseSequence, Skeleton

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Detector:
    """A pose backend that measures.

    Attributes:
        backend: It.
        component: Its name and parameters.
        remark: What belongs to every number it finds, or "".
    """

    backend: PoseBackend
    component: Component
    remark: str = ""

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.component.name}@{self.backend.version}"


def choose_detector(protocol: Protocol, *, drew: str | None, device: str) -> Detector:
    """The first of the protocol's detectors that is at hand and did not draw the sticks, else the first at hand.

    Args:
        protocol: Whose `detectors` are tried in order.
        drew: Name of the pose backend whose poses the result was painted from; None if nobody knows.
        device: Where it runs.

    Raises:
        PoseError: None of them is at hand.
    """
    reasons: list[str] = []
    usable = [each for each in protocol.detectors if _is_at_hand(each, reasons)]
    for component in sorted(usable, key=lambda each: _related(each.name, drew)):
        try:
            backend = _build(component, device)
        except (OfflineError, ChecksumError, MissingExtra) as error:
            reasons.append(f"{component.name}: {error}")
            continue
        return Detector(backend, component, _remark(component.name, drew))
    raise PoseError(
        f"protocol {protocol.name}: none of its detectors can be used: {'; '.join(reasons)}",
        hint="add blazepose to its detectors, it needs no download",
    )


def follow(frames: Iterable[Image], backend: PoseBackend) -> Iterator[tuple[Image, Detections | None]]:
    """Each frame with the one person followed through the clip, as (1, ...) detections; None where lost.

    The frames go through once: those that the backend has taken but not answered yet are held.
    """
    held: deque[Image] = deque()

    def taken() -> Iterator[Image]:
        for frame in frames:
            held.append(frame)
            yield frame

    tracker = PersonTracker()
    for people in backend.detect(taken()):
        chosen = tracker.update(people)
        yield held.popleft(), None if chosen is None else _only(people, chosen)


class Track:
    """Collects one person's keypoints, a frame at a time, into a `PoseSequence`."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._xy: list[NDArray[np.float32]] = []
        self._score: list[NDArray[np.float32]] = []

    def append(self, person: Detections | None) -> None:
        """The next frame."""
        joints = len(self._skeleton)
        self._xy.append(np.full((joints, 2), np.nan, np.float32) if person is None else person.xy[0])
        self._score.append(np.zeros(joints, np.float32) if person is None else person.score[0])

    def poses(self, size: tuple[int, int], rate: Fraction) -> PoseSequence:
        """All of them, in frames of (W, H)."""
        return PoseSequence(
            xy=np.stack(self._xy),
            score=np.stack(self._score),
            pts=np.arange(len(self._xy)),
            time_base=1 / rate,
            size=size,
            skeleton=self._skeleton,
        )


def _only(people: Detections, chosen: int) -> Detections:
    part = slice(chosen, chosen + 1)
    return Detections(
        people.xy[part],
        people.score[part],
        people.box[part],
        None if people.mask is None else people.mask[part],
    )


def _build(component: Component, device: str) -> PoseBackend:
    wired: dict[str, Any] = {}
    if "device" in inspect.signature(registry.load("pose", component.name)).parameters:
        wired["device"] = device
    backend: PoseBackend = create("pose", component.name, **component.params, **wired)
    return backend


def _is_at_hand(component: Component, reasons: list[str]) -> bool:
    """Whether nothing would have to be downloaded."""
    if component.name != "rtmlib":
        return True
    from dancekit.pose.rtmlib_models import DETECTORS, POSES
    from dancekit.weights.fetch import weights_folder

    given = component.params
    key = (given.get("model", "wholebody"), given.get("mode", "balanced"))
    wanted = [("pose_path", POSES.get(key)), ("detector_path", DETECTORS.get(key))]
    missing = [
        file.filename
        for option, file in wanted
        if file is not None and not given.get(option) and not (weights_folder() / file.filename).exists()
    ]
    if missing:
        reasons.append(f"rtmlib: {', '.join(missing)} not in {weights_folder()}")
    return not missing


def _related(name: str, drew: str | None) -> bool:
    """Whether a backend finds the body with the networks of the one that drew the sticks."""
    return drew is not None and name.partition("_")[0] == drew.partition("_")[0]


def _remark(name: str, drew: str | None) -> str:
    if _related(name, drew):
        what = "which also drew" if name == drew else f"which finds the body as {drew} does, which drew"
        return (
            f"poses are measured by {name}, {what} the sticks that the result was painted from: it may "
            "forgive its own mistakes (another detector is used where its weights are at hand: dancekit pose "
            "VIDEO --out FILE.npz pose=rtmlib fetches rtmlib's)"
        )
    if drew is None:
        return f"poses are measured by {name}; whether it drew the sticks of the painted video is not known"
    return ""
