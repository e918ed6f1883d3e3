"""Painted streams beside the true one: all are gone through once, together, in constant memory.

A chunk of frames of every stream is held at a time. Each frame is decoded (or painted) once, shown to the pose
detector once, and scored by all metrics in all regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.progress import Progress, silent
from dancekit.errors import PoseError, VideoError
from dancekit.evaluate.detectors import Detector, Track, follow
from dancekit.evaluate.measures import FrameScorer, Measure, missing_score, pose_scores
from dancekit.evaluate.protocols import Protocol
from dancekit.evaluate.regions import region_masks
from dancekit.evaluate.result import Score, Variant
from dancekit.metrics.regions import region_boxes
from dancekit.types import Detections, PoseSequence
from dancekit.video import VideoWriter

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LARGEST_CHUNK = 16
CHUNK_BYTES = 24_000_000
"""Frames of a stream that are held at a time: so many, or fewer of large ones."""

NO_PERSON = "there is no person in it"


@dataclass(eq=False)
class Stream:
    """Something to be scored.

    Attributes:
        name: As `Variant.name`.
        title: What people read.
        kind: `result`, `baseline` or `ladder`.
        frames: (H, W, 3) uint8, as many as there are true frames (or more, the rest is not looked at); None: the
            true frame before, which then needs no second decoding.
        skip: Frames at the start that it knows nothing of; they are not scored.
        has_person: Whether poses are looked for in it.
        video: Where its frames are kept as a video, or None.
        asked: The poses that it was painted from, for protocols without true frames.
    """

    name: str
    title: str
    kind: str
    frames: Iterable[Image] | None
    skip: int = 0
    has_person: bool = True
    video: Path | None = None
    asked: PoseSequence | None = None


@dataclass(eq=False)
class Reference:
    """What the streams are compared with.

    Attributes:
        frames: The true frames; None for protocols that compare poses only.
        count: How many.
        size: (W, H).
        rate: Frames a second.
        mask: The person's mask of a frame, (H, W), where it is known.
        poses: The true person's poses in pixels of these frames, to find head and hands by; None where nobody
            looked.
        measured: The same, found by the detector that measures, if it has looked already.
        video: Where the frames are kept as a video, or None.
    """

    frames: Iterable[Image] | None
    count: int
    size: tuple[int, int]
    rate: Fraction
    mask: Callable[[int], Mask] | None = None
    poses: PoseSequence | None = None
    measured: PoseSequence | None = None
    video: Path | None = None


def score_streams(
    reference: Reference,
    streams: list[Stream],
    protocol: Protocol,
    measures: list[Measure],
    *,
    detector: Detector | None = None,
    progress: Progress = silent,
) -> list[Variant]:
    """Score all streams.

    Args:
        reference: The truth.
        streams: What is scored.
        protocol: How.
        measures: Its metrics (`make_measures`).
        detector: Finds poses in all streams; without one, metrics of poses are left out.
        progress: Called with ("scoring", done, total).

    Returns:
        One a stream, in order.

    Raises:
        VideoError: A stream ends early, or has frames of another size.
        PoseError: The protocol compares poses, and it is not known which were asked for.
    """
    run = _Run(reference, streams, protocol, measures, detector)
    run.go(progress)
    return run.result()


class _Run:
    """The state of one scoring."""

    def __init__(
        self,
        reference: Reference,
        streams: list[Stream],
        protocol: Protocol,
        measures: list[Measure],
        detector: Detector | None,
    ) -> None:
        self.reference, self.streams, self.protocol = reference, streams, protocol
        self.pose_measures = [m for m in measures if m.kind == "pose"]
        self.detector = detector if self.pose_measures else None
        frame_measures = [m for m in measures if m.kind != "pose"] if reference.frames is not None else []
        self.scorers = [FrameScorer(frame_measures, protocol.clip_length, each.skip) for each in streams]
        self.regions = list(dict.fromkeys(r for m in frame_measures for r in m.term.regions))
        self.boxes: Mapping[str, NDArray[np.float32] | None] = {}
        if reference.poses is not None:
            self.boxes = region_boxes(reference.poses, smallest_head=protocol.smallest_head)
        self.tracks: dict[str, Track] = {}
        self.real_track: Track | None = None
        self.saw_mask = False
        self.last: Image | None = None

    def go(self, progress: Progress) -> None:
        reference = self.reference
        width, height = reference.size
        step = max(1, min(LARGEST_CHUNK, CHUNK_BYTES // (width * height * 3)))
        with ExitStack() as stack:
            real = None if reference.frames is None else self._real(stack)
            painted = [self._painted(stream, stack) for stream in self.streams]
            for first in range(0, reference.count, step):
                wanted = min(step, reference.count - first)
                truth = None if real is None else self._truth(list(islice(real, wanted)), first, wanted)
                for stream, frames, scorer in zip(self.streams, painted, self.scorers, strict=True):
                    if frames is None and truth is not None:
                        chunk = self._before(truth[0])
                    else:
                        chunk = self._chunk(stream, list(islice(frames or (), wanted)), wanted, first)
                    if truth is not None:
                        scorer.update(chunk, *truth)
                self.last = None if truth is None else truth[0][-1]
                progress("scoring", first + wanted, reference.count)

    # ---- the true frames ---------------------------------------------------------------------------------

    def _real(self, stack: ExitStack) -> Iterator[tuple[Image, Detections | None]]:
        """Each frame with what the detector found in it."""
        reference, detector = self.reference, self.detector
        assert reference.frames is not None
        frames = _kept(reference.frames, reference.video, reference, stack)
        if detector is None or reference.measured is not None:
            return ((frame, None) for frame in frames)
        self.real_track = Track(detector.backend.spec.skeleton)
        return follow(islice(frames, reference.count), detector.backend)

    def _truth(
        self, chunk: list[tuple[Image, Detections | None]], first: int, wanted: int
    ) -> tuple[Image, dict[str, Mask | None]]:
        frames = self._stack([frame for frame, _ in chunk], wanted, first, "the true frames")
        if self.real_track is not None:
            for _, person in chunk:
                self.real_track.append(person)
        mask, part = self.reference.mask, slice(first, first + wanted)
        masks = None if mask is None else np.stack([mask(number) for number in range(first, first + wanted)])
        self.saw_mask |= masks is not None and bool(masks.any())
        boxes = {name: None if box is None else box[part] for name, box in self.boxes.items()}
        return frames, region_masks(self.regions, masks, boxes, (wanted, *frames.shape[1:3]))

    # ---- the painted frames ------------------------------------------------------------------------------

    def _painted(self, stream: Stream, stack: ExitStack) -> Iterator[tuple[Image, Detections | None]] | None:
        if stream.frames is None:
            return None
        frames = _kept(stream.frames, stream.video, self.reference, stack)
        if self.detector is None or not stream.has_person:
            return ((frame, None) for frame in frames)
        self.tracks[stream.name] = Track(self.detector.backend.spec.skeleton)
        return follow(islice(frames, self.reference.count), self.detector.backend)

    def _before(self, truth: Image) -> Image:
        """The true frame before each; the first one stands for what is before it, and is not scored."""
        first = truth[0] if self.last is None else self.last
        return np.concatenate([first[None], truth[:-1]])

    def _chunk(
        self, stream: Stream, chunk: list[tuple[Image, Detections | None]], wanted: int, first: int
    ) -> Image:
        if stream.name in self.tracks:
            for _, person in chunk:
                self.tracks[stream.name].append(person)
        return self._stack([frame for frame, _ in chunk], wanted, first, stream.title)

    def _stack(self, frames: list[Image], wanted: int, first: int, what: str) -> Image:
        if len(frames) < wanted:
            raise VideoError(
                f"{what}: {first + len(frames)} frames could be read, {self.reference.count} were promised",
                hint="the file is damaged, or its index is wrong: export it again",
            )
        width, height = self.reference.size
        for frame in frames:
            if frame.shape != (height, width, 3):
                raise VideoError(
                    f"{what}: a frame is {frame.shape[1]}x{frame.shape[0]}, not {width}x{height}"
                )
        return np.stack(frames)

    # ---- the scores --------------------------------------------------------------------------------------

    def result(self) -> list[Variant]:
        reference, real = self.reference, self.reference.measured
        if self.real_track is not None:
            real = self.real_track.poses(reference.size, reference.rate)
        order = [term.name for term in self.protocol.metrics]
        variants = []
        for stream, scorer in zip(self.streams, self.scorers, strict=True):
            scores = scorer.scores(self.protocol, reference.rate, self._reason)
            scores += self._pose_scores(stream, real)
            scores.sort(key=lambda score: order.index(score.metric.partition("@")[0]))
            video = None if stream.video is None else stream.video.name
            variants.append(Variant(stream.name, stream.title, stream.kind, tuple(scores), video))
        return variants

    def _reason(self, region: str) -> str:
        """Why nothing could be measured in a region."""
        if region in ("mask", "box") and not self.saw_mask:
            return "no person is known in any true frame"
        if region in ("face", "hands") and self.boxes.get(region) is None:
            smallest = self.protocol.smallest_head
            return f"not seen, or the head is less than {smallest} px high"
        return "nothing to measure in any frame"

    def _pose_scores(self, stream: Stream, real: PoseSequence | None) -> list[Score]:
        detector = self.detector
        if detector is None:
            return []
        reference = self.reference
        if not stream.has_person:
            return [missing_score(m, part, NO_PERSON) for m in self.pose_measures for part in m.term.regions]
        if reference.frames is None or real is None:
            if stream.asked is None:
                raise PoseError(f"{stream.title}: it is not known which poses were asked for")
            asked = stream.asked.to(detector.backend.spec.skeleton)
            real = asked.replace(pts=np.arange(len(asked)), time_base=1 / reference.rate)
        if stream.frames is None:
            order = np.maximum(np.arange(len(real)) - 1, 0)
            fake = real.replace(xy=real.xy[order], score=real.score[order])
        else:
            fake = self.tracks[stream.name].poses(reference.size, reference.rate)
        return pose_scores(
            self.pose_measures,
            fake,
            real,
            self.protocol,
            reference.rate,
            skip=stream.skip,
            remark=detector.remark,
        )


def _kept(
    frames: Iterable[Image], video: Path | None, reference: Reference, stack: ExitStack
) -> Iterator[Image]:
    """The frames, written to a video on their way."""
    if video is None:
        return iter(frames)
    writer = stack.enter_context(
        VideoWriter(video, size=reference.size, time_base=1 / reference.rate, rate=reference.rate, force=True)
    )

    def written() -> Iterator[Image]:
        for number, frame in enumerate(islice(frames, reference.count)):
            writer.write(frame, number)
            yield frame

    return written()
