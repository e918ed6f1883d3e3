"""The skeletons that dancekit knows: order of the joints, limbs and parts of each.

Names are chosen so that a joint means the same thing wherever its name appears: maps between skeletons go by
name (`conversion.py`). `left_`/`right_` are the subject's. In every skeleton each joint belongs to one part,
and mirroring left and right maps limbs to limbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dancekit.types.skeleton import Skeleton

_COCO = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

_COCO_EDGES = (
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"),
)

_FOOT_EDGES = tuple(
    edge
    for side in ("left", "right")
    for edge in (
        (f"{side}_ankle", f"{side}_big_toe"),
        (f"{side}_big_toe", f"{side}_small_toe"),
        (f"{side}_ankle", f"{side}_heel"),
    )
)

_BODY_18 = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)

_BODY_25 = (
    *_BODY_18[:8],
    "mid_hip",
    *_BODY_18[8:],
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
)

# The released EDN dataset's layout, from its published index map out of BODY_25 (both heels dropped).
_BODY_23 = tuple(
    _BODY_25[number]
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 12, 13, 14, 19, 20, 0, 15, 17, 16, 18)
)

_BLAZEPOSE = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "left_mouth",
    "right_mouth",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)

_BLAZEPOSE_EDGES = (
    *(
        edge
        for side in ("left", "right")
        for edge in (
            ("nose", f"{side}_eye_inner"),
            (f"{side}_eye_inner", f"{side}_eye"),
            (f"{side}_eye", f"{side}_eye_outer"),
            (f"{side}_eye_outer", f"{side}_ear"),
        )
    ),
    ("left_mouth", "right_mouth"),
    *_COCO_EDGES[4:],
    *(
        edge
        for side in ("left", "right")
        for edge in (
            (f"{side}_wrist", f"{side}_pinky"),
            (f"{side}_wrist", f"{side}_index"),
            (f"{side}_wrist", f"{side}_thumb"),
            (f"{side}_pinky", f"{side}_index"),
            (f"{side}_ankle", f"{side}_heel"),
            (f"{side}_heel", f"{side}_foot_index"),
            (f"{side}_ankle", f"{side}_foot_index"),
        )
    ),
)

_FACE = tuple(f"face_{number}" for number in range(68))
_HANDS = {side: tuple(f"{side}_hand_{number}" for number in range(21)) for side in ("left", "right")}

_WHOLEBODY = (
    *_COCO,
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
    *_FACE,
    *_HANDS["left"],
    *_HANDS["right"],
)

# (first, last, closed) chains of the 68 face points: jaw, brows, nose, eyes, outer and inner lips.
FACE_CHAINS = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)

_FACE_EDGES = tuple(
    (f"face_{start}", f"face_{end}")
    for first, last, closed in FACE_CHAINS
    for start, end in [*((n, n + 1) for n in range(first, last)), *([(last, first)] if closed else [])]
)

_HAND_EDGES = tuple(
    (f"{side}_hand_{0 if joint == finger else joint - 1}", f"{side}_hand_{joint}")
    for side in ("left", "right")
    for finger in (1, 5, 9, 13, 17)
    for joint in range(finger, finger + 4)
)

# OpenPose's face is the 68 points and the two pupils.
_FACE_70 = (*_FACE, "right_pupil", "left_pupil")
_PUPIL_EDGES = (("right_eye", "right_pupil"), ("left_eye", "left_pupil"))

_HALPE = (
    *_COCO,
    "head_top",
    "neck",
    "mid_hip",
    "left_big_toe",
    "right_big_toe",
    "left_small_toe",
    "right_small_toe",
    "left_heel",
    "right_heel",
)


def _skeleton(
    name: str,
    joints: tuple[str, ...],
    edges: Sequence[tuple[str, str]],
    source: str,
    parts: Mapping[str, Sequence[str]] | None = None,
) -> Skeleton:
    """Named edges and parts as indices; what is in no other part is the body."""
    index = {joint: number for number, joint in enumerate(joints)}
    feet = tuple(joint for joint in joints if joint.endswith(("_toe", "_heel", "_foot_index")))
    named = {**({"feet": feet} if feet else {}), **(parts or {})}
    elsewhere = {joint for members in named.values() for joint in members}
    numbered = {part: tuple(index[joint] for joint in members) for part, members in named.items()}
    body = tuple(number for joint, number in index.items() if joint not in elsewhere)
    return Skeleton(
        name=name,
        version=1,
        joints=joints,
        edges=tuple((index[start], index[end]) for start, end in edges),
        parts={"body": body, **numbered},
        source=source,
    )


def _by_number(joints: tuple[str, ...], pairs: str) -> list[tuple[str, str]]:
    """`"0-1 1-2"` as pairs of names."""
    return [
        (joints[int(start)], joints[int(end)]) for start, end in (pair.split("-") for pair in pairs.split())
    ]


def _with_face_and_hands(body: Skeleton) -> Skeleton:
    """A body with the 70 face points and both hands, in that order, the left hand first."""
    own = tuple(body.joints[number] for number in body.parts.get("face", ()))
    return _skeleton(
        f"{body.name}_face_hands",
        (*body.joints, *_FACE_70, *_HANDS["left"], *_HANDS["right"]),
        (
            *((body.joints[start], body.joints[end]) for start, end in body.edges),
            *_FACE_EDGES,
            *_PUPIL_EDGES,
            *_HAND_EDGES,
        ),
        f"{body.source}, with face and hands",
        {"face": (*own, *_FACE_70), "left_hand": _HANDS["left"], "right_hand": _HANDS["right"]},
    )


_TABLE: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        _skeleton("coco_17", _COCO, _COCO_EDGES, "COCO keypoints"),
        _skeleton(
            "body_18",
            _BODY_18,
            _by_number(
                _BODY_18, "1-2 1-5 2-3 3-4 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13 1-0 0-14 14-16 0-15 15-17"
            ),
            "OpenPose, COCO model",
        ),
        _skeleton(
            "body_23",
            _BODY_23,
            _by_number(
                _BODY_23,
                "0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 10-11 10-12 7-13 13-14 14-15 15-16 15-17 "
                "0-18 18-19 19-20 18-21 21-22",
            ),
            "the dataset released with Everybody Dance Now",
        ),
        _skeleton(
            "body_25",
            _BODY_25,
            _by_number(
                _BODY_25,
                "0-1 0-15 0-16 1-2 1-5 1-8 2-3 3-4 5-6 6-7 8-9 8-12 9-10 10-11 11-22 11-24 12-13 13-14 "
                "14-19 14-21 15-17 16-18 19-20 22-23",
            ),
            "OpenPose, BODY_25 model",
        ),
        _skeleton(
            "blazepose_33",
            _BLAZEPOSE,
            _BLAZEPOSE_EDGES,
            "MediaPipe Pose (BlazePose GHUM)",
            {
                "face": tuple(
                    f"{side}_{point}"
                    for side in ("left", "right")
                    for point in ("eye_inner", "eye_outer", "mouth")
                )
            },
        ),
        _skeleton(
            "halpe_26",
            _HALPE,
            (
                *_COCO_EDGES[:4],
                ("nose", "head_top"),
                ("nose", "neck"),
                ("neck", "left_shoulder"),
                ("neck", "right_shoulder"),
                ("neck", "mid_hip"),
                *_COCO_EDGES[5:9],
                ("mid_hip", "left_hip"),
                ("mid_hip", "right_hip"),
                *_COCO_EDGES[12:],
                *_FOOT_EDGES,
            ),
            "Halpe Full-Body, 26 points",
        ),
        _skeleton(
            "wholebody_133",
            _WHOLEBODY,
            (*_COCO_EDGES, *_FOOT_EDGES, *_FACE_EDGES, *_HAND_EDGES),
            "COCO-WholeBody",
            {"face": _FACE, "left_hand": _HANDS["left"], "right_hand": _HANDS["right"]},
        ),
    )
}

SKELETONS: dict[str, Skeleton] = _TABLE | {
    skeleton.name: skeleton
    for skeleton in (
        _with_face_and_hands(_TABLE[name]) for name in ("body_18", "body_23", "body_25", "blazepose_33")
    )
}
