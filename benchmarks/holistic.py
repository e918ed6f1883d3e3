"""Measure `blazepose_holistic` on clips with exact truth: hands, face, mask, and what they cost.

    python benchmarks/holistic.py --data ../shared/data/dancefloor [--json] [clip ...]

Hands: mean distance of the 21 joints, in percent of the person's standing height, of hands that are found; how
many are found of those of which the truth shows most joints. Face: distance of eight points and the pupils, in
percent of the head's height (0.13 of the standing height), where the truth sees the point; once for all frames,
once for those in which it sees three quarters of the points (the face is turned to the camera). Both by the size of
the head in pixels. The inner corners of the eyes are left out: the truth's lie elsewhere (the body's network, trained
on other labels, is off by as much there). Mask: IoU and flicker, the pixels that change between right and wrong
from frame to frame over the person's, plain and smoothed. `cpu_ms` is what one frame costs all threads together.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from dancekit.pose.blazepose import BlazePose
from dancekit.pose.blazepose_holistic import BlazePoseHolistic
from dancekit.types import Detections, get_skeleton

CLIPS = ("source_rest", "target_rest", "source_dance", "target_truth")
HEAD = 0.13  # chin to crown over the standing height
LARGE = 48  # pixels of the head
POINTS = {  # ours to the truth's
    "face_36": "right_eye_outer",
    "face_45": "left_eye_outer",
    "face_48": "right_mouth",
    "face_54": "left_mouth",
    "face_8": "chin",
    "face_30": "nose_tip",
    "right_pupil": "right_eye",
    "left_pupil": "left_eye",
}
SKELETON = get_skeleton("blazepose_33_face_hands")


def decode(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def timed(backend: Any, frames: list[NDArray[np.uint8]]) -> tuple[list[Detections], float]:
    start = time.process_time()
    found = list(backend.detect(frames))
    return found, 1000 * (time.process_time() - start) / len(frames)


def hands(found: list[Detections], truth: dict[str, Any], height: NDArray[Any]) -> list[tuple[float, ...]]:
    """Of both hands of every frame: head size, whether the truth shows it, error (NaN if not found)."""
    names, rows = truth["names"].tolist(), []
    for side in ("left", "right"):
        first, ours = names.index(f"{side}_hand_wrist"), SKELETON.index(f"{side}_hand_0")
        for number, people in enumerate(found):
            error = np.nan
            if len(people) and people.score[0, ours : ours + 21].any():
                want = truth["keypoints"][number, first : first + 21]
                distance = np.linalg.norm(people.xy[0, ours : ours + 21] - want, axis=1)
                error = 100 * float(np.nanmean(distance)) / height[number]
            shown = (truth["visibility"][number, first : first + 21] == 2).mean() > 0.6
            rows.append((HEAD * height[number], float(shown), error))
    return rows


def faces(found: list[Detections], truth: dict[str, Any], height: NDArray[Any]) -> list[tuple[float, ...]]:
    """Of every point that the truth sees: head size, whether the face is turned to us, error (NaN if not found)."""
    names, rows = truth["names"].tolist(), []
    joints = [names.index(name) for name in POINTS.values()]
    for number, people in enumerate(found):
        turned = float((truth["visibility"][number, joints] == 2).mean() >= 0.75)
        for ours, theirs in POINTS.items():
            joint = names.index(theirs)
            if truth["visibility"][number, joint] == 2:
                error = np.nan
                if len(people):
                    apart = people.xy[0, SKELETON.index(ours)] - truth["keypoints"][number, joint]
                    error = 100 * float(np.linalg.norm(apart)) / (HEAD * height[number])
                rows.append((HEAD * height[number], turned, error))
    return rows


def mask_quality(found: list[Detections], truth: NDArray[np.bool_]) -> dict[str, float]:
    shape = truth.shape[1:]
    masks = [f.mask[0] > 127 if len(f) and f.mask is not None else np.zeros(shape, bool) for f in found]
    wrong = [mask != right for mask, right in zip(masks, truth, strict=True)]
    overlap = [(m & t).sum() / (m | t).sum() for m, t in zip(masks, truth, strict=True)]
    flicker = [(a != b).sum() / t.sum() for a, b, t in zip(wrong, wrong[1:], truth[1:], strict=False)]
    return {"iou": round(float(np.mean(overlap)), 4), "flicker": round(float(np.mean(flicker)), 4)}


def figures(values: NDArray[Any]) -> dict[str, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return {"found": 0.0}
    return {
        "found": round(len(there) / len(values), 3),
        "median": round(float(np.median(there)), 2),
        "p90": round(float(np.percentile(there, 90)), 2),
    }


def summarize(rows: dict[str, list[tuple[float, ...]]]) -> dict[str, Any]:
    hand, face = np.array(rows["hands"]), np.array(rows["faces"])
    result: dict[str, Any] = {}
    for name, low, high in (("small", 0, LARGE), ("large", LARGE, np.inf)):
        size = (hand[:, 0] >= low) & (hand[:, 0] < high)
        shown = hand[size & (hand[:, 1] > 0)]
        seen = face[(face[:, 0] >= low) & (face[:, 0] < high)]
        result[f"{name}_heads"] = {
            "hands_shown": len(shown),
            "hand_percent_of_height": figures(shown[:, 2]),
            "face_points": len(seen),
            "face_percent_of_head": figures(seen[:, 2]),
            "turned_to_us": figures(seen[seen[:, 1] > 0, 2]),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", default=CLIPS)
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data/dancefloor"
    )
    parser.add_argument("--model", choices=("full", "lite"), default="full")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = {"model": arguments.model, "device": arguments.device}
    body, holistic = BlazePose(**options), BlazePoseHolistic(**options)
    rows: dict[str, list[tuple[float, ...]]] = {"hands": [], "faces": []}
    clips = {}
    for clip in arguments.clips:
        with np.load(arguments.data / f"{clip}.npz") as data:
            truth = dict(data)
        depth = (truth["keypoints3d"] - truth["camera_eye"]) @ truth["camera_R"][2]
        height = truth["camera_f"] * truth["person_height"] / depth[:, 11:13].mean(1)
        frames = decode(arguments.data / f"{clip}.mp4")
        plain, body_ms = timed(body, frames)
        found, holistic_ms = timed(holistic, frames)
        rows["hands"] += hands(found, truth, height)
        rows["faces"] += faces(found, truth, height)
        masks = np.unpackbits(truth["mask_bits"], axis=2) > 0
        clips[clip] = {
            "cpu_ms_body": round(body_ms, 1),
            "cpu_ms_holistic": round(holistic_ms, 1),
            "mask_plain": mask_quality(plain, masks),
            "mask_smoothed": mask_quality(found, masks),
        }
        if not arguments.json:
            print(clip, clips[clip], flush=True)
    result = summarize(rows)
    if arguments.json:
        print(json.dumps({"summary": result, "clips": clips, "threads": arguments.threads}, indent=1))
    else:
        for name, values in result.items():
            print(name, values)


if __name__ == "__main__":
    main()
