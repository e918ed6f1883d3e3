"""One scale and one shift for the whole clip, fitted to all frames of both clips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dancekit.errors import PoseError
from dancekit.normalizers.ground import quantile
from dancekit.normalizers.keep_in import KeepIn, kept_in, with_bounds
from dancekit.normalizers.tree import HIPS, NECK, Array, with_middles
from dancekit.types import PoseSequence

ROUNDS = 20
"""Reweighted least squares: so often."""

HUBER = 1.5
"""Robust standard deviations beyond which a joint counts less."""

FEWEST = 5
"""A joint that is seen in fewer frames of a clip is left out."""


RESTLESS = ("elbow", "wrist", "pinky", "index", "thumb")
"""Joints that are left out: where arms are says what is danced, not who dances."""


class Affine:
    """Moves the whole clip by one similarity: x' = scale * x + shift.

    Each joint that both clips show gives one equation: where it is in the middle of its source frames (median of
    each coordinate, weighted by confidence) comes to where it is in the middle of its target frames. They are
    solved by Huber's reweighted least squares, weighted by how often both show the joint. The dance keeps its
    travel and its proportions, single wrong frames do not matter; nothing follows depth or builds. The scale is
    the same in x and y, and a difference of widths alone decides nothing: somebody side on is no thinner.

    Args:
        keep_in: Where the moved body would leave the target's `frame`, or the part of it that the target was `filmed`
            in, it is shifted back, smoothly (`keep_in.py`); `off`: a warning says by how much it leaves.

    Source: MimicMotion's alignment (github.com/Tencent/MimicMotion, `reference/peers.md` 4.5), with the target's
    frames in place of one photograph, both coordinates together, and weights.
    """

    version: int = 1

    def __init__(self, *, keep_in: KeepIn = "off") -> None:
        self.keep_in: KeepIn = keep_in

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Measure both clips.

        Returns:
            `scale`, `shift_px` (x, y), `residual_px` (weighted mean distance of the joints from their goals),
            `joints` used, `source_size`, `target_size`, `warnings`; `keep_in` unless it is off.

        Raises:
            PoseError: Fewer than two joints in different rows are seen in both clips.
        """
        here, there = _middles(source), _middles(target)
        names = [name for name in here if name in there]
        if len(names) < 2:
            raise PoseError(
                f"{len(names)} joints are seen in {FEWEST} frames or more of both clips, 2 are needed",
                hint="film the whole body, or take normalizer=identity",
            )
        a, b = (np.array([side[name][0] for name in names]) for side in (here, there))
        weight = np.array([min(here[name][1], there[name][1]) for name in names])
        scale, shift, rest = _similarity(a, b, weight)
        if not scale > 0:
            raise PoseError(
                "the joints that both clips show lie in one point, or upside down: no scale fits",
                hint="look at the poses: dancekit pose VIDEO --out poses.npz --preview poses.png",
            )
        fitted = {
            "scale": scale,
            "shift_px": shift.tolist(),
            "residual_px": float(np.average(rest, weights=weight)),
            "joints": [name for name in names if not name.startswith("(")],
            "source_size": list(source.size),
            "target_size": list(target.size),
            "warnings": [],
        }
        return with_bounds(fitted, self.keep_in, self.apply, source, target)

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """Scale and shift every joint."""
        width, height = fitted["target_size"]
        xy = fitted["scale"] * poses.xy.astype(np.float64) + np.array(fitted["shift_px"])
        return kept_in(fitted, poses.replace(xy=xy.astype(np.float32), size=(int(width), int(height))))


def _middles(poses: PoseSequence) -> dict[str, tuple[Array, float]]:
    """Per joint of the body: its weighted median place, and how often it was seen."""
    xy, score = with_middles(poses)
    names = (*poses.skeleton.joints, NECK, HIPS)
    body = [*poses.skeleton.parts["body"], len(poses.skeleton), len(poses.skeleton) + 1]
    body = [joint for joint in body if not names[joint].endswith(RESTLESS)]
    found = {}
    for joint in body:
        weight = score[:, joint]
        if (weight > 0).sum() >= FEWEST:
            place = np.nan_to_num(xy[:, joint])
            found[names[joint]] = (
                np.array([quantile(place[:, axis], weight, 0.5) for axis in (0, 1)]),
                float(weight.sum()),
            )
    return found


def _similarity(a: Array, b: Array, weight: Array) -> tuple[float, Array, Array]:
    """The scale and shift that bring a (N, 2) to b, and the distances that are left, by Huber's weights."""
    robust = weight
    for _ in range(ROUNDS):
        share = robust / robust.sum()
        centre_a, centre_b = share @ a, share @ b
        spread = share @ ((a - centre_a) ** 2).sum(1)
        if not spread > 0:
            return 0.0, centre_b, np.zeros(len(a))
        scale = float(share @ ((a - centre_a) * (b - centre_b)).sum(1) / spread)
        shift = centre_b - scale * centre_a
        rest = np.linalg.norm(scale * a + shift - b, axis=1)
        limit = max(HUBER * 1.4826 * quantile(rest, weight, 0.5), 1e-9)
        robust = weight * np.minimum(1.0, limit / np.maximum(rest, 1e-12))
    return scale, shift, rest
