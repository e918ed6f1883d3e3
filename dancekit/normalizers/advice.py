"""What is wrong with a clip for retargeting, said before anybody wonders at the result."""

from __future__ import annotations

from dancekit.errors import PoseError
from dancekit.normalizers.body import Joints, in_common, measure_body
from dancekit.types import PoseSequence

FEW_SECONDS = 3.0
"""A clip with a person for less than this shows few bones at their full length."""

FEET_SEEN = 0.5
"""Feet that are seen in a smaller part of the frames place the body badly."""

SIDE_ON = 0.5
"""Shoulders that never look wider than this part of the trunk were only seen from the side."""

LITTLE_DEPTH = 0.05
"""A clip whose feet keep within this part of the body's size says little of its camera."""


def advise(poses: PoseSequence, who: str) -> list[str]:
    """Sentences on one clip: too short, side on only, feet not seen, little range of depth.

    Args:
        poses: The clip.
        who: "source" or "target".
    """
    said = []
    joints = Joints.of(poses)
    found = int(poses.found.sum())
    if poses.rate and found / poses.rate < FEW_SECONDS:
        said.append(
            f"the {who} is seen in {found} frames only: film at least {FEW_SECONDS:g} s, better a minute"
        )
    ankles = joints.known("left_ankle", "right_ankle")
    feet = float(ankles[poses.found].any(axis=1).mean()) if found else 0.0
    if not feet:
        said.append(f"the {who}'s feet are never seen: film the whole body")
    elif feet < FEET_SEEN:
        said.append(f"the {who}'s feet are seen in {feet:.0%} of the frames: step back from the camera")
    if not found:
        return said
    try:
        body = measure_body(poses, who, in_common(poses, poses))
    except PoseError:
        return said
    shoulders, trunk = body.length("shoulders"), body.length("trunk")
    if trunk and shoulders < SIDE_ON * trunk:
        said.append(f"the {who} is seen from the side only: turn to the camera now and then")
    span = (body.ground.high - body.ground.low) / body.ground.size
    if feet and span < LITTLE_DEPTH:
        said.append(
            f"the {who} hardly moves in depth ({span:.0%} of the body's size): how much smaller it gets further "
            "away is a guess; a few steps towards the camera and back settle it"
        )
    return said
