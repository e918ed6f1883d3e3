"""What a trained dancer has to beat: the median of the training clip, and its frame with the nearest pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import IncompatibleParts, PoseError, UsageError
from dancekit.types import PoseSequence

_CHUNK = 2**22  # numbers held at once, about 32 MB


def temporal_median(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The median of every pixel and channel over time: the room without the dancer, if she moves enough.

    Args:
        frames: (T, H, W, 3) uint8 of a static camera.

    Returns:
        (H, W, 3) uint8; of an even number of frames the mean of the middle two, rounded half to even.

    Raises:
        UsageError: Not (T, H, W, 3) uint8, or no frame.
    """
    if frames.ndim != 4 or frames.dtype != np.uint8 or not len(frames):
        raise UsageError(
            f"cannot take the median of {frames.dtype} {frames.shape}", hint="(T, H, W, 3) uint8, T > 0"
        )
    result = np.empty(frames.shape[1:], np.uint8)
    rows = max(1, _CHUNK // max(1, len(frames) * frames.shape[2] * frames.shape[3]))
    for top in range(0, frames.shape[1], rows):
        result[top : top + rows] = np.rint(np.median(frames[:, top : top + rows], axis=0))
    return result


def pose_distances(train: PoseSequence, query: PoseSequence) -> NDArray[np.float32]:
    """Mean Euclidean distance of the joints that both poses have, for every pair of frames.

    The distance of the nearest-neighbour baseline of Chan, Ginosar, Zhou and Efros, "Everybody Dance Now",
    2019: `1/n sum_k |p_k - p'_k|`.

    Args:
        train: N poses of the training clip.
        query: T poses, already normalized to the target's frame.

    Returns:
        (T, N) float32 pixels; infinite where fewer than half of the query's joints are in both, or none.

    Raises:
        IncompatibleParts: Two different skeletons.
    """
    if train.skeleton != query.skeleton:
        raise IncompatibleParts(
            f"poses of {query.skeleton.id} cannot be compared with poses of {train.skeleton.id}",
            hint="convert one with PoseSequence.to",
        )
    known = train.valid.astype(np.float32)
    result = np.full((len(query), len(train)), np.inf, np.float32)
    step = max(1, _CHUNK // max(1, 2 * train.score.size))
    for start in range(0, len(query), step):
        part = query[start : start + step]
        both = part.valid.astype(np.float32) @ known.T
        apart = np.linalg.norm(part.xy[:, None] - train.xy[None], axis=-1)
        total = np.nansum(apart, axis=-1)
        enough = (both > 0) & (2 * both >= part.valid.sum(1, keepdims=True))
        np.divide(total, both, out=result[start : start + step], where=enough)
    return result


def nearest_neighbour(train: PoseSequence, query: PoseSequence) -> NDArray[np.intp]:
    """The training frame with the pose nearest to each queried pose: the paper's baseline.

    A queried frame that can be compared with nothing takes the answer of the nearest frame in time that can
    (the earlier one of two), as the baseline has to show something.

    Args:
        train: N poses of the training clip.
        query: T poses, already normalized to the target's frame.

    Returns:
        (T,) indices into `train`; the first one of equally near ones.

    Raises:
        IncompatibleParts: Two different skeletons.
        PoseError: No queried pose can be compared with any training pose.
    """
    distances = pose_distances(train, query)
    answered = np.flatnonzero(np.isfinite(distances).any(1)) if distances.size else np.empty(0, np.intp)
    if not len(answered):
        raise PoseError(
            f"none of {len(query)} poses shares enough joints with any of {len(train)} training poses",
            hint="check both pose files with dancekit pose",
        )
    best = distances[answered].argmin(1)
    gaps = np.abs(query.pts[:, None] - query.pts[answered][None])
    return np.asarray(best[gaps.argmin(1)], np.intp)
