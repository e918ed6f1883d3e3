"""BlazePose, the pose backend that works out of the box: 33 joints and a mask a person, in PyTorch.

Source: Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020); the pipeline and the
weights are those of MediaPipe 0.10.21 (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dancekit.contracts import PoseSpec, Runner, WeightFile
from dancekit.pose.blazepose_geometry import Region, all_detections, refine
from dancekit.pose.blazepose_net import BlazePoseDetector, BlazePoseLandmarks
from dancekit.pose.blazepose_people import Crowd
from dancekit.pose.embedded import Prepared, embedded_files, load_network, to_images, usable_device
from dancekit.types import Detections, get_skeleton

MOST_PEOPLE = 8
"""How many people are looked for in one frame."""

_JOINTS = 33


class BlazePose:
    """One person, 33 joints and a mask; its weights ship with dancekit, so it works offline.

    A detector finds the person and how they are turned, a second network looks at that region. While
    tracking, the next frame's region comes from this frame's landmarks and the detector runs only when the
    person was lost: in the very frame in which that is noticed (MediaPipe: in the frame after).

    `Detections.score` is the network's visibility, which is low for joints that the body hides, but those are
    often placed well. The default `threshold` is where placing them stops to work: on rendered dances with
    exact truth the median error is 2 to 3 % of the person's height between 0.3 and 0.5, and 4 to 7 % below
    (1 % above 0.9; one joint in fifty is below 0.3). MediaPipe draws joints from 0.5.

    `Detections.box` bounds the 33 landmarks, clipped to the frame. The mask is the landmark network's, 0
    outside of the region that it looked at.

    Args:
        model: Landmark network: `full`, or `lite`, which is faster and less exact.
        threshold: Joints of lower visibility are missing, as are joints outside of the frame.
        detection_threshold: Smallest score with which the detector counts a person.
        tracking_threshold: Below this probability that the region holds a person they are lost.
        tracking: Follow the person from frame to frame. Off: every frame is searched on its own, in batches.
        batch: Frames a batch without tracking; changes the speed, not the result.
        device: Where the networks run.
        runner: What computes them (wired); None: torch.
        masks: Whether masks are wanted (wired); without them a frame takes a third to half less.
    """

    version: int = 1

    def __init__(
        self,
        *,
        model: Literal["full", "lite"] = "full",
        threshold: Annotated[float, Field(ge=0, le=1)] = 0.3,
        detection_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        tracking_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5,
        tracking: bool = True,
        batch: Annotated[int, Field(ge=1)] = 8,
        device: str = "cpu",
        runner: Runner | None = None,
        masks: bool = True,
    ) -> None:
        self.threshold = threshold
        self.detection_threshold = detection_threshold
        self.tracking_threshold = tracking_threshold
        self.tracking = tracking
        self.batch = batch
        self._device = usable_device(device)
        detector, detector_hash = load_network(BlazePoseDetector(), "blazepose_detector", self._device)
        landmarks, landmarks_hash = load_network(
            BlazePoseLandmarks(model), f"blazepose_{model}", self._device
        )
        if not masks:
            landmarks.without_mask()
        self._detector, self._landmarks = Prepared(detector, runner), Prepared(landmarks, runner)
        self.spec = PoseSpec(
            skeleton=get_skeleton("blazepose_33"),
            max_people=1,
            gives_mask=masks,
            licence="Apache-2.0",
            weights={
                "blazepose_detector.safetensors": detector_hash,
                f"blazepose_{model}.safetensors": landmarks_hash,
            },
            runner="torch" if runner is None else runner.name,
        )

    @classmethod
    def weight_files(cls, *, model: str) -> tuple[WeightFile, ...]:
        """The detector and a landmark network."""
        return embedded_files("blazepose_detector", f"blazepose_{model}")

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """Find the person of each frame, lazily and in order.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame, with no or one person and their (1, H, W) mask if masks are wanted.

        Raises:
            ValueError: A frame is not (H, W, 3) uint8.
        """
        for body in self.look(frames):
            yield Detections.nobody(_JOINTS) if body is None else body.detections(self.threshold)

    def detect_people(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Detections]:
        """Find everybody in each frame, lazily and in order; who is who is not said.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame, with their (P, H, W) masks if they are wanted.

        Raises:
            ValueError: A frame is not (H, W, 3) uint8.
        """
        for bodies in self.look_people(frames):
            yield merged([body.detections(self.threshold) for body in bodies], _JOINTS)

    def look_people(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[list[Body]]:
        """As `look`, for everybody."""
        crowd = Crowd(
            find=lambda frame, view: self._find_all([frame], MOST_PEOPLE, [view])[0],
            look=lambda frame, regions: self._look([frame] * len(regions), regions),
            tracking=self.tracking,
        )
        for frame in frames:
            yield crowd.update(_checked(frame))

    def look(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Body | None]:
        """As `detect`, but all that the network said, before any threshold; None where nobody was found."""
        checked = (_checked(frame) for frame in frames)
        return self._follow(checked) if self.tracking else self._search(checked)

    def _follow(self, frames: Iterator[NDArray[np.uint8]]) -> Iterator[Body | None]:
        region: Region | None = None
        for frame in frames:
            seen = self._look([frame], [region])[0]
            if seen is None:
                seen = self._look([frame], self._find([frame]))[0]
            region = None if seen is None else seen.next_region
            yield seen

    def _search(self, frames: Iterator[NDArray[np.uint8]]) -> Iterator[Body | None]:
        while chunk := list(islice(frames, self.batch)):
            yield from self._look(chunk, self._find(chunk))

    def _find(self, frames: Sequence[NDArray[np.uint8]]) -> list[Region | None]:
        """The region of the surest person of each frame."""
        return [regions[0] if regions else None for regions in self._find_all(frames, 1)]

    @torch.inference_mode()
    def _find_all(
        self, frames: Sequence[NDArray[np.uint8]], most: int, views: Sequence[Region] | None = None
    ) -> list[list[Region]]:
        """Run the detector: the regions of the people of each frame (or of a view of it), surest first."""
        squares = views or [Region.letterbox(frame.shape[1], frame.shape[0]) for frame in frames]
        size = self._detector.size
        crops = [
            square.crop(frame, size, replicate=False) for square, frame in zip(squares, frames, strict=True)
        ]
        boxes, logits = self._detector(to_images(crops, self._device) * 2 - 1)
        boxes, logits = boxes.cpu().numpy(), logits.cpu().numpy()
        found: list[list[Region]] = []
        for number, square in enumerate(squares):
            people = all_detections(
                boxes[number], logits[number], size=size, threshold=self.detection_threshold, most=most
            )
            regions = [_region(square.to_frame(points)) for points in people]
            found.append([region for region in regions if region is not None])
        return found

    @torch.inference_mode()
    def _look(
        self, frames: Sequence[NDArray[np.uint8]], regions: Sequence[Region | None]
    ) -> list[Body | None]:
        """Run the landmark network on each region; None where there is none, or nobody in it."""
        seen: list[Body | None] = [None] * len(frames)
        places = [number for number, region in enumerate(regions) if region is not None]
        if not places:
            return seen
        squares = [region for region in regions if region is not None]
        size = self._landmarks.size
        crops = [
            region.crop(frames[place], size, replicate=True)
            for place, region in zip(places, squares, strict=True)
        ]
        output = self._landmarks(to_images(crops, self._device))
        unit = refine(output.points[..., :2], output.heatmaps, size).cpu().numpy()
        visibility = output.points[:, :_JOINTS, 3].sigmoid().cpu().numpy()
        presence = output.presence.cpu().numpy()
        masks = None
        if output.mask is not None:
            masks = (output.mask[:, 0].sigmoid() * 255).round().to(torch.uint8).cpu().numpy()
        for number, (place, region) in enumerate(zip(places, squares, strict=True)):
            if presence[number] > self.tracking_threshold:
                height, width = frames[place].shape[:2]
                points = region.to_frame(unit[number])
                mask = None if masks is None else region.paste_mask(masks[number], width, height)
                seen[place] = Body(
                    points[:_JOINTS], visibility[number], (width, height), mask, _region(points[_JOINTS:])
                )
        return seen


class Body(NamedTuple):
    """A person in a frame, and where to look for them in the next one.

    Attributes:
        points: (33, 2) edge coordinates, outside of the frame too.
        visibility: (33,).
        size: (width, height) of the frame.
        mask: (H, W) uint8; None where masks are not wanted.
        next_region: Where the landmark network shall look next; None if that is nowhere.
    """

    points: NDArray[np.float64]
    visibility: NDArray[np.float32]
    size: tuple[int, int]
    mask: NDArray[np.uint8] | None
    next_region: Region | None

    def detections(self, threshold: float) -> Detections:
        """The contract's arrays; joints of lower visibility or outside of the frame are missing."""
        size = np.array(self.size)
        xy, score = in_frame(self.points, np.where(self.visibility >= threshold, self.visibility, 0), size)
        inside = np.clip(self.points, 0, size) - 0.5
        box = np.concatenate((inside.min(0), inside.max(0))).astype(np.float32)
        mask = None if self.mask is None else self.mask[None]
        return Detections(xy[None], score[None], box[None], mask)


def merged(people: Sequence[Detections], joints: int) -> Detections:
    """Several people's detections in one frame as one."""
    if not people:
        return Detections.nobody(joints)
    masks = [each.mask for each in people if each.mask is not None]
    return Detections(
        np.concatenate([each.xy for each in people]),
        np.concatenate([each.score for each in people]),
        np.concatenate([each.box for each in people]),
        np.concatenate(masks) if len(masks) == len(people) else None,
    )


def in_frame(
    points: NDArray[np.float64], score: NDArray[np.floating[Any]], size: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(K, 2) edge coordinates and (K,) scores as pixels and scores; missing outside of the frame of (W, H)."""
    there = (score > 0) & (points >= 0).all(-1) & (points <= size).all(-1)
    xy = np.where(there[:, None], points - 0.5, np.nan).astype(np.float32)
    return xy, np.where(there, score, 0).astype(np.float32)


def _region(alignment: NDArray[np.float64]) -> Region | None:
    region = Region.from_alignment(alignment[0], alignment[1])
    return region if region.usable else None


def _checked(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"a frame has shape {frame.shape} and type {frame.dtype}, expected (H, W, 3) uint8")
    return np.ascontiguousarray(frame)
