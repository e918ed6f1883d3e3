"""MediaPipe's pose landmarks: 33 points a person, as fractions of the picture, with a visibility each.

https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker. MediaPipe has no file format of its own;
what is read are its results as JSON, one a frame: `{"landmarks": [[{x, y, z, visibility}, ...]]}` (Tasks),
`{"pose_landmarks": ...}` (Python) or `{"poseLandmarks": [...]}` (the older solutions, one person), in a list or
under `frames`. What is written has `width`, `height`, `time_base` and each frame's `pts` besides.

A fraction runs from edge to edge of the picture: x = pixel centre + 0.5 over the width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dancekit.pose.formats.people import Source, dump, one_person, people
from dancekit.types import PoseSequence, get_skeleton

_KEYS = ("landmarks", "pose_landmarks", "poseLandmarks")


def is_mediapipe(data: Any) -> bool:
    """Whether JSON data is of this format."""
    frames = data.get("frames") if isinstance(data, dict) else data
    return (
        isinstance(frames, list)
        and bool(frames)
        and all(isinstance(frame, dict) and any(key in frame for key in _KEYS) for frame in frames)
    )


def read_mediapipe(source: Source) -> PoseSequence:
    """In `blazepose_33`; depth is left out."""
    skeleton = get_skeleton("blazepose_33")
    head = source.data if isinstance(source.data, dict) else {}
    results = head["frames"] if head else source.data
    size = source.frame_size((head["width"], head["height"]) if "width" in head else None)
    frames = [
        people([[_pixels(point, size) for point in person] for person in _everybody(result)], len(skeleton))
        for result in results
    ]
    pts = [result.get("pts") for result in results]
    return one_person(frames, source.times(pts, head.get("time_base"), len(frames)), size, skeleton)


def write_mediapipe(poses: PoseSequence) -> str:
    """The file's text: poses in `blazepose_33`; z is 0."""
    poses = poses.to("blazepose_33")
    width, height = poses.size
    place = np.nan_to_num((poses.xy.astype(np.float64) + 0.5) / np.array([width, height]))
    frames = [
        {
            "pts": int(pts),
            "timestamp_ms": round(float(poses.seconds[n]) * 1000),
            "landmarks": [
                [
                    {"x": float(x), "y": float(y), "z": 0.0, "visibility": float(str(score))}
                    for (x, y), score in zip(place[n], poses.score[n], strict=True)
                ]
            ]
            if poses.found[n]
            else [],
        }
        for n, pts in enumerate(poses.pts)
    ]
    return dump({"width": width, "height": height, "time_base": str(poses.time_base), "frames": frames})


def _everybody(result: Mapping[str, Any]) -> list[Any]:
    """The people of a frame; the older solutions have one person without a list around them."""
    found = next(result[key] for key in _KEYS if key in result) or []
    return [found] if found and isinstance(found[0], dict) else list(found)


def _pixels(point: Mapping[str, Any], size: tuple[int, int]) -> list[float]:
    x, y = float(point["x"]) * size[0] - 0.5, float(point["y"]) * size[1] - 0.5
    return [x, y, float(point.get("visibility", 1.0))]
