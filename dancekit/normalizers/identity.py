"""No normalization: pixels of the source are pixels of the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dancekit.types import PoseSequence


class Identity:
    """Keeps every pixel where it is; only the frame size becomes the target's.

    For a source filmed with the target's camera by somebody of the target's build, or poses that were fitted
    before. Nothing is scaled, not even when the two frames differ in size: the corner (0, 0) stays.
    """

    version: int = 1

    def fit(self, source: PoseSequence, target: PoseSequence) -> Mapping[str, Any]:
        """Note both sizes; nothing is measured."""
        return {
            "scale": 1.0,
            "source_size": list(source.size),
            "target_size": list(target.size),
            "warnings": [],
        }

    def apply(self, fitted: Mapping[str, Any], poses: PoseSequence) -> PoseSequence:
        """The same keypoints in frames of the target's size."""
        width, height = fitted["target_size"]
        return poses.replace(size=(int(width), int(height)))
