"""How the camera moves, measured in what is behind the people, and poses and frames freed of its shake.

Corners of the background (Shi and Tomasi 1994) are followed by pyramidal Lucas-Kanade optical flow, there and back,
and a turn, zoom and shift that most of them agree upon (RANSAC) is the camera's. A few small frames, kept while the
poses are found, say whether it moves at all; only then the clip is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from dancekit.types import PoseSequence

STILL = 0.0025
"""Shift of the picture, over its longer side, up to which the camera stands still: about a pixel of 512."""

LARGE = 0.04
"""The same, above which it is no shake that can be taken out without an edge: the camera moves."""

SLOW = 0.5
"""Seconds (standard deviation) over which the path of a camera that moves is smoothed: faster is shake."""

_SIDE = 480  # pixels of the longer side that is looked at
_SAMPLES = 32  # at most twice as many are kept
_CORNERS, _FEWEST, _AGREE = 300, 12, 0.5
LOST = 0.2
"""Share of frames without enough to see behind the person from which on nothing is known of the camera."""

_ALIKE = 0.1  # median difference, over the contrast, of pictures that are the same but for who is in them
_MARGIN = 0.12  # around a person's joints, over their extent


@dataclass(frozen=True, eq=False)
class CameraMotion:
    """What the camera does in a clip.

    Attributes:
        shift: How far the picture's corners move from where they are in the reference frame, the largest of the
            frames, over the longer side; NaN if there is too little to see behind the people, infinite if
            another place is shown after a cut.
        matrices: (T, 2, 3) from pixels of each frame to pixels of its scene's reference frame; None where the
            camera stands still.
    """

    shift: float
    matrices: NDArray[np.float64] | None = None

    @property
    def kind(self) -> str:
        """`still`, `shake` (small: can be taken out), `moves`, or `unknown`."""
        if np.isnan(self.shift):
            return "unknown"
        return "still" if self.shift <= STILL else "shake" if self.shift <= LARGE else "moves"

    def steadying(self, poses: PoseSequence) -> NDArray[np.float64] | None:
        """(T, 2, 3) that take the shake out of each frame; None where there is none.

        Of a camera that moves only what is faster than `SLOW` is taken out: where it follows a dancer, the
        dancer stays where they are in the picture.
        """
        if self.matrices is None or self.kind not in ("shake", "moves"):
            return None
        if self.kind == "shake":
            return self.matrices
        smooth = _smooth(self.matrices, poses)
        return np.stack(
            [_invert(slow) @ _square(each) for slow, each in zip(smooth, self.matrices, strict=True)]
        )[:, :2]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays for an npz file."""
        found: dict[str, NDArray[Any]] = {"camera_shift": np.array(self.shift)}
        return found if self.matrices is None else found | {"camera_matrices": self.matrices}

    @classmethod
    def from_arrays(cls, data: Any) -> CameraMotion:
        """The reverse of `arrays`."""
        matrices = data.get("camera_matrices", None)
        return cls(float(data["camera_shift"]), matrices)


def steady_poses(poses: PoseSequence, camera: CameraMotion | None) -> PoseSequence:
    """The poses as a camera that does not shake would have seen them."""
    matrices = None if camera is None else camera.steadying(poses)
    if matrices is None:
        return poses
    turned = (
        np.einsum("tij,tkj->tki", matrices[:, :, :2], poses.xy.astype(np.float64)) + matrices[:, None, :, 2]
    )
    return poses.replace(xy=turned.astype(np.float32))


def steady_frame(
    frame: NDArray[np.uint8], matrix: NDArray[np.float64], *, mask: bool = False
) -> NDArray[np.uint8]:
    """A frame (or a mask) without its shake; beyond the edge its last pixels are repeated (a mask has nobody there)."""
    size = (frame.shape[1], frame.shape[0])
    flags = cv2.INTER_LINEAR if mask else cv2.INTER_CUBIC
    border = cv2.BORDER_CONSTANT if mask else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=border), np.uint8)


