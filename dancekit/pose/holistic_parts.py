"""Hands and face of people whose body is known: crops steered by the body, in batches.

Nothing is carried over from frame to frame. MediaPipe takes the crop from the last frame's landmarks as long
as it agrees with the body's; on the rendered dances that finds 2 % more hands and jitters 5 % less, but is not
more exact (1.02 against 1.01 % of the person's height), and a frame's result would depend on the frames before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.contracts import Runner
from dancekit.pose.blazepose import Body
from dancekit.pose.blazepose_geometry import FACE_LEVELS, Region, best_detection
from dancekit.pose.embedded import Prepared, load_network, to_images
from dancekit.pose.face_net import FaceDetector, FaceMesh
from dancekit.pose.face_points import FACE_70
from dancekit.pose.hand_net import HandLandmarks, HandRecrop
from dancekit.pose.holistic_geometry import (
    face_from_body,
    face_from_detection,
    hand_from_body,
    hand_from_recrop,
)

_Frame = NDArray[np.uint8]

ONE_HAND = 0.5
"""Hands that are nearer to each other than this, in lengths of a palm, are one hand, looked at twice. It is the
more visible wrist's, which was right on all such frames of the rendered dances (MediaPipe keeps both)."""

WRIST_VISIBILITY = 0.1
"""Below this visibility of the body's wrist no hand is looked for; MediaPipe's."""

DETECTION_THRESHOLD = 0.5
"""Smallest score of a detected face; MediaPipe's."""

AGREEMENT = 0.18
"""A face whose eyes, nose and mouth are further than this from the body's (mean distance, over the side of
the face's crop) is none. On the rendered dances, of the faces that are wrong by more than 15 % of the head five
in six are further, of the others one in seventy; all are sure of themselves (presence above 0.5)."""

_SHARED = ((33, 6), (263, 3), (61, 10), (291, 9), (4, 0))  # outer corners of eyes and mouth, nose: mesh, body
_HANDS = {"left": (15, 17, 19), "right": (16, 18, 20)}  # wrist, pinky and index of the body


class Part(NamedTuple):
    """A hand or a face in a frame.

    Attributes:
        points: (21, 2) or (70, 2) edge coordinates of the frame.
        presence: Probability that it is there.
    """

    points: NDArray[np.float64]
    presence: float


class HandFinder:
    """Finds both hands: a rough crop from wrist and knuckles, a better one, 21 joints in it.

    The network's handedness is not used: on the rendered dances it names the side rightly for 7 of 10 sure
    hands only, and hands that it contradicts are no worse placed.
    """

    def __init__(
        self, model: Literal["full", "lite"], device: torch.device, runner: Runner | None = None
    ) -> None:
        self._device = device
        recrop, recrop_hash = load_network(HandRecrop(), "hand_recrop", device)
        landmarks, landmarks_hash = load_network(HandLandmarks(model), f"hand_{model}", device)
        self._recrop, self._landmarks = Prepared(recrop, runner), Prepared(landmarks, runner)
        self.weights = {
            "hand_recrop.safetensors": recrop_hash,
            f"hand_{model}.safetensors": landmarks_hash,
        }

    @torch.inference_mode()
    def find(self, frames: Sequence[_Frame], bodies: Sequence[Body]) -> list[tuple[Part | None, Part | None]]:
        """The left and the right hand of each frame's person; None where there is no telling."""
        rough: list[tuple[int, str, Region]] = []
        for number, body in enumerate(bodies):
            for side, joints in _HANDS.items():
                region = hand_from_body(*body.points[list(joints)])
                if body.visibility[joints[0]] > WRIST_VISIBILITY and region.usable:
                    rough.append((number, side, region))
        hands: list[dict[str, Part]] = [{} for _ in frames]
        if rough:
            size = self._recrop.size
            crops = [region.crop(frames[number], size, replicate=True) for number, _, region in rough]
            placed = self._recrop(to_images(crops, self._device)).cpu().numpy() / size
            fine = [
                (number, side, hand_from_recrop(region.to_frame(points)))
                for (number, side, region), points in zip(rough, placed, strict=True)
            ]
            for number, side, part in self._look(frames, [entry for entry in fine if entry[2].usable]):
                hands[number][side] = part
        return [
            _distinct(found.get("left"), found.get("right"), body)
            for found, body in zip(hands, bodies, strict=True)
        ]

    def _look(
        self, frames: Sequence[_Frame], places: Sequence[tuple[int, str, Region]]
    ) -> list[tuple[int, str, Part]]:
        if not places:
            return []
        size = self._landmarks.size
        crops = [region.crop(frames[number], size, replicate=True) for number, _, region in places]
        output = self._landmarks(to_images(crops, self._device))
        points, presence = output.points[..., :2].cpu().numpy() / size, output.presence.cpu().numpy()
        return [
            (number, side, Part(region.to_frame(points[n]), float(presence[n])))
            for n, (number, side, region) in enumerate(places)
        ]


