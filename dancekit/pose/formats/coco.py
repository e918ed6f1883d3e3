"""COCO keypoints and COCO-WholeBody: one JSON file with images, annotations and categories.

https://cocodataset.org/#format-data and https://github.com/jin-s13/COCO-WholeBody. A point is x, y and a flag:
0 not there, 1 hidden, 2 visible. Confidences are no part of the format; they are kept beside it, in
`keypoint_scores` as mmpose names it, and so are times (`pts` of an image, `time_base` under `info.dancekit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dancekit.pose.formats.people import Source, dump, numbers, one_person, people
from dancekit.types import Detections, PoseSequence, get_skeleton

FLAGGED = {1: 0.5, 2: 1.0}
"""Score of a point of which only the flag is known: hidden, visible."""

WHOLEBODY = {
    "keypoints": slice(0, 17),
    "foot_kpts": slice(17, 23),
    "face_kpts": slice(23, 91),
    "lefthand_kpts": slice(91, 112),
    "righthand_kpts": slice(112, 133),
}
"""Where the parts of an annotation are among the 133 points."""


def is_coco(data: Any) -> bool:
    """Whether JSON data is of this format."""
    return isinstance(data, dict) and isinstance(data.get("annotations"), list) and "images" in data


def read_coco(source: Source) -> PoseSequence:
    """In `wholebody_133` if an annotation has feet, face and hands, in `coco_17` otherwise.

    Images are in the order of the file; several people of an image are told apart by tracking.
    """
    data = source.data
    whole = any("face_kpts" in entry for entry in data["annotations"])
    skeleton = get_skeleton("wholebody_133" if whole else "coco_17")
    found: dict[Any, list[Any]] = {image["id"]: [] for image in data["images"]}
    for entry in data["annotations"]:
        found[entry["image_id"]].append(_points(entry, whole=whole))
    frames: list[Detections] = [people(everybody, len(skeleton)) for everybody in found.values()]
    sizes = {(image["width"], image["height"]) for image in data["images"]}
    if len(sizes) > 1:
        raise ValueError("images of several sizes are no frames of one clip")
    extra = (data.get("info") or {}).get("dancekit") or {}
    pts = [image.get("pts") for image in data["images"]]
    times = source.times(pts, extra.get("time_base"), len(frames))
    return one_person(frames, times, source.frame_size(next(iter(sizes), None)), skeleton)


def write_coco(poses: PoseSequence, *, whole: bool) -> str:
    """The file's text: poses in `coco_17`, or in `wholebody_133` if `whole`."""
    skeleton = get_skeleton("wholebody_133" if whole else "coco_17")
    poses = poses.to(skeleton)
    width, height = poses.size
    images = [
        {"id": n + 1, "width": width, "height": height, "file_name": f"{n:012d}.jpg", "pts": int(pts)}
        for n, pts in enumerate(poses.pts)
    ]
    body = get_skeleton("coco_17")
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(body.joints),
        "skeleton": [[start + 1, end + 1] for start, end in body.edges],
    }
    entries = [_entry(poses, n, whole=whole) for n in range(len(poses)) if poses.found[n]]
    info = {"description": "written by dancekit", "dancekit": {"time_base": str(poses.time_base)}}
    return dump({"info": info, "images": images, "annotations": entries, "categories": [category]})


def _points(entry: Mapping[str, Any], *, whole: bool) -> Any:
    """(K, 3) x, y, score of an annotation."""
    parts = WHOLEBODY if whole else {"keypoints": slice(0, 17)}
    size = sum(part.stop - part.start for part in parts.values())
    points = np.zeros((size, 3))
    for name, part in parts.items():
        if name in entry:
            points[part] = np.reshape(entry[name], (part.stop - part.start, 3))
    flags = points[:, 2].copy()
    if len(entry.get("keypoint_scores", ())) == size:
        points[:, 2] = entry["keypoint_scores"]
    elif flags.max(initial=0.0) > 1:  # flags of the body; the other parts of COCO-WholeBody have confidences
        body = flags[:17]
        points[:17, 2] = np.select([body == 1, body == 2], [FLAGGED[1], FLAGGED[2]], np.clip(body, 0, 1))
        points[17:, 2] = np.clip(flags[17:], 0, 1)
    return points


def _entry(poses: PoseSequence, frame: int, *, whole: bool) -> dict[str, Any]:
    """The annotation of a frame."""
    xy, there = poses.xy[frame], poses.valid[frame]
    left, top = (float(value) for value in np.nanmin(xy, 0))
    right, bottom = (float(value) for value in np.nanmax(xy, 0))
    flat = numbers(np.concatenate([xy, 2.0 * there[:, None].astype(np.float32)], 1))
    entry: dict[str, Any] = {
        "id": frame + 1,
        "image_id": frame + 1,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int(there[:17].sum()),
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "keypoint_scores": numbers(poses.score[frame]),
    }
    for name, part in (WHOLEBODY if whole else {"keypoints": slice(0, 17)}).items():
        entry[name] = flat[3 * part.start : 3 * part.stop]
        if name != "keypoints":
            entry[name.replace("_kpts", "_valid")] = bool(there[part].any())
    return entry
