"""Tree retargeting: every bone gets the target's length, every planted foot the target's ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dancekit.normalizers.ground import Feet, Ground, find_feet
from dancekit.normalizers.measure import Body, ankles_of, measure_body, seconds_of, standing_bones
from dancekit.normalizers.tree import MEASURED, Array, Tree, filled, tree_of, with_middles
from dancekit.types import PoseSequence


class Bones:
    """..."""

    version: int = 1

    def __init__(self, *, shrink: float = 10.0, clamp: tuple[float, float] = (0.6, 1.6), lens: float = 1.0, lock: float = 1.0) -> None:
        self.shrink = shrink
        self.clamp = clamp
        self.lens = lens
        self.lock = lock

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        standing = standing_bones(source, target)
        s, t = measure_body(source, "source", standing), measure_body(target, "target", standing)
        table = {bone: self._ratio(bone, s, t) for bone in MEASURED}
        up = {"shin": "shin/knee-ankle", "thigh": "thigh/hip-knee", "trunk": "trunk/(hips)-(neck)"}
        if all(n in s.lengths for n in up.values()):
            k = sum(s.lengths[n] for n in up.values()) / sum(s.lengths[n] * table[b][0] for b, n in up.items())
            print("common factor", k)
            table = {b: (r * k, n, c) for b, (r, n, c) in table.items()}
        s_leg, t_leg = (sum(b.lengths.get(n, 0) for n in ("thigh/hip-knee", "shin/knee-ankle")) for b in (s, t))
        cs, ct = ((p.size[0] - 1) / 2 for p in (source, target))
        off_s, off_t = _aside(s, cs), _aside(t, ct)
        return {
            "standing": list(standing),
            "ratios": {b: r for b, (r, _, _) in table.items()},
            "source": asdict(s.ground), "target": asdict(t.ground),
            "stride": t_leg / s_leg if s_leg and t_leg else 1.0,
            "lens": self.lens * max(source.size) / max(target.size),
            "s_aside": off_s, "t_aside": off_t,
            "source_size": list(source.size), "target_size": list(target.size),
            "warnings": [],
        }

    def _ratio(self, bone, s, t):
        logs, weights, counts = [], [], []
        for name in s.lengths:
            if name.startswith(f"{bone}/") and t.lengths.get(name, 0) > 0 and s.lengths[name] > 0:
                n = 1/(1/max(s.counts[name],1e-9)+1/max(t.counts[name],1e-9))
                logs.append(np.log(t.lengths[name] / s.lengths[name])); weights.append(n)
        if not logs: return 1.0, 0.0, 0.0
        n = sum(weights)/len(weights)
        mean = np.average(logs, weights=weights) * n / (n + self.shrink)
        return float(np.clip(np.exp(mean), *self.clamp)), n, 0.0

    def apply(self, fitted, poses):
        tree = tree_of(poses.skeleton)
        xy, score = with_middles(poses)
        time = seconds_of(poses)
        points = filled(xy, tree, time)
        s, t = Ground(**fitted["source"]), Ground(**fitted["target"])
        known = score[:, [tree.names.index(f"{side}_ankle") for side in ("left", "right")]] > 0
        feet = find_feet(ankles_of(points, tree), s.size, time, known)
        view = View(fitted, s, t)
        landing, scale = view.move(feet.point[:, 0], feet.row)
        ratio = np.array([fitted["ratios"].get(b, 1.0) for b in tree.bone])
        out = np.zeros_like(points)
        for j in tree.order:
            p = tree.parent[j]
            out[:, j] = out[:, p] + (scale * ratio[j])[:, None] * (points[:, j] - points[:, p])
        ankles = ankles_of(out, tree)
        # pivot
        w = np.maximum(feet.planted, 1e-4); 
        from scipy.ndimage import gaussian_filter1d
        share = w / w.sum(1, keepdims=True)
        share = gaussian_filter1d(share, 1.0, axis=0, mode="nearest")
        each, esc = view.move(feet.xy[..., 0], feet.xy[..., 1])
        # air
        pivot = landing.copy()
        pivot[:, 1] -= scale * (feet.row - feet.point[:, 1])
        shift = pivot - (share[..., None] * ankles).sum(1)
        out += shift[:, None]
        if self.lock:
            ankles = ankles_of(out, tree)
            fix = (each - ankles) * (self.lock * feet.planted)[..., None]
            for side, f in zip(("left", "right"), (fix[:, 0], fix[:, 1])):
                for j, name in enumerate(tree.names):
                    if name == f"{side}_knee": out[:, j] += f / 2
                    elif name == f"{side}_ankle" or (name.startswith(side) and tree.bone[j] == "foot"): out[:, j] += f
        width, height = fitted["target_size"]
        return poses.replace(xy=out[:, :len(poses.skeleton)].astype(np.float32), size=(int(width), int(height)))


class View:
    def __init__(self, fitted, s, t):
        self.f, self.s, self.t = fitted, s, t
    def move(self, x, row):
        f, s, t = self.f, self.s, self.t
        h = s.size_at(row)
        away = f["lens"] * f["stride"] * (1 / h - 1 / s.size)
        size = 1 / np.clip(1 / t.size + away, 1 / (3 * t.size), 3 / t.size)
        cs, ct = (f["source_size"][0] - 1) / 2, (f["target_size"][0] - 1) / 2
        u = f["stride"] * ((x - cs) / h - f["s_aside"]) + f["t_aside"]
        return np.stack([ct + size * u, t.row_of(size)], -1), size / h


def _aside(body: Body, centre: float) -> float:
    u = (body.feet.point[:, 0] - centre) / body.ground.size_at(body.feet.row)
    m = float(np.median(u)); spread = float(np.quantile(u, .95) - np.quantile(u, .05)) / 2
    return m * m * m / (m * m + spread * spread + 1e-9)
