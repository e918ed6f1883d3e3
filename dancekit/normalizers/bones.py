"""Tree retargeting: every bone gets the target's length, and every planted foot its place on the target's floor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dancekit.errors import UsageError
from dancekit.normalizers.advice import advise
from dancekit.normalizers.body import PAIRS, Body, Joints, in_common, measure_body, upright
from dancekit.normalizers.floor import Floor
from dancekit.normalizers.foot_lock import hold_feet
from dancekit.normalizers.keep_in import KeepIn, kept_in, with_bounds
from dancekit.normalizers.statistics import settled
from dancekit.normalizers.tree import MEASURED
from dancekit.types import PoseSequence


class Bones:
    """Gives every bone of the source the target's length, and every planted foot its place on the target's floor.

    **Lengths.** Every bone of both clips is measured over all frames (a high percentile, left and right
    together, in parts of the person's size), so that no single foreshortened frame decides. The ratio of a bone
    is shrunk towards the ratio of sizes where it was seen seldom, and clamped. Directions in the picture stay:
    each joint is put at its parent's new place plus its own bone, so hands, feet and face follow with ratios of
    their own.

    **Place.** The size of a standing person is a line over the row of their feet, fitted to each clip. It tells
    depth from rows, whatever the lens: a step of so many leg lengths towards the camera or aside becomes the
    same step of the target, larger and lower in the picture as the target's camera has it. The body stands on
    the foot that does not move (both, where both stand), jumps stay jumps, and planted feet are put exactly
    where the floor says, so they do not slide.

    What it cannot know: how much longer one lens is than the other (`lens`), and which place of the source's
    floor is which of the target's: the middles of both clips are taken for each other. Where no feet are seen,
    hips or the neck take their place, and depth is not followed.

    Args:
        shrink: A bone seen in so many frames gets half of its own ratio, half of the body's.
        clamp: Smallest and largest ratio of a bone to the body's; what is beyond is warned of.
        center: Which columns of the two pictures are the same: the median of each `track`, the middle of the
            `frame`, or `auto`: the track's, drawn to the middle of the frame where a short or restless clip
            leaves it open.
        lens: Focal length of the source's camera over that of the target's, in parts of the picture's longer
            side.
        lock: How firmly planted feet are held on the floor, 0 to 1.
        keep_in: Where the moved body would leave the target's `frame`, or the part of it that the target was `filmed`
            in, it is shifted back, smoothly (`keep_in.py`); `off`: a warning says by how much it leaves.

    Source: the tree of MusePose and Wan-Animate's retargeting (`reference/peers.md` 4.3, 4.6) with measures
    taken over clips; the ground as a line in depth from Chan et al., Everybody Dance Now, appendix 8.5.
    """

    version: int = 2

    def __init__(
        self,
        *,
        shrink: Annotated[float, Field(ge=0)] = 25.0,
        clamp: tuple[float, float] = (0.6, 1.6),
        center: Literal["auto", "track", "frame"] = "auto",
        lens: Annotated[float, Field(gt=0)] = 1.0,
        lock: Annotated[float, Field(ge=0, le=1)] = 1.0,
        keep_in: KeepIn = "off",
    ) -> None:
        if not 0 < clamp[0] <= 1 <= clamp[1]:
            raise UsageError(f"bones: clamp is {list(clamp)}, must hold 1", hint="try clamp=[0.6, 1.6]")
        self.shrink = shrink
        self.clamp = (float(clamp[0]), float(clamp[1]))
        self.center = center
        self.lens = lens
        self.lock = lock
        self.keep_in: KeepIn = keep_in

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips.

        Returns:
            `bones`: per bone its `ratio`, its length in both clips in parts of the size, and in how many frames
            (of either side, weighted by confidence) it was seen; `source`, `target`: the ground of each
            (`Ground`), with the column `axis_px` in which things stay when they come nearer and how far `aside`
            of it the dance has its middle, in sizes; `standing`, `anchor`: what both are compared by; `stride`:
            ratio of the legs; `lens`, `lock`; `source_size`, `target_size`; `warnings`; `keep_in` unless it is off.

        Raises:
            PoseError: The two clips show no body that could be compared.
        """
        common = in_common(source, target)
        s, t = measure_body(source, "source", common), measure_body(target, "target", common)
        warnings: list[str] = []
        table = {bone: self._bone(bone, s, t, warnings) for bone in MEASURED}
        self._agree(table, (source, s), (target, t))
        legs = [sum(table[bone][who] for bone in ("thigh", "shin")) for who in ("source", "target")]
        stride = sum(table[bone]["ratio"] * table[bone]["source"] for bone in ("thigh", "shin"))
        warnings += [*advise(source, "source"), *advise(target, "target")]
        if common.anchor != "feet":
            warnings.append("not both clips show feet: the body is placed by hips or neck, without depth")
        fitted = {
            "bones": table,
            "source": self._place(source, s),
            "target": self._place(target, t),
            "standing": list(common.standing),
            "anchor": common.anchor,
            "stride": stride / legs[0] if min(legs) > 0 else 1.0,
            "lens": self.lens * max(source.size) / max(target.size),
            "lock": self.lock,
            "source_size": list(source.size),
            "target_size": list(target.size),
            "warnings": warnings,
        }
        return with_bounds(fitted, self.keep_in, self.apply, source, target)

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Move source poses into the target's frame. What is missing stays missing."""
        joints = Joints.of(poses)
        tree = joints.tree
        floor = Floor(fitted)
        feet = joints.feet(fitted["anchor"], floor.source.size)
        landing, scale = floor.move(feet.point[:, 0], feet.row)
        out = np.zeros_like(joints.points)
        for joint in tree.order:
            parent = tree.parent[joint]
            bone = fitted["bones"].get(tree.bone[joint], {"ratio": 1.0})
            step = joints.points[:, joint] - joints.points[:, parent]
            out[:, joint] = out[:, parent] + scale[:, None] * bone["ratio"] * step
        landing[:, 1] -= scale * (feet.row - feet.point[:, 1])  # as far above the floor as it was
        ends = [tree.names.index(name) for name in _ends(fitted["anchor"])]
        out += (landing - (feet.share[..., None] * out[:, ends]).sum(1))[:, None]
        if fitted["anchor"] == "feet":
            hold_feet(out, joints, feet, floor, float(fitted["lock"]))
        width, height = fitted["target_size"]
        xy = out[:, : len(poses.skeleton)].astype(np.float32)
        return kept_in(fitted, poses.replace(xy=xy, size=(int(width), int(height))))

    def _bone(self, bone: str, s: Body, t: Body, warnings: list[str]) -> dict[str, float]:
        """Ratio and measures of one bone; 1 where either clip does not show it."""
        logs, counts = [], []
        names = [name for name in s.lengths if name.startswith(f"{bone}/") and t.lengths.get(name, 0) > 0]
        for name in names:
            if s.lengths[name] > 0:
                logs.append(math.log(t.lengths[name] / s.lengths[name]))
                counts.append(2 / (1 / max(s.counts[name], 1e-9) + 1 / max(t.counts[name], 1e-9)))
        ratio, seen = 1.0, 0.0
        if logs:
            seen = sum(counts) / len(counts)
            own = math.exp(float(np.average(logs, weights=counts)))
            ratio = float(np.clip(own ** (seen / (seen + self.shrink)), *self.clamp))
            if ratio in self.clamp and ratio != 1:
                warnings.append(
                    f"the target's {bone.replace('_', ' ')} is {own:.2f} times the source's in parts of the size; "
                    f"{ratio:g} is taken"
                )
        return {
            "ratio": ratio,
            "source": s.length(bone),
            "target": t.length(bone),
            "source_frames": max((s.counts[name] for name in names), default=0.0),
            "target_frames": max((t.counts[name] for name in names), default=0.0),
        }

    @staticmethod
    def _agree(
        table: dict[str, dict[str, float]],
        source: tuple[PoseSequence, Body],
        target: tuple[PoseSequence, Body],
    ) -> None:
        """Meet half-way between bones one by one and how tall both stand: two measures of the same (in place)."""
        tall = [upright(*source), upright(*target)]
        if tall[0] is None or tall[1] is None or not all(table[bone]["source"] > 0 for bone in PAIRS):
            return
        before = sum(table[bone]["source"] for bone in PAIRS)
        after = sum(table[bone]["source"] * table[bone]["ratio"] for bone in PAIRS)
        factor = math.sqrt(tall[1] / tall[0] * before / after)
        for entry in table.values():
            entry["ratio"] *= min(max(factor, 0.9), 1.1)

    def _place(self, poses: PoseSequence, body: Body) -> dict[str, float]:
        """The ground, and where on it the dance has its middle."""
        ground = body.ground
        middle = (poses.size[0] - 1) / 2
        axis = ground.x if self.center == "track" else middle
        aside = 0.0
        if self.center == "auto":
            columns = (body.feet.point[:, 0] - axis) / ground.size_at(body.feet.row)
            aside = settled(columns[poses.found], poses)
        return {**asdict(ground), "axis_px": axis, "aside": aside}


def _ends(anchor: str) -> tuple[str, str]:
    """The joints that carry the body."""
    return ("left_ankle", "right_ankle") if anchor == "feet" else (anchor, anchor)
