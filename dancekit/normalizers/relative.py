"""Adds the source's movement to a pose of the target, as the keypoint animators do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from dancekit.errors import PoseError
from dancekit.normalizers.body import Joints
from dancekit.normalizers.keep_in import KeepIn, kept_in, with_bounds
from dancekit.normalizers.tree import Array
from dancekit.types import PoseSequence

CANDIDATES = 400
"""Frames of each clip, evenly spread, among which the two most alike are looked for."""

FEWEST = 4
"""Joints that both reference poses must show."""


class Relative:
    """x'(t) = target pose + scale * (x(t) - source pose): the source's movement, from a pose that both take.

    The two reference poses are the pair of frames whose shapes are most alike (of those with the most joints),
    so that no start frame has to be chosen by hand; `first` takes the first frames that show enough, as the
    upstream projects do, and needs clips that start alike. The scale is the square root of the ratio of the
    areas of both poses' convex hulls. Proportions are the target's near the reference pose only: limbs that turn
    far from it keep the source's lengths.

    Args:
        reference: Which frames the reference poses are.
        keep_in: Where the moved body would leave the target's `frame`, or the part of it that the target was `filmed`
            in, it is shifted back, smoothly (`keep_in.py`); `off`: a warning says by how much it leaves.

    Source: relative motion with adapted scale of First Order Motion Model (Siarohin et al., 2019; animate.py).
    """

    version: int = 1

    def __init__(self, *, reference: Literal["best", "first"] = "best", keep_in: KeepIn = "off") -> None:
        self.reference = reference
        self.keep_in: KeepIn = keep_in

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Choose the reference poses.

        Returns:
            `scale`; `source_frame`, `target_frame`; `source_pose_px`, `target_pose_px`: joint name to x, y;
            `likeness_px`: mean distance of the two shapes at the target's scale; sizes and `warnings`;
            `keep_in` unless it is off.

        Raises:
            PoseError: No two frames show `FEWEST` joints of the body in common.
        """
        s, t = Joints.of(source), Joints.of(target)
        body = [source.skeleton.joints[joint] for joint in source.skeleton.parts["body"]]
        names = [name for name in body if name in t.tree.names]
        a, b = (_seen(joints, names) for joints in (s, t))
        if self.reference == "first":
            first = [int(np.argmax(np.isfinite(each[..., 0]).sum(1) >= FEWEST)) for each in (a, b)]
            pair = first[0], first[1]
        else:
            pair = _most_alike(a, b)
        here, there = a[pair[0]], b[pair[1]]
        both = np.isfinite(here[:, 0]) & np.isfinite(there[:, 0])
        if both.sum() < FEWEST:
            raise PoseError(
                f"no two frames of the clips show {FEWEST} joints in common",
                hint="film the whole body, or take normalizer=identity",
            )
        scale = math.sqrt(_area(there[both]) / max(_area(here[both]), 1e-9))
        if not 0 < scale < math.inf:
            raise PoseError("the reference poses have no area", hint="take normalizer=affine")
        goal, source_pose = self._pose(s, t, pair, scale)
        rest = goal[[s.tree.names.index(name) for name in names]][both] - there[both]
        fitted = {
            "scale": scale,
            "source_frame": pair[0],
            "target_frame": pair[1],
            "source_pose_px": dict(zip(source.skeleton.joints, source_pose.tolist(), strict=False)),
            "target_pose_px": dict(zip(source.skeleton.joints, goal.tolist(), strict=False)),
            "likeness_px": float(np.linalg.norm(_shape(here, there, scale)[both], axis=-1).mean()),
            "source_size": list(source.size),
            "target_size": list(target.size),
            "warnings": [] if np.isfinite(rest).all() else ["the reference poses differ in what they show"],
        }
        return with_bounds(fitted, self.keep_in, self.apply, source, target)

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Add the movement to the target's pose."""
        width, height = fitted["target_size"]
        start, goal = (
            np.array([fitted[key][name] for name in poses.skeleton.joints], np.float64)
            for key in ("source_pose_px", "target_pose_px")
        )
        xy = goal + fitted["scale"] * (poses.xy.astype(np.float64) - start)
        return kept_in(fitted, poses.replace(xy=xy.astype(np.float32), size=(int(width), int(height))))

    @staticmethod
    def _pose(s: Joints, t: Joints, pair: tuple[int, int], scale: float) -> tuple[Array, Array]:
        """The target's reference pose in the source's joints, and the source's; what the target lacks hangs on."""
        here, there = s.points[pair[0]], t.points[pair[1]]
        known = t.score[pair[1]] > 0
        goal = np.empty_like(here)
        for joint in (s.tree.root, *s.tree.order):
            name = s.tree.names[joint]
            if name in t.tree.names and (known[t.tree.names.index(name)] or joint == s.tree.root):
                goal[joint] = there[t.tree.names.index(name)]
            else:
                parent = s.tree.parent[joint]
                goal[joint] = goal[parent] + scale * (here[joint] - here[parent])
        return goal, here


def _seen(joints: Joints, names: list[str]) -> Array:
    """(T, len(names), 2), NaN where not seen."""
    return joints.xy[:, [joints.tree.names.index(name) for name in names]]


def _most_alike(a: Array, b: Array) -> tuple[int, int]:
    """The pair of frames whose shapes differ least, among those that show about as many joints as any."""
    frames = [_candidates(each) for each in (a, b)]
    shapes = [_normalized(each[chosen]) for each, chosen in zip((a, b), frames, strict=True)]
    seen = [np.isfinite(shape[..., 0]).astype(np.float64) for shape in shapes]
    plain = [np.nan_to_num(shape) for shape in shapes]
    both = seen[0] @ seen[1].T
    squares = [(each**2).sum(-1) for each in plain]
    cross = np.einsum("tkc,ukc->tu", plain[0], plain[1])
    distance = (squares[0] @ seen[1].T + seen[0] @ squares[1].T - 2 * cross) / np.maximum(both, 1)
    distance = np.where(both >= max(FEWEST, both.max() - 1), distance, np.inf)
    first, second = np.unravel_index(int(np.argmin(distance)), distance.shape)
    return int(frames[0][first]), int(frames[1][second])


def _candidates(xy: Array) -> Array:
    return np.unique(np.linspace(0, len(xy) - 1, min(CANDIDATES, len(xy))).round()).astype(np.intp)


def _normalized(xy: Array) -> Array:
    """Shapes about the middle of what is seen, at unit size; (T, K, 2)."""
    seen = np.isfinite(xy[..., :1])
    count = np.maximum(seen.sum(1, keepdims=True), 1)
    middle = np.where(seen, xy, 0).sum(1, keepdims=True) / count
    about = xy - middle
    size = np.sqrt(np.where(seen, about**2, 0).sum((1, 2), keepdims=True) / count)
    return np.asarray(about / np.maximum(size, 1e-9))


def _area(points: Array) -> float:
    """Of the convex hull; 0 for points on a line."""
    try:
        return float(ConvexHull(points).volume)
    except QhullError:
        return 0.0


def _shape(here: Array, there: Array, scale: float) -> Array:
    difference = there - scale * here
    return np.asarray(difference - np.nanmean(difference, axis=0))
