"""What each number means, in plain words: for people who meet the metric for the first time."""

from __future__ import annotations

from dataclasses import dataclass

from dancekit.registry import list_components
from dancekit.registry.summary import summary


@dataclass(frozen=True)
class Explained:
    """A metric as people read it.

    Attributes:
        title: Its usual name.
        text: What it measures and how to read it.
        digits: After the decimal point.
        ideal: The best value where neither more nor less is better; None otherwise.
        rivals: Whether a baseline that scores better is better: a still picture does not flicker, and a copied
            frame is sharp, so there the comparison says nothing.
    """

    title: str
    text: str
    digits: int = 3
    ideal: float | None = None
    rivals: bool = False


METRICS = {
    "psnr": Explained(
        "PSNR",
        "Peak signal-to-noise ratio: how far the painted colours are from the true ones, on a logarithmic scale. "
        "One dB more is a fifth less squared error. It forgives blur: read it beside the sharpness.",
        2,
        rivals=True,
    ),
    "l1": Explained(
        "L1", "Mean absolute difference of the colours, of 1; times 255 it is grey levels.", 4, rivals=True
    ),
    "ssim": Explained(
        "SSIM",
        "Structural similarity: whether edges and texture are where they should be. 1 is equal.",
        rivals=True,
    ),
    "ms_ssim": Explained(
        "MS-SSIM",
        "SSIM over five sizes of the picture, so that fine texture and large shapes both count. 1 is equal.",
        rivals=True,
    ),
    "lpips": Explained(
        "LPIPS",
        "Distance of the features that a recognition network sees: nearer to what people find alike than PSNR. "
        "0 is equal.",
        rivals=True,
    ),
    "fid": Explained(
        "FID",
        "Distance of all painted frames together from all true frames, in an Inception network's features. With "
        "few frames it is biased upwards: compare only numbers made from equally many.",
        1,
    ),
    "sharpness": Explained(
        "Sharpness",
        "Fine detail in the painted person over that in the true one. 1 is as sharp, less is blurred, more is "
        "noisy. Real frames are sharp, so baselines made of them are near 1.",
        2,
        ideal=1.0,
    ),
    "warping_error": Explained(
        "Warping error",
        "How much a painted frame changes beyond what the true motion explains, over what the truth itself has. "
        "It shows flicker of what moves. Below 0 is calmer than the truth: blur does that.",
    ),
    "frame_difference": Explained(
        "Frame difference",
        "How far the change from one frame to the next is from the true change. A constant error of colour does "
        "not count, one that comes and goes does.",
    ),
    "flicker": Explained(
        "Flicker",
        "Trembling faster than 4 Hz where the truth stands still, over the truth's own. A still picture has none.",
    ),
    "freeze": Explained(
        "Freeze", "One pose held: how much the painted picture still changes from frame to frame."
    ),
    "drift": Explained("Drift", "A looped dance: how far the last loop is from the first."),
    "pose_distance": Explained(
        "Pose distance",
        "Mean distance between joints found in the painted frame and in the true one (the paper's table 3). "
        "Lost joints cost nothing here: read it beside the missed joints.",
        2,
        rivals=True,
    ),
    "pck": Explained(
        "PCK", "Of the truth's joints, how many are found near enough in the painted frame.", 1, rivals=True
    ),
    "missed_joints": Explained(
        "Missed joints",
        "Joints found in the true frame but not in the painted one, in an image (the paper's table 4).",
        2,
    ),
    "akd": Explained(
        "AKD",
        "Average keypoint distance: difference of the coordinates of joints found in both.",
        2,
        rivals=True,
    ),
    "swaps": Explained("Left/right swaps", "Pairs of limbs whose left and right are confused.", 2),
    "foot_skating": Explained(
        "Foot skating",
        "How fast a planted foot slides, in torso lengths a second. The detector's own trembling is in it.",
    ),
    "accents": Explained(
        "Accents kept",
        "Of the sudden movements of the true wrists, how many the painted wrists have, too.",
        1,
    ),
}

REGIONS = {
    "frame": "the whole frame: mostly background, so it flatters",
    "mask": "only the person's pixels",
    "box": "the box around the person",
    "face": "the box around the face, where the head is large enough to judge",
    "hands": "the boxes around the hands",
    "body": "the joints of the body",
    "all": "all joints",
}

VARIANTS = {
    "nearest_neighbour": "the training frame whose pose is nearest: what copying achieves",
    "temporal_median": "one still picture, the median of all training frames: what doing nothing achieves",
    "previous_frame": "the true frame before: how bad it is to be one frame late (needs the truth, so it is a "
    "yardstick, not a rival)",
    "identity_normalizer": "the same dancer without retargeting: what retargeting is worth",
}

YARDSTICKS = ("previous_frame",)
"""Baselines made of the truth itself: no result has to beat them."""

LADDER = {
    "true_pose": "What is missing here is painting alone.",
    "pose_of_truth": "What finding a pose costs.",
    "true_source_pose": "What retargeting costs.",
    "result": "The source's pose, found and retargeted: all of it.",
}


def explain(metric: str) -> Explained:
    """Words for a metric.

    Args:
        metric: `name` or `name@version`. For one that is not known here (a plugin's), the first line of the
            component's docstring is used.
    """
    name = metric.partition("@")[0]
    if name in METRICS:
        return METRICS[name]
    for entry in list_components("metric"):
        if entry.name == name:
            return Explained(name.replace("_", " "), summary(entry))
    return Explained(name.replace("_", " "), "")
