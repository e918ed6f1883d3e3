"""RTMW, RTMPose and RTMO through rtmlib and onnxruntime: many people; body, feet, hands and face.

Sources: Jiang et al., "RTMPose" (2023) and "RTMW" (2024); Lu et al., "RTMO" (CVPR 2024); YOLOX (Ge et al.,
2021) finds the people. Cropping, letterboxing and decoding are rtmlib's (https://github.com/Tau-J/rtmlib,
Apache-2.0). rtmlib's constructors are not used: they download unchecked, print, and do not say where the
network runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import numpy as np
import rtmlib
from numpy.typing import NDArray
from pydantic import Field
from rtmlib.tools.object_detection.post_processings import multiclass_nms

from dancekit.contracts import PoseSpec, WeightFile
from dancekit.errors import DancekitError, UsageError
from dancekit.pose.rtmlib_models import DETECTORS, LICENCE, POSES, SKELETONS, Mode, Model, local_or_known
from dancekit.pose.rtmlib_session import Network, Request, check_detector, check_pose, find_file
from dancekit.types import Detections, get_skeleton

_NMS = 0.45  # overlap above which two boxes are one person; rtmlib's
_EXPAND = 1.25  # a box from keypoints is made larger by this; rtmlib's PoseTracker
_FEWEST = 3  # joints that a person must keep to be followed without the detector

_Frame = NDArray[np.uint8]
_Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # xy, score, box


class RTMLib:
    """Any number of people with 133, 26 or 17 joints; its weights are fetched once (up to some 300 MB).

    Downloads are checked against their sha256. Of some files no sha256 was ever recorded: those are refused
    until you give a local file or a digest, or accept the first download. Where the networks run is in
    `provider`; if that is not the device that was asked for, it is an error.

    The scores are the networks' own, cut at 1: those of SimCC models (`wholebody`, `body_with_feet`) are not
    probabilities and can exceed 1 (RTMW's mostly do). Joints outside of the frame are missing. A person of
    whom no joint is left is left out.

    Pixels: the frame is shown to RTMPose as RGB and to YOLOX and RTMO as BGR, as each was trained (rtmlib
    leaves that to the caller); RTMO's joints are moved back through the very resize that was done, with pixel
    centres at integers (rtmlib's own way back is off by up to half of the downscaling factor).

    Args:
        model: `wholebody` (RTMW, 133 joints with hands and face), `body_with_feet` (RTMPose, Halpe's 26) or
            `rtmo` (RTMO, COCO's 17, all people at once).
        mode: Size of the networks: `lightweight`, `balanced` or `performance`.
        detector_path: A local ONNX file (or zip with one) of a YOLOX person detector.
        pose_path: A local ONNX file (or zip with one) of the model. It is taken to be what `model` says; its
            input size is read from it.
        detector_sha256: What the detector's file or download must be.
        pose_sha256: What the model's file or download must be.
        trust_first_download: Use a download of which no sha256 is known, note its sha256, and refuse any
            other from then on. This notices changes; it does not prove where the first one came from.
        threshold: Joints of lower score are missing.
        person_threshold: People of lower score are left out.
        detect_every: Search for people in every Nth frame; in between their boxes follow from their joints.
            A lost person makes the next frame be searched. Not for `rtmo`.
        threads: Of onnxruntime on the CPU; 0 lets it choose.
        allow_cpu_fallback: Run on the CPU (with a warning) where the device cannot be used.
        device: Where the networks run: `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        OfflineError: A file has to be downloaded and cannot be.
        ChecksumError: A file is not the expected one, or nobody knows what to expect.
        IncompatibleParts: A file is not a network of the kind asked for.
        DancekitError: The device cannot be used, or a file cannot be opened.
    """

    version: int = 1

    def __init__(
        self,
        *,
        model: Model = "wholebody",
        mode: Mode = "balanced",
        detector_path: str | None = None,
        pose_path: str | None = None,
        detector_sha256: str | None = None,
        pose_sha256: str | None = None,
        trust_first_download: bool = False,
        threshold: Annotated[float, Field(ge=0, le=1)] = 0.3,
        person_threshold: Annotated[float, Field(ge=0.3, le=1)] = 0.5,
        detect_every: Annotated[int, Field(ge=1)] = 1,
        threads: Annotated[int, Field(ge=0)] = 0,
        allow_cpu_fallback: bool = False,
        device: str = "cpu",
    ) -> None:
        alone = model == "rtmo"
        if alone and (detect_every != 1 or detector_path or detector_sha256):
            raise UsageError(
                "model=rtmo finds people and joints at once: detect_every and detector_* mean nothing to it",
                hint="leave them out",
            )
        self.threshold = threshold
        self.person_threshold = person_threshold
        self.detect_every = detect_every
        skeleton = get_skeleton(SKELETONS[model])
        self._joints = len(skeleton)
        request = Request(device, threads, allow_cpu_fallback, trust_first_download)
        known = POSES[model, mode]
        path = find_file(pose_path, pose_sha256, known, request, key="pose_path")
        self._pose = Network(path, known.size, request)
        check_pose(self._pose, model, self._joints)
        self._detector: Network | None = None
        if not alone:
            finder = DETECTORS[model, mode]
            path = find_file(detector_path, detector_sha256, finder, request, key="detector_path")
            self._detector = Network(path, finder.size, request)
            check_detector(self._detector)
        self._networks = {"pose": self._pose} | ({"detector": self._detector} if self._detector else {})
        self._tools = self._make_tools()
        self.spec = PoseSpec(
            skeleton=skeleton,
            max_people=None,
            gives_mask=False,
            licence=LICENCE,
            weights={name: network.sha256 for name, network in sorted(self._networks.items())},
        )

    @classmethod
    def weight_files(
        cls,
        *,
        model: Model,
        mode: Mode,
        detector_path: str | None,
        pose_path: str | None,
        detector_sha256: str | None,
        pose_sha256: str | None,
    ) -> tuple[WeightFile, ...]:
        """The network of the joints, and the detector's if the model has one."""
        found = [local_or_known(pose_path, pose_sha256, POSES[model, mode])]
        if model != "rtmo":
            found.append(local_or_known(detector_path, detector_sha256, DETECTORS[model, mode]))
        return tuple(found)

    @property
    def provider(self) -> str:
        """The onnxruntime execution provider in use, as `CPUExecutionProvider`."""
        return " and ".join(sorted({network.provider for network in self._networks.values()}))

    def detect(self, frames: Iterable[_Frame]) -> Iterator[Detections]:
        """Find the people of each frame, lazily and in order.

        Args:
            frames: (H, W, 3) uint8 RGB frames of one clip.

        Yields:
            One `Detections` a frame, without masks.

        Raises:
            ValueError: A frame is not (H, W, 3) uint8.
            DancekitError: A network failed, or gave something of a wrong shape.
        """
        boxes: NDArray[np.float32] | None = None
        for number, frame in enumerate(frames):
            if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
                raise ValueError(f"frame {number} is {frame.shape} {frame.dtype}, expected (H, W, 3) uint8")
            if self._detector is None:
                found = self._all_at_once(frame)
            else:
                if boxes is None or number % self.detect_every == 0:
                    boxes = self._people(frame, self._detector)
                found = self._one_by_one(frame, boxes)
            people = self._cleaned(found, frame)
            boxes = _next_boxes(people, len(found[0]))
            yield people

    def _make_tools(self) -> dict[str, Any]:
        (width, height), tools = self._pose.size, {}
        if self._detector is None:
            tools["rtmo"] = _bare(rtmlib.RTMO, model_input_size=(height, width))
        else:
            tools["rtmpose"] = _bare(rtmlib.RTMPose, model_input_size=(width, height))
            detector_size = self._detector.size[::-1]
            tools["yolox"] = _bare(
                rtmlib.YOLOX, model_input_size=detector_size, nms_thr=_NMS, score_thr=self.person_threshold
            )
        return tools

    def _people(self, frame: _Frame, detector: Network) -> NDArray[np.float32]:
        """(P, 4) boxes of the people, surest first."""
        tool = self._tools["yolox"]
        image, ratio = tool.preprocess(_bgr(frame))
        names = [name for name in detector.outputs if name in ("dets", "labels")] or list(detector.outputs)
        outputs = detector.run(names, [image])
        boxes = outputs[0]
        if boxes.ndim != 3 or boxes.shape[-1] < 5:
            raise DancekitError(
                f"{detector.name} gave {names[0]} of shape {boxes.shape}, expected (1, N, 5 or more)"
            )
        if boxes.shape[-1] == 5:
            keep = boxes[0, :, 4] >= self.person_threshold
            if len(outputs) > 1:
                keep &= outputs[1].reshape(-1) == 0  # class 0 is a person, in COCO and in Human-Art
            boxes = boxes[:, keep]
            tool.det_mode = "human"
            people = tool.postprocess(boxes, ratio)
        else:
            # without NMS in the file: objectness and classes, of which the first is a person
            tool.det_mode = "multiclass"
            people, classes = tool.postprocess(boxes, ratio)
            people = people[classes == 0] if len(people) else people
        people = np.asarray(people, np.float32).reshape(-1, 4)
        return people[(people[:, 2:] - people[:, :2] >= 1).all(1)]

    def _one_by_one(self, frame: _Frame, boxes: NDArray[np.float32]) -> _Found:
        """Crop each person, find their joints, move them back into the frame."""
        tool, network = self._tools["rtmpose"], self._pose
        # rtmlib takes the whole frame for a person when there is no box
        if not len(boxes):
            return _nobody(self._joints)
        crops = [tool.preprocess(frame, box) for box in boxes]
        simcc_x, simcc_y = network.run(["simcc_x", "simcc_y"], [crop for crop, _, _ in crops])
        for name, bins, side in (
            ("simcc_x", simcc_x, network.size[0]),
            ("simcc_y", simcc_y, network.size[1]),
        ):
            expected = (len(boxes), self._joints, 2 * side)
            if bins.shape != expected:
                raise DancekitError(f"{network.name} gave {name} of shape {bins.shape}, expected {expected}")
        people = [
            tool.postprocess([simcc_x[n : n + 1], simcc_y[n : n + 1]], centre, scale)
            for n, (_, centre, scale) in enumerate(crops)
        ]
        xy, score = (np.concatenate(column).astype(np.float32) for column in zip(*people, strict=True))
        return xy, score, boxes

    def _all_at_once(self, frame: _Frame) -> _Found:
        """Letterbox the frame, find everybody, move the joints back through the resize."""
        network = self._pose
        image, ratio = self._tools["rtmo"].preprocess(_bgr(frame))
        dets, keypoints = network.run(["dets", "keypoints"], [image])
        people = dets.shape[1] if dets.ndim == 3 else -1
        if dets.shape != (1, people, 5) or keypoints.shape != (1, people, self._joints, 3):
            raise DancekitError(f"{network.name} gave dets {dets.shape} and keypoints {keypoints.shape}")
        _, keep = multiclass_nms(
            dets[0, :, :4], dets[0, :, 4:], nms_thr=_NMS, score_thr=self.person_threshold
        )
        if keep is None:
            return _nobody(self._joints)
        size = np.array([frame.shape[1], frame.shape[0]])
        # cv2.resize aligns the edges of the images, and its target size is rounded down
        scale = size / (size * ratio).astype(int)
        xy = (keypoints[0, keep, :, :2] + 0.5) * scale - 0.5
        boxes = dets[0, keep, :4] * np.tile(scale, 2)
        return xy.astype(np.float32), keypoints[0, keep, :, 2], boxes.astype(np.float32)

    def _cleaned(self, found: _Found, frame: _Frame) -> Detections:
        xy, score, box = found
        inside = ((xy >= -0.5) & (xy <= np.array([frame.shape[1], frame.shape[0]]) - 0.5)).all(-1)
        there = inside & (score >= max(self.threshold, 1e-30))
        xy = np.where(there[..., None], xy, np.nan).astype(np.float32)
        score = np.where(there, np.minimum(score, 1), 0).astype(np.float32)
        seen = there.any(1)
        return Detections(xy[seen], score[seen], box[seen])


def _bare(kind: type[Any], **attributes: Any) -> Any:
    """One of rtmlib's tools without its constructor: only its geometry is used, the sessions are ours."""
    tool: Any = object.__new__(kind)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    for name, value in {**defaults, **attributes}.items():
        setattr(tool, name, value)
    return tool


def _bgr(frame: _Frame) -> _Frame:
    return np.ascontiguousarray(frame[..., ::-1])


def _nobody(joints: int) -> _Found:
    people = Detections.nobody(joints)
    return people.xy, people.score, people.box


def _next_boxes(people: Detections, expected: int) -> NDArray[np.float32] | None:
    """Where to look in the next frame without the detector; None if anybody was lost."""
    if not expected or len(people) < expected or (np.count_nonzero(people.score, axis=1) < _FEWEST).any():
        return None
    low, high = np.nanmin(people.xy, axis=1), np.nanmax(people.xy, axis=1)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1) * _EXPAND
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
