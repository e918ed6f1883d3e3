"""Make `zoo/motions`: dances as pose files, with an index.

    python tools/make_motions.py ../shared/data/motion/aistpp      # the folder of AIST++ files; left out without it

Procedural dances are performed by person A of the dancefloor before camera A (needs the extra [dancefloor]) and
written in BlazePose's 33 joints. AIST++'s annotations (Google LLC, CC BY 4.0) are its optimized 3D keypoints seen by
its front camera c01, every second frame (30 a second), 1920x1080 scaled to 960x540.
"""

from __future__ import annotations

import hashlib
import json
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from dancekit.dancefloor.benchmark_rooms import camera_a
from dancekit.dancefloor.dance import dance
from dancekit.dancefloor.expression import with_face
from dancekit.dancefloor.joints import FPS
from dancekit.dancefloor.keypoints import NAMES
from dancekit.dancefloor.looks import PERSON_A
from dancekit.dancefloor.motion import Motion, join
from dancekit.dancefloor.person import Person
from dancekit.dancefloor.retarget import retarget
from dancekit.dancefloor.walk import rest, walk_u_turn
from dancekit.types import PoseSequence, get_skeleton

OUT = Path(__file__).parents[1] / "zoo" / "motions"

FINGERS = {"pinky": "pinky_1", "index": "index_1", "thumb": "thumb_2"}
"""BlazePose's three points of a hand are knuckles."""

AIST = {
    "gBR_sBM_cAll_d04_mBR2_ch08": ("break_basic_1", "break dance, basic moves, dancer d04"),
    "gBR_sBM_cAll_d06_mBR2_ch06": ("break_basic_2", "break dance, basic moves, dancer d06"),
    "gJS_sBM_cAll_d03_mJS2_ch07": ("street_jazz_basic", "street jazz, basic moves, dancer d03"),
    "gJS_sFM_cAll_d02_mJS4_ch09": ("street_jazz_advanced", "street jazz, advanced moves, dancer d02"),
}

AIST_CREDIT = (
    "AIST++ annotations, Google LLC, CC BY 4.0 (https://google.github.io/aistplusplus_dataset/): Li, Yang, Ross, "
    "Kanazawa, AI Choreographer, ICCV 2021; of dances of the AIST Dance Video Database: Tsuchiya, Fukayama, Hamasaki, "
    "Goto, ISMIR 2019. Changed: projected into camera c01, every second frame, scaled to 960x540."
)


def blazepose_name(joint: str) -> str:
    """The dancefloor's keypoint for a joint of BlazePose."""
    side, _, part = joint.partition("_")
    if part in FINGERS:
        return f"{side}_{FINGERS[part]}"
    return f"{side}_big_toe" if part == "foot_index" else joint


def perform(motion: Motion) -> PoseSequence:
    """What camera A sees of person A."""
    person, camera = Person(PERSON_A), camera_a()
    performed = retarget(with_face(motion, 0), person.rig).motion
    skeleton = get_skeleton("blazepose_33")
    order = [NAMES.index(blazepose_name(joint)) for joint in skeleton.joints]
    found = []
    for frame in range(len(performed)):
        bones = person.rig.pose(
            performed.rotations[frame],
            performed.root[frame],
            gaze=performed.gaze[frame],
            fingers=performed.fingers[frame],
        )
        found.append(camera.project(person.keypoints.places(*bones, performed.face[frame]))[0][order])
    return sequence(np.array(found), FPS, camera.size, "blazepose_33")


def sequence(xy: np.ndarray, rate: int, size: tuple[int, int], skeleton: str) -> PoseSequence:
    """A pose sequence at an even rate, rounded to a hundredth of a pixel so that it compresses."""
    rounded = np.round(xy * 128) / 128
    return PoseSequence(
        xy=rounded.astype(np.float32),
        score=np.isfinite(xy).all(-1).astype(np.float32),
        pts=np.arange(len(xy)),
        time_base=Fraction(1, rate),
        size=size,
        skeleton=get_skeleton(skeleton),
    )


def procedural() -> dict[str, tuple[str, Motion]]:
    """Names, one line each, motions."""
    calm = ("groove", "sidestep", "boxstep", "march")
    wild = ("kick", "lunge", "turn", "grapevine", "squat", "cross")
    warm_up = [rest(2.0, seed=1), walk_u_turn(5.0, near=-1.05, far=0.75)]
    return {
        "warm_up": ("stand, walk to the camera and back", join(warm_up, 12)),
        "groove_98": ("calm steps at 98 beats a minute", dance(12, bpm=98, seed=41, range_x=0.4, steps=calm)),
        "pop_116": ("all steps at 116 beats a minute", dance(16, bpm=116, seed=42, range_x=0.5, range_y=0.3)),
        "club_124": (
            "energetic, 124 beats a minute",
            dance(16, bpm=124, seed=43, range_x=0.5, energy=1.25, depth=0.25),
        ),
        "drill_108": ("kicks, lunges, turns, squats", dance(16, bpm=108, seed=44, range_x=0.5, steps=wild)),
        "front_112": (
            "never turns its back on the camera",
            dance(16, bpm=112, seed=45, range_x=0.45, full_turns=False),
        ),
    }


def aist(folder: Path, name: str) -> PoseSequence:
    """The front camera's view of an AIST++ dance."""
    with np.load(folder / f"{name}.npz") as data:
        points, setting = data["keypoints3d_optim"], str(data["camera_setting"])
    cameras = json.loads((folder / f"cameras_{setting}.json").read_text())
    front = next(camera for camera in cameras if camera["name"] == "c01")
    projected, _ = cv2.projectPoints(
        points.reshape(-1, 3).astype(float),
        np.array(front["rotation"]),
        np.array(front["translation"]),
        np.array(front["matrix"]),
        np.array(front["distortions"]),
    )
    xy = projected.reshape(*points.shape[:2], 2)[::2]
    return sequence((xy + 0.5) / 2 - 0.5, 30, (960, 540), "coco_17")


def main() -> None:
    """Write the files and the index."""
    OUT.mkdir(parents=True, exist_ok=True)
    entries = []

    def add(name: str, summary: str, poses: PoseSequence, licence: str, credit: str) -> None:
        path = poses.save(OUT / f"{name}.npz")
        content = path.read_bytes()
        entries.append(
            {
                "id": name,
                "file": path.name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "summary": summary,
                "frames": len(poses),
                "rate": round(poses.rate, 3),
                "skeleton": poses.skeleton.id,
                "licence": licence,
                "credit": credit,
            }
        )
        print(f"{path.name}: {len(poses)} frames, {len(content) / 1e3:.0f} kB")

    for name, (summary, motion) in procedural().items():
        add(name, summary, perform(motion), "Apache-2.0", "dancekit's dancefloor, procedural")
    for original, (name, summary) in AIST.items() if len(sys.argv) > 1 else ():
        add(
            f"aist_{name}",
            summary,
            aist(Path(sys.argv[1]), original),
            "CC-BY-4.0",
            f"{original}: {AIST_CREDIT}",
        )
    (OUT / "index.json").write_text(json.dumps({"schema": 1, "motions": entries}, indent=2) + "\n")


if __name__ == "__main__":
    main()
