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
    """

    title: str
    text: str
    digits: int = 3
    ideal: float | None = None


METRICS = {
    "psnr": Explained(
        "PSNR",
        "Peak signal-to-noise ratio: how far the painted colours are from the true ones, on a logarithmic scale. "
        "One dB more is a fifth less squared error. It forgives blur: read it together with the sharpness.",
        2,
    ),
    "l1": Explained("L1", "Mean absolute difference of the colours, in grey levels of 255.", 2),
    "ssim": Explained(
        "SSIM",
        "Structural similarity: whether edges and texture are where they should be. 1 is equal. "
        "Wang et al. 2004.",
    ),
    "ms_ssim": Explained(
        "MS-SSIM",
        "SSIM over five sizes of the picture, so that both fine texture and large shapes count. 1 is equal.",
    ),
    "lpips": Explained(
        "LPIPS",
        "Distance of the features a recognition network sees: nearer to what people find alike than PSNR. "
        "0 is equal.",
    ),
    "fid": Explained(
        "FID",
        "Distance of the whole set of painted frames from the whole set of true frames, in an Inception "
        "network's features. It needs many frames: compare only numbers made from equally many.",
        1,
    ),
    "sharpness": Explained(
        "Sharpness",
        "Fine detail in the painted person over that in the true one. 1 is as sharp, less is blurred, more "
        "is noisy.",
        2,
        ideal=1.0,
    ),
    "warping_error": Explained(
        "Warping error",
        "How much a painted frame changes beyond what motion explains, over what the truth itself has. "
        "It shows flicker of moving things.",
    ),
    "frame_difference": Explained(
        "Frame difference",
        "Error of the change from one frame to the next: whether things move as much as they should.",
    ),
    "flicker": Explained("Flicker", "Brightness that trembles faster than 4 Hz where nothing should move."),
    "freeze": Explained("Freeze", "One pose held for 75 frames: how much of the picture still moves."),
    "drift": Explained(
        "Drift", "The same dance looped to ten minutes: how much the last loop is worse than the first."
    ),
    "pose_distance": Explained(
        "Pose distance",
        "Mean distance in pixels between joints found in the painted frames and in the true ones "
        "(the paper's table 3).",
        2,
    ),
    "pck": Explained("PCK", "Part of the joints that are found near enough to where they should be."),
    "missed_detections": Explained(
        "Missed detections",
        "Joints that are found in the true frames but not in the painted ones (the paper's table 4).",
        2,
    ),
    "akd": Explained(
        "AKD", "Average keypoint distance: pixels between joints found in both frames of a pair.", 2
    ),
    "swaps": Explained("Left/right swaps", "Frames in which left and right limbs are mistaken for each other."),
    "foot_skating": Explained("Foot skating", "How far feet slide in the painted frames while they should stand."),
    "accents": Explained(
        "Accents kept", "Sudden movements of the wrists that are still there, within one frame of their time."
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
    "previous_frame": "the true frame before: what being one frame late achieves",
    "identity_normalizer": "the same dancer without retargeting: what retargeting is worth",
}

LADDER = {
    "true_pose": "Painting alone: the target's true pose is given.",
    "pose_of_truth": "The pose is found in the true video: what finding poses costs.",
    "true_source_pose": "The source's true pose, retargeted: what retargeting costs.",
    "result": "Everything: the source's pose is found and retargeted.",
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
