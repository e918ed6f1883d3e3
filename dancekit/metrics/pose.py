"""Poses found in the painted frames against those of the truth: distances, PCK, missed joints, swaps."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dancekit.errors import IncompatibleParts, UsageError
from dancekit.types import PoseSequence, Skeleton

Part = Literal["body", "face", "hands", "all"]

_PARTS = {"body": ("body", "feet"), "face": ("face",), "hands": ("left_hand", "right_hand")}
_TORSO = (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))


class PoseDistance:
    """Mean Euclidean distance of the joints that were found in both, in pixels.

    The pose distance of Chan, Ginosar, Zhou and Efros, "Everybody Dance Now", 2019, table 3: per part, on the
    joints detected in the painted frame and in the true one. Joints that were lost cost nothing here: read it
    beside `missed_joints`.

    Args:
        part: `body` (with the feet), `face`, `hands` or `all`.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "px"

    def __init__(self, *, part: Part = "all") -> None:
        self.part = part

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """Score every frame.

        Args:
            fake: T poses found in the painted frames.
            real: T poses of the true frames, in the same pixels.

        Returns:
            (T,) pixels, NaN where no joint is in both.

        Raises:
            IncompatibleParts: Two different skeletons, or one without the part.
            UsageError: Different numbers or sizes of frames.
        """
        one, other = joints_of(fake, real, self.part)
        return _mean_of_seen(np.linalg.norm(one - other, axis=-1))


class AverageKeypointDistance:
    """Average keypoint distance (AKD): mean absolute difference of the coordinates found in both, in pixels.

    As Siarohin et al., "First order motion model for image animation", 2019, measure it (repository
    AliaksandrSiarohin/pose-evaluation): over x and y of all joints, not the Euclidean distance.

    Args:
        part: `body` (with the feet), `face`, `hands` or `all`.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "px"

    def __init__(self, *, part: Part = "all") -> None:
        self.part = part

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) pixels, NaN where no joint is in both; arguments and errors as of `PoseDistance`."""
        one, other = joints_of(fake, real, self.part)
        return _mean_of_seen(np.abs(one - other).mean(-1))


