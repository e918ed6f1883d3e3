"""ComfyUI's `POSE_KEYPOINT`: a JSON list of frames in OpenPose's words, as DWPose nodes save and load it.

A frame is `{"people": [...], "canvas_width": W, "canvas_height": H}`; a person has flat lists x, y, confidence:
`pose_keypoints_2d` (18 points), `face_keypoints_2d` (70 or 68), `hand_left_keypoints_2d`,
`hand_right_keypoints_2d` (21 each), empty or null where nothing was found. Coordinates are pixels of the canvas;
older nodes wrote fractions of it, which are recognized (nothing beyond 1). Times are kept beside the format:
`pts` and `time_base` of each frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dancekit.pose.formats.people import Source, dump, one_person, people, triples
from dancekit.types import PoseSequence, Skeleton, get_skeleton

PARTS = {
    "face": "face_keypoints_2d",
    "left_hand": "hand_left_keypoints_2d",
    "right_hand": "hand_right_keypoints_2d",
}
"""Parts of the skeleton and their keys; the body's is `pose_keypoints_2d`."""

BODY = 18


def is_dwpose(data: Any) -> bool:
    """Whether JSON data is of this format: a list of frames, or one frame."""
    frames = data if isinstance(data, list) else [data]
    return bool(frames) and all(
        isinstance(frame, dict) and isinstance(frame.get("people"), list) and "canvas_width" in frame
        for frame in frames
    )


def read_dwpose(source: Source) -> PoseSequence:
    """In `body_18`, with face and hands (`body_18_face_hands`) if any frame has some."""
    results = source.data if isinstance(source.data, list) else [source.data]
    persons = [person for frame in results for person in frame["people"]]
    more = any(person.get(key) for person in persons for key in PARTS.values())
    skeleton = get_skeleton("body_18_face_hands" if more else "body_18")
    sizes = {(frame["canvas_width"], frame["canvas_height"]) for frame in results}
    if len(sizes) > 1:
        raise ValueError("frames of several sizes are no clip")
    size = source.frame_size(next(iter(sizes)))
    frames = [[_points(person, skeleton) for person in frame["people"]] for frame in results]
    everything = [points for everybody in frames for points in everybody]
    if everything and max(float(points[:, :2].max()) for points in everything) <= 1.0:
        for points in everything:
            points[:, :2] *= size
    found = [people(everybody, len(skeleton)) for everybody in frames]
    pts = [frame.get("pts") for frame in results]
    return one_person(found, source.times(pts, results[0].get("time_base"), len(found)), size, skeleton)


def write_dwpose(poses: PoseSequence) -> str:
    """The file's text: the 18 points of OpenPose's COCO body, with face and hands if the poses have any."""
    more = bool(poses.skeleton.parts.get("left_hand"))
    poses = poses.to("body_18_face_hands" if more else "body_18")
    parts = poses.skeleton.parts
    frames = []
    for n, pts in enumerate(poses.pts):
        person = {"pose_keypoints_2d": triples(poses, n, range(BODY))}
        for part, key in PARTS.items():
            joints = parts.get(part, ())
            person[key] = triples(poses, n, joints) if poses.valid[n, list(joints)].any() else []
        frames.append(
            {
                "people": [person] if poses.found[n] else [],
                "canvas_width": poses.size[0],
                "canvas_height": poses.size[1],
                "pts": int(pts),
                "time_base": str(poses.time_base),
            }
        )
    return dump(frames)


def _points(person: Mapping[str, Any], skeleton: Skeleton) -> Any:
    """(K, 3) x, y, score of a person."""
    points = np.zeros((len(skeleton), 3))
    points[:BODY] = np.reshape(person["pose_keypoints_2d"], (-1, 3))
    for part, key in PARTS.items():
        given = np.reshape(person.get(key) or [], (-1, 3))
        joints = skeleton.parts.get(part, ())
        if len(given) not in (0, len(joints), 68 if part == "face" else 0):
            raise ValueError(f"{key} has {len(given)} points, expected {len(joints)}")
        points[list(joints[: len(given)])] = given
    return points