def _distinct(left: Part | None, right: Part | None, body: Body) -> tuple[Part | None, Part | None]:
    if left is None or right is None:
        return left, right
    palm = np.mean([np.linalg.norm(hand.points[9] - hand.points[0]) for hand in (left, right)])
    if np.linalg.norm(left.points - right.points, axis=1).mean() >= ONE_HAND * palm:
        return left, right
    return (left, None) if body.visibility[15] > body.visibility[16] else (None, right)


class FaceFinder:
    """Finds the face: a detector around the body's eyes, nose and mouth, then a mesh."""

    def __init__(self, device: torch.device, runner: Runner | None = None) -> None:
        self._device = device
        detector, detector_hash = load_network(FaceDetector(), "face_detector", device)
        mesh, mesh_hash = load_network(FaceMesh(), "face_mesh", device)
        self._detector, self._mesh = Prepared(detector, runner), Prepared(mesh, runner)
        self.weights = {"face_detector.safetensors": detector_hash, "face_mesh.safetensors": mesh_hash}

    @torch.inference_mode()
    def find(self, frames: Sequence[_Frame], bodies: Sequence[Body]) -> list[Part | None]:
        """The face of each frame's person; None where none is seen, or one that is not theirs."""
        places = [
            (n, region) for n, body in enumerate(bodies) if (region := face_from_body(body.points)).usable
        ]
        found: list[Part | None] = [None] * len(frames)
        for number, region, mesh, presence in self._look(frames, self._detect(frames, places)):
            ours, bodys = zip(*_SHARED, strict=True)
            apart = np.linalg.norm(mesh[list(ours)] - bodies[number].points[list(bodys)], axis=1).mean()
            if apart <= AGREEMENT * region.side:
                found[number] = Part(mesh[list(FACE_70)], presence)
        return found

    def _detect(
        self, frames: Sequence[_Frame], places: Sequence[tuple[int, Region]]
    ) -> list[tuple[int, Region]]:
        """Crops of faces, in the places where there may be one."""
        if not places:
            return []
        size = self._detector.size
        crops = [region.crop(frames[number], size, replicate=False) for number, region in places]
        boxes, logits = (
            output.cpu().numpy() for output in self._detector(to_images(crops, self._device) * 2 - 1)
        )
        found = []
        for n, (number, region) in enumerate(places):
            points = best_detection(
                boxes[n], logits[n], size=size, threshold=DETECTION_THRESHOLD, levels=FACE_LEVELS
            )
            if points is not None and (face := face_from_detection(region.to_frame(points))).usable:
                found.append((number, face))
        return found

    def _look(
        self, frames: Sequence[_Frame], places: Sequence[tuple[int, Region]]
    ) -> list[tuple[int, Region, NDArray[np.float64], float]]:
        """Frame, crop, (478, 2) mesh and presence of each."""
        if not places:
            return []
        size = self._mesh.size
        crops = [region.crop(frames[number], size, replicate=True) for number, region in places]
        output = self._mesh(to_images(crops, self._device))
        points, presence = output.points.cpu().numpy() / size, output.presence.sigmoid().cpu().numpy()
        return [
            (number, region, region.to_frame(points[n]), float(presence[n]))
            for n, (number, region) in enumerate(places)
        ]
