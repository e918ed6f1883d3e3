"""A person's bone lengths and the camera's view of the ground, from all frames of a clip together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dancekit.errors import PoseError
from dancekit.normalizers.ground import Feet, Ground, find_feet, fit_ground, quantile
from dancekit.normalizers.tree import MEASURED, STANDING, Array, Tree, filled, joint_pairs, tree_of, with_middles
from dancekit.types import PoseSequence

LONGEST = 0.95
UPRIGHT = 0.9
"""The percentile of a bone's lengths that is its length: there it lies across the view; more would be noise."""

SIZED_BY = ("trunk", "upper_arm", "forearm", "thigh", "shin")
"""Bones that tell a person's size in a frame: long, and seldom all turned towards the camera."""

ROUNDS = 5
"""Bone lengths need the size in each frame and the size needs the lengths: so often one follows the other."""

FEWEST = 5
"""Frames in which the trunk or a leg must be seen."""


@dataclass(frozen=True, eq=False)
class Body:
    """What a clip shows of a person.

    Attributes:
        lengths: Per pair of joints that measures a bone, `bone/pair`: length as a part of the standing size.
        counts: In how many frames (of either side) each was seen, weighted by confidence.
        ground: Standing size in pixels over the row of the feet.
        feet: Which foot stands when.
    """

    lengths: dict[str, float]
    counts: dict[str, float]
    ground: Ground
    feet: Feet


def seconds_of(poses: PoseSequence) -> Array:
    """(T,) seconds from the first frame."""
    return np.asarray((poses.pts - poses.pts[:1]) * float(poses.time_base), np.float64)


def ankles_of(points: Array, tree: Tree) -> Array:
    """(T, 2, 2) left and right ankle of filled joints."""
    return points[:, [tree.names.index("left_ankle"), tree.names.index("right_ankle")]]


def measure_body(poses: PoseSequence, who: str, standing: tuple[str, ...]) -> Body:
    """Measure a clip.

    Args:
        poses: The clip.
        who: "source" or "target", for messages.
        standing: Bones whose lengths add up to the size that is 1.

    Raises:
        PoseError: Too little of a body is seen; says what.
    """
    tree = tree_of(poses.skeleton)
    xy, score = with_middles(poses)
    pairs = _pair_lengths(xy, score, tree)
    time = seconds_of(poses)
    points = filled(xy, tree, time)
    ankles = ankles_of(points, tree)
    known = score[:, [tree.names.index(f"{side}_ankle") for side in ("left", "right")]] > 0
    size = np.full(len(poses), _first_size(pairs, standing, who, poses))
    for _ in range(ROUNDS):
        lengths = {name: _length(each, weight, size) for name, (each, weight) in pairs.items() if weight.any()}
        total = sum(_of_bone(lengths, bone) for bone in standing)
        lengths = {name: length / total for name, length in lengths.items()}
        seen, weight = _sizes(pairs, lengths)
        feet = find_feet(ankles, float(np.nanmedian(seen)), time, known)
        ground = fit_ground(feet, seen, weight, poses.rate or 25.0)
        size = ground.size_at(feet.row)
    ground = _standing(ground, points, tree, feet, score)
    factor = size[0] / ground.size_at(feet.row)[0]
    lengths = {name: length * factor for name, length in lengths.items()}
    counts = {name: float(pairs[name][1].sum()) for name in lengths}
    return Body(lengths, counts, ground, feet)


def standing_bones(source: PoseSequence, target: PoseSequence) -> tuple[str, ...]:
    """The bones from foot to head that are seen often enough in both clips to say how tall both are.

    Raises:
        PoseError: Neither trunks nor legs are seen in both.
    """
    seen = []
    for poses in (source, target):
        pairs = _pair_lengths(*with_middles(poses), tree_of(poses.skeleton))
        seen.append(
            {name.partition("/")[0] for name, (_, weight) in pairs.items() if (weight > 0).sum() >= FEWEST}
        )
    both = tuple(bone for bone in STANDING if bone in seen[0] & seen[1])
    if not set(both) - {"neck"}:
        missing = [who for who, bones in zip(("source", "target"), seen, strict=True) if not bones & set(STANDING[:3])]
        raise PoseError(
            f"trunk, thigh and shin are seen in fewer than {FEWEST} frames of the {' and the '.join(missing) or 'two clips together'}",
            hint="film the whole body, or take normalizer=identity",
        )
    return both


def _standing(ground, points, tree, feet, score):
    import dataclasses
    neck = tree.names.index("(neck)")
    up = np.linalg.norm(points[:, neck] - ankles_of(points, tree).mean(1), axis=-1)
    w = feet.trust * (score[:, neck] > 0)
    k = quantile(up / ground.size_at(feet.row), w, UPRIGHT)
    return dataclasses.replace(ground, size=ground.size * k, slope=ground.slope * k)


def _pair_lengths(xy: Array, score: Array, tree: Tree) -> dict[str, tuple[Array, Array]]:
    """Per `bone/pair`: (T, S) lengths in pixels, 0 where unknown, and confidences, S sides."""
    found: dict[str, list[tuple[Array, Array]]] = {}
    for bone in MEASURED:
        for name, first, second in joint_pairs(tree, bone):
            length = np.linalg.norm(xy[:, first] - xy[:, second], axis=-1)
            weight = np.where(np.isfinite(length), np.minimum(score[:, first], score[:, second]), 0.0)
            found.setdefault(f"{bone}/{name}", []).append((np.nan_to_num(length), weight))
    return {
        name: (np.stack([length for length, _ in sides], 1), np.stack([weight for _, weight in sides], 1))
        for name, sides in found.items()
    }


def _first_size(
    pairs: Mapping[str, tuple[Array, Array]], standing: tuple[str, ...], who: str, poses: PoseSequence
) -> float:
    """Standing size of the clip if nothing moved in depth."""
    ones = np.ones(len(poses))
    lengths = {name: _length(each, weight, ones) for name, (each, weight) in pairs.items() if weight.any()}
    size = sum(_of_bone(lengths, bone) for bone in standing)
    if not size > 0:
        raise PoseError(
            f"the {who} cannot be measured: {', '.join(standing)} have no length in {len(poses)} frames",
            hint="look at the poses: dancekit pose VIDEO --out poses.npz --preview poses.png",
        )
    return size


def _length(lengths: Array, weight: Array, size: Array) -> float:
    """The high percentile over frames and both sides, in sizes."""
    return quantile((lengths / size[:, None]).ravel(), weight.ravel(), LONGEST)


def _of_bone(lengths: Mapping[str, float], bone: str) -> float:
    """A bone's length: its first pair that was measured."""
    return next((length for name, length in lengths.items() if name.startswith(f"{bone}/")), 0.0)


def _sizes(pairs: Mapping[str, tuple[Array, Array]], lengths: Mapping[str, float]) -> tuple[Array, Array]:
    """(T,) the person's size in each frame from the bones that lie most across the view, and how sure."""
    ratios, weights = [], []
    for name, (each, weight) in pairs.items():
        if name.partition("/")[0] in SIZED_BY and lengths.get(name, 0) > 0:
            ratios.append(each / lengths[name])
            weights.append(weight)
    ratio, weight = np.concatenate(ratios, 1), np.concatenate(weights, 1)
    size = np.full(len(ratio), np.nan)
    for frame in np.flatnonzero(weight.any(1)):
        size[frame] = quantile(ratio[frame], weight[frame], 0.75)
    return size, (weight > 0).mean(1)