class PCK:
    """Percentage of correct keypoints: of the truth's joints, how many the painted frame has near enough.

    Near is `threshold` torso lengths, as in Yang and Ramanan, "Articulated human detection with flexible
    mixtures of parts", 2013 (there of the body's box), the torso being shoulder to hip, left and right
    averaged, its median over the true clip: a dancer who bends down is not judged more strictly. A joint that
    is missing in the painted frame is wrong.

    Args:
        threshold: In torso lengths.
        part: `body` (with the feet), `face`, `hands` or `all`.
    """

    version: int = 1
    higher_is_better: bool = True
    unit: str = "%"

    def __init__(
        self, *, threshold: Annotated[float, Field(gt=0.0, le=2.0)] = 0.2, part: Part = "body"
    ) -> None:
        self.threshold = threshold
        self.part = part

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) percent, NaN where the truth has no joint; arguments and errors as of `PoseDistance`."""
        one, other = joints_of(fake, real, self.part)
        near = np.linalg.norm(one - other, axis=-1) <= self.threshold * torso_length(real)
        known = _seen(other)
        measurable = known.any(1) & np.isfinite(torso_length(real))
        return np.where(measurable, 100.0 * (near & known).sum(1) / np.maximum(known.sum(1), 1), np.nan)


class MissedJoints:
    """Joints found in the true frame but not in the painted one: how many in an image.

    Chan et al. 2019, table 4 (missed detections).

    Args:
        part: `body` (with the feet), `face`, `hands` or `all`.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "joints"

    def __init__(self, *, part: Part = "all") -> None:
        self.part = part

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) joints, NaN where the truth has none to miss; arguments and errors as of `PoseDistance`."""
        one, other = (_seen(joints) for joints in joints_of(fake, real, self.part))
        return np.where(other.any(1), (other & ~one).sum(1), np.nan)


class Swaps:
    """Left and right confused: pairs of limbs that fit the truth twice as well with their sides exchanged.

    Of each pair (left knee and right knee, ...) that is found in both and that lies apart in the truth by at
    least `apart` torso lengths, the sum of both distances straight and crossed; a swap is a crossed sum below
    half of the straight one.

    Args:
        apart: Pairs that are nearer to each other, in torso lengths, tell no side.
        part: `body` (with the feet), `face`, `hands` or `all`.
    """

    version: int = 1
    higher_is_better: bool = False
    unit: str = "pairs"

    def __init__(self, *, apart: Annotated[float, Field(gt=0.0, le=2.0)] = 0.2, part: Part = "body") -> None:
        self.apart = apart
        self.part = part

    def __call__(self, fake: PoseSequence, real: PoseSequence) -> NDArray[np.float64]:
        """(T,) pairs, NaN where no pair tells; arguments and errors as of `PoseDistance`."""
        check_poses(fake, real)
        wanted = set(part_joints(real.skeleton, self.part))
        mirror = real.skeleton.mirror
        pairs = [(j, int(mirror[j])) for j in sorted(wanted) if real.skeleton.side(j) == "left"]
        left, right = (np.array([pair[side] for pair in pairs], int) for side in (0, 1))
        straight = _apart(fake.xy[:, left], real.xy[:, left]) + _apart(fake.xy[:, right], real.xy[:, right])
        crossed = _apart(fake.xy[:, left], real.xy[:, right]) + _apart(fake.xy[:, right], real.xy[:, left])
        telling = _apart(real.xy[:, left], real.xy[:, right]) >= self.apart * torso_length(real)
        telling &= np.isfinite(straight)
        return np.where(telling.any(1), (telling & (crossed < straight / 2)).sum(1), np.nan)


def check_poses(fake: PoseSequence, real: PoseSequence) -> None:
    """Refuse what cannot be compared.

    Raises:
        IncompatibleParts: Two different skeletons.
        UsageError: Different numbers or sizes of frames.
    """
    if fake.skeleton != real.skeleton:
        raise IncompatibleParts(
            f"poses of {fake.skeleton.id} cannot be compared with poses of {real.skeleton.id}",
            hint="convert one with PoseSequence.to",
        )
    if len(fake) != len(real) or fake.size != real.size:
        raise UsageError(
            f"painted poses ({len(fake)} of {fake.size[0]}x{fake.size[1]}) and true poses "
            f"({len(real)} of {real.size[0]}x{real.size[1]}) cannot be compared",
            hint="the same frames, in the same pixels",
        )


def part_joints(skeleton: Skeleton, part: Part) -> tuple[int, ...]:
    """Indices of the joints of a part; the feet belong to the body.

    Raises:
        IncompatibleParts: The skeleton has no such part.
    """
    if part == "all":
        return tuple(range(len(skeleton)))
    joints = tuple(joint for name in _PARTS[part] for joint in skeleton.parts.get(name, ()))
    if not joints:
        raise IncompatibleParts(
            f"{skeleton.id} has no joints of the {part}", hint="find the poses with a whole-body model"
        )
    return joints


def joints_of(
    fake: PoseSequence, real: PoseSequence, part: Part
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, K', 2) coordinates of a part in both, NaN where missing; raises what the two checks above raise."""
    check_poses(fake, real)
    joints = list(part_joints(real.skeleton, part))
    return fake.xy[:, joints].astype(np.float64), real.xy[:, joints].astype(np.float64)


def torso_length(poses: PoseSequence) -> float:
    """Shoulder to hip in pixels: left and right averaged, median over the clip; NaN where none is seen."""
    lengths = []
    for ends in _TORSO:
        if all(joint in poses.skeleton for joint in ends):
            upper, lower = (poses.xy[:, poses.skeleton.index(joint)].astype(np.float64) for joint in ends)
            lengths.append(np.linalg.norm(upper - lower, axis=-1))
    if not lengths:
        return float("nan")
    per_frame = _mean_of_seen(np.stack(lengths, 1))
    known = per_frame[np.isfinite(per_frame)]
    return float(np.median(known)) if len(known) else float("nan")


def _seen(joints: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(joints).all(-1))


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(one.astype(np.float64) - other, axis=-1))


def _mean_of_seen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, K) to (T,): mean of those that are not NaN, NaN where all are."""
    seen = np.isfinite(values)
    count = seen.sum(1)
    total = np.where(seen, values, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