class CameraSamples:
    """Small grey frames spread over a clip of unknown length, kept while it is read."""

    def __init__(self) -> None:
        self._every = 1
        self._count = 0
        self.kept: dict[int, NDArray[np.uint8]] = {}

    def add(self, rgb: NDArray[np.uint8]) -> None:
        """Take the next frame."""
        if self._count % self._every == 0:
            self.kept[self._count] = small_grey(rgb)
            if len(self.kept) > 2 * _SAMPLES:
                self._every *= 2
                self.kept = {n: grey for n, grey in self.kept.items() if n % self._every == 0}
        self._count += 1

    def shift(self, poses: PoseSequence) -> float:
        """`CameraMotion.shift` of the samples, from the poses of the person (others move, but do not agree)."""
        numbers = sorted(self.kept)
        if len(numbers) < 2:
            return float("nan")
        middle = numbers[len(numbers) // 2]
        reference = Background(self.kept[middle], poses, middle)
        scene, found, lost = poses.scene, [], []
        for number in numbers:
            matrix = reference.find(self.kept[number])
            if matrix is not None:
                found.append(_moved(matrix, reference.size))
            elif not _alike(self.kept[number], reference.grey):
                lost.append(number)
        if not reference.usable or not found:
            return float("nan")
        if len(lost) > 0.05 * len(numbers):  # too far away to be found from the reference
            return float("inf") if any(scene[n] != scene[middle] for n in lost) else max(1.0, *found)
        return float(max(found))


class Background:
    """What is behind the people in one frame, to be found again in others.

    Args:
        grey: From `small_grey`.
        poses: Whose surroundings are left out.
        number: The frame.
    """

    def __init__(self, grey: NDArray[np.uint8], poses: PoseSequence, number: int) -> None:
        self.grey = grey
        self.size = (grey.shape[1], grey.shape[0])
        mask = np.full(grey.shape, 255, np.uint8)
        ratio = grey.shape[1] / poses.size[0]
        points = poses.xy[number][poses.valid[number]] * ratio
        if len(points):
            margin = _MARGIN * float(np.ptp(points, axis=0).max())
            left, top = np.maximum(points.min(0) - margin, 0).astype(int)
            right, bottom = np.ceil(points.max(0) + margin).astype(int)
            mask[top:bottom, left:right] = 0
        corners = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 6, mask=mask)
        self.corners = np.zeros((0, 1, 2), np.float32) if corners is None else corners

    @property
    def usable(self) -> bool:
        """Whether there is enough to be found again."""
        return len(self.corners) >= 2 * _FEWEST

    def find(
        self, grey: NDArray[np.uint8], near: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64] | None:
        """(2, 3) from pixels of another small frame to this one's; None if the two do not agree.

        Args:
            grey: The other frame.
            near: What it was for the frame before, to begin with.
        """
        if not self.usable:
            return None
        guess = self.corners
        if near is not None:
            guess = cv2.transform(self.corners, cv2.invertAffineTransform(near)).astype(np.float32)
        flags = cv2.OPTFLOW_USE_INITIAL_FLOW
        options: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4}
        there, ok, _ = cv2.calcOpticalFlowPyrLK(
            self.grey, grey, self.corners, guess.copy(), flags=flags, **options
        )
        back, ok_back, _ = cv2.calcOpticalFlowPyrLK(
            grey, self.grey, there, self.corners.copy(), flags=flags, **options
        )
        good = (ok.ravel() > 0) & (ok_back.ravel() > 0)
        good &= np.linalg.norm(back - self.corners, axis=2).ravel() < 0.5
        if good.sum() < _FEWEST:
            return None
        matrix, agree = cv2.estimateAffinePartial2D(
            there[good], self.corners[good], method=cv2.RANSAC, ransacReprojThreshold=1.0
        )
        if matrix is None or agree.sum() < max(_FEWEST, _AGREE * good.sum()):
            return None
        return np.asarray(matrix, np.float64)


