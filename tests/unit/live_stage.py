"""What the tests of live shows share: a clock that only moves when something takes time, people, screens, cameras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import make_video as mv
import numpy as np
from make_dancer import FRAME, dance
from numpy.typing import NDArray

from dancekit.contracts import PoseSpec
from dancekit.live.shots import Clock
from dancekit.types import Detections


class FakeClock:
    """Nothing takes time but `sleep`."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds


class Seer:
    """A pose backend that reads a frame's number off its level (`make_video.moving`), and sees that pose of `dance`."""

    version = 1

    def __init__(self, clock: Clock | None = None, cost: float = 0.0, absent: Iterable[int] = ()) -> None:
        self.spec = PoseSpec(dance(FRAME).skeleton, 1, False, "MIT")
        self.seen: list[int] = []
        self._clock, self._cost, self._absent = clock, cost, frozenset(absent)

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        for frame in frames:
            number = mv.number_of(frame)
            self.seen.append(number)
            if self._clock is not None:
                self._clock.sleep(self._cost)
            poses = dance((frame.shape[1], frame.shape[0]))
            if number in self._absent:
                yield Detections.nobody(len(poses.skeleton))
                continue
            xy, score = np.nan_to_num(poses.xy[number : number + 1]), poses.score[number : number + 1]
            box = np.concatenate([xy[0].min(0), xy[0].max(0)])[None]
            yield Detections(xy=xy, score=score, box=box.astype(np.float32))


class FakeScreen:
    """Keeps what is shown; presses the keys it was given, one a frame."""

    def __init__(
        self, keys: Iterable[str | BaseException] = (), clock: Clock | None = None, cost: float = 0
    ) -> None:
        self.pictures: list[NDArray[np.uint8]] = []
        self._keys, self._clock, self._cost = iter(keys), clock, cost

    def __enter__(self) -> FakeScreen:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, picture: NDArray[np.uint8]) -> str:
        self.pictures.append(picture)
        if self._clock is not None:
            self._clock.sleep(self._cost)
        key = next(self._keys, "")
        if isinstance(key, BaseException):
            raise key
        return key


def film(path: Path, count: int = 30, **options) -> Path:
    """At 25 frames a second; frame n has the level 10 + 8 n."""
    return mv.write_frames(path, mv.moving(count, *FRAME), **options)
