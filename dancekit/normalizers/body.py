"""A person's bone lengths, and their size over the ground, from all frames of a clip together."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dancekit.errors import PoseError
from dancekit.normalizers.ground import Feet, Ground, carried_by, find_feet, fit_ground, quantile
from dancekit.normalizers.tree import (
    HIPS,
    MEASURED,
    NECK,
    STANDING,
    Array,
    Tree,
    filled,
    joint_pairs,
    tree_of,
    with_middles,
)
from dancekit.types import PoseSequence

LONGEST = 0.95
"""The part of a bone's lengths that its length exceeds: there it lies across the view; more would be noise."""

UPRIGHT = 0.9
"""The same for the distance from neck to ankles, which says how tall a person stands."""

SIZED_BY = ("trunk", "upper_arm", "forearm", "thigh", "shin")
"""Bones that tell a person's size in a frame: long, and seldom all turned towards the camera."""

ROUNDS = 5
"""Lengths need the size in each frame, and the size needs lengths: so often one follows from the other."""

FEWEST = 5
"""A joint that is seen in fewer frames of a clip is not there."""

PAIRS = {"shin": "shin/knee-ankle", "thigh": "thigh/hip-knee", "trunk": f"trunk/{HIPS}-{NECK}"}
"""What bones between neck and ankle are measured by."""


@dataclass(frozen=True, eq=False)
class Joints:
    """A clip's joints, ready for computing.

    Attributes:
        tree: N joints: those of the skeleton and two middles.
        xy: (T, N, 2) pixels, NaN where missing.
        score: (T, N).
        points: (T, N, 2) the same with what is missing put where its neighbours say.
        time: (T,) seconds from the first frame.
    """

    tree: Tree
    xy: Array
    score: Array
    points: Array
    time: Array

    @classmethod
    def of(cls, poses: PoseSequence) -> Joints:
        """The joints of a clip."""
        tree = tree_of(poses.skeleton)
        xy, score = with_middles(poses)
        time = np.asarray((poses.pts - poses.pts[:1]) * float(poses.time_base), np.float64)
        return cls(tree, xy, score, filled(xy, tree, time), time)

    def known(self, *names: str) -> NDArray[np.bool_]:
        """(T, len(names)) where joints were really seen."""
        return np.asarray(self.score[:, [self.tree.names.index(name) for name in names]] > 0)

    def at(self, *names: str) -> Array:
        """(T, len(names), 2) joints, filled."""
        return self.points[:, [self.tree.names.index(name) for name in names]]

    def feet(self, anchor: str, size: float) -> Feet:
        """What carries the body; `anchor` is `feet`, or the joint that stands for them."""
        if anchor == "feet":
            ankles = ("left_ankle", "right_ankle")
            return find_feet(self.at(*ankles), self.known(*ankles), size, self.time)
        return carried_by(self.at(anchor)[:, 0], self.known(anchor)[:, 0])


@dataclass(frozen=True, eq=False)
class Body:
    """What a clip shows of a person.

    Attributes:
        lengths: Per pair of joints that measures a bone, `bone/pair`: its length as a part of the size.
        counts: How often each was seen, both sides together, weighted by confidence.
        ground: The size in pixels over the row of the feet.
        feet: What carries the body in each frame.
    """

    lengths: dict[str, float]
    counts: dict[str, float]
    ground: Ground
    feet: Feet

    def length(self, bone: str) -> float:
        """A bone's length as a part of the size: its first pair that was measured, 0 if none was."""
        return next((length for name, length in self.lengths.items() if name.startswith(f"{bone}/")), 0.0)


@dataclass(frozen=True)
class Common:
    """What two clips can be compared by.

    Attributes:
        standing: Bones whose lengths add up to the size.
        anchor: What carries the body: `feet`, else the middle of the hips, else the neck.
    """

    standing: tuple[str, ...]
    anchor: str


def in_common(source: PoseSequence, target: PoseSequence) -> Common:
    """What is seen often enough in both clips to compare two people by.

    Raises:
        PoseError: Neither legs nor trunks nor arms are seen in both.
    """
    bones, joints = [], []
    for poses in (source, target):
        seen = Joints.of(poses)
        pairs = pair_lengths(seen)
        bones.append({name.partition("/")[0] for name, (_, weight) in pairs.items() if _often(weight)})
        joints.append(
            {name for name, score in zip(seen.tree.names, seen.score.T, strict=True) if _often(score)}
        )
    both, common = bones[0] & bones[1], joints[0] & joints[1]
    standing = tuple(bone for bone in STANDING if bone in both)
    if not set(standing) - {"neck"}:
        standing = tuple(bone for bone in ("upper_arm", "shoulders") if bone in both)
    anchor = "feet" if {"left_ankle", "right_ankle"} & common else HIPS if HIPS in common else NECK
    if not standing or not {"left_ankle", "right_ankle", HIPS, NECK} & common:
        raise PoseError(
            f"there is nothing to compare the two bodies by: {_said(bones[0])} of the source and "
            f"{_said(bones[1])} of the target are seen in {FEWEST} frames or more",
            hint="film the whole body, or take normalizer=identity",
        )
    return Common(standing, anchor)


