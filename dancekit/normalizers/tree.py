"""The body as a tree of bones, for every skeleton: whose child a joint is, and which bone leads to it.

Joints are found by name, so that one table serves all skeletons. Two joints are computed rather than read:
`NECK` and `HIPS`, the middles of shoulders and hips. They exist in every skeleton, so that clips in different
skeletons are measured alike; a skeleton's own neck and mid-hip hang on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence, Skeleton

Array = NDArray[np.float64]

NECK, HIPS = "(neck)", "(hips)"
_MIDDLES = {NECK: ("left_shoulder", "right_shoulder"), HIPS: ("left_hip", "right_hip")}
_OWN = {NECK: "neck", HIPS: "mid_hip"}
_SIDES = ("left", "right")

# joint without its side: (parent without its side, bone); sides are added to what has them
_PARENTS = {
    "shoulder": (NECK, "shoulders"),
    "elbow": ("shoulder", "upper_arm"),
    "wrist": ("elbow", "forearm"),
    "hip": (HIPS, "hips"),
    "knee": ("hip", "thigh"),
    "ankle": ("knee", "shin"),
}
_FOOT = ("big_toe", "small_toe", "heel", "foot_index")
_HAND = ("pinky", "index", "thumb")

# What each bone is measured by: pairs of joints, sides left out where both are measured as one.
MEASURED: dict[str, tuple[tuple[str, str], ...]] = {
    "trunk": ((HIPS, NECK),),
    "neck": ((NECK, "nose"), (NECK, "ear")),
    "shoulders": (("left_shoulder", "right_shoulder"),),
    "hips": (("left_hip", "right_hip"),),
    "upper_arm": (("shoulder", "elbow"),),
    "forearm": (("elbow", "wrist"),),
    "thigh": (("hip", "knee"),),
    "shin": (("knee", "ankle"),),
    "foot": (("ankle", "big_toe"), ("ankle", "heel"), ("heel", "big_toe")),
    "hand": (
        ("wrist", "index"),
        ("wrist", "pinky"),
        *((f"hand_{first}", f"hand_{second}") for first, second in ((0, 5), (0, 9), (0, 17), (5, 17))),
    ),
    "face": (
        ("left_eye", "right_eye"),
        ("left_ear", "right_ear"),
        ("left_mouth", "right_mouth"),
        ("face_0", "face_16"),
        ("face_36", "face_45"),
        ("face_27", "face_8"),
    ),
}
"""Bones, and the pairs of joints whose distance is their length."""

STANDING = ("shin", "thigh", "trunk", "neck")
"""The bones that add up to a person's standing size, from the ankle to the nose."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A skeleton's joints and the computed ones, parents first.

    Attributes:
        names: N names: the K joints of the skeleton, then `NECK` and `HIPS`.
        parent: (N,) index of each joint's parent; the root `HIPS` is its own.
        bone: N names of the bone that leads to a joint; "" keeps the person's overall scale.
        order: All joints but the root, parents before children.
        levels: The root and all other joints, each with its counterpart on the other side; near the root first.
    """

    names: tuple[str, ...]
    parent: NDArray[np.intp]
    bone: tuple[str, ...]
    order: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...]

    @property
    def root(self) -> int:
        """The index of `HIPS`."""
        return len(self.names) - 1


@cache
def tree_of(skeleton: Skeleton) -> Tree:
    """The tree of a skeleton; deterministic, computed once."""
    names = (*skeleton.joints, NECK, HIPS)
    index = {name: number for number, name in enumerate(names)}
    parent, bone = np.empty(len(names), np.intp), []
    for number, name in enumerate(names):
        above, kind = _above(name)
        while above not in index:  # a skeleton without wrists has no hands to hang elsewhere
            above = _above(above)[0]
        parent[number] = index[above]
        bone.append(kind)
    root, done = len(names) - 1, {len(names) - 1}
    order: list[int] = []
    while len(order) < len(names) - 1:
        for number in range(root):
            if number not in done and int(parent[number]) in done:
                done.add(number)
                order.append(number)
    other = [*skeleton.mirror.tolist(), root - 1, root]
    levels = dict.fromkeys(tuple(sorted({joint, other[joint]})) for joint in (root, *order))
    return Tree(names, parent, tuple(bone), tuple(order), tuple(levels))


def _above(name: str) -> tuple[str, str]:
    """The parent of a joint, and the bone that leads to the joint."""
    if name in (HIPS, NECK):
        return HIPS, "trunk" if name == NECK else ""
    side, _, rest = name.partition("_")
    if side in _SIDES:
        if rest in _PARENTS:
            above, kind = _PARENTS[rest]
            return (above if above.startswith("(") else f"{side}_{above}"), kind
        if rest in _FOOT:
            return f"{side}_ankle", "foot"
        if rest in _HAND or rest.startswith("hand_"):
            return f"{side}_wrist", "hand"
        return "nose", "face"
    if name == "mid_hip":
        return HIPS, ""
    if name == "neck":
        return NECK, ""
    if name == "nose":
        return NECK, "neck"
    return "nose", "face"  # head_top and the numbered points of the face


def with_middles(poses: PoseSequence) -> tuple[Array, Array]:
    """Keypoints with `NECK` and `HIPS` added.

    Returns:
        (T, K + 2, 2) float64, NaN where missing, and (T, K + 2) scores. A middle is where both of its joints
        are; else where the skeleton's own neck or mid-hip is; else missing.
    """
    xy = np.concatenate([poses.xy.astype(np.float64), np.full((len(poses), 2, 2), np.nan)], 1)
    score = np.concatenate([poses.score.astype(np.float64), np.zeros((len(poses), 2))], 1)
    for number, (middle, pair) in enumerate(_MIDDLES.items()):
        place = len(poses.skeleton) + number
        both = [poses.skeleton.index(joint) for joint in pair]
        score[:, place] = score[:, both].min(1)
        xy[:, place] = xy[:, both].mean(1)
        if _OWN[middle] in poses.skeleton:
            own = poses.skeleton.index(_OWN[middle])
            lost = score[:, place] == 0
            score[lost, place], xy[lost, place] = score[lost, own], xy[lost, own]
    return xy, score


def filled(xy: Array, tree: Tree, time: Array) -> Array:
    """Every joint in every frame: what is missing is put where its neighbours in time and body say.

    Only for computing: results keep what is missing missing. A lost joint keeps its offset from its parent,
    interpolated over time; a lost root is found from the joints that are there. A joint that is never seen is
    put upon its parent.

    Args:
        xy: (T, N, 2), NaN where missing.
        tree: Of N joints.
        time: (T,) increasing.

    Returns:
        (T, N, 2) finite, except in a clip in which nothing is ever seen.
    """
    seen = np.isfinite(xy[..., 0])
    offset = np.zeros_like(xy)
    for joint in tree.order:
        known = seen[:, joint] & seen[:, tree.parent[joint]]
        if known.any():
            path = xy[known, joint] - xy[known, tree.parent[joint]]
            for axis in (0, 1):
                offset[:, joint, axis] = np.interp(time, time[known], path[:, axis])
    away = np.zeros_like(xy)  # from the root
    for joint in tree.order:
        away[:, joint] = away[:, tree.parent[joint]] + offset[:, joint]
    out = xy.copy()
    for level in tree.levels:
        lost = ~np.isfinite(out[:, tree.root, 0]) & seen[:, level].any(1)
        if lost.any():  # both sides alike: a mirrored clip gives the mirrored result
            out[lost, tree.root] = np.nanmean((xy - away)[lost][:, level], axis=1)
    found = np.isfinite(out[:, tree.root, 0])
    if found.any():
        for axis in (0, 1):
            out[:, tree.root, axis] = np.interp(time, time[found], out[found, tree.root, axis])
    for joint in tree.order:
        lost = ~seen[:, joint]
        out[lost, joint] = out[lost, tree.parent[joint]] + offset[lost, joint]
    return out


def joint_pairs(tree: Tree, bone: str) -> list[tuple[str, int, int]]:
    """Pairs of joints that measure a bone in this tree: (name of the pair, first, second).

    Left and right have the same name: they are measured as one. BlazePose's foot index is the big toe.
    """
    index = {name.replace("foot_index", "big_toe"): number for number, name in enumerate(tree.names)}
    found = []
    for first, second in MEASURED[bone]:
        if first in index and second in index:
            found.append((f"{first}-{second}", index[first], index[second]))
            continue
        for side in _SIDES:
            a, b = (index.get(f"{side}_{name}", index.get(name)) for name in (first, second))
            if a is not None and b is not None:
                found.append((f"{first}-{second}", a, b))
    return found
