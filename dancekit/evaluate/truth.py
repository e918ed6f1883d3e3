"""Exact ground truth of a rendered clip: a dancefloor `.npz` with true keypoints and masks."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dancekit.data.training_set import crop_mask
from dancekit.errors import PoseError, UnknownName
from dancekit.types import PoseSequence, Skeleton, Window

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")


@dataclass(frozen=True, eq=False)
class ExactTruth:
    """What the renderer knew.

    Attributes:
        path: The file.
        keypoints: (T, K, 2) pixels of the frame.
        visibility: (T, K) 0 outside of the frame, 1 hidden, 2 visible.
        names: K joint names, in dancekit's words.
        mask_bits: (T, H, ceil(W / 8)) packed person masks, or None.
    """

    path: Path
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    names: tuple[str, ...]
    mask_bits: NDArray[np.uint8] | None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExactTruth:
        """Read the file.

        Raises:
            PoseError: It is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                names = tuple(_canonical(str(name)) for name in data["names"])
                return cls(
                    path=Path(path),
                    keypoints=np.asarray(data["keypoints"], np.float32),
                    visibility=np.asarray(data["visibility"], np.uint8),
                    names=names,
                    mask_bits=np.asarray(data["mask_bits"], np.uint8) if "mask_bits" in data else None,
                )
        except FileNotFoundError:
            raise PoseError(f"{path} does not exist") from None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise PoseError(
                f"{path} is no ground truth ({type(error).__name__}: {error})",
                hint="a dancefloor .npz has keypoints, visibility, names and mask_bits",
            ) from None

    def __len__(self) -> int:
        return len(self.keypoints)

    def mask(
        self, frame: int, size: tuple[int, int], window: Window | None = None
    ) -> NDArray[np.bool_] | None:
        """(h, w) where the person is, in the window if one is given; None if the file has no masks.

        Args:
            frame: Which.
            size: (W, H) of the full frames.
            window: What was cut out of them.
        """
        if self.mask_bits is None:
            return None
        full = np.unpackbits(self.mask_bits[frame], axis=1, count=size[0])
        if window is None:
            return np.asarray(full, np.bool_)
        return np.asarray(crop_mask(full * np.uint8(255), window) > 127)

    def poses(self, detected: PoseSequence) -> tuple[PoseSequence, tuple[str, ...]]:
        """The true poses in the skeleton of poses that a detector found in the same video.

        Joints that the truth knows by name (or that follow from others, see `types/conversion.py`) are taken
        as they are, hidden ones too. Where it does not know a joint, the detected one is taken and moved with
        the known joint that is nearest to it: a stick figure that lacks a hand would cost more in painting
        than the pose error that is to be measured.

        Args:
            detected: Of the same frames, in pixels of the frame.

        Returns:
            The poses, and sentences on what is not exact about them.

        Raises:
            PoseError: Another number of frames, or no joint in common.
        """
        if len(detected) != len(self):
            raise PoseError(f"{self.path} has {len(self)} frames, its video {len(detected)}")
        score = (self.visibility > 0).astype(np.float32)
        known = detected.replace(
            xy=np.where(score[..., None] > 0, self.keypoints, np.nan), score=score, skeleton=self._skeleton
        )
        try:
            true = known.to(detected.skeleton)
        except UnknownName as error:
            raise PoseError(f"{self.path}: {error}") from None
        unknown = np.flatnonzero(~true.valid.any(0))
        remarks = [_offset_remark(true, detected)]
        if len(unknown):
            true = _completed(true, detected, unknown)
            lacking = ", ".join(detected.skeleton.joints[joint] for joint in unknown)
            remarks.append(
                f"{self.path.name} lacks {len(unknown)} of {len(detected.skeleton)} joints ({lacking}): they are "
                "the detected ones, moved with the nearest true joint"
            )
        return true, tuple(remarks)

    @property
    def _skeleton(self) -> Skeleton:
        return Skeleton(
            name="ground_truth", version=1, joints=self.names, edges=(), parts={}, source=str(self.path)
        )


def _canonical(name: str) -> str:
    """The finger joints of dancefloor under the numbers of the 21-point hand (1 to 4 the thumb, tip last)."""
    side, _, rest = name.partition("_")
    if side not in ("left", "right"):
        return name
    if rest == "hand_wrist":
        return f"{side}_hand_0"
    finger, _, joint = rest.partition("_")
    if finger not in _FINGERS or joint not in ("1", "2", "3", "tip"):
        return name
    number = 4 if joint == "tip" else int(joint)
    return f"{side}_hand_{4 * _FINGERS.index(finger) + number}"


def _completed(true: PoseSequence, detected: PoseSequence, unknown: NDArray[np.intp]) -> PoseSequence:
    """Unknown joints from the detected ones, moved as the nearest known joint is away from its detection."""
    xy, score = true.xy.copy(), true.score.copy()
    shift = true.xy - detected.xy
    known = np.flatnonzero(true.valid.any(0))
    for joint in unknown:
        apart = np.linalg.norm(detected.xy[:, known] - detected.xy[:, joint, None], axis=-1)
        seen = np.isfinite(apart).any(0)
        if not seen.any():
            continue  # never detected either: it stays missing
        nearest = known[seen][np.nanmedian(apart[:, seen], axis=0).argmin()]
        moved = np.where(np.isfinite(shift[:, nearest]), shift[:, nearest], 0.0)
        xy[:, joint] = detected.xy[:, joint] + moved
        score[:, joint] = detected.score[:, joint]
    return true.replace(xy=xy, score=score)


def _offset_remark(true: PoseSequence, detected: PoseSequence) -> str:
    """How far detections are from the truth: in part the detector's errors, in part other definitions."""
    apart = detected.xy - true.xy
    distance = np.linalg.norm(apart, axis=-1)
    both = np.isfinite(distance)
    joints = np.flatnonzero(both.any(0))
    offsets = {int(joint): np.nanmedian(apart[:, joint], axis=0) for joint in joints}
    worst = max(offsets, key=lambda joint: float(np.hypot(*offsets[joint])))
    return (
        f"detected joints lie {float(np.median(distance[both])):.1f} px (median) from the true ones; the part of "
        "that which is always the same is another definition of the joint, not an error of the detector (most: "
        f"{detected.skeleton.joints[worst]}, {float(np.hypot(*offsets[worst])):.1f} px)"
    )