def _often(weight: Array) -> bool:
    return int((weight > 0).sum()) >= FEWEST


def _said(bones: Collection[str]) -> str:
    return ", ".join(bone for bone in MEASURED if bone in bones) or "nothing"


def measure_body(poses: PoseSequence, who: str, common: Common) -> Body:
    """Measure a clip.

    Args:
        poses: The clip.
        who: "source" or "target", for messages.
        common: What both clips show.

    Raises:
        PoseError: All that is seen lies in one point.
    """
    joints = Joints.of(poses)
    pairs = {name: pair for name, pair in pair_lengths(joints).items() if pair[1].any()}
    size = np.ones(len(poses))
    body: Body | None = None
    for _ in range(ROUNDS):
        lengths = {
            name: quantile((each / size[:, None]).ravel(), weight.ravel(), LONGEST)
            for name, (each, weight) in pairs.items()
        }
        total = sum(_of_bone(lengths, bone) for bone in common.standing)
        if not total > 0:
            raise PoseError(
                f"the {who} cannot be measured: its joints lie in one point",
                hint="look at the poses: dancekit pose VIDEO --out poses.npz --preview poses.png",
            )
        lengths = {name: length / total for name, length in lengths.items()}
        seen, weight = _sizes(pairs, lengths, common.standing)
        feet = joints.feet(common.anchor, quantile(np.nan_to_num(seen), weight, 0.5))
        ground = fit_ground(feet, seen, weight, poses.rate or 25.0)
        if common.anchor != "feet":
            ground = dataclasses.replace(ground, slope=0.0, size=quantile(np.nan_to_num(seen), weight, 0.5))
        size = ground.size_at(feet.row)
        body = Body(lengths, {name: float(w.sum()) for name, (_, w) in pairs.items()}, ground, feet)
    assert body is not None
    return body


def _of_bone(lengths: Mapping[str, float], bone: str) -> float:
    return next((length for name, length in lengths.items() if name.startswith(f"{bone}/")), 0.0)


def upright(poses: PoseSequence, body: Body) -> float | None:
    """How far the neck of somebody who stands is above their ankles, in sizes; None if that is not seen.

    Bones that are measured one by one need moves in which each lies across the view; this needs only somebody
    who stands.
    """
    joints = Joints.of(poses)
    known = joints.known(NECK, "left_ankle", "right_ankle").all(1)
    if known.sum() < FEWEST:
        return None
    high = np.linalg.norm(joints.at(NECK)[:, 0] - joints.at("left_ankle", "right_ankle").mean(1), axis=-1)
    weight = np.where(known, np.maximum(body.feet.trust, 1e-6), 0.0)
    return quantile(high / body.ground.size_at(body.feet.row), weight, UPRIGHT)


def pair_lengths(joints: Joints) -> dict[str, tuple[Array, Array]]:
    """Per `bone/pair`: (T, S) lengths in pixels, 0 where unknown, and confidences; S sides."""
    found: dict[str, list[tuple[Array, Array]]] = {}
    for bone in MEASURED:
        for name, first, second in joint_pairs(joints.tree, bone):
            length = np.linalg.norm(joints.xy[:, first] - joints.xy[:, second], axis=-1)
            weight = np.where(
                np.isfinite(length), np.minimum(joints.score[:, first], joints.score[:, second]), 0.0
            )
            found.setdefault(f"{bone}/{name}", []).append((np.nan_to_num(length), weight))
    return {
        name: (np.stack([length for length, _ in sides], 1), np.stack([weight for _, weight in sides], 1))
        for name, sides in found.items()
    }


def _sizes(
    pairs: Mapping[str, tuple[Array, Array]], lengths: Mapping[str, float], standing: tuple[str, ...]
) -> tuple[Array, Array]:
    """(T,) the person's size in each frame from the bones that lie most across the view, and how sure that is."""
    ratios, weights = [], []
    for name, (each, weight) in pairs.items():
        if name.partition("/")[0] in {*SIZED_BY, *standing} and lengths[name] > 0:
            ratios.append(each / lengths[name])
            weights.append(weight)
    ratio, weight = np.concatenate(ratios, 1), np.concatenate(weights, 1)
    order = np.argsort(ratio, axis=1, kind="stable")
    total = np.cumsum(np.take_along_axis(weight, order, 1), 1)
    place = (total >= 0.75 * total[:, -1:]).argmax(1)
    size = np.take_along_axis(ratio, np.take_along_axis(order, place[:, None], 1), 1)[:, 0]
    return np.where(weight.any(1), size, np.nan), (weight > 0).mean(1)