def measure_camera(
    frames: Iterable[NDArray[np.uint8]], poses: PoseSequence
) -> tuple[NDArray[np.float64], float]:
    """Follow the camera through every frame of a clip.

    Each frame is found from the scene's first; once too little of that is left, from a later one, and so on.
    Scenes after a cut are tied to the first one where they show the same place, else each stands alone.

    Args:
        frames: All of them, (H, W, 3) uint8.
        poses: One row a frame; what is near the person is left out.

    Returns:
        (T, 2, 3), frame pixels to those of the reference; and the share of frames in which too little was found,
        which are taken to be where the frame before was.
    """
    lost = 0
    out = np.tile(np.eye(2, 3), (len(poses), 1, 1))
    first: Background | None = None
    base, key, last = np.eye(3), None, np.eye(2, 3)
    before: NDArray[np.uint8] | None = None
    ratio = 1.0
    for number, rgb in enumerate(frames):
        if number >= len(poses):
            break
        grey = small_grey(rgb)
        ratio = grey.shape[1] / rgb.shape[1]
        if key is None or number in poses.cuts:
            key, last = Background(grey, poses, number), np.eye(2, 3)
            tied = None if first is None else first.find(grey)
            base = np.eye(3) if tied is None else _square(tied)
            first = first or key
        else:
            matrix = key.find(grey, last)
            if matrix is None and before is not None:  # go on from the frame before
                base, last = base @ _square(last), np.eye(2, 3)
                key = Background(before, poses, number - 1)
                matrix = key.find(grey)
            lost += matrix is None
            last = last if matrix is None else matrix
        out[number] = (base @ _square(last))[:2]
        before = grey
    return _in_frame_pixels(out, ratio), lost / max(len(poses), 1)


def small_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) uint8, the longer side at most `_SIDE` pixels."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    ratio = min(1.0, _SIDE / max(grey.shape))
    size = (max(1, round(grey.shape[1] * ratio)), max(1, round(grey.shape[0] * ratio)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def largest_shift(matrices: NDArray[np.float64], size: tuple[int, int]) -> float:
    """The largest shift of the corners of (W, H) frames, over the longer side."""
    return float(max((_moved(matrix, size) for matrix in matrices), default=0.0))


def _moved(matrix: NDArray[np.float64], size: tuple[int, int]) -> float:
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], [size[0], size[1]]], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2] - corners
    return float(np.linalg.norm(moved, axis=1).mean() / max(size))


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether most of two pictures is the same, where somebody hides the corners: a still camera's are."""
    pictures = [cv2.GaussianBlur(each.astype(np.float32), (0, 0), 2) for each in (one, other)]
    first, second = ((each - np.median(each)) / (each.std() + 1) for each in pictures)
    return bool(np.median(np.abs(first - second)) < _ALIKE)


def _in_frame_pixels(matrices: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """The same maps for the pixels of the frames: small pixel s and frame pixel x, s + 0.5 = (x + 0.5) ratio."""
    to_small = np.array([[ratio, 0, 0.5 * ratio - 0.5], [0, ratio, 0.5 * ratio - 0.5], [0, 0, 1]])
    back = np.linalg.inv(to_small)
    return np.stack([(back @ _square(matrix) @ to_small)[:2] for matrix in matrices])


def _smooth(matrices: NDArray[np.float64], poses: PoseSequence) -> NDArray[np.float64]:
    """The slow part of the camera's path, scene by scene: (T, 2, 3)."""
    sigma = SLOW * max(poses.rate, 1.0)
    out = matrices.copy()
    for scene in np.unique(poses.scene):
        part = poses.scene == scene
        out[part] = gaussian_filter1d(matrices[part], sigma, axis=0, mode="nearest")
    return out


def _square(matrix: NDArray[Any]) -> NDArray[np.float64]:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _invert(matrix: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(_square(matrix)))
