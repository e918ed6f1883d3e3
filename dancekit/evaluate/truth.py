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

FOLDS = 5
"""Parts of a clip; a part's poses are translated by what the other parts teach."""

RIDGES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Weights of the ridge that are tried."""

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
        """The true poses as a detector would have found them if it made no error, frame by frame.

        A renderer's joints are not a detector's: its hip lies elsewhere in the hip, it has no corner of the mouth,
        and a generator that learnt from the detector's joints paints worse from the renderer's, true as they are.
        So the true joints are translated: each detected joint is the nearest true one (of the same name where
        there is one) plus an offset that a ridge regression predicts from the whole true pose. It is fitted on
        the other parts of the clip than the one it is used on, so a frame's own detection never enters its pose
        (but for its share in the choice of the ridge's weight).

        What is always the same in a pose thus counts as the detector's definition of the joint; what the
        translation cannot predict - jitter, sudden errors, lost joints - is the detector's error.

        Args:
            detected: Unfiltered, of the same frames, in pixels of the frame.

        Returns:
            The poses (every joint that was ever detected is in every frame), and sentences on what is not exact.

        Raises:
            PoseError: Another number of frames, or too little in common to translate.
        """
        if len(detected) != len(self):
            raise PoseError(f"{self.path} has {len(self)} frames, its video {len(detected)}")
        if len(self) < 3 * FOLDS or not np.isfinite(self.keypoints).all():
            raise PoseError(
                f"{self.path}: {len(self)} frames are too few to translate its joints",
                hint=f"{3 * FOLDS} are needed",
            )
        bases = self._bases(detected)
        offsets = _translated(self.keypoints, bases, detected)
        there = np.asarray(np.isfinite(offsets).all(axis=-1))
        xy = np.where(there[..., None], bases + offsets, np.nan).astype(np.float32)
        true = detected.replace(xy=xy, score=there.astype(np.float32))
        return true, (_translation_remark(self.path, true, detected, bases),)

    def _bases(self, detected: PoseSequence) -> NDArray[np.float64]:
        """(T, K, 2) for each joint of the detector the true joint it lies at: by name, else the nearest."""
        known = detected.replace(
            xy=self.keypoints, score=np.ones(self.visibility.shape), skeleton=self._skeleton
        )
        try:
            bases = known.to(detected.skeleton).xy.astype(np.float64)
        except UnknownName as error:
            raise PoseError(f"{self.path}: {error}") from None
        for joint in np.flatnonzero(np.asarray(np.isnan(bases)).any(axis=(0, 2))):
            apart = np.linalg.norm(self.keypoints - detected.xy[:, joint, None], axis=-1)
            if np.isfinite(apart).any():
                nearest = int(np.argmin(np.nanmedian(apart, axis=0)))
                bases[:, joint] = self.keypoints[:, nearest]
        return bases

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


def _translated(
    keypoints: NDArray[np.float32], bases: NDArray[np.float64], detected: PoseSequence
) -> NDArray[np.float64]:
    """(T, K, 2) the offsets from bases to detected joints, as predicted from the true poses of other frames.

    The weight of the ridge is the one of `RIDGES` that predicts the detections best (in the median:
    a few gross errors must not decide it).
    """
    offsets = detected.xy - bases
    middle = keypoints.mean(1, keepdims=True)
    features = np.asarray((keypoints - middle).reshape(len(keypoints), -1), np.float64)
    features = (features - features.mean(0)) / np.maximum(features.std(0), 1e-6)
    features = np.concatenate([features, np.ones((len(features), 1))], 1)
    parts = np.array_split(np.arange(len(features)), FOLDS)
    best, result = np.inf, np.full(offsets.shape, np.nan)
    for ridge in RIDGES:
        found = np.full(offsets.shape, np.nan)
        for part in parts:
            others = np.setdiff1d(np.arange(len(features)), part)
            for joint in range(offsets.shape[1]):
                rows = others[np.isfinite(offsets[others, joint]).all(1)]
                if len(rows) >= FOLDS:
                    weights = _ridge(features[rows], offsets[rows, joint], ridge)
                    found[part, joint] = features[part] @ weights
        error = float(np.nanmedian(np.linalg.norm(found - offsets, axis=-1)))
        if error < best:
            best, result = error, found
    return result


def _ridge(features: NDArray[np.float64], targets: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """(F, 2) the ridge regression's weights; the last feature, the constant, is not shrunk."""
    penalty = np.full(features.shape[1], weight)
    penalty[-1] = 1e-9
    solved = np.linalg.solve(features.T @ features + np.diag(penalty), features.T @ targets)
    return np.asarray(solved, np.float64)


def _translation_remark(
    path: Path, true: PoseSequence, detected: PoseSequence, bases: NDArray[np.float64]
) -> str:
    raw, left = (
        np.linalg.norm(detected.xy - where, axis=-1) for where in (bases, true.xy.astype(np.float64))
    )
    raw, left = raw[np.isfinite(raw)], left[np.isfinite(left)]
    return (
        f"the joints of {path.name} are not the detector's: it finds them {np.median(raw):.1f} px (median) from the "
        f"true ones; translated into its definition, {np.median(left):.1f} px are left, which count as its error"
    )
