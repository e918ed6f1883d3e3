"""The vocabulary of dancekit: numpy only, frozen, validated when made.

Conventions, everywhere: x to the right, y down; pixel *centres* at integers; RGB; left and right are the
subject's; a missing joint has score 0 **and** xy NaN; time is integer `pts` with an exact `Fraction` time base.
Letters in docstrings: B batch, T time, P person, C channel, H W image, K joint.
"""

from dancekit.types.following import Following
from dancekit.types.pose import Detections, PoseSequence
from dancekit.types.skeleton import Skeleton, get_skeleton, skeleton_names
from dancekit.types.video import Frame, VideoInfo
from dancekit.types.window import Window

__all__ = [
    "Detections",
    "Following",
    "Frame",
    "PoseSequence",
    "Skeleton",
    "VideoInfo",
    "Window",
    "get_skeleton",
    "skeleton_names",
]
