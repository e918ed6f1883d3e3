"""Retargeting while it is danced: measured in the first seconds, then frozen, or slowly followed.

A normalizer measures two whole clips. Of a dance that is still to come there is none, so it measures what was seen so
far: again and again within the first seconds, from the first second on. No change ever jumps: the old and the new
fit's results are blended over a moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from dancekit.contracts import Normalizer
from dancekit.errors import PoseError
from dancekit.normalizers.keep_in import Follower
from dancekit.types import PoseSequence

FIRST = 1.0
"""Seconds with a person in the picture before anything is measured."""

FOLLOW = 5.0
"""Seconds between two fits while the last ones are followed."""

FADE = 1.0
"""Seconds over which one fit gives way to the next."""

CONTEXT = 0.6
"""Seconds of frames before it that a normalizer sees with a frame: it takes from them what the frame lacks."""

BREAK = 0.5
"""Seconds without anybody that do not count as filmed."""


class Calibration:
    """Moves the poses of a clip that is still being filmed to the target's body and place.

    Args:
        normalizer: Of the dancer's recipe.
        target: The target's poses.
        seconds: With a person in the picture, counted from when something could be fitted: then the fit is frozen.
        adapt: Not frozen: what was seen in so many last seconds is measured every `FOLLOW` seconds. 0: frozen.
        threads: Fit beside the frames; off, a frame waits for its fit.

    Attributes:
        fitted: The numbers in use; None before there are any.
        done: Whether the first seconds are over and were fitted.
        trouble: Why nothing could be fitted, or a frame not be placed; "" if nothing is wrong.
    """

    def __init__(
        self,
        normalizer: Normalizer,
        target: PoseSequence,
        *,
        seconds: float,
        adapt: float = 0.0,
        threads: bool = True,
    ) -> None:
        self._normalizer, self._target = normalizer, target
        self._needed, self._adapt = seconds, adapt
        self._pool = ThreadPoolExecutor(1, "dancekit-fit") if threads else None
        self.restart()

    def restart(self) -> None:
        """Forget everything: somebody else dances, or the camera was moved."""
        self.fitted: Mapping[str, Any] | None = None
        self.done = False
        self.trouble = ""
        self._old: Mapping[str, Any] | None = None
        self._changed = self._gathered = 0.0
        self._next_fit = min(FIRST, self._needed)
        self._seen: deque[PoseSequence] = deque()
        self._context: deque[PoseSequence] = deque()
        self._placed: tuple[PoseSequence, ...] = ()
        self._fitting: Future[Mapping[str, Any]] | None = None
        self._inside: Follower | None = None

    def close(self) -> None:
        """Wait for what runs beside."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @property
    def progress(self) -> float:
        """How much of the first seconds is over, 0 to 1."""
        return min(self._gathered / self._needed, 1.0) if self._needed else 1.0

    def __call__(self, pose: PoseSequence) -> PoseSequence | None:
        """Take the next frame.

        Args:
            pose: One frame with a person, pixels of the camera.

        Returns:
            The same in pixels of the target's clip; None while there is no fit.
        """
        now = float(pose.seconds[0])
        self._remember(pose, now)
        self._collect(now)
        if self._fitting is None and self._gathered >= self._next_fit and (self._adapt or not self.done):
            self._fit()
            self._collect(now)
        moved = None if self.fitted is None else self._apply(now)
        return None if moved is None else self._kept_in(moved)

    def _remember(self, pose: PoseSequence, now: float) -> None:
        if self._context:
            passed = now - float(self._context[-1].seconds[0])
            self._gathered += passed if passed < BREAK else 0.0
        self._context.append(pose)
        _forget(self._context, now - CONTEXT)
        if self._adapt or not self.done:
            self._seen.append(pose)
            if self.done:
                _forget(self._seen, now - self._adapt)

    def _fit(self) -> None:
        """Begin to measure what was seen; the next time is at twice the seconds, or at the end of the first ones."""
        over = self._gathered >= self._needed
        self._next_fit = self._gathered + FOLLOW if over else min(2 * self._next_fit, self._needed)
        work = partial(self._normalizer.fit, _joined(self._seen), self._target)
        self._fitting = _at_once(work) if self._pool is None else self._pool.submit(work)

    def _collect(self, now: float) -> None:
        """Take over a fit that is ready, once the one before has given way."""
        if self._fitting is None or not self._fitting.done():
            return
        if self._old is not None and now - self._changed < FADE:
            return
        fitting, self._fitting = self._fitting, None
        try:
            fitted = dict(fitting.result())
        except PoseError as error:
            self.trouble = error.message
            if (
                self.fitted is None
            ):  # somebody walks to their place: the first seconds begin when they are there
                _forget(self._seen, now - self._needed)
                self._gathered, self._next_fit = 0.0, min(FIRST, self._needed)
        else:
            self._old, self.fitted, self._changed, self.trouble = self.fitted, fitted, now, ""
        if self.fitted is not None and self._gathered >= self._needed:
            self.done = True
            if not self._adapt:
                self._seen.clear()

    def _apply(self, now: float) -> PoseSequence | None:
        assert self.fitted is not None
        context = list(self._context)
        try:
            moved = self._moved(self.fitted, context)
        except PoseError as error:
            # such as feet out of the picture: the frames in which they were last seen say where the body stands
            self.trouble = error.message
            context = [*(each for each in self._placed if each.pts[0] < context[0].pts[0]), *context]
            try:
                moved = self._moved(self.fitted, context)
            except PoseError:
                return None
        else:
            self._placed, self.trouble = tuple(context), ""
        share = min((now - self._changed) / FADE, 1.0)
        if self._old is None or share >= 1:
            self._old = None
            return moved[-1:]
        before = self._moved(self._old, context)
        return moved.replace(xy=before.xy + np.float32(share) * (moved.xy - before.xy))[-1:]

    def _moved(self, fitted: Mapping[str, Any], context: Iterable[PoseSequence]) -> PoseSequence:
        """Where a body would be; what keeps a whole clip in the picture looks at frames that are still to come."""
        numbers = {key: value for key, value in fitted.items() if key != "keep_in"}
        return self._normalizer.apply(numbers, _joined(context))

    def _kept_in(self, moved: PoseSequence) -> PoseSequence:
        assert self.fitted is not None
        if "keep_in" not in self.fitted:
            return moved
        if self._inside is None:
            self._inside = Follower(self.fitted["keep_in"]["bounds_px"])
        return self._inside(moved)


def _at_once(work: Callable[[], Mapping[str, Any]]) -> Future[Mapping[str, Any]]:
    """What a pool gives, done already."""
    done: Future[Mapping[str, Any]] = Future()
    try:
        done.set_result(work())
    except PoseError as error:
        done.set_exception(error)
    return done


def _forget(poses: deque[PoseSequence], before: float) -> None:
    """Drop frames of before a moment, but the last one."""
    while len(poses) > 1 and float(poses[0].seconds[0]) < before:
        poses.popleft()


def _joined(poses: Iterable[PoseSequence]) -> PoseSequence:
    """Frames as one clip."""
    frames = list(poses)
    return frames[-1].replace(
        xy=np.concatenate([each.xy for each in frames]),
        score=np.concatenate([each.score for each in frames]),
        pts=np.concatenate([each.pts for each in frames]),
    )
