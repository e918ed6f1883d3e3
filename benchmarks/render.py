"""Time EDN's stick figure: drawn the original's way (each limb blended over the whole canvas), and ours.

    python benchmarks/render.py [--data ../shared/fixtures] [--frames N] [--json]

DIR holds the poses: reference cases of the normalization (`edn_posenorm_*/inputs.json`: body, face and hands at
1080p), or clips with exact truth (`*.npz` of `../shared/data/dancefloor`: body and hands, letterboxed to 1080p).
Without it a made-up figure with all 135 joints is drawn. Both ways draw every pose on the 1920x1080 canvas, one
after the other, on one thread, and the pictures are compared pixel by pixel; the resampling to 1024x512 is timed
apart. Milliseconds are CPU time of the process, medians over the frames. `theirs` is written here from the
description in `../shared/reference/edn.md` 1.3, with buffers that are used again: the allocations of the original
are spared it. The description gives 95 ms for a sample pose and 163 ms with all joints.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dancekit.renderers.edn_figure import WHITE, blank_canvas, draw_face, figure_box, shrink
from dancekit.renderers.edn_sticks import draw_figure
from dancekit.renderers.edn_tables import (
    BODY_COLOURS,
    HAND_COLOURS,
    HAND_LIMBS,
)
from dancekit.types import get_skeleton
from dancekit.types.canvas import CANVAS, LABEL, Letterbox

Pose = tuple[str, NDArray[np.float64]]
"""Layout, and (K, 3) of body, face, left and right hand."""


STANDING = """neck 0 -250, right_shoulder -70 -250, right_elbow -130 -140, right_wrist -190 -60, left_shoulder 70 -250,
left_elbow 150 -190, left_wrist 130 -330, mid_hip 0 0, right_hip -45 0, right_knee -60 180, right_ankle -50 350,
right_big_toe -75 380, right_small_toe -90 372, left_hip 45 0, left_knee 110 150, left_ankle 90 330,
left_big_toe 115 360, left_small_toe 130 350, nose 0 -330, right_eye -12 -345, right_ear -30 -335, left_eye 12 -345,
left_ear 30 -335"""


def made_up() -> list[Pose]:
    """Somebody 720 px tall, all 135 joints."""
    skeleton = get_skeleton("body_23_face_hands")
    words = (joint.split() for joint in STANDING.replace("\n", " ").split(", "))
    place = {name: np.array([float(x), float(y)]) for name, x, y in words}
    for n in range(70):
        place[skeleton.joints[23 + n]] = place["nose"] + [25 * math.cos(n), 30 * math.sin(n)]
    for side in ("left", "right"):
        for n in range(21):
            finger, knuckle = divmod(n - 1, 4)
            angle = 0.5 * finger + (0 if side == "left" else 3)
            reach = 0 if n == 0 else 20 + 12 * knuckle
            place[f"{side}_hand_{n}"] = place[f"{side}_wrist"] + [
                reach * math.cos(angle),
                reach * math.sin(angle),
            ]
    xy = np.array([place[joint] for joint in skeleton.joints]) + np.array([960, 560])
    return [("body_23", np.concatenate([xy, np.full((len(xy), 1), 0.8)], 1))]


def from_cases(folder: Path) -> list[Pose]:
    poses = []
    for file in sorted(folder.glob("edn_posenorm_*/inputs.json")):
        for frame in json.loads(file.read_text())["target"]["frames"].values():
            if len(frame["pose"]) == 69:
                flat = [frame[part] for part in ("pose", "face", "hand_left", "hand_right")]
                poses.append(("body_23", np.concatenate([np.reshape(part, (-1, 3)) for part in flat])))
    return poses


def from_clips(folder: Path) -> list[Pose]:
    poses = []
    skeleton = get_skeleton("body_25_face_hands")
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as data:
            if "keypoints" not in data or "names" not in data:
                continue
            names, points, size = data["names"].tolist(), data["keypoints"], data["size"]
        hands = [
            [name for name in names if name.startswith(side) and is_hand(name)] for side in ("left", "right")
        ]
        known = {f"{side}_hand_{n}": name for side, hand in zip(("left", "right"), hands, strict=True)
                 for n, name in enumerate(hand)}  # fmt: skip
        place = Letterbox.around((int(size[0]), int(size[1])) if size.ndim else (int(size), int(size)))
        for frame in points[:: max(1, len(points) // 40)]:
            pose = np.zeros((len(skeleton), 3))
            for number, joint in enumerate(skeleton.joints):
                parts = [known.get(joint, joint)]
                if joint in ("neck", "mid_hip"):
                    parts = [
                        f"{side}_{'shoulder' if joint == 'neck' else 'hip'}" for side in ("left", "right")
                    ]
                if all(part in names for part in parts):
                    pose[number, :2] = place(np.mean([frame[names.index(part)] for part in parts], 0))
                    pose[number, 2] = 1
            poses.append(("body_25", pose))
    return poses


def is_hand(name: str) -> bool:
    fingers = ("hand_wrist", "thumb", "index", "middle", "ring", "pinky")
    return name.split("_", 1)[1].startswith(fingers)


class Theirs:
    """Every limb on a copy of the whole canvas, which is then blended over the whole canvas."""

    def __init__(self) -> None:
        self.canvas, self.copy = blank_canvas(CANVAS), blank_canvas(CANVAS)

    def draw(self, layout: str, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        skeleton = get_skeleton(f"{layout}_face_hands")
        self.canvas[:] = WHITE
        body = pose[: len(get_skeleton(layout))]
        self._part(body, BODY_COLOURS[layout], get_skeleton(layout).edges, 0, 8, 4, first=True)
        face = pose[list(skeleton.parts["face"])]
        draw_face(self.canvas, face[:, :2], face[:, 2])  # dots are the same either way
        for hand in ("right_hand", "left_hand"):
            points = pose[list(skeleton.parts[hand])]
            self._part(points, HAND_COLOURS, HAND_LIMBS, 0.05, 3, 2, first=False)
        return self.canvas

    def _part(
        self, points: Any, colours: Any, limbs: Any, threshold: float, radius: int, half: int, *, first: bool
    ) -> None:
        for (x, y, c), colour in zip(points, colours, strict=True):
            if c > threshold:
                cv2.circle(self.canvas, (int(x), int(y)), radius, colour, thickness=-1)
        for a, b in limbs:
            if points[a, 2] > threshold and points[b, 2] > threshold:
                (ax, ay), (bx, by) = points[a, :2], points[b, :2]
                np.copyto(self.copy, self.canvas)
                polygon = cv2.ellipse2Poly(
                    (int((ax + bx) / 2), int((ay + by) / 2)),
                    (int(math.hypot(ax - bx, ay - by) / 2), half),
                    int(math.degrees(math.atan2(ay - by, ax - bx))),
                    0,
                    360,
                    1,
                )
                cv2.fillConvexPoly(self.copy, polygon, colours[a if first else b])
                cv2.addWeighted(self.canvas, 0.4, self.copy, 0.6, 0, dst=self.canvas)


class Ours:
    """As `EDNSticks` does: one canvas, wiped where the last figure was."""

    def __init__(self) -> None:
        self.canvas = blank_canvas(CANVAS)
        self.box = (0, 0, 0, 0)

    def draw(self, layout: str, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        left, top, right, bottom = self.box
        self.canvas[top:bottom, left:right] = WHITE
        skeleton = get_skeleton(f"{layout}_face_hands")
        self.box = figure_box(pose[:, :2], pose[:, 2], CANVAS)
        draw_figure(self.canvas, pose[:, :2], pose[:, 2], skeleton, layout)
        return self.canvas


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return 1e3 * (time.process_time() - start), result


def measure(poses: list[Pose]) -> dict[str, Any]:
    cv2.setNumThreads(1)
    theirs, ours = Theirs(), Ours()
    theirs.draw(*poses[0])
    ours.draw(*poses[0])
    times: dict[str, list[float]] = {"theirs": [], "ours": [], "resampling": [], "resampling_whole": []}
    largest = 0
    for layout, pose in poses:
        for name, way in (("theirs", theirs), ("ours", ours)):
            spent, _ = milliseconds(lambda way=way, layout=layout, pose=pose: way.draw(layout, pose))
            times[name].append(spent)
        difference = cv2.absdiff(theirs.canvas, ours.canvas)
        largest = max(largest, int(difference.max()))
        times["resampling"].append(milliseconds(lambda: shrink(ours.canvas, LABEL, ours.box))[0])
        times["resampling_whole"].append(milliseconds(lambda: shrink(ours.canvas, LABEL))[0])
    medians = {f"{name}_ms": round(statistics.median(values), 3) for name, values in times.items()}
    return {
        "frames": len(poses),
        "joints_drawn": round(float(np.mean([(pose[:, 2] > 0).sum() for _, pose in poses])), 1),
        **medians,
        "ratio": round(medians["theirs_ms"] / medians["ours_ms"], 1),
        "largest_difference": largest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="where poses are")
    parser.add_argument("--frames", type=int, default=40, help="at most so many, spread over what there is")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    poses = made_up() * given.frames
    if given.data is not None:
        poses = from_cases(given.data) or from_clips(given.data)
        if not poses:
            parser.error(f"{given.data} holds no edn_posenorm_*/inputs.json and no *.npz with keypoints")
    chosen = np.linspace(0, len(poses) - 1, min(given.frames, len(poses))).round().astype(int)
    result = measure([poses[number] for number in chosen])
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        for key, value in result.items():
            print(f"{key:20} {value}")


if __name__ == "__main__":
    main()
