"""BlazePose with hands and face: 145 joints and a mask a person, in PyTorch.

Sources: Grishchenko and Bazarevsky, "MediaPipe Holistic" (2020), and those that `blazepose.py`, `hand_net.py`
and `face_net.py` name; the pipeline and the weights are those of MediaPipe 0.10.21 (Apache-2.0).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.contracts import PoseSpec, Runner, WeightFile
from dancekit.pose.blazepose import BlazePose, Body, in_frame, merged
from dancekit.pose.embedded import embedded_files, usable_device
from dancekit.pose.holistic_parts import FaceFinder, HandFinder, Part
from dancekit.pose.mask_smoothing import smooth_mask, with_neighbours
from dancekit.types import Detections, get_skeleton

_SIZES = {"face": 70, "left_hand": 21, "right_hand": 21}
_Frame = NDArray[np.uint8]


class BlazePoseHolistic:
    """BlazePose with hands and face: 33 joints, 70 face points and twice 21 hand joints, and a steadier mask.

    The body is that of `blazepose`, joint for joint. Where it has a wrist and knuckles, a hand is looked for;
    around its eyes, nose and mouth, a face. A hand joint's score is the probability that the hand is there, a
    face point's that the face is; a part below its threshold is missing as a whole, as are joints outside of
    the frame. A face that is elsewhere than the body's is not theirs, and missing.

    A face must be turned to the camera. With heads of 35 to 48 pixels nine in ten such are found, their points
    off by 4 % of the head (median); of the hands that are seen 61 %, off by 1 % of the person's height. With
    larger heads 85 % of the hands are found, off by 0.6 % (`benchmarks/holistic.py`).

    Args:
        model: Networks of body and hands: `full`, or `lite`, which is faster and less exact and finds fewer
            hands.
        hands: Look for hands; without, their joints are missing.
        face: Look for the face; without, its points are missing.
        threshold: Joints of the body of lower visibility are missing.
        hand_threshold: Hands of lower probability are missing.
        face_threshold: Faces of lower probability are missing.
        mask_smoothing: How far an unsure pixel of the mask moves towards the frames before and after, 0 to 1.
        detection_threshold: Smallest score with which the detector counts a person.
        tracking_threshold: Below this probability that the region holds a person they are lost.
        tracking: Follow the person from frame to frame. Off: every frame is searched on its own.
        batch: Frames a batch for hands and face (and, without tracking, for the body): as many frames are read
            ahead. Changes the speed, not the result.
        device: Where the networks run.
        runner: What computes them (wired); None: torch.
        masks: Whether masks are wanted (wired).
    """

    version: int = 1

    def __init__(
        self,
        *,
        model: Literal["full", "lite"] = "full",
        hands: bool = True,
        face: bool = True,
        threshold: Annotated[float, Field(ge=0, le=1)] = 0.3,
        hand_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        face_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        mask_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.4,
        detection_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        tracking_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        tracking: bool = True,
        batch: Annotated[int, Field(ge=1)] = 8,
        device: str = "cpu",
        runner: Runner | None = None,
        masks: bool = True,
    ) -> None:
        self.threshold = threshold
        self.hand_threshold = hand_threshold
        self.face_threshold = face_threshold
        self.mask_smoothing = mask_smoothing
        self.batch = batch
        self._body = BlazePose(
            model=model,
            detection_threshold=detection_threshold,
            tracking_threshold=tracking_threshold,
            tracking=tracking,
            batch=batch,
            device=device,
            runner=runner,
            masks=masks,
        )
        place = usable_device(device)
        self._hands = HandFinder(model, place, runner) if hands else None
        self._face = FaceFinder(place, runner) if face else None
        weights = dict(self._body.spec.weights)
        for finder in (self._hands, self._face):
            weights |= finder.weights if finder else {}
        skeleton = get_skeleton("blazepose_33_face_hands")
        self._joints = len(skeleton)
        self.spec = PoseSpec(
            skeleton=skeleton,
            max_people=1,
            gives_mask=masks,
            licence="Apache-2.0",
            weights=weights,
            runner=self._body.spec.runner,
        )

    @classmethod
    def weight_files(cls, *, model: str, hands: bool, face: bool) -> tuple[WeightFile, ...]:
        """BlazePose's own, and those of hands and face."""
        names = ["blazepose_detector", f"blazepose_{model}"]
        names += ["hand_recrop", f"hand_{model}"] if hands else []
        names += ["face_detector", "face_mesh"] if face else []
        return embedded_files(*names)

    def detect(self, frames: Iterable[_Frame]) -> Iterator[Detections]:
        """Find the person of each frame, lazily and in order, up to `batch` frames and one more ahead.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame, with no or one person and their (1, H, W) mask if masks are wanted.

        Raises:
            ValueError: A frame is not (H, W, 3) uint8.
        """
        for before, person, after in with_neighbours(self._people(frames)):
            if person.body is None:
                yield Detections.nobody(self._joints)
                continue
            body = person.body
            if body.mask is not None:
                masks = [near.body.mask if near and near.body else None for near in (before, after)]
                body = body._replace(mask=smooth_mask(masks[0], body.mask, masks[1], self.mask_smoothing))
            yield self._detections(body, person.parts)

    def detect_people(self, frames: Iterable[_Frame]) -> Iterator[Detections]:
        """Find everybody in each frame, lazily and in order; who is who is not said, so masks are not smoothed.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame, with their (P, H, W) masks if they are wanted.

        Raises:
            ValueError: A frame is not (H, W, 3) uint8.
        """
        read: deque[_Frame] = deque()

        def remembered() -> Iterator[_Frame]:
            for frame in frames:
                read.append(frame)
                yield frame

        for bodies in self._body.look_people(remembered()):
            frame = np.ascontiguousarray(read.popleft())
            people = [_Person(body, {}) for body in bodies]
            self._add_parts([frame] * len(people), people)
            found = [self._detections(body, each.parts) for body, each in zip(bodies, people, strict=True)]
            yield merged(found, self._joints)

    def _people(self, frames: Iterable[_Frame]) -> Iterator[_Person]:
        """Bodies frame by frame, their hands and faces in batches."""
        read: deque[_Frame] = deque()

        def remembered() -> Iterator[_Frame]:
            for frame in frames:
                read.append(frame)
                yield frame

        bodies = self._body.look(remembered())
        while chunk := list(islice(bodies, self.batch)):
            pictures = [np.ascontiguousarray(read.popleft()) for _ in chunk]
            people = [_Person(body, {}) for body in chunk]
            seen = [number for number, body in enumerate(chunk) if body is not None]
            self._add_parts([pictures[n] for n in seen], [people[n] for n in seen])
            yield from people

    def _add_parts(self, frames: list[_Frame], people: list[_Person]) -> None:
        bodies = [person.body for person in people if person.body is not None]
        if self._face:
            for person, face in zip(people, self._face.find(frames, bodies), strict=True):
                if face is not None and face.presence >= self.face_threshold:
                    person.parts["face"] = face
        if self._hands:
            for person, hands in zip(people, self._hands.find(frames, bodies), strict=True):
                for side, hand in zip(("left_hand", "right_hand"), hands, strict=True):
                    if hand is not None and hand.presence >= self.hand_threshold:
                        person.parts[side] = hand

    def _detections(self, body: Body, parts: dict[str, Part]) -> Detections:
        found = body.detections(self.threshold)
        size = np.array(body.size)
        columns = [(found.xy[0], found.score[0])]
        for name, joints in _SIZES.items():
            part = parts.get(name) or Part(np.zeros((joints, 2)), 0.0)
            columns.append(in_frame(part.points, np.full(joints, part.presence), size))
        xy, score = (np.concatenate(column) for column in zip(*columns, strict=True))
        return Detections(xy[None], score[None], found.box, found.mask)


class _Person(NamedTuple):
    """What was found in a frame: the body, and of `face`, `left_hand` and `right_hand` those that are there."""

    body: Body | None
    parts: dict[str, Part]
