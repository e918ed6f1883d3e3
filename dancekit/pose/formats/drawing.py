"""Pose pictures as the diffusion peers are driven by: OpenPose's colours on black.

Made from the documented look of DWPose and ControlNet's OpenPose pictures, which MusePose, MimicMotion,
UniAnimate, Moore-AnimateAnyone and Champ take: 17 limbs as filled ellipses of half-width 4 in the colours of
the rainbow, darkened to 0.6, joints as full discs of radius 4 on top; fingers as lines of 2 pixels in 20 hues
with blue joints of radius 4; face points as white discs of radius 3. Sizes are pixels, whatever the picture's
size, as there.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.types import PoseSequence, get_skeleton

LIMB_HALF_WIDTH, JOINT_RADIUS, FINGER_WIDTH, FACE_RADIUS = 4, 4, 2, 3
DARKENED = 0.6
"""Share of the limbs' brightness that is left."""

THRESHOLD = 0.3
"""Score below which DWPose takes a point for missing."""

LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
"""Pairs of the 18 points of OpenPose's COCO body, in drawing order; limb n and joint n have colour n."""

FINGERS = tuple(
    (0 if joint == first else joint - 1, joint)
    for first in (1, 5, 9, 13, 17)
    for joint in range(first, first + 4)
)


def rainbow(number: int) -> tuple[int, int, int]:
    """RGB of limb or joint `number` of 18: fully saturated, 20 degrees of hue each."""
    # steps of 85 levels within a sextant, as OpenPose has them
    sextant, third = divmod(number, 3)
    rising, falling = 85 * third, 255 - 85 * third
    table = [
        (255, rising, 0),
        (falling, 255, 0),
        (0, 255, rising),
        (0, falling, 255),
        (rising, 0, 255),
        (255, 0, falling),
    ]
    return table[sextant]


def draw_dwpose(poses: PoseSequence, *, threshold: float = THRESHOLD) -> Iterator[NDArray[np.uint8]]:
    """Draw every frame.

    Args:
        poses: In any skeleton that has OpenPose's body joints; face and hands are drawn where there are any.
        threshold: Joints with a smaller score are not drawn.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        UnknownName: The skeleton has none of the joints.
    """
    body = poses.to("body_18")
    width, height = poses.size
    parts = {part: list(poses.skeleton.parts.get(part, ())) for part in ("left_hand", "right_hand", "face")}
    if poses.skeleton.name == get_skeleton("blazepose_33").name:
        parts["face"] = []  # corners of eyes and mouth are no 68 points
    for frame in range(len(poses)):
        picture = np.zeros((height, width, 3), np.uint8)
        _body(picture, _places(body, frame, range(18), threshold))
        for part in ("left_hand", "right_hand"):
            _hand(picture, _places(poses, frame, parts[part], threshold))
        for place in _places(poses, frame, parts["face"], threshold):
            _disc(picture, place, FACE_RADIUS, (255, 255, 255))
        yield picture


Place = NDArray[np.float64] | None


def _places(poses: PoseSequence, frame: int, joints: Sequence[int], threshold: float) -> list[Place]:
    """Of each joint its (x, y), None where it is not to be drawn; far joints are kept within integer range."""
    far = 16.0 * max(poses.size)
    return [
        np.clip(poses.xy[frame, joint].astype(np.float64), -far, far)
        if poses.score[frame, joint] > 0 and poses.score[frame, joint] >= threshold
        else None
        for joint in joints
    ]


def _body(picture: NDArray[np.uint8], places: Sequence[Place]) -> None:
    for number, (start, end) in enumerate(LIMBS):
        a, b = places[start], places[end]
        if a is None or b is None:
            continue
        middle, along = (a + b) / 2, b - a
        half = int(np.hypot(*along) / 2)
        angle = int(np.degrees(np.arctan2(along[1], along[0])))
        centre = (int(middle[0]), int(middle[1]))
        outline = cv2.ellipse2Poly(centre, (half, LIMB_HALF_WIDTH), angle, 0, 360, 1)
        cv2.fillConvexPoly(picture, outline, rainbow(number))
    picture[:] = (picture * DARKENED).astype(np.uint8)
    for number, place in enumerate(places):
        _disc(picture, place, JOINT_RADIUS, rainbow(number))


def _hand(picture: NDArray[np.uint8], places: Sequence[Place]) -> None:
    if not places:
        return
    for number, (start, end) in enumerate(FINGERS):
        a, b = places[start], places[end]
        if a is not None and b is not None:
            hue = colorsys.hsv_to_rgb(number / len(FINGERS), 1.0, 1.0)
            colour = (255 * hue[0], 255 * hue[1], 255 * hue[2])
            cv2.line(picture, _whole(a), _whole(b), colour, FINGER_WIDTH)
    for place in places:
        _disc(picture, place, JOINT_RADIUS, (0, 0, 255))


def _disc(picture: NDArray[np.uint8], place: Place, radius: int, colour: tuple[int, int, int]) -> None:
    if place is not None:
        cv2.circle(picture, _whole(place), radius, colour, -1)


def _whole(place: NDArray[np.float64]) -> tuple[int, int]:
    return int(place[0]), int(place[1])
