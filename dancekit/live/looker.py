"""From the newest frame to a condition image: find the person, smooth, fit to the target, draw."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.build import build_filters, build_normalizer, create
from dancekit.config import Component, Recipe
from dancekit.contracts import CausalFilter, Filter
from dancekit.errors import UsageError
from dancekit.live.calibration import Calibration
from dancekit.live.pace import Pace
from dancekit.live.shots import Clock, Shot, Source
from dancekit.pose.track import PersonTracker
from dancekit.transfer.pipeline import Dancer
from dancekit.types import Detections, PoseSequence

_log = logging.getLogger(__name__)

CAUSAL = ("hold", "one_euro")
"""What smooths where the recipe's filters need frames that are still to come."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is known of a shot before anything is painted.

    Attributes:
        shot: The frame.
        pose: The person in it, filtered, pixels of the camera; None if nobody is there.
        condition: (1, C, h, w) for the generator; None if nobody is there, or nothing is fitted yet.
        box: (1, 4) face box, window pixels.
        place: (2,) where the window is; None if it does not follow, or as `condition`.
        ready: Whether poses can be fitted to the target.
        calibrated: How much of the first seconds is over, 0 to 1.
        trouble: What is wrong with the person's picture, or "".
        seconds: How long this took.
    """

    shot: Shot
    pose: PoseSequence | None
    condition: torch.Tensor | None
    box: NDArray[np.float32] | None
    place: NDArray[np.intp] | None
    ready: bool
    calibrated: float
    trouble: str
    seconds: float


class Looker:
    """Looks at a source's newest frames, one after the other.

    Args:
        dancer: Who is to be painted.
        recipe: The dancer's, with what was overridden.
        source: Where shots come from.
        clock: What time it is.
        calibrate: Seconds of calibration.
        adapt: See `Calibration`.
        threads: Whether fits run beside.
        filters_given: Whether the user chose the filters: then they are not replaced.
        pace: How long each frame waits before it is asked for; None: not at all.
    """

    def __init__(
        self,
        dancer: Dancer,
        recipe: Recipe,
        source: Source,
        clock: Clock,
        *,
        calibrate: float,
        adapt: float = 0.0,
        threads: bool = True,
        filters_given: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self._dancer, self._source, self._clock, self._pace = dancer, source, clock, pace
        self._filters = causal_filters(recipe, given=filters_given)
        self._backend = dancer.pose_backend(recipe, masks=False)
        self.calibration = Calibration(
            build_normalizer(_unlocked(recipe.normalizer)),
            dancer.target,
            seconds=calibrate,
            adapt=adapt,
            threads=threads,
        )
        self._references: NDArray[np.intp] | None = None
        self._place: NDArray[np.intp] | None = None
        self._again = True

    def restart(self) -> None:
        """Choose the person anew and calibrate again, from the next frame on; from any thread."""
        self._again = True

    def looks(self) -> Iterator[Look]:
        """One for each frame that is not dropped, until the source ends.

        Raises:
            UsageError: The pose backend wants to see several frames at a time.
            VideoError: The camera is gone.
        """
        pulled: deque[tuple[Shot, float]] = deque()

        def frames() -> Iterator[NDArray[np.uint8]]:
            while (shot := self._newest()) is not None:
                pulled.append((shot, self._clock.now()))
                yield shot.rgb

        for people in self._backend.detect(frames()):
            if len(pulled) > 1:
                raise UsageError("the pose backend takes several frames at a time", hint="pose.tracking=true")
            shot, began = pulled.popleft()
            yield self._look(shot, people, began)

    def _newest(self) -> Shot | None:
        if self._pace is not None and (wait := self._pace.wait):
            self._clock.sleep(wait)
        return self._source.newest()

    def _look(self, shot: Shot, people: Detections, began: float) -> Look:
        if self._again:
            self._again = False
            self.calibration.restart()
            self._tracker = PersonTracker()
            self._streams = [each.stream() for each in self._filters]
            self._references = self._place = None
        pose = self._pose(shot, people)
        moved = self.calibration(pose) if pose is not None else None
        condition = box = place = None
        if moved is not None:
            painter, xy = self._dancer.painter, self._dancer.info.window.to_window(moved.xy)
            places = painter.places(xy, before=self._place)
            place = self._place = None if places is None else places[-1]
            before, self._references = (
                self._references,
                painter.choose_references(xy, moved.score, before=self._references)[-1],
            )
            condition = next(painter.draw(xy, moved.score, before=before, places=places))
            box = painter.face_boxes(xy, moved.score, places=places)
        return Look(
            shot,
            pose,
            condition,
            box,
            place,
            ready=self.calibration.fitted is not None,
            calibrated=1.0 if self.calibration.done else self.calibration.progress,
            trouble=self.calibration.trouble,
            seconds=self._clock.now() - began,
        )

    def _pose(self, shot: Shot, people: Detections) -> PoseSequence | None:
        """The person's filtered pose; None if nobody is there."""
        chosen, skeleton = self._tracker.update(people), self._backend.spec.skeleton
        missing = chosen is None
        pose = PoseSequence(
            xy=np.full((1, len(skeleton), 2), np.nan, np.float32) if missing else people.xy[chosen][None],
            score=np.zeros((1, len(skeleton)), np.float32) if missing else people.score[chosen][None],
            pts=np.array([shot.pts]),
            time_base=self._source.time_base,
            size=(shot.rgb.shape[1], shot.rgb.shape[0]),
            skeleton=skeleton,
        ).to(self._dancer.info.skeleton)
        for smooth in self._streams:
            pose = smooth(pose)
        return pose if pose.found.any() else None


def causal_filters(recipe: Recipe, *, given: bool = False) -> list[CausalFilter]:
    """The recipe's filters if all of them can run live, else `CAUSAL`.

    Args:
        recipe: Whose filters.
        given: The user named them: they are not replaced.

    Raises:
        UsageError: Given ones of which one cannot run live.
    """
    filters: list[Filter] = build_filters(recipe)
    able = [each for each in filters if isinstance(each, CausalFilter)]
    if len(able) == len(filters):
        return able
    names = [
        component.name
        for component, each in zip(recipe.filters, filters, strict=True)
        if not isinstance(each, CausalFilter)
    ]
    if given:
        raise UsageError(
            f"filter {', '.join(names)} needs frames that are still to come, so it cannot run live",
            hint=f"those that can: {', '.join(CAUSAL)}",
        )
    _log.info("%s cannot run live: %s in their place", ", ".join(names), ", ".join(CAUSAL))
    return [create("filter", name) for name in CAUSAL]


def _unlocked(normalizer: Component) -> Component:
    """Without what needs frames that are still to come: `bones` holds feet by where they will stand."""
    if normalizer.name != "bones":
        return normalizer
    return normalizer.model_copy(update={"params": {**normalizer.params, "lock": 0.0}})
